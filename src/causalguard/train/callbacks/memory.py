"""The peak of the first steps: whoever runs out of memory does so there, or nearly so."""

import logging
import resource
from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback

log = logging.getLogger(__name__)
FIRST = 3
"""Steps after which the peak is told: the optimiser's states exist by then."""


class MemoryMonitor(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Tells the peak after the first steps of a run."""

    def __init__(self, *, say: Callable[[str], None] = log.info) -> None:
        self._say = say
        self._steps = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell it once."""
        del control
        self._steps += 1
        if self._steps == min(FIRST, state.max_steps) and state.is_world_process_zero:
            self._say(f"memory after {self._steps} steps: {told(args.device)}")


def told(device: torch.device) -> str:
    """Peak so far: tensors on a GPU against its memory, or this process's resident memory."""
    if device.type == "cuda":
        whole = torch.cuda.get_device_properties(device).total_memory
        peak, held = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
        return (
            f"peak {peak / 2**30:.2f} GiB, {held / 2**30:.2f} reserved, of {whole / 2**30:.1f} GiB"
        )
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"peak {kib / 2**20:.2f} GiB of this process"
