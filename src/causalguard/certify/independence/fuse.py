"""From many statistics and one set of permutations to one p-value.

Each row of the table is one kernel, each column one permutation; column 0 is the observed
data.  Whatever is computed from the columns as an unordered set (moments, quantiles) treats
the observed column like the others, so the p-value stays exact (Hemerik & Goeman 2018).
"""

import numpy as np

from causalguard.stats.arrays import FloatArray

TIE_TOLERANCE = 2e-5
"""Relative; above the rounding of float32 sums, so equal statistics are seen as equal."""
FLAT = 1e-5
"""A kernel whose spread is below this share of its size is left out: it would show rounding."""
TRIM = 0.01
"""Share of largest values left out of the moments: an extreme one must not hide itself."""


def p_value(fused: FloatArray) -> float:
    """(1 + #{T_perm >= T}) / (P + 1), ties counted against us; column 0 is the observed T.

    Source: Phipson & Smyth 2010.
    """
    slack = TIE_TOLERANCE * max(1.0, abs(float(fused[0])))
    return float(np.sum(fused >= fused[0] - slack) / len(fused))


def standardise(table: FloatArray) -> FloatArray:
    """Bring each kernel's permutation distribution to a common, nearly normal scale.

    Mean, spread and skewness come from the columns with the largest values left out; the
    skewness is then removed by the Wilson-Hilferty transform of a Pearson III variable, so
    that a kernel with few effective dimensions does not crowd out the others in the maximum.

    Args:
        table: statistics, shape (kernels, P + 1).

    Returns:
        Monotone per row, shape (kernels, P + 1); rows without spread are 0.
    """
    kept = np.sort(table, axis=1)[:, : max(2, int(np.ceil(table.shape[1] * (1 - TRIM))))]
    centre = kept.mean(axis=1, keepdims=True)
    spread = kept.std(axis=1, keepdims=True)
    size = np.abs(kept).max(axis=1, keepdims=True)
    alive = spread > FLAT * np.maximum(size, 1e-300)
    safe = np.where(alive, spread, 1.0)
    skew = (((kept - centre) / safe) ** 3).mean(axis=1, keepdims=True)
    z = np.where(alive, (table - centre) / safe, 0.0)
    unskewed = _remove_skew(z, np.clip(skew, 0.0, 4.0))
    return np.asarray(np.where(alive, unskewed, 0.0), dtype=np.float64)


def _remove_skew(z: FloatArray, skew: FloatArray) -> FloatArray:
    bent = np.maximum(skew, 1e-3)
    root = np.cbrt(np.maximum(0.5 * bent * z + 1.0, 0.0))
    transformed = 6.0 / bent * (root - 1.0) + bent / 6.0
    # below its lower end a Pearson III has no mass; keep the order there all the same
    return np.asarray(np.where(0.5 * bent * z > -1.0, transformed, transformed + z * 1e-6))


def fuse(table: FloatArray) -> FloatArray:
    """Largest standardised statistic of each permutation, shape (P + 1,)."""
    return np.asarray(standardise(table).max(axis=0), dtype=np.float64)
