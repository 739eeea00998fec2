"""R independent of x given a continuous Z: residuals, product features, wild bootstrap.

There is no exact test for a continuous Z (Shah & Peters 2020), so the guarantee is
asymptotic and :func:`simulated_level` belongs beside every p-value.  Better still: let the
design randomise x inside strata, and test that exactly.

All columns are taken as normal scores first, which leaves the null as it is.  Features of R
and of x are regressed on features of Z by ridge regression tuned by leave-one-out error;
under the null the products of the two residuals have mean zero.  Two blocks are fused: the
products of the plain coordinates (the generalised covariance measure of Shah & Peters) and
those of kernel features (Zhang et al. 2011).  The bootstrap multiplies rows by random signs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from causalguard.certify.independence.bank import directions
from causalguard.certify.independence.encode import median_square_distance, pivoted_cholesky
from causalguard.certify.independence.fuse import fuse, p_value
from causalguard.certify.independence.result import TestResult
from causalguard.stats.arrays import FloatArray

RANK_Z = 100
"""Most kernel features of Z; and at most a quarter of the rows."""
RANK_TARGET = 12
"""Most kernel features of R and of x."""
LINEAR_TARGET = 24
"""Most principal directions of R and of x."""
RIDGES = 10.0 ** np.arange(-6, 2.1, 0.5)
"""Grid of ridge penalties, in shares of the mean eigenvalue."""
ADDITIVE_UP_TO = 10
"""Dimensions of Z up to which one smooth function per coordinate is a candidate too."""
ADDITIVE_RANK = 10
CHUNK = 256


def conditional_test(
    R: npt.ArrayLike,
    x: npt.ArrayLike,
    Z: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 999,
) -> TestResult:
    """Test that R is independent of x given continuous Z; asymptotic.

    Args:
        R: shape (n, d) or (n,); finite.
        x: shape (n,) or (n, k); numbers (labels one-hot).
        Z: shape (n,) or (n, e); numbers.
        rng: source of the bootstrap signs.
        draws: wild-bootstrap draws, >= 1.

    Raises:
        ValueError: shapes that differ, values that are not finite, constant R, x or Z.
    """
    r, t, z = (_columns(v, name) for v, name in ((R, "R"), (x, "x"), (Z, "Z")))
    if not len(r) == len(t) == len(z):
        raise ValueError(f"R, x, Z: lengths differ: {len(r)}, {len(t)}, {len(z)}")
    if draws < 1:
        raise ValueError("draws: at least 1 is needed")
    regression = Regression.on(z)
    products = residual_products(r, t, regression)
    table = _bootstrap(products, draws, rng)
    fused = fuse(table)
    details = {f"p {name}": p_value(row) for name, row in zip(products, table, strict=True)}
    return TestResult(
        statistic=float(fused[0]),
        p_value=p_value(fused),
        n=len(r),
        n_informative=len(r),
        permutations=draws,
        strata=1,
        method="residual kernel test fused with the GCM term, wild bootstrap",
        guarantee="asymptotic",
        details=details,
    )


def _columns(values: npt.ArrayLike, name: str) -> FloatArray:
    """Normal scores of each column, standardised; constant columns dropped."""
    array = np.asarray(values, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name}: shape (n, d) is needed, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: values are not finite; drop or impute those rows first")
    spread = array.std(axis=0)
    if not (spread > 0).any():
        raise ValueError(f"{name}: constant; there is nothing to test")
    # invertible for values without ties, so the null is the same; heavy tails are tamed
    ranks = stats.rankdata(array[:, spread > 0], axis=0)
    scores = special.ndtri((ranks - 0.5) / len(array))
    return np.asarray((scores - scores.mean(axis=0)) / scores.std(axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Ridge regressions on features of Z, ready for any targets."""

    bases: tuple[tuple[FloatArray, FloatArray], ...]
    """(orthonormal columns, eigenvalues) of each candidate set of features."""

    @classmethod
    def on(cls, z: FloatArray) -> "Regression":
        """Linear features with Gaussian ones of several widths, or one set per coordinate."""
        n = len(z)
        gamma = 1.0 / median_square_distance(z)
        bases = []
        for factor in (0.25, 1.0, 4.0):
            kernel = pivoted_cholesky(z, gamma * factor, rank=min(RANK_Z, n // 4), tolerance=1e-5)
            # the linear part is hardly shrunk: trends are the commonest confounding
            features = np.concatenate([3.0 * z, np.sqrt(n / 10) * kernel], axis=1)
            features = features - features.mean(axis=0)
            left, s, _ = np.linalg.svd(features, full_matrices=False)
            bases.append((left[:, s > 1e-9 * s[0]], s[s > 1e-9 * s[0]] ** 2))
        return cls(bases=tuple(bases))

    def residuals(self, targets: FloatArray) -> FloatArray:
        """Residuals of each target at the penalty with least leave-one-out error.

        Args:
            targets: shape (n, k), centred here.
        """
        centred = targets - targets.mean(axis=0)
        best = np.full(targets.shape[1], np.inf)
        result = centred.copy()
        for left, lam in self.bases:
            scores = left.T @ centred
            for ridge in RIDGES * lam.mean():
                shrink = lam / (lam + ridge)
                fitted = centred - left @ (shrink[:, None] * scores)
                leverage = np.minimum((left**2) @ shrink + 1.0 / len(centred), 0.999)
                errors = ((fitted / (1.0 - leverage[:, None])) ** 2).sum(axis=0)
                better = errors < best
                best[better], result[:, better] = errors[better], fitted[:, better]
        return np.asarray(result)


def _targets(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(plain coordinates or leading directions, kernel features)."""
    plain = values if values.shape[1] <= LINEAR_TARGET else directions(values, LINEAR_TARGET)[0]
    if len(np.unique(values, axis=0)) <= 2:
        return plain, np.zeros((len(values), 0))
    gamma = 1.0 / median_square_distance(values)
    kernel = pivoted_cholesky(values, gamma, rank=RANK_TARGET, tolerance=1e-3)
    return plain, kernel


def residual_products(
    r: FloatArray, t: FloatArray, regression: Regression
) -> dict[str, FloatArray]:
    """Products of residual features by block, each of shape (n, columns)."""
    (r_plain, r_kernel), (t_plain, t_kernel) = _targets(r), _targets(t)
    sizes = [r_plain.shape[1], r_kernel.shape[1], t_plain.shape[1], t_kernel.shape[1]]
    stacked = np.concatenate([r_plain, r_kernel, t_plain, t_kernel], axis=1)
    parts = np.split(regression.residuals(stacked), np.cumsum(sizes)[:-1], axis=1)
    plain_r, kernel_r, plain_t, kernel_t = parts
    blocks = {
        "gcm": _products(_scaled(plain_r), _scaled(plain_t)),
        "kernel": _products(
            np.concatenate([kernel_r, 0.3 * plain_r], axis=1),
            np.concatenate([kernel_t, 0.3 * plain_t], axis=1),
        ),
    }
    return {name: block for name, block in blocks.items() if block.shape[1]}


def _scaled(residuals: FloatArray) -> FloatArray:
    spread = residuals.std(axis=0)
    return np.asarray(residuals / np.where(spread > 0, spread, 1.0))


def _products(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray((a[:, :, None] * b[:, None, :]).reshape(len(a), -1))


def _bootstrap(products: dict[str, FloatArray], draws: int, rng: np.random.Generator) -> FloatArray:
    """Squared length of the signed sum of each block; the observed signs are all +1."""
    n = len(next(iter(products.values())))
    blocks = [block.astype(np.float32) for block in products.values()]
    columns = [np.array([[float((block.sum(axis=0) ** 2).sum())] for block in blocks])]
    for start in range(0, draws, CHUNK):
        size = min(CHUNK, draws - start)
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=(size, n), dtype=np.int8)
        signs = signs.astype(np.float32)
        columns.append(np.stack([((signs @ block) ** 2).sum(axis=1) for block in blocks]))
    return np.concatenate(columns, axis=1).astype(np.float64)


def simulated_level(
    R: npt.ArrayLike,
    x: npt.ArrayLike,
    Z: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    sets: int = 200,
    draws: int = 199,
    alpha: float = 0.05,
) -> float:
    """Share of rejections where the null holds by construction, at this n and this Z.

    R and x are rebuilt from their regressions on Z with residual rows shuffled apart from
    each other, so that given Z they are independent.

    Args:
        R: as in :func:`conditional_test`, like x and Z.
        x: see there.
        Z: see there.
        rng: source of the shuffles and bootstrap signs.
        sets: simulated data sets.
        draws: bootstrap draws in each.
        alpha: level at which to reject.

    Returns:
        Share of sets with p <= alpha; its standard error is sqrt(level (1 - level) / sets).
    """
    r, t, z = (_columns(v, name) for v, name in ((R, "R"), (x, "x"), (Z, "Z")))
    regression = Regression.on(z)
    left_r, left_t = regression.residuals(r), regression.residuals(t)
    rejected = 0
    for _ in range(sets):
        fake_r = r - left_r + left_r[rng.permutation(len(r))]
        fake_t = t - left_t + left_t[rng.permutation(len(t))]
        rejected += conditional_test(fake_r, fake_t, z, rng=rng, draws=draws).p_value <= alpha
    return rejected / sets
