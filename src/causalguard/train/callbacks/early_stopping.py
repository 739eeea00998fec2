"""Stop when looks at the dev split no longer improve, and say which look was the best."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from transformers import EarlyStoppingCallback

log = logging.getLogger(__name__)


class EarlyStopping(EarlyStoppingCallback):  # type: ignore[misc]  # transformers is untyped here
    """transformers' own rule; a resumed run counts on from the looks of its checkpoint."""

    def __init__(
        self,
        early_stopping_patience: int = 1,
        early_stopping_threshold: float = 0.0,
        *,
        say: Callable[[str], None] = log.info,
    ) -> None:
        """Looks to wait, and what counts as an improvement; the names are transformers'."""
        super().__init__(early_stopping_patience, early_stopping_threshold)
        self._say = say

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count the looks since the last improvement that the state remembers."""
        super().on_train_begin(args, state, control, **kwargs)
        name = args.metric_for_best_model
        looks = [entry[name] for entry in state.log_history if name in entry]
        self.early_stopping_patience_counter = looks_since_best(
            looks, self.early_stopping_threshold
        )

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Count the look; on the last one that is waited for, stop and say the best."""
        name = args.metric_for_best_model
        if not metrics or name not in metrics:
            return
        super().on_evaluate(args, state, control, metrics=metrics, **kwargs)
        if control.should_training_stop and state.is_world_process_zero:
            # This look's own value is not in the state yet.
            value, step = state.best_metric, state.best_global_step
            plain = name.removeprefix("eval_")
            self._say(
                f"stopped at step {state.global_step}: {self.early_stopping_patience} looks "
                f"without an improvement of {plain} by more than "
                f"{self.early_stopping_threshold:g}; the best is {value:.4f} at step {step}"
            )


def looks_since_best(values: Sequence[float], min_delta: float) -> int:
    """Looks since one was better than all before it by more than ``min_delta``."""
    count, best = 0, float("-inf")
    for value in values:
        count = 0 if value - best > min_delta else count + 1
        best = max(best, value)
    return count
