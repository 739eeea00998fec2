"""A loss that is not a number, or has exploded, ends the run; the batch is kept for inspection."""

import math
import statistics
from collections import deque
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor
from transformers import TrainerCallback

from causalguard.errors import TrainingError

RUNNING = 50
"""Losses over which the running median is taken."""
FLOOR = 0.05
"""A median below this counts as this: small losses may grow many times over."""


class LossExplosion(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Compares each micro-batch's loss with the running median."""

    def __init__(self, factor: float, folder: Path, *, late: bool = False) -> None:
        """Stop above ``factor`` medians.

        ``late``: look at a loss when the next one comes, so that nobody waits for the GPU.
        """
        self._factor = factor
        self._folder = folder
        self._late = late
        self._recent: deque[float] = deque(maxlen=RUNNING)
        self._pending: tuple[Tensor, dict[str, Tensor], int] | None = None

    def see(self, loss: Tensor, inputs: dict[str, Tensor], step: int) -> None:
        """Take the loss of a micro-batch.

        Raises TrainingError when it, or with ``late`` the one before, is bad.
        """
        before, self._pending = self._pending, (loss.detach(), inputs, step)
        if not self._late:
            self.flush()
        elif before is not None:
            self._check(*before)

    def flush(self) -> None:
        """Look at the loss that waits, if one does."""
        waiting, self._pending = self._pending, None
        if waiting is not None:
            self._check(*waiting)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look at the last loss."""
        del args, state, control
        self.flush()

    def _check(self, loss: Tensor, inputs: dict[str, Tensor], step: int) -> None:
        value, limit = float(loss), float("inf")
        if len(self._recent) == RUNNING:
            limit = self._factor * max(statistics.median(self._recent), FLOOR)
        if math.isfinite(value) and value <= limit:
            self._recent.append(value)
            return
        path = self._folder / f"bad-batch-step-{step}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.cpu().contiguous() for name, tensor in inputs.items()}, path)
        message = (
            f"the loss became {value:g} at step {step} (allowed: {limit:g}); "
            f"its batch is in {path}; lower optimiser.lr or set precision=fp32"
        )
        raise TrainingError(message)
