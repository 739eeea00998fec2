"""Equivalence: showing that a nuisance does not move P(flagged) by more than a margin.

Failing to reject independence shows nothing.  Here the null is "the largest gap between two
levels exceeds the margin", and it is rejected when an exact upper bound on that gap is below
the margin.  The two levels with the largest gap are fixed though unknown, so bounding each
of the two rates at delta / 2 is enough, however many levels there are (intersection-union,
Berger 1982).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalguard.stats.arrays import FloatArray, IntArray, level
from causalguard.stats.bounds import lower_many, upper_many


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """The largest gap of P(flagged) between levels, against a margin."""

    gap: float
    """Largest observed gap, [0, 1]."""
    bound: float
    """Upper bound on the true largest gap, at 1 - delta."""
    margin: float
    """What was to be shown: gap <= margin."""
    delta: float
    """Error probability of the bound."""
    equivalent: bool
    """bound <= margin."""
    power: float
    """P(equivalent) at these n if all levels had the pooled rate; by simulation."""
    low_level: str
    """Level of the pair with the largest bound whose rate is lower."""
    high_level: str
    """Level of that pair whose rate is higher."""
    n: Mapping[str, int]
    """Independent clusters per level (matched sets when paired)."""
    method: str
    """How the bound was made."""


def _widest(gaps: FloatArray) -> tuple[int, int]:
    """(high, low) of the largest off-diagonal entry."""
    masked = gaps.copy()
    np.fill_diagonal(masked, -np.inf)
    high, low = np.unravel_index(int(np.argmax(masked)), masked.shape)
    return int(high), int(low)


def _gap_bounds(k: npt.ArrayLike, n: npt.ArrayLike, delta: float) -> FloatArray:
    """Bound on each p_i - p_j, last two axes (i, j)."""
    top = upper_many(k, n, delta=delta / 2)
    bottom = lower_many(k, n, delta=delta / 2)
    return top[..., :, None] - bottom[..., None, :]


def _checked(counts: Mapping[str, tuple[int, int]]) -> tuple[IntArray, IntArray]:
    if len(counts) < 2:
        raise ValueError("counts: at least two levels are needed to compare")
    for name, (k, n) in counts.items():
        if n < 1:
            raise ValueError(f"level {name!r} has no clusters; add some or leave it out")
        if not 0 <= k <= n:
            raise ValueError(f"level {name!r}: needs 0 <= flagged <= n, got {k} of {n}")
    return (
        np.array([k for k, _ in counts.values()], dtype=np.int64),
        np.array([n for _, n in counts.values()], dtype=np.int64),
    )


def equivalence(
    counts: Mapping[str, tuple[int, int]],
    *,
    margin: float,
    delta: float,
    rng: np.random.Generator,
    draws: int = 2000,
) -> Equivalence:
    """Test that P(flagged) differs by at most ``margin`` between any two levels.

    Args:
        counts: level -> (flagged clusters, clusters); clusters are disjoint between levels.
        margin: largest gap that does no harm, (0, 1).
        delta: error probability, (0, 1).
        rng: for the power simulation.
        draws: simulated audits for the power, >= 1.

    Raises:
        ValueError: fewer than two levels, or a level without clusters (it is named).
    """
    k, n = _checked(counts)
    level(margin, "margin")
    level(delta, "delta")
    names = list(counts)
    bounds = _gap_bounds(k, n, delta)
    high, low = _widest(bounds)
    bound = max(0.0, float(bounds[high, low]))
    rates = k / n
    return Equivalence(
        gap=float(rates.max() - rates.min()),
        bound=bound,
        margin=margin,
        delta=delta,
        equivalent=bound <= margin,
        power=equivalence_power(
            n, rate=float(k.sum() / n.sum()), margin=margin, delta=delta, rng=rng, draws=draws
        ),
        low_level=names[low],
        high_level=names[high],
        n={name: int(size) for name, size in zip(names, n, strict=True)},
        method="Clopper-Pearson at delta/2 on each of the two rates, intersection-union",
    )


def equivalence_power(
    n: npt.ArrayLike,
    *,
    rate: float,
    margin: float,
    delta: float,
    rng: np.random.Generator,
    draws: int = 2000,
) -> float:
    """P(equivalence is shown) when every level truly has the same rate.

    Args:
        n: clusters per level, shape (levels,).
        rate: the common P(flagged), [0, 1].
        margin: as in :func:`equivalence`.
        delta: as in :func:`equivalence`.
        rng: source of the draws.
        draws: simulated audits.
    """
    trials = np.asarray(n, dtype=np.int64)
    if trials.ndim != 1 or len(trials) < 2 or (trials < 1).any():
        raise ValueError("n: at least two levels, each with at least one cluster")
    k = rng.binomial(trials, rate, size=(draws, len(trials)))
    # the tables of bounds by count are far smaller than draws x levels
    top = np.empty(k.shape)
    bottom = np.empty(k.shape)
    for column, size in enumerate(trials):
        values, index = np.unique(k[:, column], return_inverse=True)
        top[:, column] = upper_many(values, size, delta=delta / 2)[index]
        bottom[:, column] = lower_many(values, size, delta=delta / 2)[index]
    gaps = top[:, :, None] - bottom[:, None, :]
    gaps[:, np.arange(len(trials)), np.arange(len(trials))] = -np.inf
    return float((gaps.max(axis=(1, 2)) <= margin).mean())


def equivalence_sample_size(
    *,
    levels: int,
    rate: float,
    margin: float,
    delta: float,
    power: float,
    rng: np.random.Generator,
) -> int:
    """Smallest n per level, to about 2 %, at which equivalence is shown with ``power``.

    Raises:
        ValueError: more than ten million clusters per level would be needed.
    """
    level(power, "power")

    def enough(n: int) -> bool:
        sizes = np.full(levels, n)
        reached = equivalence_power(
            sizes, rate=rate, margin=margin, delta=delta, rng=rng, draws=1000
        )
        return reached >= power

    low, high = 1, 16
    while not enough(high):
        low, high = high, high * 2
        if high > 10_000_000:
            raise ValueError("n: over ten million clusters per level; choose a wider margin")
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def paired_equivalence(
    flagged: npt.ArrayLike,
    levels: list[str],
    *,
    margin: float,
    delta: float,
    rng: np.random.Generator,
    draws: int = 2000,
) -> Equivalence:
    """As :func:`equivalence`, when each matched set was scored at every level.

    p_i - p_j = P(i flagged, j not) - P(j flagged, i not): only sets that disagree count, so
    the bound is far tighter than from separate sets.

    Args:
        flagged: 0/1, shape (sets, levels); one row per independent matched set.
        levels: name of each column.
        margin: largest gap that does no harm, (0, 1).
        delta: error probability, (0, 1).
        rng: for the power simulation (sets redrawn, columns shuffled within each set).
        draws: simulated audits for the power.
    """
    table = np.asarray(flagged, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(levels) or len(levels) < 2:
        raise ValueError(f"flagged: shape (sets, {len(levels)}) is needed, got {table.shape}")
    if table.shape[0] < 1 or not np.isin(table, (0.0, 1.0)).all():
        raise ValueError("flagged: at least one matched set, and only 0 and 1")
    level(margin, "margin")
    level(delta, "delta")
    bounds = _paired_bounds(table, delta)
    high, low = _widest(bounds)
    bound = max(0.0, float(bounds[high, low]))
    rates = table.mean(axis=0)
    sets = table.shape[0]
    passed = 0
    for _ in range(draws):
        redrawn = rng.permuted(table[rng.integers(sets, size=sets)], axis=1)
        passed += bool(_off_diagonal_max(_paired_bounds(redrawn, delta)) <= margin)
    return Equivalence(
        gap=float(rates.max() - rates.min()),
        bound=bound,
        margin=margin,
        delta=delta,
        equivalent=bound <= margin,
        power=passed / draws if draws else float("nan"),
        low_level=levels[low],
        high_level=levels[high],
        n={name: sets for name in levels},  # noqa: C420
        method="Clopper-Pearson at delta/2 on each kind of disagreement, intersection-union",
    )


def _paired_bounds(table: FloatArray, delta: float) -> FloatArray:
    first_only = table.T @ (1.0 - table)
    n = float(table.shape[0])
    top = upper_many(first_only, n, delta=delta / 2)
    bottom = lower_many(first_only, n, delta=delta / 2)
    return np.asarray(top - bottom.T, dtype=np.float64)


def _off_diagonal_max(gaps: FloatArray) -> float:
    high, low = _widest(gaps)
    return float(gaps[high, low])
