"""The kernels of R that are tried together, made from R, Z and a seed: never from x.

Which ones, and why: Gaussian at the median width and half of it (a quarter as well up to
three dimensions) for changes of shape; linear for a shift along the main directions;
ridge-whitened linear for a shift along any; the leading 16 and 64 principal directions,
whitened, for a shift along a middling one in many dimensions.  Each pooled over strata and,
for effects whose sign depends on the stratum, per stratum.  A width of twice the median adds
next to nothing to the linear kernels.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from causalguard.certify.independence.encode import median_square_distance, pivoted_cholesky
from causalguard.certify.independence.forms import (
    ArrayOps,
    Single,
    WeightedFeatures,
    feature_forms,
    gaussian_forms,
)
from causalguard.stats.arrays import FloatArray, IntArray

RIDGES = (1.0, 0.3)
"""Ridge of the whitened kernels, in mean eigenvalues."""
LEADING = (16, 64)
"""Numbers of leading principal directions that stand as kernels of their own."""
LOW_DIMENSION = 3
"""Up to here a quarter of the median width is tried too, and the factors are of low rank."""
LOW_RANK, LOW_RANK_TOLERANCE = 64, 1e-4
"""Most columns of such a factor, and the mean left-over diagonal at which it ends."""
WIDTHS = 2
"""Gaussian kernels: the median width and half of it."""
SMALL_STRATUM = 8
"""Strata smaller than this on average carry no per-stratum kernels: too few rows each."""
FREQUENCIES = 64
"""Random frequencies (a cosine and a sine each) for every width of the feature path."""
FEATURE_DIRECTIONS = 128
"""Principal directions kept on the feature path."""
WITHIN_LINEAR = ("linear", "white0.3")
"""Linear kernels that are tried per stratum as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """The kernels of one R, ready for columns of permuted labels."""

    points: Single
    """R less its stratum means, rows sorted by stratum; shape (n, d)."""
    features: WeightedFeatures
    """Linear kernels, and the Gaussian ones where they are explicit features."""
    gamma: float
    """The widest Gaussian is exp(-gamma |a - b|^2); not used when ``steps`` is 0."""
    steps: int
    """Gaussian kernels made block by block; 0 where they are explicit features."""
    bounds: IntArray | None
    """First row of each stratum, and n; None: no per-stratum kernels."""

    def names(self) -> list[str]:
        """Names of the kernels, in the order of :meth:`forms`."""
        gauss = [_width_name(step) for step in range(self.steps)]
        pooled = [f"{name} pooled" for name in (*gauss, *self.features.names)]
        if self.bounds is None:
            return pooled
        inside = [self.features.names[i] for i in self._inside()]
        return pooled + [f"{name} within" for name in (*gauss, *inside)]

    def _inside(self) -> list[int]:
        """Which feature kernels are tried per stratum."""
        names = self.features.names
        return [i for i, n in enumerate(names) if n in WITHIN_LINEAR or n.startswith("gauss")]

    def forms(self, columns: Single, ops: ArrayOps) -> FloatArray:
        """Forms v'Kv of every kernel and column: shape (kernels, m) for columns of shape (n, m)."""
        pooled, inside = feature_forms(self.features, columns, self.bounds)
        if not self.steps:
            parts = [pooled] if self.bounds is None else [pooled, inside[self._inside()]]
            return np.concatenate(parts)
        points, placed = ops.put(self.points), ops.put(columns)
        gauss = gaussian_forms(points, placed, self.gamma, self.steps, ops=ops)
        if self.bounds is None:
            return np.concatenate([gauss, pooled])
        within = np.zeros_like(gauss)
        for a, b in pairwise(self.bounds):
            within += gaussian_forms(points[a:b], placed[a:b], self.gamma, self.steps, ops=ops)
        return np.concatenate([gauss, pooled, within, inside[self._inside()]])


def _width_name(step: int) -> str:
    return f"gauss*{0.5**step:g}"


def residual(R: FloatArray, bounds: IntArray) -> FloatArray:
    """R less the mean of each stratum, rows sorted by stratum."""
    sizes = np.diff(bounds)
    means = np.add.reduceat(R, bounds[:-1], axis=0) / sizes[:, None]
    return np.asarray(R - np.repeat(means, sizes, axis=0), dtype=np.float64)


