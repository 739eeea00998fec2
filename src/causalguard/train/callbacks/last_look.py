"""The last step is always looked at, whatever ``watch.every`` divides."""

from typing import Any

from transformers import TrainerCallback


class LastLook(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Asks for an evaluation at the last step."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Ask for it."""
        if state.global_step >= state.max_steps and args.eval_strategy != "no":
            control.should_evaluate = True
        return control
