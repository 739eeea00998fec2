"""What a true DAG implies: its d-separations and the graph that perfect discovery would find."""

from collections.abc import Iterable, Mapping
from itertools import combinations

from causalguard.certify.discovery.graph import Graph
from causalguard.certify.discovery.orient import Triple, orient


def d_separated(parents: Mapping[str, Iterable[str]], x: str, y: str, given: Iterable[str]) -> bool:
    """Whether x and y are d-separated by the given nodes (moralised ancestral graph).

    Args:
        parents: Parents of every node of a DAG.
        x: A node.
        y: Another node.
        given: Conditioning set, without x and y.

    Returns:
        True if every path between them is blocked (Lauritzen et al. 1990, Proposition 3).

    """
    blocked = set(given)
    kept = _ancestors(parents, {x, y} | blocked)
    neighbours: dict[str, set[str]] = {node: set() for node in kept}
    for node in kept:
        family = [node, *parents[node]]
        for a, b in combinations(family, 2):
            neighbours[a].add(b)
            neighbours[b].add(a)
    reached, frontier = {x}, [x]
    while frontier:
        for node in neighbours[frontier.pop()] - reached - blocked:
            reached.add(node)
            frontier.append(node)
    return y not in reached


def true_graph(
    parents: Mapping[str, Iterable[str]], *, tiers: Mapping[str, int] | None = None
) -> Graph:
    """CPDAG of a DAG; with tiers, the MPDAG that also holds what the tiers decide.

    Args:
        parents: Parents of every node of a DAG.
        tiers: Known tier of each node; no parent may stand in a later tier.

    Returns:
        The graph that discovery would give if every test were right.

    Raises:
        ValueError: A parent stands in a later tier than its child.

    """
    into = {node: set(of) for node, of in parents.items()}
    if tiers and any(tiers[p] > tiers[node] for node, of in into.items() for p in of):
        message = "a parent stands in a later tier than its child"
        raise ValueError(message)
    pairs = {frozenset((p, node)) for node, of in into.items() for p in of}
    votes: dict[Triple, tuple[int, int]] = {}
    for middle, above in into.items():
        near = sorted(n for n in into if frozenset((n, middle)) in pairs)
        for x, y in combinations(near, 2):
            if frozenset((x, y)) not in pairs:
                collider = x in above and y in above
                votes[x, middle, y] = (0 if collider else 1, 1)
    return orient(into, pairs, votes, tiers=tiers).graph


def _ancestors(parents: Mapping[str, Iterable[str]], nodes: set[str]) -> set[str]:
    found, frontier = set(nodes), list(nodes)
    while frontier:
        for parent in parents[frontier.pop()]:
            if parent not in found:
                found.add(parent)
                frontier.append(parent)
    return found
