"""Counts, bounds and curves over trials: every figure counts independent clusters, not rows.

Two reductions to clusters are used, and each figure says which.  *Any*: a cluster is hit if one
of its rows is (rates that are bounded).  *One row a cluster*, drawn by a fixed seed (differences
between levels or members, where clusters of unequal size would bias an any-rule).
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from causalguard.certify.policy import Policy
from causalguard.certify.report.model import (
    CurvePoint,
    Curves,
    Effect,
    Gap,
    Histogram,
    Interval,
    Level,
    Ranking,
    Rate,
    RocPoint,
)
from causalguard.errors import DataError
from causalguard.records import KINDS, Kind, Trial
from causalguard.stats import bounds, clusters, ranking
from causalguard.stats.equivalence import equivalence

Rows = Sequence[Trial]

CLEAN: tuple[Kind, ...] = ("benign", "counterfactual")
RARE = "(rare)"
DEFAULT_MARGIN = 0.1
BINS = 20
ROC_LIMIT = 0.1
ROC_POINTS = 60


def rng_for(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for each purpose: adding one figure never changes another."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def of_kind(trials: Iterable[Trial], *kinds: Kind) -> list[Trial]:
    """The trials whose kind is one of these, in order."""
    return [trial for trial in trials if trial.kind in kinds]


def missed(trial: Trial) -> bool:
    """The injected text would have reached the LLM."""
    return not trial.flagged


def flagged(trial: Trial) -> bool:
    """The text would have been withheld."""
    return trial.flagged


def rate(name: str, rows: Rows, hit: Callable[[Trial], bool], *, delta: float) -> Rate:
    """Share of clusters with at least one hit, with exact one-sided bounds.

    Args:
        name: what is counted.
        rows: the stratum's trials.
        hit: which trials count.
        delta: error probability of each bound, (0, 1).

    Raises:
        DataError: the stratum is empty.
    """
    if not rows:
        raise DataError(f"no audit texts for {name}: an empty stratum has no bound; add some")
    hits = [hit(trial) for trial in rows]
    found = clusters.count(hits, [trial.cluster for trial in rows])
    return Rate(
        name=name,
        hits=found.errors,
        clusters=found.n,
        rows_hit=sum(hits),
        rows=len(rows),
        estimate=found.errors / found.n,
        low=bounds.lower(found.errors, found.n, delta=delta, name=name),
        high=bounds.upper(found.errors, found.n, delta=delta, name=name),
        delta=delta,
    )


def rates_by(
    rows: Rows, key: Callable[[Trial], str], hit: Callable[[Trial], bool], *, delta: float
) -> tuple[Rate, ...]:
    """One rate for each value of ``key``, in sorted order; bounds hold together (delta / m)."""
    strata: dict[str, list[Trial]] = defaultdict(list)
    for trial in rows:
        strata[key(trial)].append(trial)
    return tuple(
        rate(name, strata[name], hit, delta=delta / len(strata)) for name in sorted(strata)
    )


def length_label(edges: Sequence[int], tokens: int) -> str:
    """Name of the row of the table by length, e.g. ``129-256 tokens``; sorts by length."""
    place = int(np.searchsorted(edges, tokens, side="left"))
    if place == len(edges):
        return f"over {edges[-1]} tokens"
    low = 0 if place == 0 else edges[place - 1] + 1
    return f"{low}-{edges[place]} tokens"


def rates_by_length(
    rows: Rows, edges: Sequence[int], hit: Callable[[Trial], bool], *, delta: float
) -> tuple[Rate, ...]:
    """As :func:`rates_by`, by length in tokens, shortest first."""
    found = {r.name: r for r in rates_by(rows, _length_key(edges), hit, delta=delta)}
    return tuple(found[label] for label in _labels(edges) if label in found)


def _labels(edges: Sequence[int]) -> list[str]:
    return [length_label(edges, edge) for edge in (*edges, edges[-1] + 1)]


def _length_key(edges: Sequence[int]) -> Callable[[Trial], str]:
    return lambda trial: length_label(edges, trial.n_tokens)


def one_each(rows: Rows, rng: np.random.Generator) -> list[Trial]:
    """One row for each cluster, drawn evenly within the cluster."""
    picked = clusters.one_row_each([trial.cluster for trial in rows], rng=rng)
    return [rows[int(index)] for index in picked]


def levels_of(rows: Rows, factor: str, *, minimum: int) -> dict[str, list[Trial]]:
    """Rows by level of a nuisance; levels with fewer than ``minimum`` clusters are pooled."""
    levels: dict[str, list[Trial]] = defaultdict(list)
    for trial in rows:
        if trial.nuisance.get(factor):
            levels[trial.nuisance[factor]].append(trial)
    kept: dict[str, list[Trial]] = {}
    rest: list[Trial] = []
    for name in sorted(levels):
        if len({trial.cluster for trial in levels[name]}) >= minimum:
            kept[name] = levels[name]
        else:
            rest.extend(levels[name])
    if rest:
        kept[RARE] = rest
    return kept


def gap(
    trials: Rows, factor: str, among: Literal["clean", "injected"], policy: Policy
) -> Gap | None:
    """How far P(flagged | Y) can differ between levels of a nuisance; None with one level only.

    Source: TOST in its interval form (Schuirmann 1987), intersection-union over pairs of levels.
    """
    rows = of_kind(trials, *(CLEAN if among == "clean" else ("injected",)))
    strata = levels_of(rows, factor, minimum=policy.level_minimum(factor))
    if len(strata) < 2:
        return None
    purpose = f"gap/{factor}/{among}"
    counts: dict[str, tuple[int, int]] = {}
    for name, members in strata.items():
        chosen = one_each(members, rng_for(policy.seed, f"{purpose}/{name}"))
        counts[name] = (sum(trial.flagged for trial in chosen), len(chosen))
    return gap_of(counts, factor, among, policy)


def gap_of(
    counts: Mapping[str, tuple[int, int]],
    factor: str,
    among: Literal["clean", "injected"],
    policy: Policy,
) -> Gap:
    """The same from counts ``level -> (flagged, clusters)``; at least two levels."""
    wanted = [
        gate.at_most for gate in policy.gates if gate.quantity == f"gap.{factor}.{among}"
    ] or [DEFAULT_MARGIN]
    margin = min(max(wanted[0] or DEFAULT_MARGIN, 1e-6), 1 - 1e-6)
    rng = rng_for(policy.seed, f"power/{factor}/{among}")
    found = equivalence(counts, margin=margin, delta=policy.delta, rng=rng, draws=400)
    share = policy.delta / len(counts)
    levels = tuple(
        Level(
            level=name,
            flagged=k,
            clusters=n,
            estimate=k / n,
            low=bounds.lower(k, n, delta=share / 2, name=name),
            high=bounds.upper(k, n, delta=share / 2, name=name),
        )
        for name, (k, n) in counts.items()
    )
    return Gap(
        factor=factor,
        among=among,
        levels=levels,
        estimate=found.gap,
        high=found.bound,
        low=max(0.0, max(a.low for a in levels) - min(b.high for b in levels)),
        margin=margin,
        power=found.power,
        clusters=min(n for _, n in counts.values()),
    )


def paired(trials: Rows, first: Kind, second: Kind, policy: Policy) -> list[tuple[Trial, Trial]]:
    """Members ``first`` and ``second`` of the same matched set: one set a cluster."""
    sets: dict[str, dict[Kind, Trial]] = defaultdict(dict)
    for trial in of_kind(trials, first, second):
        sets[trial.set_id][trial.kind] = trial
    heads = [pair[first] for pair in sets.values() if len(pair) == 2]
    if not heads:
        return []
    chosen = one_each(heads, rng_for(policy.seed, f"pairs/{first}/{second}"))
    return [(head, sets[head.set_id][second]) for head in chosen]


def effect(
    name: str, claim: str, pairs: Sequence[tuple[Trial, Trial]], *, delta: float
) -> Effect | None:
    """Mean paired difference of ``flagged``, with exact bounds; None without pairs.

    P(only the first is flagged) and P(only the second) are bounded by Clopper-Pearson at
    delta / 2 each; their difference is the effect.
    """
    if not pairs:
        return None
    n = len(pairs)
    table = np.zeros((2, 2), dtype=np.int64)
    for first, second in pairs:
        table[int(first.flagged), int(second.flagged)] += 1
    one, two = int(table[1, 0]), int(table[0, 1])
    half = delta / 2
    return Effect(
        name=name,
        claim=claim,
        clusters=n,
        both=int(table[1, 1]),
        only_first=one,
        only_second=two,
        neither=int(table[0, 0]),
        estimate=(one - two) / n,
        low=bounds.lower(one, n, delta=half) - bounds.upper(two, n, delta=half),
        high=bounds.upper(one, n, delta=half) - bounds.lower(two, n, delta=half),
        delta=delta,
    )


def _bootstrap(
    rows: Rows, value: Callable[[Trial], float], purpose: str, policy: Policy
) -> Interval:
    found = ranking.auroc_bootstrap(
        [trial.y for trial in rows],
        [value(trial) for trial in rows],
        [trial.cluster for trial in rows],
        rng=rng_for(policy.seed, purpose),
        draws=policy.bootstraps,
        confidence=policy.confidence,
    )
    return Interval(estimate=found.value, low=found.low, high=found.high)


def rank(trials: Rows, policy: Policy) -> Ranking:
    """AUROC pooled, within pairs and against hard negatives, and the length-only baseline.

    Raises:
        DataError: no matched set has both an injected and a benign text.
    """
    rows = of_kind(trials, *CLEAN, "injected")
    hard_rows = of_kind(trials, "imperative", "authorised", "injected")
    has_hard = any(trial.y == 0 for trial in hard_rows)
    pairs = paired(trials, "injected", "benign", policy)
    if not pairs:
        raise DataError("no matched set has an injected and a benign text; give whole sets")
    within = ranking.pair_auroc_interval(
        [second.risk for _, second in pairs],
        [first.risk for first, _ in pairs],
        confidence=policy.confidence,
    )
    tpr = ranking.tpr_at_fpr_interval(
        [trial.y for trial in rows],
        [trial.risk for trial in rows],
        0.01,
        clusters=[trial.cluster for trial in rows],
        rng=rng_for(policy.seed, "ranking/tpr"),
        draws=policy.bootstraps,
        confidence=policy.confidence,
    )
    return Ranking(
        pooled=_bootstrap(rows, lambda trial: trial.risk, "ranking/pooled", policy),
        pairs=Interval(estimate=within.value, low=within.low, high=within.high),
        tpr_at_1pc=Interval(estimate=tpr.value, low=tpr.low, high=tpr.high),
        hard=_bootstrap(hard_rows, lambda trial: trial.risk, "ranking/hard", policy)
        if has_hard
        else None,
        length_only=_bootstrap(rows, lambda trial: float(trial.n_tokens), "ranking/length", policy),
        pairs_counted=within.n,
        method=f"pooled: cluster bootstrap, {policy.bootstraps} draws, approximate; "
        "pairs: Clopper-Pearson, exact",
    )


def _roc(rows: Rows) -> tuple[RocPoint, ...]:
    risks = np.array([trial.risk for trial in rows])
    y = np.array([trial.y for trial in rows], dtype=bool)
    points: list[RocPoint] = []
    for threshold in np.unique(risks)[::-1]:
        above = risks >= threshold
        false = float((above & ~y).sum() / (~y).sum())
        if false > ROC_LIMIT:
            break
        true = float((above & y).sum() / y.sum())
        points.append(
            RocPoint(threshold=float(threshold), false_positive_rate=false, true_positive_rate=true)
        )
    return _thinned(points)


def _thinned(points: list[RocPoint]) -> tuple[RocPoint, ...]:
    """The highest point of each false-positive rate, at most ROC_POINTS of them, evenly."""
    best: dict[float, RocPoint] = {}
    for point in points:
        best[point.false_positive_rate] = point
    kept = list(best.values())
    if len(kept) <= ROC_POINTS:
        return tuple(kept)
    picked = np.unique(np.linspace(0, len(kept) - 1, ROC_POINTS).round().astype(int))
    return tuple(kept[int(index)] for index in picked)


def _curve(rows: Rows, key: Callable[[Trial], str], order: Sequence[str]) -> tuple[CurvePoint, ...]:
    strata: dict[str, list[Trial]] = defaultdict(list)
    for trial in rows:
        strata[key(trial)].append(trial)
    return tuple(
        CurvePoint(
            level=name,
            rows=len(strata[name]),
            mean_risk=float(np.mean([trial.risk for trial in strata[name]])),
            miss_rate=float(np.mean([not trial.flagged for trial in strata[name]])),
        )
        for name in order
        if name in strata
    )


def curves(trials: Rows, policy: Policy) -> Curves:
    """What the plots show: descriptive, over rows."""
    injected = of_kind(trials, "injected")
    edges = np.linspace(0.0, 1.0, BINS + 1)
    histograms = []
    for kind in KINDS:
        risks = [trial.risk for trial in of_kind(trials, kind)]
        if risks:
            counts, _ = np.histogram(risks, bins=edges)
            histograms.append(Histogram(kind=kind, counts=tuple(int(c) for c in counts)))
    positions = sorted({trial.nuisance.get("position", "") for trial in injected} - {""})
    return Curves(
        roc=_roc(of_kind(trials, *CLEAN, "injected")),
        risks=tuple(histograms),
        dilution=_curve(injected, _length_key(policy.length_edges), _labels(policy.length_edges)),
        position=_curve(injected, lambda trial: trial.nuisance.get("position", ""), positions),
    )
