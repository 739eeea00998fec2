"""Thresholds inside the guarantee, equivalence margins, families and clusters."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from causalguard.stats import bounds, clusters, equivalence, families, thresholds

RISKS = hnp.arrays(np.float64, st.integers(300, 400), elements=st.floats(0, 1, width=16))


def test_299_attacks_suffice_for_one_percent() -> None:
    risks = np.linspace(0.2, 1, 299)
    assert thresholds.miss_threshold(risks, alpha=0.01, delta=0.05).threshold == risks[0]
    short = thresholds.miss_threshold(risks[:-1], alpha=0.01, delta=0.05)
    assert not short.possible
    assert short.n_needed == 299


@given(risks=RISKS)
def test_errors_at_the_threshold_are_among_those_allowed(risks: np.ndarray) -> None:
    for choose in (thresholds.miss_threshold, thresholds.fpr_threshold):
        choice = choose(risks, alpha=0.05, delta=0.05)
        assert choice.threshold is not None
        assert 0 <= choice.errors <= choice.errors_allowed


@given(risks=RISKS)
def test_the_two_sides_mirror_each_other(risks: np.ndarray) -> None:
    miss = thresholds.miss_threshold(-risks, alpha=0.05, delta=0.05)
    fpr = thresholds.fpr_threshold(risks, alpha=0.05, delta=0.05)
    assert miss.threshold is not None
    assert fpr.threshold == np.nextafter(-miss.threshold, np.inf)


@pytest.mark.parametrize("choose", [thresholds.miss_threshold, thresholds.fpr_threshold])
@pytest.mark.parametrize("grid", [0, 50])
def test_the_true_rate_exceeds_alpha_in_at_most_delta_of_sets(
    choose: Callable[..., thresholds.ThresholdChoice], grid: int
) -> None:
    rng = np.random.default_rng(grid)
    alpha, delta, sets, broken = 0.05, 0.1, 3000, 0
    for _ in range(sets):
        risks = rng.random(150)
        if grid:
            risks = np.ceil(risks * grid) / grid
        cut = choose(risks, alpha=alpha, delta=delta).threshold
        assert cut is not None
        below = float((np.arange(1, grid + 1) / grid < cut).mean()) if grid else cut
        rate = below if choose is thresholds.miss_threshold else 1 - below
        broken += bool(rate > alpha + 1e-9)
    assert broken / sets <= delta + 3 * np.sqrt(delta * (1 - delta) / sets)


def test_the_naive_choice_would_break_the_target_in_most_sets() -> None:
    rng = np.random.default_rng(0)
    first = np.sort(rng.random((2000, 1000)), axis=1)[:, 10]
    assert (first > 0.01).mean() > 0.5


def test_a_joint_threshold_keeps_both_or_says_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    attack, benign = rng.uniform(0.7, 1, 2000), rng.uniform(0, 0.3, 2000)
    good = thresholds.joint_threshold(
        attack, benign, alpha_miss=0.01, alpha_fpr=0.01, delta=0.05, prefer="middle"
    )
    assert good.low is not None
    assert good.high is not None
    assert good.threshold == pytest.approx((good.low + good.high) / 2)
    assert good.miss.delta == 0.025
    crossed = thresholds.joint_threshold(
        benign, attack, alpha_miss=0.01, alpha_fpr=0.01, delta=0.05
    )
    assert crossed.threshold is None
    assert "no threshold keeps both" in crossed.reason
    few = thresholds.joint_threshold(
        attack[:50], benign, alpha_miss=0.01, alpha_fpr=0.01, delta=0.05
    )
    assert "at least 368 are needed" in few.reason


def test_every_family_needs_the_smallest_of_their_thresholds() -> None:
    easy, hard = np.full(299, 0.9), np.full(299, 0.4)
    cut, _ = thresholds.family_threshold({"a": easy, "b": hard}, alpha=0.01, delta=0.05)
    assert cut == 0.4
    cut, _ = thresholds.family_threshold({"a": easy, "b": hard[:9]}, alpha=0.01, delta=0.05)
    assert cut is None
    with pytest.raises(ValueError, match="'empty' has no clusters"):
        thresholds.family_threshold({"empty": []}, alpha=0.01, delta=0.05)


def test_a_split_choice_takes_a_target_just_below_one() -> None:
    cut, _ = thresholds.split_threshold([0.1, 0.9], [0.5], target=1 - 1e-10, delta=0.05)
    assert cut == 0.9


def test_a_split_choice_is_bounded_on_the_other_half() -> None:
    cut, bound = thresholds.split_threshold(
        np.arange(100.0), np.arange(100.0) + 0.5, target=0.02, delta=0.05
    )
    assert cut == 2.0
    assert bound == bounds.upper(2, 100, delta=0.05)


def test_family_bounds_hold_together_and_every_family_is_uncorrected() -> None:
    table = families.family_table(
        {"plain": (0, 299), "quoted": (0, 600), "encoded": (9, 300)}, alpha=0.01, delta=0.05
    )
    assert [row.passes for row in table.rows] == [False, True, False]
    assert not table.every
    assert table.worst == "encoded"
    assert table.rows[0].bound == bounds.upper(0, 299, delta=0.05 / 3)
    both = families.family_table({"plain": (0, 299), "q": (0, 299)}, alpha=0.01, delta=0.05)
    assert both.every


def test_a_family_without_clusters_is_named() -> None:
    with pytest.raises(ValueError, match="'unicode'"):
        families.family_table({"plain": (0, 10), "unicode": (0, 0)}, alpha=0.1, delta=0.05)


def test_equal_levels_are_equivalent_and_a_shortcut_is_not() -> None:
    rng = np.random.default_rng(0)
    same = {"mail": (4, 1500), "web": (6, 1500), "api": (5, 1500)}
    result = equivalence.equivalence(same, margin=0.02, delta=0.05, rng=rng)
    assert result.equivalent
    assert result.gap <= result.bound <= 0.02
    assert result.power > 0.9
    shortcut = equivalence.equivalence(
        {**same, "calendar": (150, 1500)}, margin=0.02, delta=0.05, rng=rng
    )
    assert not shortcut.equivalent
    assert shortcut.high_level == "calendar"


def test_the_gap_is_bounded_in_all_but_delta_of_audits() -> None:
    rng = np.random.default_rng(1)
    rates, n, delta = np.array([0.02, 0.05, 0.05, 0.08, 0.08]), 200, 0.1
    broken = 0
    for _ in range(2000):
        k = rng.binomial(n, rates)
        gaps = equivalence._gap_bounds(k, np.full(5, n), delta)
        broken += bool(equivalence._off_diagonal_max(gaps) < rates.max() - rates.min())
    assert broken / 2000 <= delta


def test_the_paired_gap_is_bounded_in_all_but_delta_of_audits() -> None:
    rng = np.random.default_rng(2)
    delta, broken = 0.1, 0
    for _ in range(1000):
        carrier = rng.random((150, 1)) < 0.3
        table = (carrier | (rng.random((150, 3)) < [0.0, 0.02, 0.1])).astype(float)
        gap = 0.7 * 0.1
        broken += bool(
            equivalence._off_diagonal_max(equivalence._paired_bounds(table, delta)) < gap
        )
    assert broken / 1000 <= delta


def test_pairing_tightens_the_bound() -> None:
    rng = np.random.default_rng(3)
    carrier = rng.random((800, 1)) < 0.3
    table = np.repeat(carrier, 3, axis=1)
    paired = equivalence.paired_equivalence(
        table, ["a", "b", "c"], margin=0.02, delta=0.05, rng=rng, draws=50
    )
    k = int(carrier.sum())
    apart = equivalence.equivalence(
        dict.fromkeys("abc", (k, 800)), margin=0.02, delta=0.05, rng=rng, draws=50
    )
    assert paired.equivalent
    assert not apart.equivalent
    assert paired.power == 1.0


def test_the_sample_size_for_equivalence_reaches_its_power() -> None:
    rng = np.random.default_rng(4)
    tuning = {"rate": 0.01, "margin": 0.02, "delta": 0.05}
    n = equivalence.equivalence_sample_size(levels=4, power=0.8, rng=rng, **tuning)
    at_n = equivalence.equivalence_power([n] * 4, rng=rng, draws=4000, **tuning)
    assert at_n == pytest.approx(0.8, abs=0.06)


def test_a_level_without_clusters_is_named() -> None:
    with pytest.raises(ValueError, match="'web' has no clusters"):
        equivalence.equivalence(
            {"mail": (0, 5), "web": (0, 0)}, margin=0.1, delta=0.05, rng=np.random.default_rng(0)
        )


def test_a_cluster_errs_if_any_of_its_rows_does() -> None:
    errors, names = [0, 1, 0, 0, 0, 0], ["a", "a", "b", "c", "c", "c"]
    assert clusters.any_error(errors, names).tolist() == [True, False, False]
    counted = clusters.count(errors, names)
    assert (counted.errors, counted.n, counted.rows) == (1, 3, 6)


@given(
    risks=hnp.arrays(np.float64, 30, elements=st.floats(0, 1)),
    names=hnp.arrays(np.int64, 30, elements=st.integers(0, 8)),
    cut=st.floats(0, 1),
)
def test_cluster_extremes_count_the_clusters_that_err(
    risks: np.ndarray, names: np.ndarray, cut: float
) -> None:
    missed = clusters.any_error(risks < cut, names)
    assert ((clusters.extreme(risks, names, keep="min") < cut) == missed).all()
    flagged = clusters.any_error(risks >= cut, names)
    assert ((clusters.extreme(risks, names, keep="max") >= cut) == flagged).all()


def test_one_row_per_cluster_is_drawn_evenly() -> None:
    rng = np.random.default_rng(5)
    names = ["a", "b", "b", "b"]
    seen = np.bincount(
        np.concatenate([clusters.one_row_each(names, rng=rng) for _ in range(3000)]), minlength=4
    )
    assert seen[0] == 3000
    assert seen[1:] == pytest.approx([1000] * 3, abs=120)


def test_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="errors 2, clusters 3"):
        clusters.any_error([0, 1], ["a", "b", "c"])


@pytest.mark.parametrize("target", [-0.1, 1.0, np.nan])
def test_a_target_that_is_no_rate_chooses_nothing(target: float) -> None:
    with pytest.raises(ValueError, match="target"):
        thresholds.split_threshold([0.1, 0.2], [0.1], target=target, delta=0.05)
