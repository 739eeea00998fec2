"""Batches: which groups meet, which window of each text is read, and how rows become tensors.

Batch i is a pure function of (corpus, options, i): nothing has to be saved to resume exactly,
and any number of workers gives the same batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from causalguard.guard.windows import WindowSpec
from causalguard.train.chats import Chat
from causalguard.train.packing import pack
from causalguard.train.tokens import Corpus, Ints

IGNORE = -100
"""Label of what no loss looks at: prefixes, padding, windows that hold too little of a span."""
ENOUGH_TOKENS = 16
"""A window is a positive if it holds half of the span's tokens, or this many."""
CHUNK = 16
"""Batches that are drawn together and then cut by length."""
MAX_MEMBERS = 6
"""A larger group gives two benign and two injected rows, drawn anew each time."""
PACK_CAPACITY = 1024
"""Tokens of a packed sequence: attention's cost grows with it, padding falls."""
PAD_TO = 8
"""Batch lengths are multiples of this: tensor cores like it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How windows and groups are drawn."""

    windows: WindowSpec
    """The guard's grid."""
    rows: int
    """Rows of a batch, about."""
    seed: int
    """Another seed, other draws."""
    weights: tuple[float, ...]
    """Share of rows per source of the corpus, any positive scale."""
    shift: float = 0.5
    """Probability of leaving the grid by a random shift, [0, 1]."""
    off_span: float = 0.1
    """Probability that a text with a span is windowed without looking at it, [0, 1)."""
    crop: float = 0.0
    """Probability that a short text loses its first tokens, [0, 1): texts also begin with spans."""
    grace: int = 3
    """First tokens of a span without a label, >= 0."""
    packed: bool = False
    """Add the packed form of the batch: shared prefixes once; see train/packing.py."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One window under its trusted context, with labels."""

    prefix: NDArray[np.int32]
    """Tokens of the trusted context."""
    window: NDArray[np.int32]
    """Tokens of the window, at least one."""
    labels: NDArray[np.int8]
    """Per token of the window: 1 inside the instruction, 0 elsewhere, IGNORE unknown."""
    document: int
    """1, 0 or IGNORE: does the window hold an instruction that is not authorised?"""
    role: int
    """Index into ROLES."""
    group: int
    """Rows of one group share it."""


def enough(held: int, span: int) -> bool:
    """Whether a window that holds ``held`` of a span's ``span`` tokens is a positive."""
    return held >= ENOUGH_TOKENS or 2 * held >= span


