"""Discovery on trials: one row a cluster, PC over mixed nodes, stability over half-samples.

The graph describes, it does not gate: a real guard has some tiny edge at large n.  With too
few independent clusters the answer is INCONCLUSIVE, for a missing edge then means nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalguard.certify.discovery.citest import MixedTest
from causalguard.certify.discovery.graph import Edge, Graph, Pair
from causalguard.certify.discovery.orient import Triple
from causalguard.certify.discovery.pc import CiResult, Given, PcRun, pc_stable
from causalguard.certify.discovery.variables import Variable, make_variables
from causalguard.errors import InputError

Progress = Callable[[int, int], None]
"""Called with (half-samples done, all half-samples)."""

CLUSTERS_NEEDED = 1000
"""Independent clusters below which discovery is INCONCLUSIVE."""

STABLE = 0.8
"""Half-sample frequency from which an edge or arrow is worth printing."""

MAX_GIVEN = 3
"""Largest conditioning set: beyond it the tests have no power to speak of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What discovery found, and everything it rests on."""

    graph: Graph
    """Graph on all clusters, with p-values and half-sample frequencies on the edges."""
    result: Literal["CONCLUSIVE", "INCONCLUSIVE"]
    """INCONCLUSIVE: fewer clusters than ``clusters_needed``; show the graph as a sketch only."""
    clusters: int
    """Independent clusters used, one row each."""
    clusters_needed: int
    """Clusters from which the result is CONCLUSIVE."""
    tests: tuple[CiResult, ...]
    """Every test of the run on all clusters, with its p-value and method."""
    separating: Mapping[Pair, tuple[Given, ...]]
    """Separating sets under unordered pairs."""
    ambiguous: tuple[Triple, ...]
    """Triples whose separating sets disagree evenly; not used for arrows."""
    conflicts: tuple[Pair, ...]
    """Edges with evidence both ways or against the tiers."""
    edge_frequency: Mapping[Pair, float]
    """Share of half-samples with that adjacency, [0, 1]; pairs never adjacent are left out."""
    arrow_frequency: Mapping[tuple[str, str], float]
    """Share of half-samples with that arrow (tail, head), [0, 1]; absent arrows are left out."""
    half_samples: int
    """Half-samples run, >= 0."""
    alpha: float
    """p-values above this counted as independence, (0, 1)."""
    max_given: int
    """Largest conditioning set tried."""
    assumptions: tuple[str, ...]
    """What the graph takes for granted, in sentences to print beside it."""

    @property
    def stable_edges(self) -> tuple[Edge, ...]:
        """Edges of the graph that at least 80 % of the half-samples have too."""
        return tuple(e for e in self.graph.edges if (e.frequency or 0.0) >= STABLE)


def discover(
    columns: Mapping[str, ArrayLike],
    *,
    rng: np.random.Generator,
    clusters: Sequence[str] | None = None,
    tiers: Mapping[str, int] | None = None,
    alpha: float = 0.01,
    half_samples: int = 50,
    max_given: int = MAX_GIVEN,
    progress: Progress | None = None,
) -> Discovery:
    """Learn a graph over named columns.

    Args:
        columns: Values by node: strings or booleans (categories), numbers, or (n, d) blocks.
        rng: Picks the row of each cluster, the half-samples and the seeds of the tests.
        clusters: Independent unit of each row; None: every row is one.
        tiers: Known tier of each node, 0 first: a later node never causes an earlier one.
        alpha: p-values above this count as independence, (0, 1).
        half_samples: Runs on half of the clusters, for the frequencies; 0 for none.
        max_given: Largest conditioning set, >= 0.
        progress: Told after each half-sample.

    Returns:
        The graph with its evidence; INCONCLUSIVE below 1,000 clusters.

    Raises:
        InputError: Columns that are constant, copies, collinear, not finite or of different
            lengths; clusters that do not match them.
        ValueError: Tiers that miss a node.

    """
    nodes = make_variables(columns)
    names = list(nodes)
    rows = len(nodes[names[0]].values)
    units = _clusters(clusters, rows)
    settings = _Settings(alpha=alpha, max_given=max_given, tiers=tiers)
    run = settings.run(nodes, _one_row_each(units, rng), rng)
    edges, arrows = _stability(settings, nodes, units, rng, (half_samples, progress))
    count = len(np.unique(units))
    return Discovery(
        graph=_with_frequencies(run.graph, run.tests, edges, arrows, half_samples),
        result="CONCLUSIVE" if count >= CLUSTERS_NEEDED else "INCONCLUSIVE",
        clusters=count,
        clusters_needed=CLUSTERS_NEEDED,
        tests=run.tests,
        separating=run.separating,
        ambiguous=run.ambiguous,
        conflicts=run.conflicts,
        edge_frequency={p: edges[p] / half_samples for p in sorted(edges, key=sorted)},
        arrow_frequency={a: arrows[a] / half_samples for a in sorted(arrows)},
        half_samples=half_samples,
        alpha=alpha,
        max_given=max_given,
        assumptions=_assumptions(tiers),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """What every run has in common."""

    alpha: float
    """See :func:`discover`."""
    max_given: int
    """See :func:`discover`."""
    tiers: Mapping[str, int] | None
    """See :func:`discover`."""

    def run(
        self, nodes: Mapping[str, Variable], index: NDArray[np.intp], rng: np.random.Generator
    ) -> PcRun:
        chosen = {name: node.rows(index) for name, node in nodes.items()}
        test = MixedTest(chosen, alpha=self.alpha, seed=int(rng.integers(2**32)))
        return pc_stable(
            list(nodes), test, alpha=self.alpha, tiers=self.tiers, max_given=self.max_given
        )


def _stability(
    settings: _Settings,
    nodes: Mapping[str, Variable],
    units: NDArray[np.int64],
    rng: np.random.Generator,
    plan: tuple[int, Progress | None],
) -> tuple[Counter[Pair], Counter[tuple[str, str]]]:
    """How often each adjacency and each arrow is found on half of the clusters."""
    half_samples, progress = plan
    edges: Counter[Pair] = Counter()
    arrows: Counter[tuple[str, str]] = Counter()
    for done in range(half_samples):
        half = settings.run(nodes, _half(_one_row_each(units, rng), rng), rng)
        edges.update(half.graph.skeleton)
        arrows.update((e.source, e.target) for e in half.graph.edges if e.mark == "directed")
        if progress is not None:
            progress(done + 1, half_samples)
    return edges, arrows


def _clusters(clusters: Sequence[str] | None, rows: int) -> NDArray[np.int64]:
    if clusters is None:
        return np.arange(rows)
    if len(clusters) != rows:
        message = f"{len(clusters)} clusters for {rows} rows; give one per row"
        raise InputError(message)
    codes = np.unique(np.asarray(clusters, dtype=np.str_), return_inverse=True)[1]
    return np.asarray(codes.reshape(-1), dtype=np.int64)


def _one_row_each(units: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    shuffled = rng.permutation(len(units))
    first = np.unique(units[shuffled], return_index=True)[1]
    return np.sort(shuffled[first])


def _half(index: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(rng.permutation(index)[: max(2, len(index) // 2)])


def _with_frequencies(
    graph: Graph,
    tests: Sequence[CiResult],
    edges: Mapping[Pair, int],
    arrows: Mapping[tuple[str, str], int],
    half_samples: int,
) -> Graph:
    largest: dict[Pair, float] = {}
    for test in tests:
        pair = frozenset((test.x, test.y))
        largest[pair] = max(largest.get(pair, 0.0), test.p_value)
    told = []
    for edge in graph.edges:
        arrow = arrows.get((edge.source, edge.target), 0)
        told.append(
            replace(
                edge,
                p_value=largest[edge.pair],
                frequency=edges.get(edge.pair, 0) / half_samples if half_samples else None,
                arrow_frequency=arrow / half_samples if half_samples else None,
            )
        )
    return replace(graph, edges=tuple(told))


def _assumptions(tiers: Mapping[str, int] | None) -> tuple[str, ...]:
    common = (
        "No hidden common cause of two nodes, no cycle, and no dependence that cancels exactly.",
        "A missing edge means that no dependence was found at this sample size, not that none is.",
        "Tests that condition on numbers or blocks are asymptotic.",
    )
    if not tiers:
        return common
    order = [
        ", ".join(sorted(name for name in tiers if tiers[name] == tier))
        for tier in sorted(set(tiers.values()))
    ]
    return (*common, f"Tiers are given, not learned: {' → '.join(order)}.")
