"""How well risks rank attacks above benign texts: AUROC, TPR at a low FPR, calibration.

Higher risk is worse everywhere.  Ties count one half.  Intervals count clusters when
clusters are given.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from causalguard.stats.arrays import (
    BoolArray,
    FloatArray,
    Labels,
    binary_vector,
    codes,
    finite_vector,
    level,
    same_length,
)
from causalguard.stats.bounds import clopper_pearson


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its interval."""

    value: float
    """The estimate."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""
    confidence: float
    """Coverage aimed at, (0, 1)."""
    n: int
    """Independent units behind it."""
    method: str
    """How the interval was made."""


def _labelled(y: npt.ArrayLike, risk: npt.ArrayLike) -> tuple[BoolArray, FloatArray]:
    labels = binary_vector(y, "y")
    risks = finite_vector(risk, "risk")
    same_length(y=labels, risk=risks)
    for value, name in ((False, "benign (y = 0)"), (True, "attack (y = 1)")):
        if not (labels == value).any():
            raise ValueError(f"y: there is no {name} row; both classes are needed")
    return labels, risks


def auroc(y: npt.ArrayLike, risk: npt.ArrayLike) -> float:
    """P(risk of an attack > risk of a benign text) + half of P(equal).

    Args:
        y: 0 benign, 1 attack; shape (n,).
        risk: shape (n,), finite.

    Raises:
        ValueError: one class only, lengths that differ, values that are not finite.

    Source: Mann & Whitney 1947; mid-ranks for ties.
    """
    labels, risks = _labelled(y, risk)
    return _auroc(labels, risks)


def _auroc(labels: BoolArray, risks: FloatArray) -> float:
    ranks = stats.rankdata(risks)
    n1 = int(labels.sum())
    n0 = len(labels) - n1
    return float((ranks[labels].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def _placements(labels: BoolArray, risks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """DeLong's structural components: each attack's and each benign row's own AUROC."""
    ranks = stats.rankdata(risks)
    n1, n0 = int(labels.sum()), int((~labels).sum())
    of_attack = (ranks[labels] - stats.rankdata(risks[labels])) / n0
    of_benign = 1.0 - (ranks[~labels] - stats.rankdata(risks[~labels])) / n1
    return of_attack, of_benign


