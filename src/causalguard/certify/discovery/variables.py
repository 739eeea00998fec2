"""Nodes of a mixed data set, and the checks that no test could repair.

A node is a category, a number, or a block of numbers (a representation).  A node that never
varies, or that says the same as another one, makes every answer about it meaningless, so it is
refused by name; constant and collinear columns *inside* a block carry nothing and are dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from causalguard.errors import InputError

Kind = Literal["category", "number", "block"]
Matrix = NDArray[np.float64]
Codes = NDArray[np.int64]

SAME = 1e-9
"""Share of a column's variance that may be left before it counts as collinear."""

FEW_LEVELS = 2
"""A numeric column with this many distinct values or fewer is a category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One node with its values."""

    name: str
    """Unique, not empty."""
    kind: Kind
    """What the values are."""
    values: Matrix | Codes
    """Category codes 0..k−1 of shape (n,); numbers of shape (n,); a block of shape (n, d)."""

    def rows(self, index: NDArray[np.intp]) -> "Variable":
        """The same node on some rows; category codes are made dense again."""
        values = self.values[index]
        if self.kind == "category":
            values = _codes(values)
        return Variable(name=self.name, kind=self.kind, values=values)


def make_variable(name: str, values: ArrayLike) -> Variable:
    """Node from raw values: strings, booleans and two-valued numbers become categories.

    Args:
        name: Node name.
        values: Shape (n,) of strings, booleans, integers or floats, or (n, d) of floats.
            Integers are numbers unless they take two values only; give strings for codes.

    Returns:
        The node.

    Raises:
        InputError: Not finite, fewer than two rows, or a shape that is neither (n,) nor (n, d).

    """
    array = np.asarray(values)
    if array.ndim not in (1, 2) or len(array) < 2:
        message = f"{name}: shape {array.shape}; give (n,) or (n, d) with n >= 2"
        raise InputError(message)
    if array.dtype.kind in "OUSb":
        if array.ndim == 2:
            message = f"{name}: a block must be numeric; give categories as separate nodes"
            raise InputError(message)
        return Variable(name=name, kind="category", values=_codes(array.astype(np.str_)))
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        row = int(np.argwhere(~np.isfinite(numbers))[0][0])
        message = f"{name}: row {row} is not finite; drop the row or repair the trial"
        raise InputError(message)
    if numbers.ndim == 2 and numbers.shape[1] > 1:
        return Variable(name=name, kind="block", values=numbers)
    column = numbers.reshape(-1)
    if len(np.unique(column)) <= FEW_LEVELS:
        return Variable(name=name, kind="category", values=_codes(column))
    return Variable(name=name, kind="number", values=column)


def make_variables(columns: Mapping[str, ArrayLike]) -> dict[str, Variable]:
    """Nodes from named columns, checked against each other.

    Args:
        columns: Values by name; all with the same number of rows.

    Returns:
        Nodes by name, sorted.

    Raises:
        InputError: Lengths differ, a node is constant, two nodes are copies of each other, or
            a number is a linear combination of other numbers.

    """
    nodes = {name: make_variable(name, columns[name]) for name in sorted(columns)}
    lengths = {name: len(node.values) for name, node in nodes.items()}
    if len(set(lengths.values())) > 1:
        message = f"columns have different lengths: {lengths}; align them by trial"
        raise InputError(message)
    for node in nodes.values():
        if _is_constant(node):
            message = f"{node.name} never varies, so nothing can depend on it; leave it out"
            raise InputError(message)
    _refuse_copies(list(nodes.values()))
    _refuse_collinear([node for node in nodes.values() if node.kind == "number"])
    return nodes


def independent_columns(block: Matrix) -> Matrix:
    """The block's columns, centred, without constant ones and those earlier columns explain."""
    centred = block - block.mean(axis=0)
    scale = np.sqrt((centred**2).sum(axis=0))
    floor = 1e-12 * (1 + np.abs(block).max(axis=0)) * np.sqrt(len(block))
    basis = np.empty((len(block), 0))
    kept = []
    for column in np.flatnonzero(scale > floor):
        unit = centred[:, column] / scale[column]
        rest = unit - basis @ (basis.T @ unit)
        rest = rest - basis @ (basis.T @ rest)  # twice: once loses digits
        length = float(np.linalg.norm(rest))
        if length**2 > SAME and basis.shape[1] < len(block) - 1:
            kept.append(column)
            basis = np.column_stack([basis, rest / length])
    return np.asarray(centred[:, kept])


def _codes(values: NDArray[np.generic]) -> Codes:
    codes = np.unique(values, return_inverse=True)[1].reshape(-1)
    return np.asarray(codes, dtype=np.int64)


def _is_constant(node: Variable) -> bool:
    if node.kind == "block":
        block = np.asarray(node.values, dtype=np.float64)
        return bool(independent_columns(block).shape[1] == 0)
    return len(np.unique(node.values)) < 2


def _refuse_copies(nodes: Sequence[Variable]) -> None:
    for i, first in enumerate(nodes):
        for second in nodes[i + 1 :]:
            if _copies(first, second):
                message = (
                    f"{first.name} and {second.name} say the same in every row; "
                    "keep one of them, no data can tell which is the cause"
                )
                raise InputError(message)


def _copies(first: Variable, second: Variable) -> bool:
    if "block" in (first.kind, second.kind):
        if first.kind != second.kind:
            return False
        a, b = (independent_columns(np.asarray(v.values, dtype=float)) for v in (first, second))
        return a.shape == b.shape and _explained(a, b) and _explained(b, a)
    if first.kind == second.kind == "number":
        a, b = rankdata(first.values), rankdata(second.values)
        return bool(np.array_equal(a, b) or np.array_equal(a, len(a) + 1 - b))
    # At least one category: copies if each determines the other.
    pairs = np.unique(np.column_stack([_codes(first.values), _codes(second.values)]), axis=0)
    return len(pairs) == len(np.unique(first.values)) == len(np.unique(second.values))


def _explained(target: Matrix, by: Matrix) -> bool:
    left = target - by @ np.linalg.lstsq(by, target, rcond=None)[0]
    return bool((left**2).sum() <= SAME * (target**2).sum())


def _refuse_collinear(numbers: Sequence[Variable]) -> None:
    if len(numbers) < 3:
        return
    columns = np.column_stack([node.values for node in numbers]).astype(np.float64)
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    for index, node in enumerate(numbers):
        others = np.delete(columns, index, axis=1)
        if _explained(columns[:, [index]], others):
            message = (
                f"{node.name} is a linear combination of other nodes "
                f"({', '.join(n.name for n in numbers if n is not node)}); leave one out"
            )
            raise InputError(message)
