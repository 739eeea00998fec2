"""Scoring many texts at once: the guard by its own scorer, baselines by windows of like length."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalguard.console import progress
from causalguard.errors import ScanError
from causalguard.guard.encoder import Encoder
from causalguard.guard.scorer import Scorer
from causalguard.guard.template import Template
from causalguard.guard.windows import WindowSpec, windows
from causalguard.records import ToolOutput

Floats = NDArray[np.float64]
Reduce = Callable[[Tensor, Tensor], Tensor]
"""Hidden states (B, T, H) and the mask of window tokens (B, T) to one row per window (B, k)."""

CPU_TOKENS, GPU_TOKENS = 4096, 65536


@dataclass(frozen=True, slots=True)
class Window:
    """One window of one text under its trusted context."""

    owner: int
    """Index of the text."""
    prefix: NDArray[np.int64]
    """Tokens of the trusted context."""
    ids: NDArray[np.int64]
    """Tokens of the window."""


def cut(
    outputs: Sequence[ToolOutput], template: Template, spec: WindowSpec
) -> tuple[list[Window], NDArray[np.int64]]:
    """Windows of all texts, and the number of tokens of each text."""
    prefixes: dict[tuple[str, str], NDArray[np.int64]] = {}
    made: list[Window] = []
    counts = np.zeros(len(outputs), dtype=np.int64)
    for index, output in enumerate(outputs):
        key = (output.system, output.task)
        if key not in prefixes:
            prefixes[key] = np.asarray(template.prefix(*key), dtype=np.int64)
        ids = template.tokens(output.text).ids
        counts[index] = len(ids)
        grid = windows(min(len(ids), spec.max_tokens), spec)
        made += [Window(index, prefixes[key], ids[a:b]) for a, b in grid]
    return made, counts


def reduce_windows(
    encoder: Encoder, made: Sequence[Window], reduce: Reduce, *, label: str
) -> NDArray[np.float32]:
    """One row per window, in the order given: ``reduce`` of the deepest exit's hidden states."""
    device = next(encoder.parameters()).device
    layer = encoder.exits[-1]
    limit = GPU_TOKENS if device.type == "cuda" else CPU_TOKENS
    found: list[Any] = [None] * len(made)
    batches = list(_batches(made, limit))
    with torch.inference_mode():
        for batch in progress(batches, total=len(batches), label=label):
            ids, mask = _tensors([made[i] for i in batch], device)
            # Padding stands on the right: under causal attention it reaches no earlier token.
            rows = reduce(encoder.hidden(ids)[layer], mask).float().cpu().numpy()
            for i, row in zip(batch, rows, strict=True):
                found[i] = row
    return np.stack(found) if found else np.zeros((0, 1), dtype=np.float32)


def _batches(made: Sequence[Window], limit: int) -> Iterator[list[int]]:
    sizes = [len(w.prefix) + len(w.ids) for w in made]
    batch: list[int] = []
    for i in sorted(range(len(made)), key=sizes.__getitem__):
        if batch and (len(batch) + 1) * sizes[i] > limit:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _tensors(batch: Sequence[Window], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(w.prefix) + len(w.ids) for w in batch)
    ids = np.zeros((len(batch), longest), dtype=np.int64)
    mask = np.zeros((len(batch), longest), dtype=bool)
    for row, window in enumerate(batch):
        a, b = len(window.prefix), len(window.prefix) + len(window.ids)
        ids[row, :a], ids[row, a:b] = window.prefix, window.ids
        mask[row, a:b] = True
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def pooled(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean and maximum of the hidden states over a window, (B, 2 H)."""
    keep = mask.unsqueeze(-1)
    states = hidden.float()
    mean = (states * keep).sum(dim=1) / keep.sum(dim=1).clamp(min=1)
    top = states.masked_fill(~keep, torch.finfo(states.dtype).min).amax(dim=1)
    return torch.cat([mean, top], dim=-1)


def per_text(
    made: Sequence[Window], values: NDArray[np.float32], n: int, *, empty: float
) -> Floats:
    """Maximum over the windows of each text; ``empty`` for texts without a token.

    Raises:
        ScanError: a value is not a number; it would compare below every threshold.
    """
    if not np.isfinite(values).all():
        raise ScanError("a window's risk is not a number; check the weights, then score again")
    result = np.full(n, -np.inf)
    owners = np.array([w.owner for w in made], dtype=np.int64)
    np.maximum.at(result, owners, values[:, 0].astype(np.float64))
    result[np.isinf(result)] = empty
    return result


def guard_risks(scorer: Scorer, outputs: Sequence[ToolOutput]) -> tuple[Floats, NDArray[np.int64]]:
    """Document risks in [0, 1] and token counts, in order: what the guard itself gives.

    Raises:
        ScanError: a risk is not a number.
    """
    risks = np.zeros(len(outputs))
    counts = np.zeros(len(outputs), dtype=np.int64)
    # Texts of one trusted context, and of like length, share a forward.
    order = sorted(range(len(outputs)), key=lambda i: _context(outputs[i]))
    starts = range(0, len(order), scorer.at_once)
    for start in progress(starts, total=len(starts), label="guard"):
        part = order[start : start + scorer.at_once]
        for i, scored in zip(part, scorer.score([outputs[i] for i in part]), strict=True):
            # A text that was not scanned in full is flagged whatever its risk.
            risks[i] = scored.risk if scored.coverage == 1.0 else 1.0
            counts[i] = scored.n_tokens
    return risks, counts


def _context(output: ToolOutput) -> tuple[str, str, int]:
    return output.system, output.task, len(output.text)
