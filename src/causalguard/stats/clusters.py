"""From rows to independent clusters: the unit that every bound and test counts.

Rows made from the same base document, goal or template are copies of one another, so a
bound that counts rows is too narrow.  Two honest reductions: a cluster errs if any of its
rows errs, or one row is drawn per cluster.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalguard.stats.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    Labels,
    binary_vector,
    codes,
    finite_vector,
    same_length,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCount:
    """Errors among independent clusters."""

    errors: int
    """Clusters with at least one error, 0..n."""
    n: int
    """Clusters, >= 1."""
    rows: int
    """Rows they were made of, >= n."""


def any_error(errors: npt.ArrayLike, clusters: Labels) -> BoolArray:
    """Return one flag per cluster: True if any of its rows errs.

    Args:
        errors: 0/1 per row.
        clusters: identifier per row.

    Returns:
        Flags in order of the clusters' first appearance.

    Raises:
        ValueError: no rows, other values than 0/1, or lengths that differ.
    """
    flags = binary_vector(errors, "errors")
    same_length(errors=flags, clusters=clusters)
    index = codes(clusters, "clusters")
    result = np.zeros(int(index.max()) + 1, dtype=np.bool_)
    np.logical_or.at(result, index, flags)
    return result


def count(errors: npt.ArrayLike, clusters: Labels) -> ErrorCount:
    """Count clusters with an error, for the bounds of :mod:`causalguard.stats.bounds`."""
    flags = any_error(errors, clusters)
    return ErrorCount(errors=int(flags.sum()), n=len(flags), rows=len(clusters))


def extreme(risks: npt.ArrayLike, clusters: Labels, *, keep: Literal["min", "max"]) -> FloatArray:
    """Return each cluster's lowest or highest risk.

    A cluster is missed at t iff its lowest risk is below t, and falsely flagged iff its
    highest reaches t: thresholds chosen on these values count clusters.

    Args:
        risks: risk per row, finite.
        clusters: identifier per row.
        keep: "min" for attacks, "max" for benign rows.
    """
    values = finite_vector(risks, "risks")
    same_length(risks=values, clusters=clusters)
    index = codes(clusters, "clusters")
    result = np.full(int(index.max()) + 1, np.inf if keep == "min" else -np.inf)
    (np.minimum if keep == "min" else np.maximum).at(result, index, values)
    return result


def one_row_each(clusters: Labels, *, rng: np.random.Generator) -> IntArray:
    """Return the index of one row per cluster, drawn evenly within the cluster; ascending."""
    index = codes(clusters, "clusters")
    order = rng.permutation(len(index))
    _, first = np.unique(index[order], return_index=True)
    return np.sort(order[first])
