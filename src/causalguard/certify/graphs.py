"""The learned graph of a report: which assigned quantities the representation and risk depend on.

It describes and never gates, for every real guard has some tiny edge at large n.  Expected:
Y to R to risk, and length, for a maximum over more windows grows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from causalguard.certify import metrics
from causalguard.certify.discovery.discover import CLUSTERS_NEEDED, Discovery, discover
from causalguard.certify.policy import FACTORS, Policy
from causalguard.certify.report.model import GraphEdge, LearnedGraph
from causalguard.certify.trials import TrialSet
from causalguard.errors import InputError
from causalguard.records import Trial

ALPHA = 0.01
MIN_CLUSTERS = 100
MAX_LEVELS = 20
"""Categories of a node; rarer levels are pooled, for tests in tiny cells have no power."""


def learn(trial_set: TrialSet, policy: Policy) -> LearnedGraph:
    """Learn a graph over Y, the assigned nuisances, length, R and risk; one row a cluster.

    Args:
        trial_set: the guard's answers.
        policy: whether to, the seed, and how many half-samples.

    Returns:
        The graph, or a note why there is none.
    """
    clusters = len({trial.cluster for trial in trial_set.trials})
    if not policy.discovery:
        return _none(clusters, "Discovery was not run: the policy does not ask for it.")
    if clusters < MIN_CLUSTERS:
        return _none(clusters, f"Discovery was not run: {clusters} clusters are too few.")
    columns, tiers = _columns(trial_set, policy)
    try:
        found = discover(
            columns,
            rng=metrics.rng_for(policy.seed, "discovery"),
            clusters=[trial.cluster for trial in trial_set.trials],
            tiers=tiers,
            alpha=ALPHA,
            half_samples=policy.half_samples,
        )
    except InputError as error:
        return _none(clusters, f"Discovery was not run: {error}")
    return _learned(found, tiers)


def _columns(trial_set: TrialSet, policy: Policy) -> tuple[dict[str, ArrayLike], dict[str, int]]:
    trials = trial_set.trials
    columns: dict[str, ArrayLike] = {"Y": [str(trial.y) for trial in trials]}
    for factor in FACTORS:
        labels = _pooled(trials, factor, policy)
        if factor != "length" and len(set(labels)) > 1:
            columns[factor] = labels
    tiers = dict.fromkeys(columns, 0) | {"length": 1, "R": 2, "risk": 3}
    columns["length"] = np.log1p([float(trial.n_tokens) for trial in trials])
    columns["R"] = trial_set.representations.astype(np.float64)
    columns["risk"] = np.array([trial.risk for trial in trials])
    return columns, tiers


def _pooled(trials: Sequence[Trial], factor: str, policy: Policy) -> list[str]:
    counts: dict[str, set[str]] = {}
    for trial in trials:
        counts.setdefault(trial.nuisance.get(factor, ""), set()).add(trial.cluster)
    kept = sorted(counts, key=lambda name: (-len(counts[name]), name))[:MAX_LEVELS]
    common = {name for name in kept if len(counts[name]) >= policy.level_minimum(factor)}
    labels = (trial.nuisance.get(factor, "") for trial in trials)
    return [label if label in common else metrics.RARE for label in labels]


def _learned(found: Discovery, tiers: Mapping[str, int]) -> LearnedGraph:
    into_risk = ", ".join(found.graph.parents("risk")) or "none"
    into_r = ", ".join(found.graph.parents("R")) or "none"
    note = f"Parents of risk: {into_risk}; parents of R: {into_r}."
    if found.result == "INCONCLUSIVE":
        note += (
            f" INCONCLUSIVE: {found.clusters} clusters, {found.clusters_needed} are needed; a "
            "missing edge means nothing here."
        )
    return LearnedGraph(
        state=found.result,
        nodes=found.graph.nodes,
        tiers=dict(tiers),
        edges=tuple(
            GraphEdge(
                source=edge.source,
                target=edge.target,
                mark=edge.mark,
                p_value=edge.p_value,
                frequency=edge.frequency,
                arrow_frequency=edge.arrow_frequency,
            )
            for edge in found.graph.edges
        ),
        clusters=found.clusters,
        clusters_needed=found.clusters_needed,
        half_samples=found.half_samples,
        alpha=found.alpha,
        assumptions=found.assumptions,
        note=note,
    )


def _none(clusters: int, note: str) -> LearnedGraph:
    return LearnedGraph(
        state="NOT RUN",
        nodes=(),
        tiers={},
        edges=(),
        clusters=clusters,
        clusters_needed=CLUSTERS_NEEDED,
        half_samples=0,
        alpha=ALPHA,
        assumptions=(),
        note=note,
    )
