"""Stratified permutation HSIC with fused kernels: exact at every n, for every d.

x is permuted inside the strata of Z; under "R independent of x given Z" every permutation
is as likely as what was seen.  Many kernels are tried with the same permutations and the
largest standardised statistic counts, so little is paid for not knowing what the dependence
looks like.

Two provisos void the p-value: a representation trained on the tested rows, and rows that
share a base document but are permuted one by one (give ``clusters``).

Source: Gretton et al. 2008 (HSIC); Hemerik & Goeman 2018 (exactness); the fusing follows
Biggs, Schrab & Gretton 2023 in spirit.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalguard.certify.independence.bank import Bank, make_bank, make_feature_bank
from causalguard.certify.independence.encode import XKind, check_finite, encode
from causalguard.certify.independence.forms import ArrayOps, HostOps
from causalguard.certify.independence.fuse import fuse, p_value, standardise
from causalguard.certify.independence.labels import (
    Units,
    centre,
    informative,
    make_units,
    permuted_features,
    unit_values,
)
from causalguard.certify.independence.result import TestResult
from causalguard.stats.arrays import FloatArray, IntArray, Labels, codes
from causalguard.stats.multiplicity import westfall_young

Path = Literal["auto", "kernel", "features"]
FEATURES_FROM = 10_000
"""Rows from which ``auto`` takes random features for the Gaussian kernels."""
CHUNK_BYTES = 24 << 20
"""Size of one chunk of permuted columns."""


def independence_test(
    R: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    strata: Labels | None = None,
    clusters: Labels | None = None,
    permutations: int = 9999,
    kind: XKind = "auto",
    path: Path = "auto",
    ops: ArrayOps | None = None,
) -> TestResult:
    """Test that R is independent of x, given discrete Z when ``strata`` is given.

    Args:
        R: representations, shape (n, d) or (n,); finite.
        x: one value per row: 0/1, labels, numbers, or vectors of shape (n, k).
        rng: source of the permutations (and of random features).
        strata: label of Z per row; x is permuted inside each.
        clusters: rows that share one are permuted together; x must agree inside a cluster and
            a cluster must lie in one stratum.
        permutations: P >= 1; p is never below 1 / (P + 1).
        kind: how x is read; "auto" takes floats with more than two values as continuous.
        path: "kernel" makes Gaussian kernels, "features" random features for them; "auto"
            takes features from 10,000 rows.
        ops: where the kernel products are made; the host by default.

    Returns:
        Exact p-value (P(p <= a) <= a at every n), with the figures of each kernel.

    Raises:
        ValueError: shapes that differ, values that are not finite, a constant x, no stratum
            in which x varies.
    """
    results, _ = joint_independence_test(
        {"R": R},
        x,
        rng=rng,
        strata=strata,
        clusters=clusters,
        permutations=permutations,
        kind=kind,
        path=path,
        ops=ops,
    )
    return results["R"]


def joint_independence_test(
    representations: Mapping[str, npt.ArrayLike],
    x: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    strata: Labels | None = None,
    clusters: Labels | None = None,
    permutations: int = 9999,
    kind: XKind = "auto",
    path: Path = "auto",
    ops: ArrayOps | None = None,
) -> tuple[dict[str, TestResult], dict[str, float]]:
    """Test several R against one x with the same permutations.

    Args:
        representations: name -> array of shape (n, d) or (n,).
        x: as in :func:`independence_test`, like the rest.
        rng: see there.
        strata: see there.
        clusters: see there.
        permutations: see there.
        kind: see there.
        path: see there.
        ops: see there.

    Returns:
        (name -> result, name -> Westfall-Young adjusted p-value: exact familywise level).
    """
    arrays = {name: _matrix(value, name) for name, value in representations.items()}
    if not arrays or permutations < 1:
        raise ValueError("give at least one representation and at least one permutation")
    units, features = _prepare(next(iter(arrays.values())), x, strata, clusters, kind)
    n = len(units.order)
    by_features = path == "features" or (path == "auto" and n >= FEATURES_FROM)
    banks: dict[str, Bank] = {}
    for name, array in arrays.items():
        if len(array) != n:
            raise ValueError(f"{name}: {len(array)} rows where x has {n}")
        rows = array[units.order]
        banks[name] = (
            make_feature_bank(rows, units.row_bounds, rng=rng)
            if by_features
            else make_bank(rows, units.row_bounds)
        )
    tables = permutation_tables(banks, features, units, permutations, rng=rng, ops=ops)
    moving = max(informative(columns, units) for columns in features.values())
    results = {
        name: summarise(table, list(features), banks[name].names(), units, moving)
        for name, table in tables.items()
    }
    fused = np.stack([fuse(table) for table in tables.values()], axis=1)
    adjusted = westfall_young(fused[0], fused[1:])
    return results, dict(zip(results, adjusted.tolist(), strict=True))


def _matrix(values: npt.ArrayLike, name: str) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name}: shape (n, d) is needed, got {array.shape}")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array).all(axis=1)).sum())
        raise ValueError(f"{name}: {bad} rows are not finite; find out why before testing")
    return array


def _prepare(
    R: FloatArray,
    x: npt.ArrayLike,
    strata: Labels | None,
    clusters: Labels | None,
    kind: XKind,
) -> tuple[Units, dict[str, FloatArray]]:
    """Units to permute, and the centred columns of each kernel of x."""
    n, values = len(R), np.asarray(x)
    for name, rows in (("x", values), ("strata", strata), ("clusters", clusters)):
        if rows is not None and len(rows) != n:
            raise ValueError(f"{name}: {len(rows)} rows where R has {n}")
    check_finite(values)
    strata_codes: IntArray = np.zeros(n, np.int64) if strata is None else codes(strata, "strata")
    cluster_codes = None if clusters is None else codes(clusters, "clusters")
    units = make_units(strata_codes, cluster_codes)
    encoded = encode(unit_values(units, values, "x"), kind)
    features = {name: centre(columns, units) for name, columns in encoded.items()}
    if not any(informative(columns, units) for columns in features.values()):
        raise ValueError("strata: x does not vary inside any stratum; nothing can be tested")
    return units, features


def permutation_tables(
    banks: Mapping[str, Bank],
    features: Mapping[str, FloatArray],
    units: Units,
    permutations: int,
    *,
    rng: np.random.Generator,
    ops: ArrayOps | None = None,
) -> dict[str, FloatArray]:
    """Statistics of every kernel pair under every permutation, the observed data first.

    Returns:
        name of bank -> shape (x kernels * R kernels, P + 1).
    """
    library: ArrayOps = HostOps() if ops is None else ops
    widths = [columns.shape[1] for columns in features.values()]
    # one permutation moves all kernels of x together, or fusing them would not be exact
    joined = np.concatenate(list(features.values()), axis=1)
    n, q = len(units.order), joined.shape[1]
    chunk = int(np.clip(CHUNK_BYTES // (4 * n * q), 1, permutations + 1))
    parts: dict[str, list[FloatArray]] = {name: [] for name in banks}
    cuts = np.concatenate([[0], np.cumsum(widths)[:-1]])
    for columns in permuted_features(joined, units, permutations, rng=rng, chunk=chunk):
        size = columns.shape[1]
        flat = columns.reshape(n, size * q)
        for name, bank in banks.items():
            forms = bank.forms(flat, library).reshape(-1, size, q)
            # sum over the columns of each kernel of x: (R kernels, c, x kernels)
            summed = np.add.reduceat(forms, cuts, axis=2)
            parts[name].append(summed.transpose(2, 0, 1).reshape(-1, size))
    return {name: np.concatenate(blocks, axis=1) for name, blocks in parts.items()}


def summarise(
    table: FloatArray, x_kernels: list[str], r_kernels: list[str], units: Units, moving: int
) -> TestResult:
    """Fuse one table into a result; the kernels' own p-values are for reading only."""
    fused, scaled = fuse(table), standardise(table)
    names = [f"{x} x {r}" for x in x_kernels for r in r_kernels]
    best = int(np.argmax(scaled[:, 0]))
    details: dict[str, float | int | str] = {"strongest kernel": names[best]}
    details |= {f"z {name}": float(z) for name, z in zip(names, scaled[:, 0], strict=True)}
    return TestResult(
        statistic=float(fused[0]),
        p_value=p_value(fused),
        n=units.count,
        n_informative=moving,
        permutations=table.shape[1] - 1,
        strata=units.strata,
        method="stratified permutation HSIC, fused kernels",
        guarantee="exact",
        details=details,
    )
