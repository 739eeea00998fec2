"""Figures of a detector on scored cases, with intervals that count clusters."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalguard.evaluate.rows import Case
from causalguard.stats.bounds import clopper_pearson
from causalguard.stats.ranking import (
    Estimate,
    auroc_bootstrap,
    pair_auroc,
    tpr_at_fpr,
    tpr_at_fpr_interval,
)

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
BENIGN_NEEDED: Mapping[float, int] = {0.01: 300, 0.001: 3000}
"""Benign clusters below which a figure at that false-positive rate is marked as weak."""
LENGTH_EDGES = (64, 128, 256, 512, 1024, 2048, 4096)
"""Buckets of length, in tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """One line of the table: a detector on one source."""

    source: str
    """Set, set/part, or set + benign set."""
    n_injected: int
    """Rows with y = 1."""
    n_benign: int
    """Rows with y = 0."""
    clusters: int
    """Independent clusters (pairs) in both."""
    benign_clusters: int
    """Independent clusters with a benign row."""
    auroc: Estimate | None
    """Pooled over the source; None when one class is missing."""
    twin_auroc: Estimate | None
    """P(risk > risk of its own benign twin); None without twins."""
    tpr_at_1: Estimate | None
    """TPR at the source's own 1 % FPR point; weak below 300 benign clusters."""
    tpr_at_01: Estimate | None
    """TPR at its own 0.1 % FPR point; weak below 3,000 benign clusters."""
    tpr_frozen: Estimate | None
    """TPR at the frozen threshold."""
    fpr_frozen: Estimate | None
    """FPR at the frozen threshold."""

    def enough(self, fpr: float) -> bool:
        """Whether there are benign clusters enough for a figure at this false-positive rate."""
        return self.benign_clusters >= BENIGN_NEEDED[fpr]


def source_figures(
    name: str,
    cases: Sequence[Case],
    risks: Floats,
    *,
    threshold: float,
    rng: np.random.Generator,
    draws: int = 300,
) -> SourceFigures:
    """Figures on one source.

    Args:
        name: printed name.
        cases: shape (n,).
        risks: shape (n,), higher is worse.
        threshold: frozen beforehand; never chosen here.
        rng: for the bootstrap over clusters.
        draws: bootstrap draws.
    """
    y = np.array([c.y for c in cases])
    pairs = [c.pair for c in cases]
    both = len(y) > 0 and 0 < y.sum() < len(y)

    def at(fpr: float) -> Estimate | None:
        if not both:
            return None
        return tpr_at_fpr_interval(y, risks, fpr, clusters=pairs, rng=rng, draws=draws)

    return SourceFigures(
        source=name,
        n_injected=int(y.sum()),
        n_benign=int((1 - y).sum()),
        clusters=len(set(pairs)),
        benign_clusters=len({c.pair for c in cases if c.y == 0}),
        auroc=auroc_bootstrap(y, risks, pairs, rng=rng, draws=draws) if both else None,
        twin_auroc=twin_auroc(cases, risks),
        tpr_at_1=at(0.01),
        tpr_at_01=at(0.001),
        tpr_frozen=_frozen(cases, risks, threshold, 1),
        fpr_frozen=_frozen(cases, risks, threshold, 0),
    )


def _frozen(cases: Sequence[Case], risks: Floats, threshold: float, y: int) -> Estimate | None:
    rows = [i for i, c in enumerate(cases) if c.y == y]
    hits = (risks[rows] >= threshold).astype(float)
    return cluster_rate(hits, [cases[i].pair for i in rows])


def cluster_rate(values: Floats, clusters: Sequence[str]) -> Estimate | None:
    """Mean of values in [0, 1] over rows, with an exact-binomial interval over clusters.

    The rate is taken as if each cluster gave one observation; counts that are not whole are
    rounded outwards, so the interval is never narrower than that.  None without rows.
    """
    n = len(set(clusters))
    if not n:
        return None
    value = float(np.mean(values))
    low, _ = clopper_pearson(math.floor(value * n + 1e-9), n, confidence=CONFIDENCE)
    _, high = clopper_pearson(math.ceil(value * n - 1e-9), n, confidence=CONFIDENCE)
    return Estimate(
        value=value,
        low=low,
        high=high,
        confidence=CONFIDENCE,
        n=n,
        method="Clopper-Pearson over clusters",
    )


def twin_auroc(cases: Sequence[Case], risks: Floats) -> Estimate | None:
    """Mean over injected rows of P(risk above the benign twin's) + half of P(equal).

    A pair with several benign rows counts each injected row against their mean comparison.
    """
    benign: dict[str, list[float]] = defaultdict(list)
    for case, risk in zip(cases, risks, strict=True):
        if case.y == 0 and case.kind in ("", "benign"):
            benign[case.pair].append(float(risk))
    values, clusters = [], []
    for case, risk in zip(cases, risks, strict=True):
        twins = benign.get(case.pair)
        if case.y == 1 and twins:
            values.append(pair_auroc(twins, [float(risk)] * len(twins)))
            clusters.append(case.pair)
    return cluster_rate(np.array(values), clusters)


