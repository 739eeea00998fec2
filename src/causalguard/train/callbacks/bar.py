"""A progress bar on stderr: loss terms, tokens a second, memory, time left."""

import sys
from typing import Any

import torch
from transformers import TrainerCallback

SHOWN = ("loss", "token", "document", "contrastive", "matched", "task")


class Bar(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Shows the run; off on all but the first process."""

    def __init__(self) -> None:
        self._bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Draw the bar."""
        del args, control
        if state.is_world_process_zero:
            from tqdm import tqdm

            self._bar = tqdm(
                total=state.max_steps,
                initial=state.global_step,
                desc="train",
                file=sys.stderr,
                mininterval=1.0,
                dynamic_ncols=True,
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Advance by one step."""
        del args, control
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the loss terms, or a look at the dev split."""
        del control
        if self._bar is None or not logs:
            return
        if "eval_auroc" in logs:
            figures = {n.removeprefix("eval_"): v for n, v in logs.items() if n != "epoch"}
            told = ", ".join(f"{n} {v:.3f}" for n, v in figures.items())
            self._bar.write(f"step {state.global_step}: dev {told}", file=sys.stderr)
            return
        shown = {n: f"{v:.3f}" for n, v in logs.items() if n.split("_")[0] in SHOWN}
        if "tokens_per_second" in logs:
            shown["tokens/s"] = f"{logs['tokens_per_second']:.0f}"
        if args.device.type == "cuda":
            shown["GiB"] = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}"
        self._bar.set_postfix(shown)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the bar as it stands."""
        del args, state, control
        if self._bar is not None:
            self._bar.close()