def directions(points: FloatArray, most: int | None = None) -> tuple[FloatArray, FloatArray]:
    """Unit-variance principal scores, shape (n, r), and their eigenvalues, shape (r,)."""
    n, d = points.shape
    # the smaller of the two Gram matrices: far quicker than a decomposition of the points
    lam, axes = np.linalg.eigh(points.T @ points if n > d else points @ points.T)
    lam, axes = lam[::-1][:most], axes[:, ::-1][:, :most]
    keep = lam > 1e-10 * max(float(lam[0]), 1e-300)
    lam, axes = lam[keep], axes[:, keep]
    scores = (points @ axes) / np.sqrt(lam) if n > d else axes
    return np.asarray(scores * np.sqrt(n)), np.asarray(lam / n)


def linear_features(points: FloatArray, most: int | None = None) -> WeightedFeatures:
    """The linear, ridge-whitened and leading-direction kernels over principal scores."""
    scores, lam = directions(points, most)
    mean = float((points**2).sum()) / points.size
    weights, names = [lam / lam.sum()], ["linear"]
    for ridge in RIDGES:
        weights.append(lam / (lam + ridge * mean))
        names.append(f"white{ridge:g}")
    for leading in LEADING:
        if leading < len(lam):
            weights.append((np.arange(len(lam)) < leading).astype(np.float64))
            names.append(f"leading{leading}")
    return WeightedFeatures(
        values=scores.astype(np.float32), weights=np.stack(weights), names=tuple(names)
    )


def make_bank(R: FloatArray, bounds: IntArray) -> Bank:
    """The kernels with Gaussians made block by block, for up to some ten thousand rows.

    Args:
        R: rows sorted by stratum, shape (n, d), finite.
        bounds: first row of each stratum, and n.
    """
    points = residual(R, bounds)
    gamma = 1.0 / median_square_distance(points)
    linear = linear_features(points)
    if R.shape[1] <= LOW_DIMENSION:
        return _explicit(linear, low_rank_factors(points, gamma), bounds)
    return Bank(
        points=points.astype(np.float32),
        features=linear,
        gamma=gamma,
        steps=WIDTHS,
        bounds=_within(bounds),
    )


def make_feature_bank(R: FloatArray, bounds: IntArray, *, rng: np.random.Generator) -> Bank:
    """The same kernels with random Fourier features for the Gaussians (Rahimi & Recht 2007).

    Features drawn without x leave the p-value exact; they cost power only.
    """
    points = residual(R, bounds)
    gamma = 1.0 / median_square_distance(points)
    linear = linear_features(points, FEATURE_DIRECTIONS)
    if R.shape[1] <= LOW_DIMENSION:
        return _explicit(linear, low_rank_factors(points, gamma), bounds)
    points32 = points.astype(np.float32)
    factors = []
    for step in range(WIDTHS):
        scale = np.sqrt(2.0 * gamma * 4.0**step)
        omega = rng.standard_normal((R.shape[1], FREQUENCIES)) * scale
        phase = points32 @ omega.astype(np.float32)
        factors.append(
            np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(FREQUENCIES)
        )
    return _explicit(linear, factors, bounds)


def low_rank_factors(points: FloatArray, gamma: float) -> list[Single]:
    """Factors of the Gaussian kernels, where few dimensions make them of low rank."""
    return [
        pivoted_cholesky(
            points, gamma * 4.0**step, rank=LOW_RANK, tolerance=LOW_RANK_TOLERANCE
        ).astype(np.float32)
        for step in range(WIDTHS + 1)
    ]


def _explicit(linear: WeightedFeatures, factors: list[Single], bounds: IntArray) -> Bank:
    """A bank whose Gaussian kernels are explicit features beside the linear ones."""
    sizes = [factor.shape[1] for factor in factors]
    kernels, count = linear.weights.shape
    weights = np.zeros((kernels + len(factors), count + sum(sizes)))
    weights[:kernels, :count] = linear.weights
    weights[kernels:, count:] = np.repeat(np.eye(len(factors)), sizes, axis=1)
    names = (*linear.names, *(_width_name(step) for step in range(len(factors))))
    return Bank(
        points=linear.values[:0],
        features=WeightedFeatures(
            values=np.concatenate([linear.values, *factors], axis=1), weights=weights, names=names
        ),
        gamma=0.0,
        steps=0,
        bounds=_within(bounds),
    )


def _within(bounds: IntArray) -> IntArray | None:
    strata = len(bounds) - 1
    return bounds if strata > 1 and bounds[-1] >= SMALL_STRATUM * strata else None
