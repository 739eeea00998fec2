"""Paired tests, label tables, continuous Z, and what a given n could have found."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from causalguard.certify.independence import (
    conditional_test,
    g_test,
    minimum_detectable_effect,
    paired_test,
    sign_flip_test,
    simulated_level,
)

RNG = np.random.default_rng


@given(seed=st.integers(0, 500), n=st.integers(2, 9))
def test_few_sign_flips_are_enumerated_as_scipy_does(seed: int, n: int) -> None:
    values = np.round(RNG(seed).standard_normal(n), 1)
    for alternative in ("greater", "less", "two-sided"):
        oracle = stats.permutation_test(
            (values,),
            lambda v, axis: v.mean(axis=axis),
            permutation_type="samples",
            alternative=alternative,
            vectorized=True,
        )
        ours = sign_flip_test(values, rng=RNG(0), alternative=alternative)
        # scipy doubles the smaller tail; ours counts |mean|, the same for a symmetric group
        assert ours.p_value == pytest.approx(float(oracle.pvalue), abs=1e-9)


def test_drawn_sign_flips_agree_with_all_of_them() -> None:
    values = RNG(1).standard_normal(15) + 0.3
    drawn = sign_flip_test(values, rng=RNG(0), permutations=20_000)
    signs = np.array(list(product([1.0, -1.0], repeat=15)))
    exact = np.mean(np.abs(signs @ values) >= abs(values.sum()) - 1e-9)
    assert drawn.p_value == pytest.approx(exact, abs=0.01)
    assert drawn.permutations == 20_000


def test_flipping_clusters_keeps_the_level_where_pairs_would_not() -> None:
    by_pair, by_cluster = [], []
    for seed in range(300):
        rng = RNG(seed)
        names = np.arange(60) // 4
        values = rng.standard_normal(15)[names] + 0.3 * rng.standard_normal(60)
        by_pair.append(sign_flip_test(values, rng=rng, permutations=99).p_value)
        by_cluster.append(sign_flip_test(values, rng=rng, clusters=names, permutations=99).p_value)
    assert np.mean(np.array(by_pair) <= 0.05) > 0.15
    assert np.mean(np.array(by_cluster) <= 0.05) <= 0.09


def test_the_paired_test_keeps_its_level_under_strong_carrier_effects() -> None:
    p = []
    for seed in range(300):
        rng = RNG(seed)
        carrier = 5.0 * rng.standard_normal((30, 3))
        a, b = (carrier + rng.standard_normal((30, 3)) for _ in range(2))
        p.append(paired_test(a, b, rng=rng, permutations=99).p_value)
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.09


@pytest.mark.parametrize("effect", ["shift", "spread"])
def test_the_paired_test_finds_effects_that_carriers_hide(effect: str) -> None:
    rng = RNG(0)
    carrier = 5.0 * rng.standard_normal((60, 3)) if effect == "shift" else np.zeros((60, 3))
    a, b = (carrier + rng.standard_normal((60, 3)) for _ in range(2))
    a = a + 0.7 if effect == "shift" else 2.5 * a
    result = paired_test(a, b, rng=rng, permutations=199)
    assert result.p_value <= 0.02
    assert result.guarantee == "exact"


def test_swapping_the_members_changes_nothing() -> None:
    a, b = RNG(0).standard_normal((2, 25, 2))
    first = paired_test(a, b, rng=RNG(1), permutations=99)
    second = paired_test(b, a, rng=RNG(1), permutations=99)
    assert first.p_value == pytest.approx(second.p_value, abs=0.03)


def test_pairs_of_one_cluster_are_swapped_together() -> None:
    p = []
    for seed in range(200):
        rng = RNG(seed)
        names = np.arange(60) // 4
        a, b = rng.standard_normal((2, 15, 2))[:, names] + 0.3 * rng.standard_normal((2, 60, 2))
        result = paired_test(a, b, clusters=names, rng=rng, permutations=99)
        p.append(result.p_value)
    assert result.n == 15
    assert np.mean(np.array(p) <= 0.05) <= 0.1


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([[1.0]], [[1.0]], "no pair differs"),
        ([[1.0]], [[1.0, 2.0]], "equal shapes"),
        ([[np.nan]], [[1.0]], "not finite"),
    ],
)
def test_unusable_pairs_are_refused(a: Any, b: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired_test(a, b, rng=RNG(0))


@given(seed=st.integers(0, 300))
def test_g_squared_is_scipys_summed_over_strata(seed: int) -> None:
    rng = RNG(seed)
    y, x, z = rng.integers(0, 3, (3, 80))
    expected = 0.0
    for stratum in range(3):
        table = np.zeros((3, 3))
        np.add.at(table, (y[z == stratum], x[z == stratum]), 1)
        table = table[table.sum(1) > 0][:, table.sum(0) > 0]
        expected += stats.chi2_contingency(
            table, correction=False, lambda_="log-likelihood"
        ).statistic
    result = g_test(list(y), list(x), strata=list(z), rng=RNG(0), permutations=9)
    assert result.statistic == pytest.approx(expected, abs=1e-6)


def test_the_table_test_keeps_its_level_with_few_counts() -> None:
    p = []
    for seed in range(400):
        rng = RNG(seed)
        y, x, z = (rng.random((3, 25)) < 0.25).astype(int)
        if 0 < y.sum() < 25 and 0 < x.sum() < 25:
            p.append(g_test(list(y), list(x), strata=list(z), rng=rng, permutations=99).p_value)
    assert np.mean(np.array(p) <= 0.05) <= 0.085


def test_the_table_test_finds_association() -> None:
    x = RNG(0).integers(0, 3, 150)
    y = np.where(RNG(1).random(150) < 0.5, x, RNG(2).integers(0, 3, 150))
    assert g_test(list(y), list(x), rng=RNG(0), permutations=99).p_value == 0.01


def smooth(n: int, seed: int, common: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = RNG(seed)
    Z, c = rng.standard_normal((n, 2)), common * rng.standard_normal(n)
    R = np.stack([np.sin(Z[:, 0]) + Z[:, 1] ** 2, Z[:, 0]], axis=1)
    x = np.tanh(Z[:, 0]) + Z[:, 1] ** 2 + 0.6 * rng.standard_normal(n) + c
    return R + 0.6 * rng.standard_normal((n, 2)) + c[:, None], x, Z


def test_the_conditional_test_is_near_its_level_and_says_that_it_is_asymptotic() -> None:
    p = []
    for seed in range(200):
        R, x, Z = smooth(150, seed, 0.0)
        result = conditional_test(R, x, Z, rng=RNG(seed), draws=99)
        p.append(result.p_value)
    assert result.guarantee == "asymptotic"
    assert np.mean(np.array(p) <= 0.05) <= 0.11


def test_the_conditional_test_finds_a_common_cause_beyond_z() -> None:
    p = []
    for seed in range(30):
        R, x, Z = smooth(150, seed, 0.5)
        p.append(conditional_test(R, x, Z, rng=RNG(seed), draws=99).p_value)
    assert np.mean(np.array(p) <= 0.05) >= 0.7


def test_a_peer_ignores_z_and_we_do_not() -> None:
    # a peer's conditional test takes no Z: confounding alone would be "found"
    rng = RNG(3)
    Z = rng.standard_normal(300)
    R, x = Z + 0.5 * rng.standard_normal(300), Z + 0.5 * rng.standard_normal(300)
    assert conditional_test(R, x, Z, rng=rng, draws=199).p_value > 0.05


def test_monotone_transforms_of_the_columns_leave_the_conditional_test() -> None:
    R, x, Z = smooth(120, 0, 0.3)
    first = conditional_test(R, x, Z, rng=RNG(0), draws=99)
    second = conditional_test(np.exp(R), x**3, 100.0 * Z, rng=RNG(0), draws=99)
    assert first.p_value == second.p_value


def test_the_simulated_level_is_near_the_nominal_one() -> None:
    R, x, Z = smooth(120, 1, 0.0)
    level = simulated_level(R, x, Z, rng=RNG(0), sets=80, draws=99)
    assert 0.0 <= level <= 0.13


def test_one_hot_labels_and_wide_representations_run() -> None:
    rng = RNG(0)
    hot = np.eye(3)[rng.integers(0, 3, 100)]
    result = conditional_test(
        rng.standard_normal((100, 40)), hot, rng.random(100), rng=rng, draws=49
    )
    assert 0 < result.p_value <= 1


@pytest.mark.parametrize(
    ("R", "x", "Z", "message"),
    [
        ([1.0, 2.0], [1.0, 1.0], [1.0, 2.0], "x: constant"),
        ([1.0, np.nan], [1.0, 2.0], [1.0, 2.0], "R: values are not finite"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], [1.0, 2.0], "lengths differ"),
    ],
)
def test_unusable_columns_are_refused_by_name(R: Any, x: Any, Z: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conditional_test(R, x, Z, rng=RNG(0))


def test_power_grows_with_the_effect_and_is_the_level_near_zero() -> None:
    rng = RNG(0)
    R, x, z = rng.standard_normal((120, 4)), rng.integers(0, 2, 120), rng.integers(0, 3, 120)
    curve = minimum_detectable_effect(
        R, x, strata=z, rng=rng, effects=(0.01, 0.7, 2.0), sets=40, permutations=99
    )
    assert curve.power[0] <= 0.2
    assert curve.power[2] >= 0.95
    assert curve.minimum_effect in {0.7, 2.0}
    low, high = curve.interval(2)
    assert low < curve.power[2] <= high


def test_an_effect_out_of_reach_is_said_to_be_so() -> None:
    rng = RNG(0)
    curve = minimum_detectable_effect(
        rng.standard_normal(12),
        np.arange(12) % 2,
        rng=rng,
        effects=(0.1,),
        sets=20,
        permutations=39,
    )
    assert curve.minimum_effect is None
