"""Every checkpoint is read back after writing: a run can go on from it, or it fails now."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import TrainerCallback

from causalguard.errors import TrainingError

WEIGHTS = "trainable.safetensors"
"""What a checkpoint holds of the model: adapter and heads."""
PARTS = (WEIGHTS, "optimizer.pt", "scheduler.pt", "trainer_state.json")
"""Without one of these a run cannot be resumed exactly."""


class VerifiedCheckpoints(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Checks the checkpoint that was just written."""

    def on_save(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Check it; TrainingError names what is missing or damaged."""
        del control
        if not state.is_world_process_zero:
            return
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        names = None if model is None else set(_plain(model).trainable())
        faults = check_checkpoint(checkpoint, names)
        if faults:
            raise TrainingError(
                f"{checkpoint} cannot be resumed from: {'; '.join(faults)}; check the disk"
            )


def _plain(model: Any) -> Any:
    """The model inside the wrapper of several processes."""
    return getattr(model, "module", model)


def check_checkpoint(checkpoint: Path, names: set[str] | None = None) -> list[str]:
    """What is wrong with a checkpoint; empty when a run can go on from it.

    Args:
        checkpoint: its directory.
        names: tensors that its weights must hold, no more and no less; None: any.
    """
    missing = [f"{name} is missing" for name in PARTS if not (checkpoint / name).is_file()]
    if not list(checkpoint.glob("rng_state*.pth")):
        missing.append("rng_state.pth is missing")
    if missing:
        return missing
    try:
        with safe_open(checkpoint / WEIGHTS, framework="pt") as stream:
            found = set(stream.keys())
            odd = [n for n in found if not bool(stream.get_tensor(n).isfinite().all())]
    except SafetensorError as error:
        return [f"{WEIGHTS} is damaged: {error}"]
    faults = [f"{name} is not finite" for name in sorted(odd)[:3]]
    if names is not None and names != found:
        faults.append(f"{WEIGHTS} holds other tensors: {sorted(names ^ found)[:3]}")
    return faults
