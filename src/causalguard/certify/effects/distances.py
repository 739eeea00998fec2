"""Distances between two populations of representations, each under its honest name.

What may be concluded differs by quantity, so each result says its direction: the MMD has a
distribution-free *upper* bound (it may certify closeness), the total variation only a *lower*
bound (it may certify separation), and ½·L1 of histograms is neither: it is printed beside the
value that it takes when there is no difference at all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalguard.errors import InputError

Matrix = NDArray[np.float64]

BLOCK_ROWS = 1024
"""Rows of a kernel matrix held at once: memory is BLOCK_ROWS × n, never n × n."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MmdEstimate:
    """Maximum mean discrepancy between two samples."""

    mmd2_unbiased: float
    """Unbiased estimate of MMD² (Gretton 2012, Lemma 6); about [-2/n, 2], may be negative."""
    mmd_biased: float
    """Plug-in MMD, [0, √2]; never below zero, biased up by about √(1/m + 1/n)."""
    upper: float
    """MMD is at most this with probability 1 − delta (Gretton 2012, Theorem 7); [0, ∞)."""
    kernel: str
    """The kernel in words; its values lie in [0, 1]."""
    width: float
    """Width of that kernel, in units of the rows; fixed before the data were seen."""
    delta: float
    """Error probability of ``upper``, (0, 1)."""
    n_first: int
    """Rows (independent clusters) of the first sample."""
    n_second: int
    """Rows (independent clusters) of the second sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinnedL1:
    """½·L1 of two histograms: the total variation *of the binned variable*, as a plug-in."""

    half_l1: float
    """½·Σ|p_b − q_b|, [0, 1]; biased up by about √(bins/n)."""
    null_mean: float
    """Mean of the same number when the labels are permuted: what "no difference" looks like."""
    p_value: float
    """Permutation p-value, ties counted against us; (0, 1]."""
    bins: int
    """Bins used (quantiles of the pooled sample, ties merged)."""
    permutations: int
    """Random relabellings behind ``null_mean`` and ``p_value``."""


def mmd(first: ArrayLike, second: ArrayLike, *, width: float, delta: float = 0.05) -> MmdEstimate:
    """MMD with a Gaussian kernel, with an upper bound that holds for every distribution.

    The bound needs independent rows (one a cluster) and a width that does not depend on them:
    a constant, or :func:`median_width` of other rows.

    Args:
        first: Sample P, shape (m, d).
        second: Sample Q, shape (n, d).
        width: Standard deviation of the kernel exp(−‖x−y‖²/(2·width²)), > 0.
        delta: Probability that the bound fails, (0, 1).

    Returns:
        Both estimates and the bound
        ``MMD_b + 2(√(K/m) + √(K/n)) + √(2K(m+n)·ln(1/δ)/(mn))`` with K = 1.

    Raises:
        InputError: A sample has fewer than two rows or values that are not finite.
        ValueError: Width or delta out of range, or the dimensions differ.

    """
    if not (width > 0 and 0 < delta < 1):
        message = f"width must be > 0 and delta in (0, 1), got {width} and {delta}"
        raise ValueError(message)
    p, q = sample(first, "first"), sample(second, "second")
    if p.shape[1] != q.shape[1]:
        message = f"the samples have {p.shape[1]} and {q.shape[1]} columns; compare equals"
        raise ValueError(message)
    m, n = len(p), len(q)
    within_p, within_q = _kernel_sum(p, p, width), _kernel_sum(q, q, width)
    across = _kernel_sum(p, q, width) / (m * n)
    unbiased = (within_p - m) / (m * (m - 1)) + (within_q - n) / (n * (n - 1)) - 2 * across
    biased = np.sqrt(max(within_p / m**2 + within_q / n**2 - 2 * across, 0.0))
    # Gretton et al. 2012, Theorem 7, one side of McDiarmid: log(1/δ), not log(2/δ).
    slack = 2 * (m**-0.5 + n**-0.5) + np.sqrt(2 * (m + n) * np.log(1 / delta) / (m * n))
    return MmdEstimate(
        mmd2_unbiased=float(unbiased),
        mmd_biased=float(biased),
        upper=float(biased + slack),
        kernel="Gaussian, exp(-|x-y|^2 / (2 width^2))",
        width=float(width),
        delta=delta,
        n_first=m,
        n_second=n,
    )


def median_width(rows: ArrayLike, *, rng: np.random.Generator, pairs: int = 10_000) -> float:
    """Median distance between random pairs of rows; take rows that :func:`mmd` will not see.

    Args:
        rows: Shape (n, d), n >= 2, any unit.
        rng: Draws the pairs.
        pairs: How many pairs to draw, > 0.

    Returns:
        The median distance, > 0, in the unit of the rows.

    Raises:
        InputError: Fewer than two rows, or all of them are the same.

    """
    x = sample(rows, "rows")
    i = rng.integers(0, len(x), pairs)
    j = (i + rng.integers(1, len(x), pairs)) % len(x)
    distance = np.linalg.norm(x[i] - x[j], axis=1)
    distance = distance[distance > 0]
    if not distance.size:
        message = "all rows are the same, so they have no width; give a width"
        raise InputError(message)
    return float(np.median(distance))


def binned_l1_half(
    first: ArrayLike,
    second: ArrayLike,
    *,
    rng: np.random.Generator,
    bins: int = 20,
    permutations: int = 999,
) -> BinnedL1:
    """½·L1 between histograms of two scalar samples, beside its mean under no difference.

    Args:
        first: Scalars (for example risks), shape (m,).
        second: Scalars, shape (n,).
        rng: Draws the relabellings.
        bins: Quantile bins of the pooled sample, >= 2.
        permutations: Relabellings, >= 1.

    Returns:
        The number, its permutation-null mean and p-value.

    Raises:
        InputError: A sample is too short or not finite.

    """
    p, q = sample(first, "first")[:, 0], sample(second, "second")[:, 0]
    pooled = np.concatenate([p, q])
    edges = np.unique(np.quantile(pooled, np.linspace(0, 1, bins + 1)[1:-1]))
    code = np.searchsorted(edges, pooled, side="right")
    one_hot = np.eye(len(edges) + 1)[code]
    total = one_hot.sum(axis=0)
    labels = np.zeros((permutations + 1, len(pooled)))
    labels[0, : len(p)] = 1
    for row in labels[1:]:
        row[rng.permutation(len(pooled))[: len(p)]] = 1
    counts = labels @ one_hot
    values = 0.5 * np.abs(counts / len(p) - (total - counts) / len(q)).sum(axis=1)
    reached = np.sum(values[1:] >= values[0] - 1e-12)
    return BinnedL1(
        half_l1=float(values[0]),
        null_mean=float(values[1:].mean()),
        p_value=float((1 + reached) / (1 + permutations)),
        bins=len(edges) + 1,
        permutations=permutations,
    )


def sample(values: ArrayLike, name: str) -> Matrix:
    """Rows as a float matrix (n, d) with n >= 2, all finite; a vector becomes one column."""
    rows = np.asarray(values, dtype=np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or len(rows) < 2:
        message = f"{name}: at least two rows (n, d) are needed, got shape {rows.shape}"
        raise InputError(message)
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        message = f"{name}: row {bad} is not finite; remove it or repair what made it"
        raise InputError(message)
    return rows


def _kernel_sum(x: Matrix, y: Matrix, width: float) -> float:
    total = 0.0
    y_square = np.einsum("ij,ij->i", y, y)
    for start in range(0, len(x), BLOCK_ROWS):
        block = x[start : start + BLOCK_ROWS]
        square = np.einsum("ij,ij->i", block, block)[:, None] + y_square - 2 * block @ y.T
        total += float(np.exp(np.maximum(square, 0.0) / (-2 * width**2)).sum())
    return total
