"""Checked arrays: every public function of this package takes its data through here.

Invariants: finite, one-dimensional where one dimension is meant, never empty.  A stratum
without rows is an error that names it, for a mean or a bound over nothing is no number.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Labels = Sequence[Hashable] | npt.NDArray[np.generic]
"""Identifiers, one per row: strings, integers or tuples."""


def finite_vector(values: npt.ArrayLike, name: str) -> FloatArray:
    """Return a finite, non-empty float vector, or raise ValueError naming it."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name}: a vector is needed, got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name}: no rows; give at least one, or leave this stratum out")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: {int((~np.isfinite(array)).sum())} values are not finite")
    return array


def binary_vector(values: npt.ArrayLike, name: str) -> BoolArray:
    """Return a vector of 0/1 as booleans, or raise ValueError naming it."""
    array = finite_vector(values, name)
    if not np.isin(array, (0.0, 1.0)).all():
        raise ValueError(f"{name}: only 0 and 1 are allowed")
    return array.astype(np.bool_)


def level(value: float, name: str) -> float:
    """Return a probability strictly between 0 and 1, or raise ValueError naming it."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name}: must lie strictly between 0 and 1, got {value!r}")
    return float(value)


def codes(labels: Labels, name: str) -> IntArray:
    """Return labels as 0..m-1, numbered by first appearance; any hashable label is accepted."""
    if isinstance(labels, np.ndarray) and labels.ndim != 1:
        raise ValueError(f"{name}: one label per row is needed, got shape {labels.shape}")
    rows = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if len(rows) == 0:
        raise ValueError(f"{name}: no rows; give at least one")
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(label, len(seen)) for label in rows], dtype=np.int64)


def same_length(**arrays: Sequence[Hashable] | npt.NDArray[Any]) -> int:
    """Return the common length, or raise ValueError naming the lengths."""
    lengths = {name: len(value) for name, value in arrays.items()}
    if len(set(lengths.values())) != 1:
        text = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"lengths differ: {text}; each needs one entry per row")
    return next(iter(lengths.values()))
