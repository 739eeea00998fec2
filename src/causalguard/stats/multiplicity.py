"""Adjusted p-values for several hypotheses at once.

Holm for a list fixed beforehand, Westfall-Young where one permutation serves all tests,
Benjamini-Hochberg or -Yekutieli for exploration.  With P permutations no p-value is below
1 / (P + 1): m tests at level alpha need P + 1 >= m / alpha.
"""

import numpy as np
import numpy.typing as npt

from causalguard.stats.arrays import FloatArray, finite_vector


def _p_values(p_values: npt.ArrayLike) -> FloatArray:
    p = finite_vector(p_values, "p_values")
    if (p < 0).any() or (p > 1).any():
        raise ValueError("p_values: each must lie in [0, 1]")
    return p


def _restore(order: npt.NDArray[np.intp], values: FloatArray) -> FloatArray:
    result = np.empty_like(values)
    result[order] = np.minimum(values, 1.0)
    return result


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Step-down adjusted p-values; controls the familywise error under any dependence.

    Args:
        p_values: shape (m,), each in [0, 1].

    Returns:
        Adjusted p-values in the same order.

    Source: Holm 1979.
    """
    p = _p_values(p_values)
    order = np.argsort(p, kind="stable")
    steps = np.arange(len(p), 0, -1) * p[order]
    return _restore(order, np.maximum.accumulate(steps))


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """Step-up adjusted p-values; controls the false-discovery rate under independence or PRDS.

    Source: Benjamini & Hochberg 1995.
    """
    p = _p_values(p_values)
    order = np.argsort(p, kind="stable")
    steps = len(p) / np.arange(1, len(p) + 1) * p[order]
    return _restore(order, np.minimum.accumulate(steps[::-1])[::-1])


def benjamini_yekutieli(p_values: npt.ArrayLike) -> FloatArray:
    """As :func:`benjamini_hochberg`, valid under any dependence; Benjamini & Yekutieli 2001."""
    p = _p_values(p_values)
    harmonic = float(np.sum(1.0 / np.arange(1, len(p) + 1)))
    order = np.argsort(p, kind="stable")
    steps = harmonic * len(p) / np.arange(1, len(p) + 1) * p[order]
    return _restore(order, np.minimum.accumulate(steps[::-1])[::-1])


def westfall_young(observed: npt.ArrayLike, permuted: npt.ArrayLike) -> FloatArray:
    """Step-down max-T adjusted p-values when the same permutations serve every test.

    Args:
        observed: statistics, shape (m,), larger is stronger; on comparable scales.
        permuted: the same statistics under each permutation, shape (P, m).

    Returns:
        Adjusted p-values, shape (m,); at least 1 / (P + 1).  Ties count against us.

    Source: Westfall & Young 1993, algorithm 2.8; Phipson & Smyth 2010 for the added one.
    """
    t = finite_vector(observed, "observed")
    null = np.asarray(permuted, dtype=np.float64)
    if null.ndim != 2 or null.shape[1] != len(t) or null.shape[0] < 1:
        raise ValueError(f"permuted: shape (P, {len(t)}) is needed, got {null.shape}")
    if not np.isfinite(null).all():
        raise ValueError("permuted: values are not finite")
    order = np.argsort(-t, kind="stable")
    # running maximum over the hypotheses that are not yet stepped over
    maxima = np.maximum.accumulate(null[:, order][:, ::-1], axis=1)[:, ::-1]
    slack = 1e-9 * np.maximum(1.0, np.abs(t[order]))
    p = (1.0 + (maxima >= t[order] - slack).sum(axis=0)) / (null.shape[0] + 1.0)
    return _restore(order, np.maximum.accumulate(p))
