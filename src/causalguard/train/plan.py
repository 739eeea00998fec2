"""``guard-train --plan``: what a run needs, against what there is, and what to change."""

from collections.abc import Iterator
from typing import Any

import torch

from causalguard.guard.base import BaseFiles
from causalguard.train.config import TrainConfig
from causalguard.train.memory import CONTEXT, FILL, GIB, Plan, device_memory, fits, predict
from causalguard.train.model import pick_precision
from causalguard.train.shapes import find_base

PARTS = ("weights", "adapter", "gradients", "optimiser", "activations")


def plan_text(
    config: TrainConfig, *, device: str | None = None, memory_gib: float | None = None
) -> str:
    """The plan of a run as a few lines, with advice if it does not fit.

    Args:
        config: the run; its data are not read.
        device: ``cpu`` or ``cuda``; None: a GPU if there is one.
        memory_gib: plan for a GPU of this size instead, whether or not there is one here.

    Raises BaseModelError when the base's config.json is not on this machine.
    """
    base = find_base(config.base)
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    gpu = memory_gib is not None or where.type == "cuda"
    # Another machine's GPU is taken to have bf16.
    elsewhere = memory_gib is not None and where.type != "cuda"
    wanted = "bf16" if elsewhere and config.precision == "auto" else config.precision
    bf16 = pick_precision(wanted, where) == "bf16"
    memory = device_memory(where) if memory_gib is None else int(memory_gib * GIB)
    plan = predict(config, base, bf16=bf16, gpu=gpu)
    lines = [describe(plan, memory, gpu=gpu)]
    if not fits(plan, memory, gpu=gpu):
        lines.append(advice(config, base, bf16=bf16, memory=memory, gpu=gpu))
    return "\n".join(lines)


def table(plan: Plan, measured: dict[str, int] | None = None) -> list[str]:
    """One line per part: predicted and, if given, measured GiB."""
    rows: list[tuple[str, int]] = [(name, int(getattr(plan, name))) for name in PARTS]
    rows.append(("total", plan.total))
    head = f"{'part':<12} {'predicted':>9}" + (f" {'measured':>9}" if measured else "")
    lines = [head + "   GiB"]
    for name, size in rows:
        line = f"{name:<12} {size / GIB:>9.3f}"
        if measured:
            line += f" {measured[name] / GIB:>9.3f}"
        lines.append(line)
    return lines


def describe(plan: Plan, memory: int, *, gpu: bool) -> str:
    """The plan against a device's memory."""
    shape = plan.shape
    what = f"micro-batch of {shape.rows} rows, {shape.length} tokens each at most"
    if shape.packed is not None:
        what += f", packed into {shape.packed[0]} x {shape.packed[1]}"
    if shape.chats is not None:
        what += f"; {shape.chats[0]} chats of {shape.chats[1]} tokens with their answers"
    lines = [what, *table(plan)]
    if plan.logits:
        lines.append(f"{'(logits':<12} {plan.logits / GIB:>9.3f}   a chunk at a time)")
    beside = CONTEXT if gpu else 0
    if beside:
        lines.append(f"{'CUDA itself':<12} {beside / GIB:>9.3f}")
    verdict = "fits" if fits(plan, memory, gpu=gpu) else "does not fit"
    lines.append(
        f"{verdict}: {(plan.total + beside) / GIB:.2f} GiB of {memory / GIB:.1f} GiB, "
        f"{FILL:.0%} of which may be used"
    )
    return "\n".join(lines)


def advice(config: TrainConfig, base: BaseFiles, *, bf16: bool, memory: int, gpu: bool) -> str:
    """What to change so that a run fits, the change that costs least time first."""
    for changes in _candidates(config, gpu=gpu):
        tried = config.model_copy(update=changes)
        plan = predict(tried, base, bf16=bf16, gpu=gpu)
        if fits(plan, memory, gpu=gpu):
            told = " ".join(f"--set {name}={_yaml(value)}" for name, value in changes.items())
            return f"fits with {told}  ({plan.total / GIB:.2f} GiB)"
    shallower = max(1, config.depth // 2)
    return (
        "no micro-batch fits, not even recomputed and in 4 bits; read a shallower layer "
        f"(--set 'exits=[{{layer: {shallower}}}]'), shorten windows.tokens, or take a smaller base"
    )


def _candidates(config: TrainConfig, *, gpu: bool) -> Iterator[dict[str, Any]]:
    """Changes to try: smaller micro-batches, then recomputation, then four bits."""
    extras: list[dict[str, Any]] = [{}]
    if not config.checkpointing:
        extras.append({"checkpointing": True})
    if gpu and not config.offload:
        extras.append({"checkpointing": True, "offload": True})
    if config.quantisation == "none" and gpu:
        extras.append({"checkpointing": True, "quantisation": "nf4"})
        extras.append({"checkpointing": True, "offload": True, "quantisation": "nf4"})
    for extra in extras:
        rows, steps = config.batch, config.accumulation
        if extra:
            yield extra
        while rows >= 2 * smallest_batch(config):
            rows, steps = rows // 2, steps * 2
            yield {"batch": rows, "accumulation": steps, **extra}


def smallest_batch(config: TrainConfig) -> int:
    """Rows below which a micro-batch cannot shrink: one matched set of two."""
    return max(2, min(config.batch, len(config.data.kinds)))


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
