"""Exact binomial bounds and what follows from them.

All counts are of independent clusters (:mod:`causalguard.stats.clusters`).  The bounds hold
for draws from the tested population, for a fixed model and threshold; under a shift of total
variation rho add rho.  Nothing here speaks of an adaptive attacker.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from causalguard.stats.arrays import FloatArray, IntArray, finite_vector, level

BDTR_MOST = 2**31 - 1
"""Trials that scipy's ``bdtr`` can count."""
TINY = 1e-9
"""Error probability below which 1 - delta is no longer taken as a number."""


def _counts(k: int, n: int, name: str) -> None:
    if n < 1:
        raise ValueError(f"{name}: n = {n}; an empty stratum has no bound, give at least one trial")
    if not 0 <= k <= n:
        raise ValueError(f"{name}: needs 0 <= k <= n, got k = {k}, n = {n}")


def _cdf(k: int, n: int, rate: float) -> float:
    """P(Binomial(n, rate) <= k), 0 <= k <= n; scipy's ``bdtr`` is wrong, unsaid, beyond 32 bits."""
    if n <= BDTR_MOST:
        return float(special.bdtr(k, n, rate))
    return 1.0 if k == n else float(special.betaincc(float(k + 1), float(n - k), rate))


def _beta_quantile(a: npt.ArrayLike, b: npt.ArrayLike, delta: float) -> npt.NDArray[np.float64]:
    """The 1 - delta quantile of Beta(a, b); 1 - delta has too few digits for a tiny delta."""
    if delta < TINY:
        return np.asarray(special.betainccinv(a, b, delta), dtype=np.float64)
    return np.asarray(special.betaincinv(a, b, 1.0 - delta), dtype=np.float64)


def upper(k: int, n: int, *, delta: float, name: str = "stratum") -> float:
    """One-sided exact upper bound on a rate after k errors in n independent trials.

    Args:
        k: errors, 0..n.
        n: trials, >= 1.
        delta: error probability, (0, 1); the bound fails with at most this probability.
        name: what is counted, for the message.

    Returns:
        The smallest rate p with P(Binomial(n, p) <= k) <= delta; 1 if k = n.

    Raises:
        ValueError: an empty stratum, counts out of order, delta outside (0, 1).

    Source: Clopper & Pearson 1934.
    """
    _counts(k, n, name)
    level(delta, "delta")
    if k == n:
        return 1.0
    if k == 0:
        return float(-np.expm1(np.log(delta) / n))
    return float(_beta_quantile(k + 1, n - k, delta))


def lower(k: int, n: int, *, delta: float, name: str = "stratum") -> float:
    """One-sided exact lower bound on a rate after k events in n trials; see :func:`upper`."""
    _counts(k, n, name)
    return 1.0 - upper(n - k, n, delta=delta, name=name)


def clopper_pearson(
    k: int, n: int, *, confidence: float, name: str = "stratum"
) -> tuple[float, float]:
    """Two-sided exact interval for a rate, (1 - confidence) / 2 on each side.

    Args:
        k: events, 0..n.
        n: trials, >= 1.
        confidence: coverage, (0, 1).
        name: what is counted, for the message.

    Returns:
        (low, high), both in [0, 1].

    Raises:
        ValueError: an empty stratum, counts out of order, confidence outside (0, 1).
    """
    half = (1.0 - level(confidence, "confidence")) / 2.0
    return lower(k, n, delta=half, name=name), upper(k, n, delta=half, name=name)


def upper_many(k: npt.ArrayLike, n: npt.ArrayLike, *, delta: float) -> FloatArray:
    """:func:`upper` over arrays of counts that broadcast against each other."""
    errors, trials = np.broadcast_arrays(np.asarray(k, np.float64), np.asarray(n, np.float64))
    # said so that NaN, which compares as false, is refused
    if errors.size == 0 or not ((trials >= 1) & (errors >= 0) & (errors <= trials)).all():
        raise ValueError("counts: every entry needs n >= 1 and 0 <= k <= n")
    level(delta, "delta")
    safe = np.maximum(trials - errors, 0.5)
    bound = _beta_quantile(errors + 1.0, safe, delta)
    return np.asarray(np.where(errors == trials, 1.0, bound), dtype=np.float64)


def lower_many(k: npt.ArrayLike, n: npt.ArrayLike, *, delta: float) -> FloatArray:
    """:func:`lower` over arrays of counts that broadcast against each other."""
    trials = np.asarray(n, np.float64)
    return 1.0 - upper_many(trials - np.asarray(k, np.float64), trials, delta=delta)


def tail(k: int, n: int, alpha: float) -> float:
    """P(Binomial(n, alpha) <= k): the p-value of "rate > alpha" after k errors in n."""
    _counts(k, n, "tail")
    return _cdf(k, n, level(alpha, "alpha"))


