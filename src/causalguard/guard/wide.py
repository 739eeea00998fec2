"""The way through a GPU: windows of many documents and many tasks side by side.

A GPU needs tens of thousands of tokens at once.  One task's windows are seldom that many, so every
row carries its own trusted prefix here, instead of sharing the prefix's keys and values (which
pays on a CPU).  The results are those of the other way up to rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalguard.guard.encoder import Encoder

Floats = NDArray[np.float32]
PADDING = 8
"""At most one in so many tokens of a batch is padding, unless the batch is one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One window behind its trusted prefix."""

    prefix: tuple[int, ...]
    """Token ids of S."""
    ids: NDArray[np.int64]
    """Token ids of the window, shape (n,), n >= 1."""
    counts: NDArray[np.bool_] | None
    """Which of its tokens count, shape (n,); None: all."""

    def __len__(self) -> int:
        return len(self.prefix) + len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read in one window."""

    risk: Floats
    """Per token, shape (n,); 0 where a token does not count."""
    r: Floats
    """R at the token of highest risk, shape (width,)."""
    mean: Floats
    """Mean of R over the window, shape (width,)."""


def batches(rows: Sequence[Row], tokens: int) -> Iterator[list[int]]:
    """Numbers of rows by length, in batches of at most ``tokens`` with padding, little of it."""
    batch: list[int] = []
    filled = 0
    for number in sorted(range(len(rows)), key=lambda k: len(rows[k])):
        size = len(rows[number])
        area = (len(batch) + 1) * size
        if batch and (area > tokens or area - filled - size > area // PADDING):
            yield batch
            batch, filled = [], 0
        batch.append(number)
        filled += size
    if batch:
        yield batch


@torch.inference_mode()
def read(encoder: Encoder, layer: int, rows: Sequence[Row], tokens: int) -> list[Reading]:
    """Read windows, in order.

    Args:
        encoder: backbone and heads, on any device.
        layer: the exit whose head is asked.
        rows: the windows.
        tokens: of a batch, padding included, >= 1.
    """
    order = list(batches(rows, tokens))
    # Every batch is on its way before the first result is asked for: the device never waits.
    running = [_launch(encoder, layer, [rows[k] for k in batch]) for batch in order]
    found: dict[int, Reading] = {}
    for batch, parts in zip(order, running, strict=True):
        risk, r, mean = (part.cpu().numpy() for part in parts)
        ends = np.cumsum([len(rows[k].ids) for k in batch])
        for place, (number, piece) in enumerate(zip(batch, np.split(risk, ends[:-1]), strict=True)):
            found[number] = Reading(risk=piece, r=r[place], mean=mean[place])
    return [found[k] for k in range(len(rows))]


def _launch(encoder: Encoder, layer: int, rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor]:
    """Risks (N,) of all tokens of a batch's windows, R at each window's highest, mean R (B, W)."""
    device = next(encoder.parameters()).device
    longest = max(len(row) for row in rows)
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    inside = np.zeros((len(rows), longest), dtype=bool)
    counts = np.zeros((len(rows), longest), dtype=bool)
    for k, row in enumerate(rows):
        start, end = len(row.prefix), len(row)
        ids[k, :start], ids[k, start:end] = row.prefix, row.ids
        inside[k, start:end] = True
        counts[k, start:end] = True if row.counts is None else row.counts
    # No attention mask: under causal attention, padding on the right reaches no earlier token.
    states = encoder.hidden(torch.from_numpy(ids).to(device), None)[layer]
    at = torch.from_numpy(np.flatnonzero(inside)).to(device)
    r, logits = encoder.head(layer)(states.flatten(0, 1)[at])
    risk = torch.sigmoid(logits.double()).float()
    risk = risk * torch.from_numpy(counts[inside]).to(device)
    sizes = torch.tensor([len(row.ids) for row in rows], device=device)
    owner = torch.repeat_interleave(torch.arange(len(rows), device=device), sizes)
    total = torch.zeros((len(rows), r.shape[1]), device=device).index_add_(0, owner, r.float())
    # The first token of the highest risk, as numpy's argmax has it.
    table = torch.full((len(rows), longest), -1.0, device=device)
    table.view(-1)[at] = risk
    highest = table.argmax(dim=1) - torch.tensor([len(row.prefix) for row in rows], device=device)
    first = torch.cumsum(sizes, 0) - sizes
    return risk, r.float()[first + highest], total / sizes[:, None]
