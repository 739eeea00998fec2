"""The quadratic forms v'Kv of all permutations, as matrix products over kernel blocks.

K is made in blocks of rows, used and thrown away, and only its upper triangle is made; no
array of n x n or n x n x P ever exists.  Widths stand in the ratio 2, so each further kernel
comes from the last by squaring twice.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from causalguard.stats.arrays import FloatArray, IntArray

Single = npt.NDArray[np.float32]
BLOCK = 512


class ArrayOps(Protocol):
    """What the forms need besides operators: an accelerator's arrays can stand in for numpy's."""

    def put(self, array: Single) -> Any:
        """Move a host array to where the products are made."""

    def get(self, array: Any) -> FloatArray:
        """Bring a result back as float64."""

    def exp(self, array: Any) -> Any:
        """Elementwise exponential; may overwrite its argument."""

    def dots(self, a: Any, b: Any) -> Any:
        """Column-wise inner products of two (rows, m) arrays, shape (m,)."""


class HostOps:
    """numpy itself."""

    def put(self, array: Single) -> Single:
        return array

    def get(self, array: npt.NDArray[np.floating]) -> FloatArray:
        return np.asarray(array, dtype=np.float64)

    def exp(self, array: Single) -> Single:
        return np.exp(array, out=array)

    def dots(self, a: Single, b: Single) -> Single:
        return np.asarray(np.einsum("bm,bm->m", a, b))


def gaussian_forms(
    points: Any, columns: Any, gamma: float, steps: int, *, ops: ArrayOps
) -> FloatArray:
    """Forms v'Kv for each column v and each of ``steps`` Gaussian kernels of growing sharpness.

    Args:
        points: shape (n, d), float32, where ``ops`` keeps its arrays.
        columns: shape (n, m), likewise.
        gamma: of the widest kernel, exp(-gamma |a - b|^2); the next ones use 4, 16 ... times it.
        steps: number of kernels.
        ops: the arrays' library.

    Returns:
        Shape (steps, m), float64.
    """
    n, m = columns.shape
    half_squares = 0.5 * (points * points).sum(1)
    total = np.zeros((steps, m))
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        # -|a - b|^2 / 2, then the kernel
        kernel = points[start:stop] @ points[start:].T
        kernel -= half_squares[start:stop, None]
        kernel -= half_squares[None, start:]
        kernel *= 2.0 * gamma
        kernel = ops.exp(kernel)
        for step in range(steps):
            if step:
                kernel *= kernel
                kernel *= kernel
            total[step] += ops.get(_block_forms(kernel, columns, start, stop, ops))
    return total


def _block_forms(kernel: Any, columns: Any, start: int, stop: int, ops: ArrayOps) -> Any:
    """One block of rows; what lies right of the diagonal stands for its mirror image too."""
    width = stop - start
    product = kernel[:, :width] @ columns[start:stop]
    if stop < len(columns):
        product += 2.0 * (kernel[:, width:] @ columns[stop:])
    return ops.dots(product, columns[start:stop])


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedFeatures:
    """Explicit features of R, and several kernels as weightings of them."""

    values: Single
    """Shape (n, f), rows sorted by stratum."""
    weights: FloatArray
    """Kernel k is sum_f weights[k, f] a_f b_f; shape (kernels, f)."""
    names: tuple[str, ...]
    """One name a kernel."""


def feature_forms(
    features: WeightedFeatures, columns: Single, row_bounds: IntArray | None
) -> tuple[FloatArray, FloatArray]:
    """Forms of the pooled kernels and, from the same products, of the per-stratum ones.

    Args:
        features: shape (n, f).
        columns: shape (n, m).
        row_bounds: first row of each stratum, and n; None: no per-stratum forms.

    Returns:
        (pooled, within), each of shape (kernels, m); within is empty without bounds.
    """
    m = columns.shape[1]
    if row_bounds is None:
        pooled = features.values.T @ columns
        return features.weights @ np.square(pooled, dtype=np.float64), np.zeros((0, m))
    pooled = np.zeros((features.values.shape[1], m), dtype=np.float32)
    inside = np.zeros((len(features.weights), m))
    for a, b in pairwise(row_bounds):
        part = features.values[a:b].T @ columns[a:b]
        pooled += part
        inside += features.weights @ np.square(part, dtype=np.float64)
    return features.weights @ np.square(pooled, dtype=np.float64), inside
