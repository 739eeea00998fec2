"""When the GPU's memory does not suffice: smaller micro-batches, more of them, the same step."""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from causalguard.errors import TrainingError
from causalguard.train.config import TrainConfig
from causalguard.train.gather import many_processes
from causalguard.train.plan import smallest_batch

if TYPE_CHECKING:
    from causalguard.train.trainer import GuardTrainer

Attempt = Callable[[TrainConfig, Path | None], "GuardTrainer"]


def within_memory(
    attempt: Attempt,
    config: TrainConfig,
    work: Path,
    *,
    resume: Path | None,
    say: Callable[[str], None],
) -> tuple["GuardTrainer", TrainConfig]:
    """Train; when memory runs out, halve the micro-batch, double the accumulation and go on.

    Training goes on from the last checkpoint of this run, or from its start.  Contrasts see the
    rows of a micro-batch alone, so they have fewer negatives afterwards.

    Args:
        attempt: trains with a configuration, from a checkpoint or from the start.
        config: the run as configured.
        work: where its checkpoints are.
        resume: a checkpoint to begin with.
        say: gets a line at each change.

    Returns: the trainer and the configuration that went through.

    Raises TrainingError when not even one matched set fits, or other processes train as well.
    """
    while True:
        begun = time.time()
        try:
            return attempt(config, resume), config
        except torch.OutOfMemoryError as error:
            reason = str(error).strip().splitlines()[0][:160]
        if many_processes():
            # The others wait for this one in a sum over all: nobody can go on alone.
            raise TrainingError(
                f"out of memory on one of several processes ({reason}); start again with "
                "--set batch=... halved and accumulation doubled"
            )
        # Outside of the handler: its traceback would keep the failed attempt's tensors alive.
        smaller = halved(config)
        if smaller is None:
            message = (
                f"out of memory with micro-batches of {config.batch} rows ({reason}); "
                "guard-train --plan says what would fit: checkpointing, quantisation: nf4, "
                "a shallower exit or shorter windows.tokens"
            )
            raise TrainingError(message)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        resume = newest_checkpoint(work, since=begun) or resume
        start = resume.name if resume else "the start"
        say(
            f"out of memory: micro-batches of {smaller.batch} rows in place of {config.batch}, "
            f"{smaller.accumulation} of them a step in place of {config.accumulation}; "
            f"on from {start}"
        )
        config = smaller


def halved(config: TrainConfig) -> TrainConfig | None:
    """Half the rows, twice the micro-batches; None when a matched set would be parted."""
    rows = -(-config.batch // 2)
    if rows == config.batch or rows < smallest_batch(config):
        return None
    return config.model_copy(update={"batch": rows, "accumulation": 2 * config.accumulation})


def newest_checkpoint(work: Path, *, since: float) -> Path | None:
    """The last checkpoint written after a point of time (seconds of the epoch), if there is one."""
    found = {
        int(p.name.removeprefix("checkpoint-")): p
        for p in work.glob("checkpoint-*")
        if p.stat().st_mtime >= since and (p / "trainer_state.json").is_file()
    }
    return found[max(found)] if found else None
