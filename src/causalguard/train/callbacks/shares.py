"""Every step at its own share of the adapter's change, so that what lies between holds too."""

from typing import Any

import numpy as np
from transformers import TrainerCallback


class Shares(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Draws one share a step, evenly from [``lowest``, 1]; looks at the dev split see share 1.

    A line of models from the base is trained rather than its end alone (Wortsman et al. 2021,
    "Learning Neural Network Subspaces", arXiv:2102.10472, section 3), because the guard that is
    kept may lie within it (``lora.interpolate``).  The draw depends on seed and step only: a
    resumed run and every rank draw the same.
    """

    def __init__(self, lowest: float, seed: int) -> None:
        self.lowest, self.seed = lowest, seed

    def on_step_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        """Scale the adapter for this step."""
        del args, control
        rng = np.random.default_rng([self.seed, state.global_step])
        unwrapped(model).set_share(float(rng.uniform(self.lowest, 1.0)))

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Whoever looks or saves between steps meets the whole adapter."""
        del args, state, control
        unwrapped(model).set_share(1.0)


def unwrapped(model: Any) -> Any:
    """The model itself, out of DDP's or FSDP's wrapper."""
    while hasattr(model, "module"):
        model = model.module
    return model
