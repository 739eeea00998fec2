"""From a skeleton and its separating sets to arrows: majority-rule colliders, then Meek's rules.

Every step first collects what the evidence proposes and then applies it, so that no result
depends on the order of the nodes.  An edge proposed both ways is a *conflict*: it is reported
and takes no further part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from causalguard.certify.discovery.graph import Graph, Pair, make_graph

Triple = tuple[str, str, str]
"""(x, middle, y) with x < y; x and y are not adjacent, the middle is adjacent to both."""

Arrow = tuple[str, str]
"""(tail, head)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """A skeleton with directions."""

    graph: Graph
    """The partially directed graph."""
    ambiguous: tuple[Triple, ...]
    """Triples whose middle stands in exactly half of the separating sets: not used."""
    conflicts: tuple[Pair, ...]
    """Edges with evidence both ways, or evidence against the tiers (the tiers are kept)."""


@dataclass(slots=True)
class _State:
    """Arrows found so far; changed in rounds."""

    adjacent: Mapping[str, frozenset[str]]
    arrows: set[Arrow]
    conflicts: set[Pair]

    def undirected(self, a: str, b: str) -> bool:
        return (
            b in self.adjacent[a]
            and (a, b) not in self.arrows
            and (b, a) not in self.arrows
            and frozenset((a, b)) not in self.conflicts
        )

    def propose(self, arrows: Iterable[Arrow]) -> bool:
        """Apply arrows onto undirected edges; both ways at once is a conflict."""
        wanted = {arrow for arrow in arrows if self.undirected(*arrow)}
        clash = {frozenset(arrow) for arrow in wanted if arrow[::-1] in wanted}
        self.conflicts |= clash
        self.arrows |= {arrow for arrow in wanted if frozenset(arrow) not in clash}
        return bool(wanted)


def orient(
    nodes: Iterable[str],
    skeleton: Iterable[Pair],
    votes: Mapping[Triple, tuple[int, int]],
    *,
    tiers: Mapping[str, int] | None = None,
) -> Orientation:
    """Orient a skeleton (Colombo & Maathuis 2014, majority rule; Meek 1995, rules 1–4).

    Args:
        nodes: Names.
        skeleton: Adjacent pairs.
        votes: Per unshielded triple, how many separating sets hold the middle, of how many.
        tiers: Known tier of each node; an edge between tiers points to the later one.

    Returns:
        Graph, ambiguous triples and conflicts.

    """
    names, pairs = sorted(nodes), set(skeleton)
    adjacent = {a: frozenset(b for b in names if frozenset((a, b)) in pairs) for a in names}
    state = _State(adjacent=adjacent, arrows=set(), conflicts=set())
    against_tiers: set[Pair] = set()
    if tiers:
        state.propose((a, b) for a in names for b in adjacent[a] if tiers[a] < tiers[b])
    colliders, ambiguous = _colliders(votes)
    wanted = {arrow for x, m, y in colliders for arrow in ((x, m), (y, m))}
    against_tiers = {frozenset(arrow) for arrow in wanted if arrow[::-1] in state.arrows}
    state.propose(wanted)
    unsure = {(frozenset((x, y)), m) for x, m, y in ambiguous}
    while state.propose(_meek(state, unsure)):
        pass
    loose = [p for p in pairs if p not in state.conflicts and state.undirected(*sorted(p))]
    graph = make_graph(names, state.arrows, loose, conflicts=state.conflicts, tiers=tiers)
    conflicts = sorted(state.conflicts | against_tiers, key=sorted)
    return Orientation(graph=graph, ambiguous=tuple(ambiguous), conflicts=tuple(conflicts))


def _colliders(votes: Mapping[Triple, tuple[int, int]]) -> tuple[list[Triple], list[Triple]]:
    colliders = [t for t, (inside, total) in sorted(votes.items()) if 2 * inside < total]
    ambiguous = [t for t, (inside, total) in sorted(votes.items()) if 2 * inside == total]
    return colliders, ambiguous


def _meek(state: _State, unsure: set[tuple[Pair, str]]) -> set[Arrow]:
    """Arrows that follow in one round."""
    found = set()
    for b in state.adjacent:
        for c in state.adjacent[b]:
            if state.undirected(b, c) and _follows(state, b, c, unsure):
                found.add((b, c))
    return found


def _follows(state: _State, b: str, c: str, unsure: set[tuple[Pair, str]]) -> bool:
    arrows, adjacent = state.arrows, state.adjacent
    into_b = [a for a in adjacent[b] if (a, b) in arrows]
    # R1: a → b − c with a, c not adjacent: b is no collider.
    if any(c not in adjacent[a] and (frozenset((a, c)), b) not in unsure for a in into_b):
        return True
    # R2: b → a → c.
    if any((b, a) in arrows and (a, c) in arrows for a in adjacent[b] & adjacent[c]):
        return True
    near = [a for a in adjacent[b] & adjacent[c] if state.undirected(a, b)]
    # R3: b − a → c and b − d → c with a, d not adjacent.
    heads = [a for a in near if (a, c) in arrows]
    if any(
        d not in adjacent[a] and (frozenset((a, d)), b) not in unsure
        for a, d in combinations(heads, 2)
    ):
        return True
    # R4: b − a → d → c with b − d adjacent somehow and a, c not adjacent.
    return any(
        (a, d) in arrows and (d, c) in arrows and c not in adjacent[a] and d in adjacent[b]
        for a in adjacent[b]
        if state.undirected(a, b) and (frozenset((a, c)), b) not in unsure
        for d in adjacent[c]
    )
