"""The fused permutation test: exact, calibrated, invariant, and free of the peers' defects."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import rbf_kernel

from causalguard.certify.independence import (
    TestResult,
    independence_test,
    joint_independence_test,
)
from causalguard.certify.independence.bank import make_bank, make_feature_bank
from causalguard.certify.independence.encode import encode, pivoted_cholesky
from causalguard.certify.independence.forms import HostOps, gaussian_forms
from causalguard.certify.independence.fuse import fuse, p_value, standardise
from causalguard.certify.independence.labels import make_units, permuted_features

P = 99


def run(R: np.ndarray, x: Any, seed: int = 0, permutations: int = P, **options: Any) -> TestResult:
    return independence_test(
        R, x, rng=np.random.default_rng(seed), permutations=permutations, **options
    )


def confounded(n: int, seed: int, d: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """R and x depend on z, and on nothing else in common."""
    rng = np.random.default_rng(seed)
    z = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
    x = (rng.random(n) < np.array([0.2, 0.4, 0.6, 0.8])[z]).astype(int)
    return rng.standard_normal((n, d)) + 2.0 * z[:, None], x, z


def level(p_values: list[float], alpha: float = 0.05) -> float:
    return float(np.mean(np.array(p_values) <= alpha))


@pytest.mark.parametrize("n", [30, 80])
def test_the_level_is_kept_on_continuous_data_given_confounding_strata(n: int) -> None:
    p = []
    for seed in range(500):
        R, x, z = confounded(n, seed)
        p.append(run(R, x, seed, strata=z).p_value)
    assert 0.02 <= level(p) <= 0.08


@pytest.mark.parametrize("n", [10, 20, 40])
def test_the_level_is_kept_on_binary_data_full_of_ties(n: int) -> None:
    # a peer that counts ">" rejects 32 % here at n = 10
    p = []
    for seed in range(500):
        rng = np.random.default_rng(seed)
        R, x = (rng.random((2, n)) < 0.2).astype(float)
        if 0 < x.sum() < n:
            p.append(run(R, x.astype(int), seed).p_value)
    assert level(p) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(p))


@pytest.mark.parametrize("kind", ["classes", "continuous", "clusters", "features"])
def test_the_level_is_kept_on_every_route(kind: str) -> None:
    p = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        R, z = rng.standard_normal((60, 3)), rng.integers(0, 2, 60)
        x: np.ndarray = rng.integers(0, 4, 60) if kind == "classes" else rng.standard_normal(60)
        options: dict[str, Any] = {"strata": z}
        if kind == "clusters":
            names = np.arange(60) // 3
            R = R + 2.0 * rng.standard_normal((20, 3))[names]
            x, options = rng.integers(0, 2, 20)[names], {"clusters": names}
            x[:3], x[3:6] = 0, 1
        if kind == "features":
            x, options = (x > 0).astype(int), {"strata": z, "path": "features"}
        p.append(run(R, x, seed, **options).p_value)
    assert 0.015 <= level(p) <= 0.095


def test_permuting_rows_of_shared_carriers_one_by_one_would_break_the_level() -> None:
    p = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        names = np.arange(60) // 3
        R = 2.0 * rng.standard_normal((20, 3))[names] + rng.standard_normal((60, 3))
        p.append(run(R, (rng.permutation(20) % 2)[names], seed).p_value)
    assert level(p) > 0.2


def test_over_the_whole_group_each_level_is_kept_exactly() -> None:
    rng = np.random.default_rng(0)
    units = make_units(np.array([0, 0, 0, 1, 1, 1, 1]), None)
    R = np.concatenate([rng.standard_normal((7, 2)), rng.integers(0, 2, (7, 1))], axis=1)
    labels = np.array([1.0, 0, 0, 1, 1, 0, 0])
    first = [list(order) for order in itertools.permutations(range(3))]
    second = [list(order) for order in itertools.permutations(range(3, 7))]
    group = [labels[a + b] for a, b in itertools.product(first, second)]
    columns = np.stack(group, axis=1).astype(np.float32)
    columns -= np.repeat([1 / 3, 0.5], [3, 4])[:, None].astype(np.float32)
    bank = make_bank(R, units.row_bounds)
    table = bank.forms(columns, HostOps())
    size = table.shape[1]
    assert size == 144
    p = [p_value(fuse(np.roll(table, -j, axis=1))) for j in range(size)]
    for cut in np.unique(p):
        assert np.mean(np.array(p) <= cut) <= cut + 1e-12
    # equal assignments have equal p-values: nothing but the data decides
    keys = {tuple(c) for c in np.stack(group).astype(int).tolist()}
    assert len(np.unique(np.round(p, 9))) <= len(keys)


def test_permutations_stay_inside_their_strata_and_keep_clusters_together() -> None:
    units = make_units(np.array([1, 0, 1, 0, 1, 0, 0]), np.array([5, 1, 5, 2, 6, 3, 2]))
    values = np.arange(1.0, units.count + 1)[:, None]
    blocks = list(permuted_features(values, units, 50, rng=np.random.default_rng(0), chunk=7))
    drawn = np.concatenate(blocks, axis=1)[:, :, 0] / units.weight[:, None]
    assert drawn.shape == (7, 51)
    assert (drawn[:, 0] == values[units.unit, 0]).all()
    stratum = units.stratum[units.unit]
    for column in drawn.T:
        assert {*column[stratum == 0]} == {1.0, 2.0, 3.0}
        assert {*column[stratum == 1]} == {4.0, 5.0}
        assert all(len({*column[units.unit == u]}) == 1 for u in range(units.count))


def test_a_first_permutation_is_uniform() -> None:
    units = make_units(np.zeros(3, np.int64), None)
    values = np.arange(3.0)[:, None]
    (block,) = permuted_features(values, units, 6000, rng=np.random.default_rng(0), chunk=9999)
    _, counts = np.unique(block[:, 1:, 0], axis=1, return_counts=True)
    assert counts == pytest.approx([1000] * 6, abs=120)


@settings(max_examples=25)
@given(
    n=st.integers(2, 700), d=st.integers(1, 4), gamma=st.floats(0.05, 2), steps=st.integers(1, 3)
)
def test_blocked_forms_are_the_dense_ones(n: int, d: int, gamma: float, steps: int) -> None:
    rng = np.random.default_rng(n)
    points = rng.standard_normal((n, d)).astype(np.float32)
    columns = rng.standard_normal((n, 2)).astype(np.float32)
    forms = gaussian_forms(points, columns, gamma, steps, ops=HostOps())
    for step in range(steps):
        kernel = rbf_kernel(points.astype(float), gamma=gamma * 4.0**step)
        dense = np.einsum("im,ij,jm->m", columns, kernel, columns)
        assert forms[step] == pytest.approx(dense, rel=2e-3, abs=1e-3 * n)


def test_the_statistic_is_the_biased_mmd_of_the_two_classes() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((30, 2)), rng.standard_normal((20, 2)) + 0.5
    mmd = rbf_kernel(a, gamma=0.7).mean() + rbf_kernel(b, gamma=0.7).mean()
    mmd -= 2 * rbf_kernel(a, b, gamma=0.7).mean()
    v = (np.repeat([0, 1], [30, 20]) - 0.4).astype(np.float32)[:, None]
    points = np.concatenate([a, b]).astype(np.float32)
    form = gaussian_forms(points, v, 0.7, 1, ops=HostOps())[0, 0]
    assert form == pytest.approx((30 * 20 / 50) ** 2 * mmd, rel=1e-4)


def test_random_features_approximate_the_kernels_they_stand_for() -> None:
    rng = np.random.default_rng(0)
    R, bounds = rng.standard_normal((300, 4)), np.array([0, 300])
    columns = rng.standard_normal((300, 200)).astype(np.float32)
    exact = make_bank(R, bounds)
    close = make_feature_bank(R, bounds, rng=rng)
    table = dict(zip(exact.names(), exact.forms(columns, HostOps()), strict=True))
    other = dict(zip(close.names(), close.forms(columns, HostOps()), strict=True))
    assert np.corrcoef(table["gauss*1 pooled"], other["gauss*1 pooled"])[0, 1] > 0.7
    assert table["linear pooled"] == pytest.approx(other["linear pooled"], rel=1e-3)


@given(seed=st.integers(0, 1000), rank=st.integers(1, 40))
def test_the_pivoted_factor_never_exceeds_its_kernel(seed: int, rank: int) -> None:
    x = np.random.default_rng(seed).standard_normal((30, 1))
    factor = pivoted_cholesky(x, 1.0, rank=rank, tolerance=1e-8)
    kernel = rbf_kernel(x, gamma=1.0)
    assert np.linalg.eigvalsh(kernel - factor @ factor.T).min() > -1e-8
    assert factor.shape[1] <= rank
    if rank >= 30:
        assert factor @ factor.T == pytest.approx(kernel, abs=1e-3)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), d=st.integers(1, 4))
def test_the_kernel_of_x_does_not_depend_on_the_order_of_the_rows(seed: int, d: int) -> None:
    # otherwise it would differ between permutations, and the p-value would not be exact
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2500, d))
    order = rng.permutation(2500)
    first, second = encode(x, "continuous"), encode(x[order], "continuous")
    assert first.keys() == second.keys()
    for name, columns in first.items():
        assert second[name] == pytest.approx(columns[order], abs=1e-6)


@pytest.mark.parametrize(
    "change",
    ["scale", "shift inside strata", "rotation", "labels swapped", "labels named", "float x"],
)
def test_what_does_not_matter_leaves_the_p_value(change: str) -> None:
    R, x, z = confounded(90, 3)
    R = R + 0.3 * x[:, None]
    before = run(R, x, strata=z)
    changed: Any = x
    if change == "scale":  # a peer's maximum test gives p = 1 for R and .002 for 100 R
        R = 128.0 * R
    elif change == "shift inside strata":
        R = R + 16.0 * z[:, None]
    elif change == "rotation":
        R = R @ np.linalg.qr(np.random.default_rng(1).standard_normal((5, 5)))[0]
    elif change == "labels swapped":
        changed = 1 - x
    elif change == "labels named":
        changed = np.where(x == 1, "injected", "benign")
    else:
        changed = x.astype(float)
    assert run(R, changed, strata=z).p_value == pytest.approx(before.p_value, abs=0.011)


def test_a_seed_repeats_the_result_and_the_global_state_is_not_used() -> None:
    R, x, z = confounded(60, 1)
    first = run(R, x, 7, strata=z)
    np.random.default_rng(0).random(5)
    assert run(R, x, 7, strata=z) == first
    assert len({run(R, x, seed, strata=z).p_value for seed in range(6)}) > 1


def test_noisy_copies_of_x_are_seen_in_many_dimensions() -> None:
    # a peer multiplies its width by d and finds nothing here (p = .47)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(150)
    R = x[:, None] + 0.5 * rng.standard_normal((150, 32))
    assert run(R, x).p_value == 1 / (P + 1)


@pytest.mark.parametrize("effect", ["mean", "flip", "scale", "xor", "sine"])
def test_each_kind_of_dependence_is_found(effect: str) -> None:
    rng = np.random.default_rng(5)
    R, x, z = confounded(400, 5)
    sign = np.where(z % 2 == 0, 1, -1)
    options: dict[str, Any] = {"strata": z}
    if effect == "mean":
        R[:, 2] += 0.8 * x
    elif effect == "flip":
        R[:, 2] += 1.0 * x * sign
    elif effect == "scale":
        R = 2.0 * z[:, None] + (R - 2.0 * z[:, None]) * (1 + 0.7 * x[:, None])
    elif effect == "xor":
        R[:, 0] = np.where(x == 1, rng.choice([-2.0, 2.0], 400), 0.3 * R[:, 0])
    else:
        x = rng.uniform(-np.pi, np.pi, 400)
        R, options = np.sin(3 * x) + 0.5 * rng.standard_normal(400), {}
    assert run(R, x, **options).p_value <= 0.02


def test_one_weak_direction_among_many_is_found() -> None:
    rng = np.random.default_rng(2)
    scale = 1 / np.sqrt(np.arange(1, 301))
    found = 0
    for _ in range(20):
        x = rng.integers(0, 2, 150)
        noise = rng.standard_normal((150, 300))
        noise[:, 40] += 1.2 * x
        found += run(noise * scale, x).p_value <= 0.05
    assert found >= 8


def test_confounding_by_strata_is_found_only_without_them() -> None:
    R, x, z = confounded(200, 11)
    assert run(R, x).p_value == 1 / (P + 1)
    assert run(R, x, strata=z).p_value > 0.05


def test_identical_rows_of_a_cluster_count_once() -> None:
    rng = np.random.default_rng(4)
    R = rng.standard_normal((40, 3))
    x = np.arange(40) % 2
    R[:, 0] += x
    alone = run(R, x)
    copied = run(np.repeat(R, 3, axis=0), np.repeat(x, 3), clusters=np.repeat(np.arange(40), 3))
    assert copied.n == 40
    assert copied.p_value == pytest.approx(alone.p_value, abs=0.03)


def test_uneven_strata_with_numpy_integers_or_names_are_accepted() -> None:
    R, x, z = confounded(60, 2)
    z[0] = 9
    by_code = run(R, x, strata=z)
    by_name = run(R, x, strata=[f"system-{k}" for k in z])
    assert by_code == by_name
    assert by_code.n_informative <= 59


def test_a_cell_in_the_middle_of_a_large_array_matters() -> None:
    # a peer's cache is keyed by an abridged print-out and returns the old p-value
    rng = np.random.default_rng(0)
    R, x = rng.standard_normal((1200, 2)), np.arange(1200) % 2
    before = run(R, x, permutations=19).statistic
    R[600] = 50.0
    assert run(R, x, permutations=19).statistic != before


def test_several_representations_share_permutations_and_are_adjusted() -> None:
    R, x, z = confounded(120, 6)
    results, adjusted = joint_independence_test(
        {"noise": R, "copy": R, "hit": R + 1.5 * x[:, None]},
        x,
        strata=z,
        rng=np.random.default_rng(0),
        permutations=P,
    )
    assert results["noise"].p_value == results["copy"].p_value
    assert adjusted["hit"] == 1 / (P + 1)
    assert all(adjusted[name] >= results[name].p_value for name in results)


def test_fusing_treats_the_observed_column_like_the_others() -> None:
    table = np.random.default_rng(0).gamma(0.7, size=(6, 50))
    order = np.random.default_rng(1).permutation(50)
    assert fuse(table[:, order]) == pytest.approx(fuse(table)[order])


def test_standardising_keeps_each_kernels_order() -> None:
    table = np.random.default_rng(0).gamma(0.3, size=(4, 80))
    for raw, scaled in zip(table, standardise(table), strict=True):
        assert (np.argsort(raw) == np.argsort(scaled)).all()


def test_a_kernel_without_spread_is_ignored() -> None:
    assert (standardise(np.full((1, 20), 7.0)) == 0).all()
    assert p_value(np.full(20, 3.0)) == 1.0


def test_the_smallest_p_value_is_one_in_p_plus_one() -> None:
    assert p_value(np.array([9.0, 1.0, 2.0, 3.0])) == 0.25
    assert p_value(np.array([3.0, 1.0, 2.0, 3.0 - 1e-6])) == 0.5


@pytest.mark.parametrize(
    ("R", "x", "options", "message"),
    [
        ([[1.0], [2.0]], [0, 0], {}, "x: all values are equal"),
        ([[1.0], [np.nan]], [0, 1], {}, "R: 1 rows are not finite"),
        ([[1.0], [2.0], [3.0]], [0, 1], {}, "x: 2 rows where R has 3"),
        ([[1.0], [2.0]], [0.5, np.inf], {}, "x: values are not finite"),
        ([1.0, 2.0], [0, 1], {"strata": ["a", "b"]}, "does not vary inside any stratum"),
        ([1.0, 2.0], [0, 1], {"clusters": ["a", "a"]}, "differs between rows of one cluster"),
        (
            [1.0, 2.0, 3.0],
            [0, 0, 1],
            {"clusters": ["a", "a", "b"], "strata": [1, 2, 2]},
            "lies in several strata",
        ),
        ([1.0, 2.0], [0, 1], {"permutations": 0}, "at least one permutation"),
        (np.zeros((2, 0)), [0, 1], {}, "shape"),
    ],
)
def test_unusable_input_is_refused_by_name(
    R: Any, x: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(np.asarray(R), np.asarray(x), **options)


def test_more_classes_than_can_be_tested_are_refused() -> None:
    with pytest.raises(ValueError, match="201 classes"):
        encode(np.arange(201), "categorical")