def allowed_errors(n: int, *, alpha: float, delta: float) -> int:
    """Largest k for which k errors in n still prove "rate <= alpha" at level delta; -1 if none."""
    level(alpha, "alpha")
    level(delta, "delta")
    if n < 1 or _cdf(0, n, alpha) > delta:
        return -1
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _cdf(middle, n, alpha) <= delta else (low, middle)
    return low


def sample_size(alpha: float, delta: float, k: int = 0) -> int:
    """Smallest number of trials at which k errors prove "rate <= alpha".

    Args:
        alpha: rate to stay under, (0, 1).
        delta: error probability, (0, 1).
        k: errors that are to be allowed, >= 0.

    Returns:
        The smallest n with P(Binomial(n, alpha) <= k) <= delta: 299 for 1 %, 5 %, 0.

    Raises:
        ValueError: alpha or delta outside (0, 1), k below 0.
    """
    level(alpha, "alpha")
    level(delta, "delta")
    if k < 0:
        raise ValueError(f"k: must be >= 0, got {k}")
    low = k
    high = max(2 * (k + 1), 2)
    while _cdf(k, high, alpha) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _cdf(k, middle, alpha) > delta else (low, middle)
    return high


def conformal_p(calibration: npt.ArrayLike, risks: npt.ArrayLike) -> FloatArray:
    """Conformal p-values: how unusual each risk is among exchangeable benign ones.

    Args:
        calibration: risks of benign clusters, shape (n,).
        risks: risks to judge, shape (m,).

    Returns:
        (1 + #{calibration >= risk}) / (n + 1), shape (m,); marginally super-uniform, ties
        counted against a small p.  Holds on average over calibration sets, not for each.

    Source: Vovk, Gammerman & Shafer 2005.
    """
    base = np.sort(finite_vector(calibration, "calibration"))
    values = finite_vector(risks, "risks")
    at_least = len(base) - np.searchsorted(base, values, side="left")
    return np.asarray((1.0 + at_least) / (len(base) + 1.0), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenFamilyBound:
    """Bound on the miss rate of the next family, drawn like the held-out ones."""

    bound: float | None
    """Upper bound on its miss rate, [0, 1]; None when there are too few families."""
    confidence: float | None
    """1 - rank / (K + 1) - delta_count; None when there is no bound."""
    rank: int
    """The bound is the rank-th largest of the families' upper bounds; 0 when there is none."""
    families: int
    """K, the held-out families."""
    families_needed: int
    """Smallest K at which delta_rank can be met."""
    assumption: str = (
        "the next family is exchangeable with the held-out ones; an adversary breaks it"
    )
    """To be printed wherever the bound is."""


def unseen_family(
    misses: npt.ArrayLike, trials: npt.ArrayLike, *, delta_rank: float, delta_count: float
) -> UnseenFamilyBound:
    """Bound the miss rate of a family that was never seen, from K held-out families.

    P(beta_{K+1} > j-th largest beta_k) <= j / (K + 1) by exchangeability.  The families with
    the j largest rates are fixed though unknown, so covering those at delta_count / j each is
    enough: no correction over all K is paid.

    Args:
        misses: missed clusters of each family when it was held out of training, shape (K,).
        trials: clusters of each family, shape (K,).
        delta_rank: share given to the draw of the family, (0, 1).
        delta_count: share given to the finite counts, (0, 1).
    """
    k = np.asarray(misses, dtype=np.int64)
    n = np.asarray(trials, dtype=np.int64)
    if k.ndim != 1 or k.shape != n.shape or k.size == 0:
        raise ValueError(f"families: one count each is needed, got {k.shape} and {n.shape}")
    level(delta_count, "delta_count")
    needed = int(np.ceil(1.0 / level(delta_rank, "delta_rank") - 1e-9)) - 1
    # the guard against a product that rounds to just below an integer
    rank = int(np.floor(delta_rank * (len(k) + 1) + 1e-9))
    if rank < 1:
        return UnseenFamilyBound(
            bound=None, confidence=None, rank=0, families=len(k), families_needed=needed
        )
    bounds = np.sort(upper_many(k, n, delta=delta_count / rank))[::-1]
    return UnseenFamilyBound(
        bound=float(bounds[rank - 1]),
        confidence=1.0 - rank / (len(k) + 1) - delta_count,
        rank=rank,
        families=len(k),
        families_needed=needed,
    )


def counts_by(errors: IntArray, groups: IntArray) -> tuple[IntArray, IntArray]:
    """Return (errors, trials) per group code 0..m-1, for arrays of 0/1 errors."""
    size = int(groups.max()) + 1
    return (
        np.bincount(groups, weights=errors, minlength=size).astype(np.int64),
        np.bincount(groups, minlength=size).astype(np.int64),
    )