def auroc_delong(y: npt.ArrayLike, risk: npt.ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """AUROC with DeLong's interval, for independent rows.

    Where DeLong's variance is 0 (perfect separation) the interval would have no width; there
    min(n0, n1) disjoint pairs, all in order, give an exact binomial end instead.

    Source: DeLong, DeLong & Clarke-Pearson 1988, in the form of Sun & Xu 2014.
    """
    labels, risks = _labelled(y, risk)
    level(confidence, "confidence")
    of_attack, of_benign = _placements(labels, risks)
    value = float(of_attack.mean())
    pairs = min(len(of_attack), len(of_benign))
    variance = sum(
        float(part.var(ddof=1)) / len(part) if len(part) > 1 else 0.25
        for part in (of_attack, of_benign)
    )
    if variance <= 1e-15:
        low, high = clopper_pearson(round(value * pairs), pairs, confidence=confidence)
        method = "exact binomial over disjoint pairs (variance 0)"
    else:
        half = float(special.ndtri((1 + confidence) / 2)) * variance**0.5
        low, high, method = max(0.0, value - half), min(1.0, value + half), "DeLong"
    return Estimate(value=value, low=low, high=high, confidence=confidence, n=pairs, method=method)


def cluster_bootstrap(
    statistic: Callable[[BoolArray, FloatArray], float],
    y: npt.ArrayLike,
    risk: npt.ArrayLike,
    clusters: Labels,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Percentile interval from redrawing whole clusters; a draw with one class is redrawn.

    Args:
        statistic: function of (y, risk) to a number.
        y: 0/1 per row.
        risk: risk per row.
        clusters: identifier per row; clusters are redrawn with replacement.
        rng: source of the draws.
        draws: bootstrap draws, >= 100.
        confidence: coverage aimed at; asymptotic in the number of clusters.
    """
    labels, risks = _labelled(y, risk)
    same_length(y=labels, clusters=clusters)
    level(confidence, "confidence")
    if draws < 100:
        raise ValueError(f"draws: at least 100 are needed, got {draws}")
    index = codes(clusters, "clusters")
    order = np.argsort(index, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(index))[:-1])
    values: list[float] = []
    attempts = 0
    while len(values) < draws:
        attempts += 1
        if attempts > 20 * draws:
            raise ValueError("clusters: too few hold both classes to be redrawn; add clusters")
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        if labels[rows].any() and not labels[rows].all():
            values.append(statistic(labels[rows], risks[rows]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Estimate(
        value=statistic(labels, risks),
        low=float(low),
        high=float(high),
        confidence=confidence,
        n=len(members),
        method=f"cluster bootstrap, {draws} draws",
    )


def auroc_bootstrap(
    y: npt.ArrayLike,
    risk: npt.ArrayLike,
    clusters: Labels,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """AUROC with an interval that counts clusters; see :func:`cluster_bootstrap`."""
    return cluster_bootstrap(_auroc, y, risk, clusters, rng=rng, draws=draws, confidence=confidence)


def pair_auroc(benign: npt.ArrayLike, injected: npt.ArrayLike) -> float:
    """P(injected > its own benign twin) + half of P(equal), over matched pairs.

    Args:
        benign: risk of each benign twin, shape (n,).
        injected: risk of the same carrier with the injection, shape (n,).
    """
    low = finite_vector(benign, "benign")
    high = finite_vector(injected, "injected")
    same_length(benign=low, injected=high)
    return float(np.mean(np.sign(high - low)) / 2 + 0.5)


def pair_auroc_interval(
    benign: npt.ArrayLike,
    injected: npt.ArrayLike,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """:func:`pair_auroc` with an exact interval for independent pairs.

    A tie counts as a win for the upper end and as a loss for the lower end, so the interval
    is exact for the win rate and conservative with ties.
    """
    value = pair_auroc(benign, injected)
    difference = np.asarray(injected, np.float64) - np.asarray(benign, np.float64)
    n = len(difference)
    low, _ = clopper_pearson(int((difference > 0).sum()), n, confidence=confidence)
    _, high = clopper_pearson(int((difference >= 0).sum()), n, confidence=confidence)
    return Estimate(
        value=value, low=low, high=high, confidence=confidence, n=n, method="Clopper-Pearson"
    )


def _tpr_at_fpr(labels: BoolArray, risks: FloatArray, fpr: float) -> float:
    benign = np.sort(risks[~labels])[::-1]
    allowed = int(np.floor(fpr * len(benign) + 1e-9))
    # with ties at the cut the whole tie is left out, so the FPR is never exceeded
    cut = benign[allowed] if allowed < len(benign) else -np.inf
    return float((risks[labels] > cut).mean())


def tpr_at_fpr(y: npt.ArrayLike, risk: npt.ArrayLike, fpr: float) -> float:
    """Largest share of attacks flagged by a threshold whose empirical FPR is at most ``fpr``.

    Args:
        y: 0 benign, 1 attack; shape (n,).
        risk: shape (n,).
        fpr: in [0, 1].

    Raises:
        ValueError: one class only, or fpr outside [0, 1].
    """
    labels, risks = _labelled(y, risk)
    if not 0.0 <= fpr <= 1.0:
        raise ValueError(f"fpr: must lie in [0, 1], got {fpr!r}")
    return _tpr_at_fpr(labels, risks, fpr)


def tpr_at_fpr_interval(
    y: npt.ArrayLike,
    risk: npt.ArrayLike,
    fpr: float,
    *,
    clusters: Labels,
    rng: np.random.Generator,
    draws: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """:func:`tpr_at_fpr` with an interval that redraws attack and benign clusters alike.

    The threshold is chosen anew in each draw, so its uncertainty is inside the interval.
    """
    if not 0.0 <= fpr <= 1.0:
        raise ValueError(f"fpr: must lie in [0, 1], got {fpr!r}")
    return cluster_bootstrap(
        lambda labels, risks: _tpr_at_fpr(labels, risks, fpr),
        y,
        risk,
        clusters,
        rng=rng,
        draws=draws,
        confidence=confidence,
    )


def expected_calibration_error(y: npt.ArrayLike, risk: npt.ArrayLike, *, bins: int = 15) -> float:
    """Mean gap between risk and frequency of attacks, over bins of equal mass.

    Args:
        y: 0 benign, 1 attack; shape (n,).
        risk: in [0, 1]; shape (n,).
        bins: number of bins, >= 1; fewer where ties make bins merge.

    Source: Nixon et al. 2019 (adaptive binning).
    """
    labels = binary_vector(y, "y")
    risks = finite_vector(risk, "risk")
    same_length(y=labels, risk=risks)
    if (risks < 0).any() or (risks > 1).any():
        raise ValueError("risk: must lie in [0, 1] for a calibration error")
    if bins < 1:
        raise ValueError(f"bins: at least 1 is needed, got {bins}")
    edges = np.unique(np.quantile(risks, np.linspace(0, 1, bins + 1)[1:-1]))
    index = np.searchsorted(edges, risks, side="left")
    weight = np.bincount(index, minlength=len(edges) + 1)
    gap = np.bincount(index, weights=risks - labels, minlength=len(edges) + 1)
    return float(np.abs(gap[weight > 0]).sum() / len(risks))
