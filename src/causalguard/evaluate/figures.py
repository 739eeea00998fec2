"""Figures of a detector on labelled rows, with intervals that count clusters."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalguard.evaluate.rows import Labelled
from causalguard.stats.bounds import clopper_pearson
from causalguard.stats.ranking import Estimate, auroc_bootstrap, pair_auroc, tpr_at_fpr_interval

Floats = NDArray[np.float64]
BENIGN_FOR_1_PERCENT = 300
"""No 1 % figure is printed from fewer benign clusters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """One line of the table: a detector on one source."""

    source: str
    """Set, or set/part."""
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
    twin_auroc: float | None
    """Mean over injected rows of P(risk > risk of the benign twin); None without twins."""
    tpr_at_1: Estimate | None
    """TPR at the source's own 1 % FPR point; None below 300 benign clusters."""
    tpr_frozen: tuple[float, float, float] | None
    """TPR at the frozen threshold with its exact interval over rows, (value, low, high)."""
    fpr_frozen: tuple[float, float, float] | None
    """FPR at the frozen threshold, likewise."""


def source_figures(
    name: str,
    rows: Sequence[Labelled],
    risks: Floats,
    *,
    threshold: float,
    rng: np.random.Generator,
    draws: int = 300,
) -> SourceFigures:
    """Figures on one source.

    Args:
        name: printed name.
        rows: shape (n,).
        risks: shape (n,), [0, 1].
        threshold: frozen beforehand; never chosen here.
        rng: for the bootstrap over clusters.
        draws: bootstrap draws.
    """
    y = np.array([row.y for row in rows])
    pairs = [row.pair for row in rows]
    both = 0 < y.sum() < len(y)
    benign = {row.pair for row in rows if row.y == 0}
    enough = both and len(benign) >= BENIGN_FOR_1_PERCENT
    return SourceFigures(
        source=name,
        n_injected=int(y.sum()),
        n_benign=int((1 - y).sum()),
        clusters=len(set(pairs)),
        benign_clusters=len(benign),
        auroc=auroc_bootstrap(y, risks, pairs, rng=rng, draws=draws) if both else None,
        twin_auroc=twin_auroc(rows, risks),
        tpr_at_1=tpr_at_fpr_interval(y, risks, 0.01, clusters=pairs, rng=rng, draws=draws)
        if enough
        else None,
        tpr_frozen=_rate(risks[y == 1] >= threshold),
        fpr_frozen=_rate(risks[y == 0] >= threshold),
    )


def _rate(hits: NDArray[np.bool_]) -> tuple[float, float, float] | None:
    if not len(hits):
        return None
    low, high = clopper_pearson(int(hits.sum()), len(hits), confidence=0.95)
    return float(hits.mean()), low, high


def twin_auroc(rows: Sequence[Labelled], risks: Floats) -> float | None:
    """Mean over injected rows of P(risk above the benign twin's) + half of P(equal).

    A pair with several benign rows counts each injected row against their mean comparison.
    """
    benign: dict[str, list[float]] = defaultdict(list)
    for row, risk in zip(rows, risks, strict=True):
        if row.y == 0:
            benign[row.pair].append(float(risk))
    values = [
        pair_auroc(benign[row.pair], [float(risk)] * len(benign[row.pair]))
        for row, risk in zip(rows, risks, strict=True)
        if row.y == 1 and benign[row.pair]
    ]
    return float(np.mean(values)) if values else None


def one_threshold_tpr(parts: Sequence[tuple[Sequence[Labelled], Floats]], fpr: float) -> float:
    """TPR with one threshold for all sources: pooled FPR at most ``fpr``, sources weighted alike.

    Returns the mean over sources of the TPR at the lowest threshold whose mean FPR over the
    sources (each counting once) is at most ``fpr``.
    """
    benign = [
        np.sort(r[[x.y == 0 for x in rows]]) for rows, r in parts if any(x.y == 0 for x in rows)
    ]
    attacks = [r[[x.y == 1 for x in rows]] for rows, r in parts if any(x.y == 1 for x in rows)]
    cuts = np.unique(np.concatenate(benign))[::-1]
    best = np.inf
    for cut in cuts:
        rate = np.mean([(b >= cut).mean() for b in benign])
        if rate > fpr:
            break
        best = cut
    above = cuts[cuts < best]
    # Just above the first cut that breaks the rate: risks strictly higher are flagged.
    edge = above[0] if len(above) else -np.inf
    return float(np.mean([(a > edge).mean() for a in attacks]))
