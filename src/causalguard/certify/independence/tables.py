"""All variables discrete: the stratified permutation of G squared, exact at any counts."""

from itertools import pairwise

import numpy as np
from scipy import special

from causalguard.certify.independence.forms import Single
from causalguard.certify.independence.fuse import p_value
from causalguard.certify.independence.labels import centre, make_units, permuted_features
from causalguard.certify.independence.result import TestResult
from causalguard.stats.arrays import FloatArray, IntArray, Labels, codes, same_length

CHUNK_BYTES = 16 << 20


def g_test(
    y: Labels,
    x: Labels,
    *,
    rng: np.random.Generator,
    strata: Labels | None = None,
    permutations: int = 9999,
) -> TestResult:
    """Test that labels y and x are independent inside every stratum, by G squared.

    Args:
        y: label per row.
        x: label per row.
        rng: source of the permutations of x inside the strata.
        strata: label of Z per row.
        permutations: P >= 1.

    Returns:
        Exact p-value; the statistic is 2 sum O log(O / E) over all cells and strata.

    Raises:
        ValueError: lengths that differ, or a constant y or x.
    """
    n = same_length(y=y, x=x)
    rows, columns = codes(y, "y"), codes(x, "x")
    for name, values in (("y", rows), ("x", columns)):
        if values.max() == 0:
            raise ValueError(f"{name}: all values are equal, there is nothing to test")
    if permutations < 1:
        raise ValueError("permutations: at least 1 is needed")
    groups = np.zeros(n, np.int64) if strata is None else codes(strata, "strata")
    same_length(y=y, strata=groups)
    units = make_units(groups, None)
    y_hot = np.eye(int(rows.max()) + 1, dtype=np.float32)[rows[units.order]]
    x_hot = np.eye(int(columns.max()) + 1)[columns[units.order]]
    chunk = max(1, CHUNK_BYTES // (4 * n * x_hot.shape[1]))
    blocks = permuted_features(x_hot, units, permutations, rng=rng, chunk=chunk)
    statistics = np.concatenate([_g_squared(y_hot, block, units.bounds) for block in blocks])
    moving = np.abs(centre(x_hot, units)).max(axis=1) > 0
    starts = units.bounds[:-1]
    varied = np.maximum.reduceat(moving.astype(np.int64), starts) > 0
    return TestResult(
        statistic=float(statistics[0]),
        p_value=p_value(statistics),
        n=n,
        n_informative=int(np.diff(units.bounds)[varied].sum()),
        permutations=permutations,
        strata=units.strata,
        method="stratified permutation of G squared",
        guarantee="exact",
    )


def _g_squared(y_hot: Single, x_hot: Single, bounds: IntArray) -> FloatArray:
    """G squared of each permutation, shape (c,), for x of shape (n, c, classes)."""
    size = x_hot.shape[1]
    total = np.zeros(size)
    for a, b in pairwise(bounds):
        counts = np.einsum("ny,ncx->cyx", y_hot[a:b], x_hot[a:b], optimize=True).astype(np.float64)
        margins = counts.sum(axis=1), counts.sum(axis=2)
        total += special.xlogy(counts, counts).sum(axis=(1, 2))
        total -= sum(special.xlogy(m, m).sum(axis=1) for m in margins)
        total += special.xlogy(float(b - a), float(b - a))
    return np.asarray(2.0 * total)