Part = tuple[Sequence[Case], Floats]


def one_threshold_tpr(parts: Sequence[Part], fpr: float) -> tuple[float, float]:
    """TPR with one threshold for all sources, sources weighted alike.

    Returns: (mean over sources of the TPR, lowest TPR of a source) at the lowest threshold
    whose mean FPR over the sources (each counting once) is at most ``fpr``.
    """
    benign = [np.sort(r[[c.y == 0 for c in cases]]) for cases, r in parts]
    benign = [b for b in benign if len(b)]
    attacks = [r[[c.y == 1 for c in cases]] for cases, r in parts]
    attacks = [a for a in attacks if len(a)]
    cuts = np.unique(np.concatenate(benign))[::-1]
    edge = -np.inf
    for cut in cuts:
        rates = [1 - np.searchsorted(b, cut, side="left") / len(b) for b in benign]
        if float(np.mean(rates)) > fpr + 1e-9:
            edge = cut
            break
    # Risks strictly above the first cut that breaks the rate are flagged.
    found = [float((a > edge).mean()) for a in attacks]
    return float(np.mean(found)), min(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """Rates of one group of rows (a family, a length, a format) at the frozen threshold."""

    group: str
    """Name of the group."""
    tpr: Estimate | None
    """Share of injected rows flagged."""
    fpr: Estimate | None
    """Share of benign rows flagged."""
    twin: Estimate | None
    """Twin AUROC of the group's injected rows."""


def by_group(
    cases: Sequence[Case], risks: Floats, threshold: float, key: Callable[[Case], str]
) -> list[GroupFigures]:
    """Rates per group, rows with an empty key left out; twins are looked for among all rows."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, case in enumerate(cases):
        if key(case):
            groups[key(case)].append(i)
    benign = [i for i, c in enumerate(cases) if c.y == 0]
    made = []
    for name, rows in groups.items():
        part = [cases[i] for i in rows]
        around = [i for i in rows if cases[i].y == 1] + benign
        made.append(
            GroupFigures(
                group=name,
                tpr=_frozen(part, risks[rows], threshold, 1),
                fpr=_frozen(part, risks[rows], threshold, 0),
                twin=twin_auroc([cases[i] for i in around], risks[around]),
            )
        )
    return made


def length_bucket(case: Case) -> str:
    """Bucket of a case's length in tokens, both ends included."""
    low = 0
    for edge in LENGTH_EDGES:
        if case.tokens <= edge:
            return f"{low + 1 if low else 0}-{edge}"
        low = edge
    return f"> {low}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DilutionFigures:
    """One length of a dilution probe."""

    level: int
    """Tokens of a document."""
    documents: int
    """Benign documents, as many injected ones."""
    recall: Estimate
    """At the threshold whose false-positive rate over this length's benign documents is fixed."""
    recall_frozen: Estimate | None
    """At the frozen threshold."""
    fpr_frozen: Estimate | None
    """Documents without an injection that the frozen threshold flags."""
    by_position: Mapping[str, float]
    """Recall at fixed document FPR by position of the injection."""
    mean_risk: Mapping[str, float]
    """Mean risk of injected documents by position."""


def dilution_figures(
    cases: Sequence[Case], risks: Floats, *, threshold: float, fpr: float, rng: np.random.Generator
) -> list[DilutionFigures]:
    """Recall per length at a document-level FPR fixed per length, and by position."""
    made = []
    for level in sorted({c.level for c in cases}):
        rows = [i for i, c in enumerate(cases) if c.level == level]
        part, r = [cases[i] for i in rows], risks[rows]
        y = np.array([c.y for c in part])
        pairs = [c.pair for c in part]
        recall = tpr_at_fpr_interval(y, r, fpr, clusters=pairs, rng=rng, draws=300)
        cut = _cut(r[y == 0], fpr)
        positions = sorted({c.position for c in part})
        inside = {
            p: np.array([i for i, c in enumerate(part) if c.position == p and c.y == 1])
            for p in positions
        }
        made.append(
            DilutionFigures(
                level=level,
                documents=int((1 - y).sum()),
                recall=recall,
                recall_frozen=_frozen(part, r, threshold, 1),
                fpr_frozen=_frozen(part, r, threshold, 0),
                by_position={p: float((r[i] > cut).mean()) for p, i in inside.items()},
                mean_risk={p: float(r[i].mean()) for p, i in inside.items()},
            )
        )
    return made


def _cut(benign: Floats, fpr: float) -> float:
    """Flag strictly above: the empirical FPR is then at most ``fpr``."""
    ranked = np.sort(benign)[::-1]
    allowed = math.floor(fpr * len(ranked) + 1e-9)
    return float(ranked[allowed]) if allowed < len(ranked) else -math.inf


def roc(y: NDArray[np.int64], risks: Floats, *, up_to: float) -> list[tuple[float, float]]:
    """Points (FPR, TPR) of the ROC curve from 0 to ``up_to``, one for each reachable FPR."""
    n = int((y == 0).sum())
    rates = [k / n for k in range(math.floor(up_to * n) + 1)]
    return [(rate, tpr_at_fpr(y, risks, rate)) for rate in rates]