def label_window(
    start: int, end: int, *, y: int, span: tuple[int, int], n_tokens: int, grace: int
) -> tuple[NDArray[np.int8], int]:
    """Labels of the window [start, end) of a text.

    Args:
        start: first token.
        end: one past the last token.
        y: the text's Y.
        span: token range of its instruction, (-1, -1) when unknown.
        n_tokens: tokens of the whole text.
        grace: first tokens of the span that get no label.

    Returns: (token labels (end - start,), document label).
    """
    labels = np.zeros(end - start, dtype=np.int8)
    if y == 0:
        return labels, 0
    first, last = span
    if first < 0:
        labels[:] = IGNORE
        return labels, 1 if end - start == n_tokens else IGNORE
    inside = slice(max(first, start) - start, max(min(last, end) - start, 0))
    held = max(0, min(last, end) - max(first, start))
    if held == 0:
        return labels, 0
    if not enough(held, last - first):
        labels[inside] = IGNORE
        return labels, IGNORE
    labels[inside] = 1
    early = min(grace, (last - first) // 4)
    labels[inside.start : max(inside.start, first + early - start)] = IGNORE
    return labels, 1


class Drawer:
    """Draws windows; all randomness comes from the generator passed in."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.spec = drawing.windows

    def starts(self, n: int, rng: np.random.Generator) -> list[int]:
        """Window starts over a text of n tokens, on the guard's grid or shifted off it."""
        size, stride = self.spec.tokens, self.spec.stride
        if n <= size:
            cropped = n > ENOUGH_TOKENS and rng.random() < self.drawing.crop
            return [int(rng.integers(n // 2))] if cropped else [0]
        shift = int(rng.integers(stride)) if rng.random() < self.drawing.shift else 0
        grid = range(-shift, max(1, n - size + stride), stride)
        return sorted({min(max(0, s), n - 1) for s in grid})

    def window(self, n: int, span: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        """One window; one that holds the span if there is a span, but for ``off_span``."""
        starts = self.starts(n, rng)
        first, last = span
        if 0 <= first < n <= self.spec.tokens and starts != [0] and rng.random() < 0.5:
            # What is cropped away half of the time is all that stands before the span.
            return first, n
        if first >= 0 and rng.random() >= self.drawing.off_span:
            size = self.spec.tokens
            holding = [
                s for s in starts if enough(min(last, s + size) - max(first, s), last - first)
            ]
            starts = holding or starts
        start = starts[int(rng.integers(len(starts)))]
        return start, min(start + self.spec.tokens, n)


class BatchSource(Dataset[dict[str, Tensor]]):
    """Batch i of an endless, reproducible sequence; ``len`` is what the run will use."""

    def __init__(self, corpus: Corpus, drawing: Drawing, *, n_batches: int) -> None:
        """Raises ValueError when weights and sources of the corpus do not match."""
        if len(drawing.weights) != len(corpus.sources):
            raise ValueError(f"{len(corpus.sources)} sources need as many weights")
        self.corpus = corpus
        self.drawing = drawing
        self.n_batches = n_batches
        self._drawer = Drawer(drawing)
        order = np.argsort(corpus.group, kind="stable")
        cuts = np.cumsum(np.bincount(corpus.group))[:-1]
        self._groups: list[Ints] = np.split(order, cuts)
        self._by_source = [
            np.asarray([g for g, m in enumerate(self._groups) if corpus.source[m[0]] == s])
            for s in range(len(corpus.sources))
        ]
        self._reach = np.asarray([self._length(m) for m in self._groups])
        self._chunk = lru_cache(maxsize=2)(self._draw_chunk)

    def __len__(self) -> int:
        return self.n_batches

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        groups = self._chunk(i // CHUNK)[i % CHUNK]
        rng = np.random.default_rng([self.drawing.seed, 1, i])
        rows = [row for g in groups for row in self._rows(g, rng)]
        batch = collate(rows) | collate_chats(self._chats(groups))
        return batch | pack_rows(rows, batch) if self.drawing.packed else batch

    def _chats(self, groups: Sequence[int]) -> list[Chat]:
        """Chats of a batch's groups: benign and injected member of each set with a response."""
        chats = self.corpus.chats
        if chats is None:
            return []
        found = [chats.get(int(i)) for g in groups for i in self._groups[g]]
        return [c for c in found if c is not None]

    def _length(self, members: Ints) -> int:
        """Longest row a group can give: what batches are cut by."""
        corpus = self.corpus
        texts = np.minimum(corpus.lengths[members], self.drawing.windows.tokens)
        return int(max(t + len(corpus.prefix(m)) for t, m in zip(texts, members, strict=True)))

    def _draw_chunk(self, chunk: int) -> list[list[int]]:
        """Groups of CHUNK batches: drawn by weight, sorted by length, cut, shuffled."""
        rng = np.random.default_rng([self.drawing.seed, 0, chunk])
        total = sum(self.drawing.weights)
        drawn: list[int] = []
        for source, groups in enumerate(self._by_source):
            if not len(groups):
                continue
            sizes = [_members_used(len(self._groups[g])) for g in groups]
            wanted = CHUNK * self.drawing.rows * self.drawing.weights[source] / total
            n = max(1, round(wanted / float(np.mean(sizes))))
            drawn += [int(groups[k]) for k in self._epoch_slice(source, len(groups), chunk * n, n)]
        jitter = rng.uniform(0.95, 1.05, size=len(drawn))
        drawn = [drawn[k] for k in np.argsort(self._reach[drawn] * jitter)]
        rows = np.cumsum([_members_used(len(self._groups[g])) for g in drawn])
        batch_of = np.minimum((rows - 1) * CHUNK // rows[-1], CHUNK - 1)
        batches = [
            [g for g, b in zip(drawn, batch_of, strict=True) if b == k] for k in range(CHUNK)
        ]
        filled = [b for b in batches if b]
        filled += [filled[k % len(filled)] for k in range(CHUNK - len(filled))]
        return [filled[k] for k in rng.permutation(CHUNK)]

    def _epoch_slice(self, source: int, size: int, start: int, n: int) -> list[int]:
        """Positions start..start+n of an endless row of permutations of 0..size-1."""
        found: list[int] = []
        while len(found) < n:
            epoch, offset = divmod(start + len(found), size)
            rng = np.random.default_rng([self.drawing.seed, 2, source, epoch])
            found += rng.permutation(size)[offset : offset + n - len(found)].tolist()
        return found

    def _rows(self, group: int, rng: np.random.Generator) -> list[Row]:
        members = self._groups[group]
        if len(members) > MAX_MEMBERS:
            y = self.corpus.y[members]
            members = np.concatenate([_some(members[y == v], 2, rng) for v in (0, 1)])
        # One start for the set, half of the time: its rows then differ in the instruction alone.
        anchor = self._anchor(members, rng) if rng.random() < 0.5 else None
        return [self._row(int(i), anchor, rng) for i in members]

    def _anchor(self, members: Ints, rng: np.random.Generator) -> int | None:
        injected = [i for i in members if self.corpus.y[i] == 1 and self.corpus.spans[i, 0] >= 0]
        if not injected:
            return None
        i = injected[0]
        start, _ = self._drawer.window(int(self.corpus.lengths[i]), self._span(i), rng)
        return start

    def _span(self, i: int) -> tuple[int, int]:
        return int(self.corpus.spans[i, 0]), int(self.corpus.spans[i, 1])

    def _row(self, i: int, anchor: int | None, rng: np.random.Generator) -> Row:
        n, span = int(self.corpus.lengths[i]), self._span(i)
        start, end = self._drawer.window(n, span, rng)
        if anchor is not None and anchor < n:
            start, end = anchor, min(anchor + self.drawing.windows.tokens, n)
        labels, document = label_window(
            start, end, y=int(self.corpus.y[i]), span=span, n_tokens=n, grace=self.drawing.grace
        )
        return Row(
            prefix=self.corpus.prefix(i),
            window=self.corpus.text(i)[start:end],
            labels=labels,
            document=document,
            role=int(self.corpus.role[i]),
            group=int(self.corpus.group[i]),
        )


def _members_used(size: int) -> int:
    return size if size <= MAX_MEMBERS else 4


def _some(members: Ints, n: int, rng: np.random.Generator) -> Ints:
    return rng.choice(members, size=min(n, len(members)), replace=False)


def collate(rows: Sequence[Row]) -> dict[str, Tensor]:
    """Rows as tensors, padded on the right.

    Returns: ``input_ids (B, T)``, ``token_labels (B, T)`` (IGNORE on prefix and padding),
    ``document_labels (B,)``, ``window_mask (B, T)``, ``roles (B,)``, ``groups (B,)``,
    ``prefix_lengths (B,)``.  There is no key ``labels``: transformers would rescale the loss.
    """
    longest = max(len(r.prefix) + len(r.window) for r in rows)
    longest = -(-longest // PAD_TO) * PAD_TO
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    labels = np.full((len(rows), longest), IGNORE, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=bool)
    for k, row in enumerate(rows):
        a, b = len(row.prefix), len(row.prefix) + len(row.window)
        ids[k, :a], ids[k, a:b] = row.prefix, row.window
        labels[k, a:b] = row.labels
        mask[k, a:b] = True
    facts: dict[str, Any] = {
        "input_ids": ids,
        "token_labels": labels,
        "window_mask": mask,
        "document_labels": np.asarray([r.document for r in rows]),
        "roles": np.asarray([r.role for r in rows]),
        "groups": np.asarray([r.group for r in rows]),
        "prefix_lengths": np.asarray([len(r.prefix) for r in rows]),
    }
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in facts.items()}


def collate_chats(chats: Sequence[Chat]) -> dict[str, Tensor]:
    """Chats as tensors, padded on the right; nothing for none.

    A prompt's last token predicts the answer's first one, and so on: targets are shifted here, and
    no token of a prompt or of the padding is one.

    Returns: ``task_ids (C, T)``; ``task_at (N,)``, where in the flattened ``(C * T,)`` each of the
    N tokens of the answers is predicted; ``task_targets (N,)``, these tokens.
    """
    if not chats:
        return {}
    longest = -(-max(len(c.ids) for c in chats) // PAD_TO) * PAD_TO
    ids = np.zeros((len(chats), longest), dtype=np.int64)
    for k, chat in enumerate(chats):
        ids[k, : len(chat.ids)] = chat.ids
    at = [k * longest + np.arange(c.prompt - 1, len(c.ids) - 1) for k, c in enumerate(chats)]
    targets = [c.ids[c.prompt :].astype(np.int64) for c in chats]
    return {
        "task_ids": torch.from_numpy(ids),
        "task_at": torch.from_numpy(np.concatenate(at)),
        "task_targets": torch.from_numpy(np.concatenate(targets)),
    }


def pack_rows(rows: Sequence[Row], batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The packed form of a collated batch.

    Returns: ``packed_ids (P, T)``, ``packed_positions (P, T)``, ``packed_mask (P, 1, T, T)``,
    ``packed_at (B, L)``; see :class:`causalguard.train.packing.Packed`.
    """
    longest = batch["input_ids"].shape[1]
    found = pack(
        [np.concatenate((r.prefix, r.window)).astype(np.int64) for r in rows],
        [r.group for r in rows],
        capacity=PACK_CAPACITY,
        width=longest,
    )
    return {
        "packed_ids": torch.from_numpy(found.ids),
        "packed_positions": torch.from_numpy(found.positions),
        "packed_mask": torch.from_numpy(found.mask)[:, None],
        "packed_at": torch.from_numpy(found.at),
    }
