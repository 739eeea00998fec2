"""What watches a run, one file each, in the order in which they are asked.

::

    Shares               trains the adapter at another share of itself each step, if asked to
    LastLook             asks for a look at the dev split at the last step
    GradientNorm         stops on a gradient that is not finite
    LossExplosion        stops on a loss that is not finite or has exploded, its batch kept
    VerifiedCheckpoints  reads every checkpoint back
    EarlyStopping        stops when looks no longer improve, and says which was best
    MemoryMonitor        says the peak of the first steps
    Bar                  shows what the others and the logs found

Whoever may stop the run comes before whoever reports on it.
"""

from collections.abc import Callable
from pathlib import Path

from transformers import TrainerCallback

from causalguard.train.callbacks.bar import Bar
from causalguard.train.callbacks.early_stopping import EarlyStopping
from causalguard.train.callbacks.explosion import LossExplosion
from causalguard.train.callbacks.gradient_norm import GradientNorm
from causalguard.train.callbacks.last_look import LastLook
from causalguard.train.callbacks.memory import MemoryMonitor
from causalguard.train.callbacks.shares import Shares
from causalguard.train.callbacks.verified import VerifiedCheckpoints
from causalguard.train.config import TrainConfig


def in_order(
    config: TrainConfig, folder: Path, *, gpu: bool, say: Callable[[str], None]
) -> list[TrainerCallback]:
    """The callbacks of a run.

    Args:
        config: what to watch, and how the adapter is trained.
        folder: of checkpoints; a bad batch is kept there.
        gpu: the run is on a GPU.
        say: gets a line where one has something to say.
    """
    watch = config.watch
    made: list[TrainerCallback] = [
        LastLook(),
        GradientNorm(),
        # A GPU is not made to wait for its loss: the check comes one micro-batch later there.
        LossExplosion(watch.explosion, folder, late=gpu),
        VerifiedCheckpoints(),
    ]
    if config.lora.lowest_share < 1:
        made.insert(0, Shares(config.lora.lowest_share, config.seed))
    if watch.patience and watch.every:
        made.append(EarlyStopping(watch.patience, watch.min_delta, say=say))
    return [*made, MemoryMonitor(say=say), Bar()]
