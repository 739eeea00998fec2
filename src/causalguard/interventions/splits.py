"""Splits by cluster: rows that share a carrier, goal, template or near-copy stay together."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from causalguard.interventions.minhash import Index, signature


class UnionFind:
    """Disjoint sets of the numbers 0 to n - 1."""

    def __init__(self, n: int) -> None:
        """Start with every number alone."""
        self._parent = list(range(n))

    def find(self, item: int) -> int:
        """Return the representative of a number's set."""
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def union(self, first: int, second: int) -> None:
        """Merge two sets; the smaller representative stays."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low


def clusters(keys: Sequence[Iterable[str]], texts: Sequence[str] | None = None) -> list[int]:
    """Return a cluster number for every row; rows tied by a key, even by way of others, share it.

    Args:
        keys: for every row, what ties it to others, e.g. ``carrier:ab12``; empty keys tie nothing.
        texts: for every row, a text; near-duplicates are tied too.  None: keys only.

    Returns:
        The smallest row number of each row's cluster.

    """
    sets = UnionFind(len(keys))
    first_with: dict[str, int] = {}
    for row, row_keys in enumerate(keys):
        for key in row_keys:
            if key:
                sets.union(first_with.setdefault(key, row), row)
    if texts is not None:
        index = Index()
        for row, text in enumerate(texts):
            probe = signature(text)
            for other in index.near(probe):
                sets.union(other, row)
            index.add(probe)
    return [sets.find(row) for row in range(len(keys))]


def split_rows(
    groups: Sequence[int], shares: Mapping[str, float], *, seed: int
) -> dict[str, list[int]]:
    """Deal whole clusters to named splits until each has its share of the rows.

    Args:
        groups: cluster number of every row.
        shares: name -> share of rows, > 0; they are scaled to sum to 1.
        seed: changes the order in which clusters are dealt.

    Returns:
        Row numbers by split, ascending.  A cluster is never in two splits.

    """
    if not shares or min(shares.values()) <= 0:
        message = f"shares must be positive, got {dict(shares)}"
        raise ValueError(message)
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)

    def rank(group: int) -> bytes:
        return hashlib.blake2b(f"{seed}/{group}".encode(), digest_size=8).digest()

    total = sum(shares.values())
    out: dict[str, list[int]] = {name: [] for name in shares}
    # Big clusters first: they are the hard ones to place; ties in the order of the seed.
    for group in sorted(members, key=lambda one: (-len(members[one]), rank(one))):
        wanting = min(out, key=lambda name: len(out[name]) / (shares[name] / total))
        out[wanting] += members[group]
    return {name: sorted(rows) for name, rows in out.items()}


def shared_keys(first: Iterable[Iterable[str]], second: Iterable[Iterable[str]]) -> set[str]:
    """Return the non-empty keys that stand in both of two splits: none in a clean pair."""
    left = {key for keys in first for key in keys if key}
    return left & {key for keys in second for key in keys if key}
