"""The graphs that discovery gives back: frozen, comparable, and printable as DOT or SVG."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Mark = Literal["directed", "undirected", "conflict"]

Pair = frozenset[str]
"""An unordered pair of node names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One adjacency, and what is known of its direction."""

    source: str
    """Tail if directed; otherwise the name that sorts first."""
    target: str
    """Head if directed; otherwise the other node."""
    mark: Mark
    """``directed``; ``undirected``: not decided by the data; ``conflict``: evidence both ways."""
    p_value: float | None = None
    """Largest p-value among the tests of this pair: small means strong; None for an oracle."""
    frequency: float | None = None
    """Share of half-samples in which the pair is adjacent, [0, 1]; None if not run."""
    arrow_frequency: float | None = None
    """Share of half-samples with source → target, [0, 1]; None if not run."""

    @property
    def pair(self) -> Pair:
        """Both ends, unordered."""
        return frozenset((self.source, self.target))


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A partially directed graph over named nodes."""

    nodes: tuple[str, ...]
    """Names, sorted."""
    edges: tuple[Edge, ...]
    """Sorted by their ends; at most one per pair."""
    tiers: Mapping[str, int] = field(default_factory=dict)
    """Known tier of each node, 0 first: an assumption, not a finding.  Empty: none given."""

    def edge(self, first: str, second: str) -> Edge | None:
        """The edge between two nodes, whichever way it points."""
        pair = frozenset((first, second))
        return next((edge for edge in self.edges if edge.pair == pair), None)

    def parents(self, node: str) -> tuple[str, ...]:
        """Nodes with a directed edge into this one."""
        return tuple(e.source for e in self.edges if e.mark == "directed" and e.target == node)

    @property
    def skeleton(self) -> frozenset[Pair]:
        """The adjacent pairs."""
        return frozenset(edge.pair for edge in self.edges)

    def to_dot(self) -> str:
        """The graph in the DOT language; tiers become ranks."""
        lines = ["digraph discovery {", "  rankdir=LR;"]
        lines += [f"  {_quoted(node)};" for node in self.nodes]
        for tier in sorted(set(self.tiers.values())):
            same = " ".join(_quoted(n) + ";" for n in self.nodes if self.tiers.get(n) == tier)
            lines.append(f"  {{ rank=same; {same} }}")
        style = {
            "directed": "",
            "undirected": " [dir=none]",
            "conflict": " [dir=both style=dashed]",
        }
        lines += [
            f"  {_quoted(e.source)} -> {_quoted(e.target)}{style[e.mark]};" for e in self.edges
        ]
        return "\n".join([*lines, "}"]) + "\n"

    def to_svg(self) -> str:
        """The graph as inline SVG in ``currentColor``: readable on light and on dark."""
        # Imported here: drawing needs this module's classes.
        from causalguard.certify.discovery.draw import svg

        return svg(self)


def make_graph(
    nodes: Iterable[str],
    directed: Iterable[tuple[str, str]],
    undirected: Iterable[Iterable[str]] = (),
    *,
    conflicts: Iterable[Iterable[str]] = (),
    tiers: Mapping[str, int] | None = None,
) -> Graph:
    """Graph from bare pairs.

    Args:
        nodes: Names, unique.
        directed: (tail, head).
        undirected: Pairs without direction.
        conflicts: Pairs with evidence both ways.
        tiers: Tier per node, or none.

    Returns:
        The graph, in canonical order.

    Raises:
        ValueError: A pair occurs twice or names an unknown node.

    """
    names = tuple(sorted(nodes))
    edges = [Edge(source=a, target=b, mark="directed") for a, b in directed]
    loose: tuple[tuple[Mark, Iterable[Iterable[str]]], ...] = (
        ("undirected", undirected),
        ("conflict", conflicts),
    )
    for mark, pairs in loose:
        for pair in pairs:
            first, second = sorted(pair)
            edges.append(Edge(source=first, target=second, mark=mark))
    edges.sort(key=lambda e: (sorted(e.pair), e.source))
    ends = [e.pair for e in edges]
    if len(set(ends)) < len(ends) or not set(names).issuperset(frozenset().union(*ends)):
        message = "an edge occurs twice or names an unknown node"
        raise ValueError(message)
    return Graph(nodes=names, edges=tuple(edges), tiers=dict(sorted((tiers or {}).items())))


def shd(found: Graph, truth: Graph) -> int:
    """Structural Hamming distance: pairs that are missing, extra, or marked differently.

    Args:
        found: Estimated graph.
        truth: True CPDAG (or MPDAG, when tiers were given) over the same nodes.

    Returns:
        The number of differing pairs, >= 0.

    """
    first = {e.pair: (e.source, e.target, e.mark) for e in found.edges}
    second = {e.pair: (e.source, e.target, e.mark) for e in truth.edges}
    return sum(first.get(pair) != second.get(pair) for pair in first.keys() | second.keys())


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
