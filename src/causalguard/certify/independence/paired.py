"""Exact tests for matched sets: two members of one carrier that differ in one intervention.

Under the null the two members are exchangeable, so swapping them within a pair (flipping the
sign of their difference) is as likely as what was seen.  Pairs that share a cluster are
swapped together, and a cluster counts once.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from causalguard.certify.independence.bank import Bank, make_bank, make_feature_bank
from causalguard.certify.independence.forms import HostOps, Single
from causalguard.certify.independence.fuse import fuse, p_value, standardise
from causalguard.certify.independence.result import TestResult
from causalguard.stats.arrays import (
    FloatArray,
    IntArray,
    Labels,
    codes,
    finite_vector,
    same_length,
)

Alternative = Literal["greater", "less", "two-sided"]
ENUMERATE_UP_TO = 14
"""Clusters up to which all 2^u sign flips are counted instead of drawn."""
CHUNK_BYTES = 24 << 20
FEATURES_FROM = 10_000
"""Stacked rows from which random features stand for the Gaussian kernels."""


def sign_flip_test(
    differences: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    clusters: Labels | None = None,
    alternative: Alternative = "two-sided",
    permutations: int = 9999,
) -> TestResult:
    """Test that paired differences are symmetric about 0, through their mean.

    Args:
        differences: one per matched pair, shape (n,); e.g. risk injected - risk benign.
        rng: source of the flips.
        clusters: pairs that share one are flipped together, and averaged first.
        alternative: which side of 0 the mean is expected on.
        permutations: P >= 1; not used when there are at most 14 clusters, whose flips are
            enumerated.

    Returns:
        Exact p-value; the statistic is the mean difference over clusters.

    Source: Fisher 1935; Phipson & Smyth 2010 for the added one.
    """
    values = finite_vector(differences, "differences")
    index = _clusters(clusters, len(values))
    means = np.bincount(index, weights=values) / np.bincount(index)
    u = len(means)
    if u <= ENUMERATE_UP_TO:
        bits = np.arange(2**u)[:, None] >> np.arange(u)
        flips = (1.0 - 2.0 * (bits & 1)) @ means / u
    else:
        drawn = [_signs(rng, u, size) @ means / u for size in _chunks(permutations, u)]
        flips = np.concatenate([[means.mean()], *drawn])
    side = {"greater": flips, "less": -flips, "two-sided": np.abs(flips)}[alternative]
    slack = 1e-9 * max(float(np.abs(means).max()), 1e-300)
    return TestResult(
        statistic=float(means.mean()),
        p_value=float(np.mean(side >= side[0] - slack)),
        n=u,
        n_informative=int((np.abs(means) > 0).sum()),
        permutations=0 if u <= ENUMERATE_UP_TO else permutations,
        strata=u,
        method=f"sign-flip test of the mean difference, {alternative}",
        guarantee="exact",
        details={"mean difference": float(means.mean()), "pairs": len(values)},
    )


def paired_test(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    clusters: Labels | None = None,
    permutations: int = 9999,
) -> TestResult:
    """Test that the two members of each matched pair are exchangeable, in any respect.

    Kernels of the members themselves (did the distribution change?) and of their differences
    (did they move in a common direction?), fused with the same swaps.

    Args:
        first: representations of one member, shape (n, d) or (n,).
        second: of the other member, same shape, same order.
        rng: source of the swaps.
        clusters: pairs that share one are swapped together.
        permutations: P >= 1.

    Raises:
        ValueError: shapes that differ, values that are not finite, no pair that differs.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (first, second))
    a, b = (v[:, None] if v.ndim == 1 else v for v in (a, b))
    if a.shape != b.shape or a.ndim != 2 or 0 in a.shape:
        raise ValueError(f"first, second: equal shapes (n, d) are needed, {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("first, second: values are not finite; find out why before testing")
    moved = np.abs(a - b).max(axis=1) > 0
    if not moved.any():
        raise ValueError("first, second: no pair differs; there is nothing to test")
    if permutations < 1:
        raise ValueError("permutations: at least 1 is needed")
    index = _clusters(clusters, len(a))
    weight = (1.0 / np.bincount(index)[index]).astype(np.float32)
    banks = _banks(a, b, rng)
    table = _swap_tables(banks, index, weight, permutations, rng)
    fused, scaled = fuse(table), standardise(table)
    names = [f"{group} {name}" for group, bank in banks.items() for name in bank.names()]
    details: dict[str, float | int | str] = {
        "strongest kernel": names[int(np.argmax(scaled[:, 0]))],
        "pairs": len(a),
    }
    details |= {f"z {name}": float(z) for name, z in zip(names, scaled[:, 0], strict=True)}
    u = int(index.max()) + 1
    return TestResult(
        statistic=float(fused[0]),
        p_value=p_value(fused),
        n=u,
        n_informative=len(np.unique(index[moved])),
        permutations=permutations,
        strata=u,
        method="paired swap HSIC, fused kernels",
        guarantee="exact",
        details=details,
    )


def _clusters(clusters: Labels | None, n: int) -> IntArray:
    if clusters is None:
        return np.arange(n)
    same_length(rows=range(n), clusters=clusters)
    return codes(clusters, "clusters")


def _chunks(permutations: int, rows: int) -> list[int]:
    size = int(np.clip(CHUNK_BYTES // (8 * rows), 1, permutations))
    return [min(size, permutations - start) for start in range(0, permutations, size)]


def _signs(rng: np.random.Generator, units: int, size: int) -> FloatArray:
    return np.asarray(1.0 - 2.0 * rng.integers(0, 2, size=(size, units), dtype=np.int8))


def _banks(a: FloatArray, b: FloatArray, rng: np.random.Generator) -> dict[str, Bank]:
    """Members as they are, stacked; and half differences, which a swap turns about."""
    pooled = np.concatenate([a, b])
    half = (a - b) / 2
    everything = np.array([0, 2 * len(a)])
    groups = {"members": pooled, "differences": np.concatenate([half, -half])}
    if len(pooled) >= FEATURES_FROM:
        return {k: make_feature_bank(v, everything, rng=rng) for k, v in groups.items()}
    return {k: make_bank(v, everything) for k, v in groups.items()}


def _swap_tables(
    banks: dict[str, Bank],
    index: IntArray,
    weight: Single,
    permutations: int,
    rng: np.random.Generator,
) -> FloatArray:
    units = int(index.max()) + 1
    parts = []
    for number, size in enumerate(_chunks(permutations + 1, 2 * len(index))):
        signs = _signs(rng, units, size)
        if number == 0:
            signs[0] = 1.0
        columns = signs.T.astype(np.float32)[index] * weight[:, None]
        stacked = np.concatenate([columns, -columns])
        forms = [bank.forms(stacked, HostOps()) for bank in banks.values()]
        parts.append(np.concatenate(forms))
    return np.concatenate(parts, axis=1)
