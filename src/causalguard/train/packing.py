"""Rows of a batch share prefixes: compute each shared token once, under a tree of attention.

The members of a matched set have their trusted context in common, and often the document up to
the injection.  Their token sequences are laid out as a tree: a token attends to its ancestors
and itself, and its position is its depth, so each row sees exactly what it would see alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Sequences laid out as a tree; n tokens in all."""

    ids: Ids
    """Token of each node, (n,)."""
    depth: Ids
    """Position of each node in its sequences, (n,)."""
    paths: list[Ids]
    """Nodes of each sequence, in order."""
    first_own: tuple[int, ...]
    """How many tokens each sequence took over from an earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Trees side by side in P sequences of length T."""

    ids: Ids
    """(P, T), 0 where nothing stands."""
    positions: Ids
    """(P, T), depth in the tree."""
    mask: NDArray[np.bool_]
    """(P, T, T): may the row's token attend to the column's?  Every token to itself."""
    at: Ids
    """(B, L): where token l of row b went, as an index into the flattened (P * T,)."""


def common_prefix(a: NDArray[np.integer], b: NDArray[np.integer]) -> int:
    """How many leading tokens two sequences share."""
    n = min(len(a), len(b))
    differs = np.flatnonzero(a[:n] != b[:n])
    return int(differs[0]) if differs.size else n


def make_tree(sequences: Sequence[Ids]) -> Tree:
    """Lay sequences out as a tree: each branches off the earlier one it shares most with.

    With the few sequences of a matched set this shares every common prefix there is.
    """
    ids: list[Ids] = []
    depth: list[Ids] = []
    paths: list[Ids] = []
    taken: list[int] = []
    size = 0
    for k, sequence in enumerate(sequences):
        shared = [common_prefix(sequence, sequences[j]) for j in range(k)]
        best = int(np.argmax(shared)) if shared else -1
        n = shared[best] if shared else 0
        own = np.arange(size, size + len(sequence) - n)
        paths.append(np.concatenate((paths[best][:n], own)) if n else own)
        ids.append(sequence[n:])
        depth.append(np.arange(n, len(sequence)))
        taken.append(n)
        size += len(own)
    return Tree(
        ids=np.concatenate(ids),
        depth=np.concatenate(depth),
        paths=paths,
        first_own=tuple(taken),
    )


def pack(sequences: Sequence[Ids], groups: Sequence[int], *, capacity: int, width: int) -> Packed:
    """Pack the rows of a batch, group by group.

    Args:
        sequences: token ids of each row, without padding, not empty.
        groups: rows of one group are laid out as one tree.
        capacity: trees are put side by side up to about this length, or that of the longest one.
        width: L of ``at``: at least the longest row.
    """
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(int(group), []).append(row)
    trees = [(rows, make_tree([sequences[r] for r in rows])) for rows in members.values()]
    sizes = [len(tree.ids) for _, tree in trees]
    bins = _fill(sizes, capacity)
    longest = max(sum(len(trees[k][1].ids) for k in each) for each in bins)
    longest = -(-longest // 8) * 8
    packed = Packed(
        ids=np.zeros((len(bins), longest), dtype=np.int64),
        positions=np.zeros((len(bins), longest), dtype=np.int64),
        mask=np.repeat(np.eye(longest, dtype=np.bool_)[None], len(bins), axis=0),
        at=np.zeros((len(sequences), width), dtype=np.int64),
    )
    for p, each in enumerate(bins):
        offset = 0
        for k in each:
            _place(packed, p, offset, *trees[k])
            offset += len(trees[k][1].ids)
    return packed


def _place(packed: Packed, p: int, offset: int, rows: list[int], tree: Tree) -> None:
    """Write one tree into sequence p from ``offset`` on."""
    longest = packed.ids.shape[1]
    end = offset + len(tree.ids)
    packed.ids[p, offset:end] = tree.ids
    packed.positions[p, offset:end] = tree.depth
    for row, path, n in zip(rows, tree.paths, tree.first_own, strict=True):
        here = path + offset
        packed.mask[p][np.ix_(here[n:], here)] = np.tri(len(path), dtype=np.bool_)[n:]
        packed.at[row, : len(path)] = p * longest + here


def _fill(sizes: Sequence[int], capacity: int) -> list[list[int]]:
    """Which trees share a sequence: as few sequences as fit, filled evenly, longest tree first."""
    load = [0] * max(1, -(-sum(sizes) // max(capacity, *sizes, 1)))
    bins: list[list[int]] = [[] for _ in load]
    for k in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
        least = load.index(min(load))
        bins[least].append(k)
        load[least] += sizes[k]
    return [each for each in bins if each]
