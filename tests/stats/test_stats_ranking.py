"""Ranking metrics against scikit-learn, and multiplicity against its definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from causalguard.stats import multiplicity, ranking

P_VALUES = hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1))


def _labels_and_risks(seed: int, n: int = 60, grid: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.concatenate([[0, 1], rng.integers(0, 2, n - 2)])
    return y, np.round(rng.random(n) * grid + y) / (grid + 1)


@given(seed=st.integers(0, 10_000), grid=st.sampled_from([2, 8, 10**6]))
def test_auroc_is_scikit_learns_with_and_without_ties(seed: int, grid: int) -> None:
    y, risk = _labels_and_risks(seed, grid=grid)
    assert ranking.auroc(y, risk) == pytest.approx(roc_auc_score(y, risk))
    assert ranking.auroc_delong(y, risk).value == pytest.approx(roc_auc_score(y, risk))


@given(seed=st.integers(0, 10_000), fpr=st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]))
def test_tpr_at_fpr_is_the_best_point_of_the_roc_curve(seed: int, fpr: float) -> None:
    y, risk = _labels_and_risks(seed)
    false, true, _ = roc_curve(y, risk, drop_intermediate=False)
    assert ranking.tpr_at_fpr(y, risk, fpr) == pytest.approx(true[false <= fpr + 1e-12].max())


@given(seed=st.integers(0, 10_000))
def test_swapping_the_classes_mirrors_auroc(seed: int) -> None:
    y, risk = _labels_and_risks(seed)
    assert ranking.auroc(y, risk) == pytest.approx(1 - ranking.auroc(1 - y, risk))
    assert ranking.auroc(y, risk) == pytest.approx(ranking.auroc(y, np.exp(3 * risk)))


def test_delongs_interval_covers() -> None:
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(1 / np.sqrt(2))
    y = np.repeat([0, 1], 100)
    inside = 0
    for _ in range(500):
        result = ranking.auroc_delong(y, rng.standard_normal(200) + y)
        inside += result.low <= truth <= result.high
    assert inside / 500 == pytest.approx(0.95, abs=0.03)


def test_perfect_separation_still_has_an_interval() -> None:
    result = ranking.auroc_delong([0] * 20 + [1] * 30, list(range(50)))
    assert (result.value, result.high) == (1.0, 1.0)
    assert result.low == pytest.approx(0.025 ** (1 / 20))


def test_copied_rows_do_not_narrow_the_cluster_interval() -> None:
    y, risk = _labels_and_risks(7, n=80)
    rng = np.random.default_rng(0)
    alone = ranking.auroc_bootstrap(y, risk, range(80), rng=rng, draws=800)
    copied = ranking.auroc_bootstrap(
        np.tile(y, 5), np.tile(risk, 5), list(range(80)) * 5, rng=rng, draws=800
    )
    assert copied.n == 80
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.15)


def test_the_tpr_interval_repeats_under_one_seed() -> None:
    y, risk = _labels_and_risks(3)
    first, second = (
        ranking.tpr_at_fpr_interval(
            y, risk, 0.1, clusters=range(60), rng=np.random.default_rng(1), draws=200
        )
        for _ in range(2)
    )
    assert first == second
    assert first.low <= first.value <= first.high


def test_pair_auroc_counts_ties_as_half() -> None:
    assert ranking.pair_auroc([0.1, 0.5, 0.5], [0.2, 0.5, 0.4]) == pytest.approx(0.5)
    result = ranking.pair_auroc_interval([0.1] * 10, [0.2] * 9 + [0.1])
    assert result.value == 0.95
    assert result.high == 1.0


@pytest.mark.parametrize("missing", [0, 1])
def test_one_class_only_is_an_error_that_names_the_other(missing: int) -> None:
    with pytest.raises(ValueError, match="attack" if missing else "benign"):
        ranking.auroc([1 - missing] * 3, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("risk", [[0.1, float("nan")], [0.1], [[0.1, 0.2]]])
def test_unusable_risks_are_refused(risk: list[float]) -> None:
    with pytest.raises(ValueError, match="risk"):
        ranking.auroc([0, 1], risk)


def test_calibration_error_is_zero_for_honest_and_large_for_shifted_risks() -> None:
    rng = np.random.default_rng(0)
    risk = rng.random(20_000)
    y = rng.random(20_000) < risk
    assert ranking.expected_calibration_error(y, risk) < 0.02
    assert ranking.expected_calibration_error(y, np.clip(risk + 0.2, 0, 1)) > 0.15
    assert ranking.expected_calibration_error([0, 1, 1, 0], [0.5] * 4) == 0.0


@given(p=P_VALUES)
def test_benjamini_adjustments_are_scipys(p: np.ndarray) -> None:
    oracle = stats.false_discovery_control(p, method="bh")
    assert multiplicity.benjamini_hochberg(p) == pytest.approx(oracle)
    oracle = stats.false_discovery_control(p, method="by")
    assert multiplicity.benjamini_yekutieli(p) == pytest.approx(oracle)


@given(p=P_VALUES, alpha=st.floats(0.001, 0.5))
def test_holm_rejects_what_its_step_down_procedure_rejects(p: np.ndarray, alpha: float) -> None:
    rejected = np.zeros(len(p), dtype=bool)
    for step, index in enumerate(np.argsort(p, kind="stable")):
        if (len(p) - step) * p[index] > alpha:
            break
        rejected[index] = True
    assert ((multiplicity.holm(p) <= alpha) == rejected).all()


@given(p=P_VALUES, seed=st.integers(0, 99))
def test_adjusted_p_values_follow_the_order_of_the_rows(p: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(p))
    assert multiplicity.holm(p[order]) == pytest.approx(multiplicity.holm(p)[order])


def test_one_test_westfall_young_is_the_plain_permutation_p_value() -> None:
    null = np.arange(99.0)[:, None]
    assert multiplicity.westfall_young([97.0], null) == pytest.approx([3 / 100])


def test_westfall_young_keeps_the_familywise_level_and_beats_holm() -> None:
    rng = np.random.default_rng(0)
    shared = 0
    for _ in range(400):
        draws = rng.standard_normal((200, 1)) + 0.1 * rng.standard_normal((200, 8))
        shared += bool((multiplicity.westfall_young(draws[0], draws[1:]) <= 0.05).any())
    # 8 nearly equal statistics: Holm would reject in about 0.05 / 8 of the sets
    assert 0.025 <= shared / 400 <= 0.08


def test_p_values_outside_the_unit_interval_are_refused() -> None:
    with pytest.raises(ValueError, match="p_values"):
        multiplicity.holm([0.1, 1.2])
