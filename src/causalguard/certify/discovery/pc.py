"""PC-stable with tiers, any conditional-independence test, and every answer kept.

The adjacencies are frozen while one size of conditioning set is worked through (Colombo &
Maathuis 2014), nodes are taken by name, and tests are cached by unordered pair and set: the
result does not depend on the order of the columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

from causalguard.certify.discovery.graph import Graph, Pair
from causalguard.certify.discovery.orient import Triple, orient

Given = frozenset[str]
"""A conditioning set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CiResult:
    """Answer of one conditional-independence test."""

    x: str
    """The node that sorts first."""
    y: str
    """The other node."""
    given: tuple[str, ...]
    """Conditioning set, sorted."""
    p_value: float
    """p-value of x ⟂ y | given, (0, 1]; an oracle answers 0 or 1."""
    method: str
    """How it was computed, and whether it is exact or asymptotic."""


class CiTest(Protocol):
    """Tests conditional independence of two named nodes."""

    def __call__(self, x: str, y: str, given: Given, /) -> CiResult:
        """Answer for x ⟂ y | given; symmetric in x and y, and the same each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PcRun:
    """One run of PC: the graph and all that led to it."""

    graph: Graph
    """Partially directed graph, with the largest p-value on each edge."""
    tests: tuple[CiResult, ...]
    """Every test made, by pair and conditioning set."""
    separating: Mapping[Pair, tuple[Given, ...]]
    """Separating sets found, under unordered pairs."""
    ambiguous: tuple[Triple, ...]
    """Triples whose separating sets disagree evenly."""
    conflicts: tuple[Pair, ...]
    """Edges with evidence both ways or against the tiers."""
    alpha: float
    """p-values above this count as independence, (0, 1)."""


class _Asker:
    """Caches the answers and applies alpha."""

    def __init__(self, test: CiTest, alpha: float) -> None:
        self.test = test
        self.alpha = alpha
        self.answers: dict[tuple[str, str, tuple[str, ...]], CiResult] = {}

    def separates(self, x: str, y: str, given: Given) -> bool:
        first, second = sorted((x, y))
        key = (first, second, tuple(sorted(given)))
        if key not in self.answers:
            self.answers[key] = self.test(first, second, given)
        return self.answers[key].p_value > self.alpha


def pc_stable(
    nodes: Sequence[str],
    test: CiTest,
    *,
    alpha: float = 0.01,
    tiers: Mapping[str, int] | None = None,
    max_given: int | None = None,
) -> PcRun:
    """Run PC-stable with the majority rule for colliders.

    Args:
        nodes: Unique names.
        test: Answers every question of conditional independence.
        alpha: p-values above this count as independence, (0, 1).
        tiers: Known tier of each node, 0 first.  Nodes later than both ends of a pair never
            stand in its conditioning sets, and edges between tiers point forward.
        max_given: Largest conditioning set, >= 0; None for no limit.

    Returns:
        Graph, tests, separating sets, ambiguities and conflicts.

    Raises:
        ValueError: Names repeat, or tiers miss a node.

    """
    names = sorted(nodes)
    if len(set(names)) < len(names) or (tiers and set(tiers) != set(names)):
        message = "node names must be unique, and tiers must name every node"
        raise ValueError(message)
    ask = _Asker(test, alpha)
    search = _Search(names, ask, tiers, len(names) - 2 if max_given is None else max_given)
    search.skeleton()
    found = orient(names, search.pairs(), search.votes(), tiers=tiers)
    answers = sorted(ask.answers.values(), key=lambda r: (r.x, r.y, len(r.given), r.given))
    separating = {pair: tuple(sets) for pair, sets in sorted(search.separating.items(), key=_key)}
    return PcRun(
        graph=found.graph,
        tests=tuple(answers),
        separating=separating,
        ambiguous=found.ambiguous,
        conflicts=found.conflicts,
        alpha=alpha,
    )


def _key(item: tuple[Pair, list[Given]]) -> list[str]:
    return sorted(item[0])


class _Search:
    """Skeleton and votes over one set of nodes."""

    def __init__(
        self, names: list[str], ask: _Asker, tiers: Mapping[str, int] | None, max_given: int
    ) -> None:
        self.names, self.ask, self.tiers, self.max_given = names, ask, tiers, max_given
        self.adjacent = {a: frozenset(names) - {a} for a in names}
        self.separating: dict[Pair, list[Given]] = {}

    def pairs(self) -> set[Pair]:
        return {frozenset((a, b)) for a in self.names for b in self.adjacent[a]}

    def skeleton(self) -> None:
        """Remove every edge that some conditioning set explains, one size after the other."""
        for size in range(self.max_given + 1):
            frozen = dict(self.adjacent)
            open_pairs = [(x, y) for x, y in combinations(self.names, 2) if y in self.adjacent[x]]
            sizes = [len(self._candidates(frozen, x, y)) for x, y in open_pairs]
            if not any(longest >= size for longest in sizes):
                return
            for x, y in open_pairs:
                self._try(frozen, x, y, size)

    def _try(self, frozen: Mapping[str, frozenset[str]], x: str, y: str, size: int) -> None:
        # All of this size, not the first found: which one comes first is a matter of names.
        sets = self._sets(frozen, x, y, size)
        separating = [given for given in sets if self.ask.separates(x, y, given)]
        if separating:
            self.separating[frozenset((x, y))] = separating
            self.adjacent[x] -= {y}
            self.adjacent[y] -= {x}

    def votes(self) -> dict[Triple, tuple[int, int]]:
        """Per unshielded triple: separating sets with the middle, and all separating sets."""
        found = {}
        for x, y in combinations(self.names, 2):
            middles = self.adjacent[x] & self.adjacent[y]
            if y in self.adjacent[x] or not middles:
                continue
            known = self.separating[frozenset((x, y))]
            for size in range(self.max_given + 1):
                for given in self._sets(self.adjacent, x, y, size):
                    if given not in known and self.ask.separates(x, y, given):
                        known.append(given)
            known.sort(key=lambda g: (len(g), sorted(g)))
            for middle in sorted(middles):
                found[x, middle, y] = (sum(middle in g for g in known), len(known))
        return found

    def _candidates(self, adjacent: Mapping[str, frozenset[str]], x: str, y: str) -> list[str]:
        """The longer of the two neighbourhoods that conditioning sets come from."""
        return max(self._near(adjacent, x, y), self._near(adjacent, y, x), key=len)

    def _near(self, adjacent: Mapping[str, frozenset[str]], x: str, y: str) -> list[str]:
        near = sorted(adjacent[x] - {y})
        if not self.tiers:
            return near
        last = max(self.tiers[x], self.tiers[y])
        return [node for node in near if self.tiers[node] <= last]

    def _sets(
        self, adjacent: Mapping[str, frozenset[str]], x: str, y: str, size: int
    ) -> Iterator[Given]:
        seen = set()
        for near in (self._near(adjacent, x, y), self._near(adjacent, y, x)):
            for chosen in combinations(near, size):
                given = frozenset(chosen)
                if given not in seen:
                    seen.add(given)
                    yield given
