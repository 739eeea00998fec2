"""A gradient that is not finite ends a run before it spoils the weights that are kept."""

import math
from typing import Any

from transformers import TrainerCallback

from causalguard.errors import TrainingError


class GradientNorm(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Stops on a logged norm that is not finite; float16's scaler meets such norms and skips them.

    The last norm is kept for whoever asks.
    """

    def __init__(self) -> None:
        self.last: float | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Look at the norm."""
        del control
        if not logs or "grad_norm" not in logs:
            return
        self.last = float(logs["grad_norm"])
        if not math.isfinite(self.last) and not args.fp16:
            message = (
                f"the gradient's norm became {self.last} at step {state.global_step}; "
                "lower optimiser.lr or set precision=fp32, and go on from the last checkpoint"
            )
            raise TrainingError(message)
