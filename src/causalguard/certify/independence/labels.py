"""Permuting x inside the strata of Z, all permutations at once.

Rows are kept sorted by stratum.  x becomes a few columns ("features"), centred within each
stratum; since the columns then sum to zero there, the kernel of R needs no centring.  Where
rows share a cluster, whole clusters are permuted and each row is weighted by one over its
cluster's size, so a cluster counts once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalguard.stats.arrays import FloatArray, IntArray

Single = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """What is permuted: rows or clusters, sorted by stratum."""

    order: IntArray
    """Original row index of each sorted row, shape (n,)."""
    unit: IntArray
    """Unit of each sorted row, 0..u-1, units sorted by stratum; shape (n,)."""
    weight: Single
    """One over the size of the row's unit; shape (n,)."""
    bounds: IntArray
    """First unit of each stratum and u at the end; shape (strata + 1,)."""
    row_bounds: IntArray
    """The same for sorted rows."""

    @property
    def count(self) -> int:
        """Number of units."""
        return int(self.bounds[-1])

    @property
    def strata(self) -> int:
        """Number of strata."""
        return len(self.bounds) - 1

    @property
    def stratum(self) -> IntArray:
        """Stratum of each unit, shape (u,)."""
        return np.repeat(np.arange(self.strata), np.diff(self.bounds))


def make_units(strata: IntArray, clusters: IntArray | None) -> Units:
    """Sort rows by stratum and cluster.

    Args:
        strata: code per row, 0..s-1.
        clusters: code per row, or None when each row is its own unit.

    Raises:
        ValueError: a cluster lies in more than one stratum.
    """
    n = len(strata)
    names = np.arange(n) if clusters is None else clusters
    order = np.lexsort((names, strata)).astype(np.int64)
    row_strata, row_names = strata[order], names[order]
    new = np.concatenate([[True], (np.diff(row_names) != 0) | (np.diff(row_strata) != 0)])
    unit = np.cumsum(new) - 1
    if clusters is not None and int(new.sum()) != len(np.unique(clusters)):
        raise ValueError(
            "clusters: one lies in several strata; add it to the strata, or use the paired test"
        )
    sizes = np.bincount(unit)
    per_stratum = np.bincount(row_strata[new])
    return Units(
        order=order,
        unit=unit,
        weight=(1.0 / sizes[unit]).astype(np.float32),
        bounds=np.concatenate([[0], np.cumsum(per_stratum)]).astype(np.int64),
        row_bounds=np.concatenate([[0], np.cumsum(np.bincount(row_strata))]).astype(np.int64),
    )


def unit_values(units: Units, rows: npt.NDArray[np.generic], name: str) -> npt.NDArray[np.generic]:
    """One value per unit from one per original row; ValueError where a unit's rows differ."""
    values = rows[units.order]
    first = np.concatenate([[True], np.diff(units.unit) != 0])
    per_unit = values[first]
    if not (per_unit[units.unit] == values).all():
        raise ValueError(
            f"{name}: differs between rows of one cluster; test inside clusters instead "
            "(strata = cluster, or the paired test)"
        )
    return np.asarray(per_unit)


def centre(features: FloatArray, units: Units) -> FloatArray:
    """Subtract each stratum's mean from the columns of ``features``, shape (u, q)."""
    sums = np.add.reduceat(features, units.bounds[:-1], axis=0)
    means = sums / np.diff(units.bounds)[:, None]
    return np.asarray(features - means[units.stratum], dtype=np.float64)


def informative(features: FloatArray, units: Units) -> int:
    """Units in strata where the centred features are not all zero."""
    moving = np.maximum.reduceat(np.abs(features).max(axis=1), units.bounds[:-1]) > 1e-12
    return int(np.diff(units.bounds)[moving].sum())


def _by_size(units: Units) -> list[tuple[int, IntArray]]:
    """(size, first units of the strata of that size): equal sizes are permuted together."""
    sizes = np.diff(units.bounds)
    return [(int(s), units.bounds[:-1][sizes == s]) for s in np.unique(sizes)]


def permuted_features(
    features: FloatArray,
    units: Units,
    permutations: int,
    *,
    rng: np.random.Generator,
    chunk: int,
) -> Iterator[Single]:
    """Yield row-level columns for the observed data and then each permutation.

    Args:
        features: centred, shape (u, q).
        units: from :func:`make_units`.
        permutations: P.
        rng: source of the permutations.
        chunk: permutations per yielded array.

    Yields:
        Arrays of shape (n, c, q), c <= chunk; P + 1 in all, the observed data first.
    """
    base = features.astype(np.float32)
    groups = _by_size(units)
    done = 0
    while done <= permutations:
        size = min(chunk, permutations + 1 - done)
        yield to_rows(_permute(base, groups, size, keep_first=done == 0, rng=rng), units)
        done += size


def to_rows(values: Single, units: Units) -> Single:
    """Unit-level columns as row-level ones, weighted by one over the unit's size."""
    if len(units.unit) == units.count:
        return values
    return np.asarray(values[units.unit] * units.weight[:, None, None], dtype=np.float32)


def _permute(
    base: Single,
    groups: list[tuple[int, IntArray]],
    size: int,
    *,
    keep_first: bool,
    rng: np.random.Generator,
) -> Single:
    u, q = base.shape
    result = np.empty((u, size, q), dtype=np.float32)
    for length, starts in groups:
        rows = starts[:, None] + np.arange(length)
        if q == 1:
            # one column: shuffle the values themselves, no index and no gather
            tiled = np.repeat(base[rows, 0][:, None, :], size, axis=1)
            shuffled = rng.permuted(tiled, axis=2)
            if keep_first:
                shuffled[:, 0, :] = base[rows, 0]
            result[rows, :, 0] = shuffled.transpose(0, 2, 1)
        else:
            tiled_index = np.repeat(rows.astype(np.int32)[:, None, :], size, axis=1)
            index = rng.permuted(tiled_index, axis=2)
            if keep_first:
                index[:, 0, :] = rows
            result[rows] = base[index.transpose(0, 2, 1)]
    return result
