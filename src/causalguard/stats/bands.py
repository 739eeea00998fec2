"""One bound for every threshold at once: a simultaneous upper band with equal local levels.

The i-th order statistic of n uniforms is Beta(i, n - i + 1).  Giving each the same local
level eta, and choosing eta so that all hold together with 1 - delta, is the Berk-Jones type
band: wide in the middle, far tighter than DKW in the tail where thresholds live.  eta comes
from an exact recursion, not from simulation.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from causalguard.stats.arrays import FloatArray, finite_vector, level


def crossing_free(boundary: npt.ArrayLike) -> float:
    """P(U_(i) <= boundary_i for all i) for the order statistics of n uniforms.

    Args:
        boundary: non-decreasing, in [0, 1], shape (n,).

    Returns:
        The probability; rounding can only make it smaller (states of mass < 1e-18 are cut).

    Source: a Poisson process of n points on [0, 1], conditioned on its total (Moscovich &
    Nadler 2017): between boundaries the count moves by a Poisson step, and after boundary i
    counts below i are dropped.
    """
    u = finite_vector(boundary, "boundary")
    n = len(u)
    if (np.diff(u) < 0).any() or u[0] < 0 or u[-1] > 1:
        raise ValueError("boundary: must be non-decreasing within [0, 1]")
    steps = np.diff(u, prepend=0.0, append=1.0) * n
    first, mass = 0, np.ones(1)
    log_gamma = special.gammaln(np.arange(n + 1) + 1.0)
    for i, rate in enumerate(steps):
        if rate > 0:
            reach = min(n, int(rate + 12 * rate**0.5 + 30))
            k = np.arange(reach + 1)
            kernel = np.exp(k * np.log(rate) - rate - log_gamma[: reach + 1])
            mass = np.convolve(mass, kernel)[: n - first + 1]
        drop = max(0, min(i + 1, n) - first)
        first, mass = first + drop, mass[drop:]
        if mass.size == 0:
            return 0.0
        keep = int(np.flatnonzero(mass > 1e-18)[-1]) + 1 if (mass > 1e-18).any() else 1
        mass = mass[:keep]
    at_total = mass[n - first] if n - first < len(mass) else 0.0
    return float(min(1.0, at_total / np.exp(n * np.log(n) - n - log_gamma[n])))


@lru_cache(maxsize=256)
def local_level(n: int, delta: float) -> float:
    """Local level eta at which n equal local upper bounds hold together with 1 - delta.

    Args:
        n: independent clusters, >= 1.
        delta: error probability of the whole band, (0, 1).

    Returns:
        eta in [delta / n, delta], rounded down so that the band keeps its level.
    """
    if n < 1:
        raise ValueError(f"n: at least one cluster is needed, got {n}")
    level(delta, "delta")
    low, high = delta / n, delta
    index = np.arange(1, n + 1)
    for _ in range(40):
        if high - low <= 1e-4 * low:
            break
        middle = float(np.sqrt(low * high))
        bound = special.betaincinv(index, n - index + 1, 1.0 - middle)
        low, high = (middle, high) if crossing_free(bound) >= 1 - delta else (low, middle)
    return low


def simultaneous_upper(k: npt.ArrayLike, n: int, *, delta: float) -> FloatArray:
    """Upper bounds on an error rate that hold for every threshold at once.

    Args:
        k: errors seen at any thresholds, chosen in any way; each 0..n.
        n: independent clusters.
        delta: error probability of all bounds together.

    Returns:
        One bound per entry of ``k``; 1 where k = n.
    """
    errors = np.atleast_1d(np.asarray(k, dtype=np.float64))
    if not ((errors >= 0) & (errors <= n)).all():  # NaN too
        raise ValueError(f"k: must lie in 0..{n}")
    eta = local_level(n, delta)
    bound = special.betaincinv(errors + 1.0, np.maximum(n - errors, 0.5), 1.0 - eta)
    return np.asarray(np.where(errors == n, 1.0, bound), dtype=np.float64)


def miss_band(attack_risks: npt.ArrayLike, *, delta: float) -> tuple[FloatArray, FloatArray]:
    """Upper band of the miss rate at each threshold that the data can tell apart.

    Args:
        attack_risks: one risk per independent attack cluster, shape (n,).
        delta: error probability of the whole curve.

    Returns:
        (thresholds ascending, upper bounds on P(risk < threshold)), distinct values only.
    """
    risks = np.sort(finite_vector(attack_risks, "attack_risks"))
    thresholds, first = np.unique(risks, return_index=True)
    return thresholds, simultaneous_upper(first, len(risks), delta=delta)


def false_positive_band(
    benign_risks: npt.ArrayLike, *, delta: float
) -> tuple[FloatArray, FloatArray]:
    """Upper band of the false-positive rate just above each distinct benign risk.

    Returns:
        (thresholds ascending, upper bounds on P(risk >= threshold)).
    """
    negated, bounds = miss_band(-finite_vector(benign_risks, "benign_risks"), delta=delta)
    # risk >= nextafter(v) iff risk > v iff -risk < -v
    return np.nextafter(-negated[::-1], np.inf), bounds[::-1]
