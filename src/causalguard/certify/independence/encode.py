"""x as feature columns whose inner products are the kernel of x.

binary: one column.  categorical: one column a class (the delta kernel).  continuous: a
pivoted Cholesky factor of a Gaussian kernel, at several widths, and the values themselves.
Truncating the factor costs power at most, never exactness.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from causalguard.stats.arrays import FloatArray

XKind = Literal["auto", "categorical", "continuous"]
MAX_CLASSES = 200
MAX_RANK = 32


def encode(x: npt.NDArray[np.generic], kind: XKind) -> dict[str, FloatArray]:
    """Feature columns of x by name of its kernel, each of shape (u, q).

    Args:
        x: one value per unit, shape (u,) or (u, k) for a continuous vector.
        kind: "auto" takes floats with more than two values, and vectors, as continuous.

    Raises:
        ValueError: values that are not finite, one value only, too many classes.
    """
    check_finite(x)
    distinct = len(np.unique(x, axis=0))
    if distinct < 2:
        raise ValueError("x: all values are equal, there is nothing to test")
    if kind == "continuous" or (
        kind == "auto" and np.issubdtype(x.dtype, np.floating) and (x.ndim == 2 or distinct > 2)
    ):
        if not _numeric(x):
            raise ValueError(f"x: numbers are needed for a continuous x, got {x.dtype}")
        return _continuous(x.astype(np.float64).reshape(len(x), -1))
    if x.ndim != 1:
        raise ValueError(f"x: one label per row is needed, got shape {x.shape}")
    if distinct > MAX_CLASSES:
        raise ValueError(
            f"x: {distinct} classes, at most {MAX_CLASSES}; group them, or give kind='continuous'"
        )
    return _delta(np.unique(x, return_inverse=True)[1], distinct)


def _numeric(x: npt.NDArray[np.generic]) -> bool:
    return np.issubdtype(x.dtype, np.number) or x.dtype == np.bool_


def check_finite(x: npt.NDArray[np.generic]) -> None:
    """Raise ValueError when x holds numbers that are not finite."""
    if _numeric(x) and not np.isfinite(x.astype(np.float64)).all():
        raise ValueError("x: values are not finite; drop or impute those rows first")


def _delta(index: npt.NDArray[np.intp], classes: int) -> dict[str, FloatArray]:
    if classes == 2:
        return {"delta": index[:, None].astype(np.float64)}
    return {"delta": np.eye(classes)[index]}


def _continuous(x: FloatArray) -> dict[str, FloatArray]:
    scale = x.std(axis=0)
    z = (x - x.mean(axis=0))[:, scale > 0] / scale[scale > 0]
    gamma = 1.0 / median_square_distance(z)
    factors = {"linear": z}
    for name, factor in (
        (("gauss", 1.0), ("gauss/4", 16.0)) if z.shape[1] <= 3 else (("gauss", 1.0),)
    ):
        factors[name] = pivoted_cholesky(z, gamma * factor, rank=MAX_RANK, tolerance=1e-3)
    return factors


def canonical_order(points: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """An order of the rows that depends on the set of rows only, not on how they stand.

    A kernel chosen by the order of the rows would not be the same for every permutation, and
    the p-value no longer exact.
    """
    squares = np.einsum("nd,nd->n", points, points)
    return np.lexsort((squares, *points[:, :3].T[::-1]))


def median_square_distance(points: npt.NDArray[np.floating], *, limit: int = 1000) -> float:
    """Median squared distance between distinct points of at most ``limit`` rows, evenly taken.

    1 when all points agree.
    """
    step = max(1, len(points) // limit)
    part = points[canonical_order(points)[::step]].astype(np.float64)
    squares = (part**2).sum(axis=1)
    distance = squares[:, None] + squares[None, :] - 2.0 * part @ part.T
    values = distance[np.triu_indices(len(part), 1)]
    values = values[values > 1e-12 * max(1.0, float(squares.max()))]
    return float(np.median(values)) if values.size else 1.0


def pivoted_cholesky(
    points: FloatArray, gamma: float, *, rank: int, tolerance: float
) -> FloatArray:
    """Low-rank factor L of the Gaussian kernel exp(-gamma |a - b|^2), L L' close to it.

    Args:
        points: shape (n, d).
        gamma: 1 / width^2 (up to a factor 2), > 0.
        rank: most columns.
        tolerance: stop when the mean left-over diagonal is below this.

    Returns:
        Shape (n, r), r <= rank.

    Source: Fine & Scheinberg 2001.
    """
    n = len(points)
    order = canonical_order(points)
    rows = points[order]
    left = np.ones(n)
    columns = np.zeros((n, min(rank, n)))
    used = 0
    for j in range(columns.shape[1]):
        pivot = int(np.argmax(left))
        if left.mean() < tolerance or left[pivot] < 1e-10:
            break
        kernel = np.exp(-gamma * ((rows - rows[pivot]) ** 2).sum(axis=1))
        columns[:, j] = (kernel - columns[:, :j] @ columns[pivot, :j]) / np.sqrt(left[pivot])
        left = np.maximum(left - columns[:, j] ** 2, 0.0)
        used = j + 1
    result = np.empty((n, used))
    result[order] = columns[:, :used]
    return result
