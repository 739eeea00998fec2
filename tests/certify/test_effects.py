"""Effects: each number is what its name says, and a collapsed representation looks worst."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from causalguard.certify import effects
from causalguard.certify.effects import separation
from causalguard.errors import InputError
from causalguard.records import Kind, Trial

KINDS: tuple[Kind, ...] = ("benign", "counterfactual", "injected")


def trial(number: int, kind: Kind, row: int, *, flagged: bool, family: str = "f") -> Trial:
    return Trial(
        id=f"{number}/{kind}",
        cluster=f"c{number}",
        set_id=f"s{number}",
        kind=kind,
        y=int(kind == "injected"),
        family=family,
        group="g",
        s="s",
        nuisance={},
        n_tokens=10,
        risk=float(flagged),
        flagged=flagged,
        coverage=1.0,
        backend="fake",
        row=row,
    )


def audit(n: int, kinds: tuple[Kind, ...] = KINDS) -> Iterator[Trial]:
    for number in range(n):
        for offset, kind in enumerate(kinds):
            yield trial(number, kind, number * len(kinds) + offset, flagged=kind == "injected")


def representations(n: int, injected: float, rng: np.random.Generator) -> np.ndarray:
    rows = rng.normal(size=(n, 1, 8)) * np.ones((1, 3, 1)) + 0.1 * rng.normal(size=(n, 3, 8))
    rows[:, 2] += injected * rng.normal(size=(n, 8))
    return rows.reshape(3 * n, 8).astype(np.float32)


def test_a_constant_representation_scores_worst_on_discrimination() -> None:
    constant = np.ones((300, 8)) + 1e-9 * np.random.default_rng(0).normal(size=(300, 8))
    found = effects.matched_effects(audit(100), constant)
    assert found.causal_stability.value == pytest.approx(1)
    assert found.spurious_separation.value == pytest.approx(0)
    assert found.causal_discrimination.value == 0


def test_a_random_representation_discriminates_half_of_the_sets() -> None:
    R = np.random.default_rng(1).normal(size=(6000, 16))
    found = effects.matched_effects(audit(2000), R)
    assert found.causal_discrimination.low < 0.5 < found.causal_discrimination.high


def test_a_sound_representation_is_stable_and_discriminates() -> None:
    R = representations(200, 3.0, np.random.default_rng(2))
    found = effects.matched_effects(audit(200), R)
    assert found.causal_stability.low > 0.5
    assert found.causal_discrimination.value > 0.95
    assert found.spurious_separation.value > 0.2


def test_scaling_a_representation_changes_nothing() -> None:
    R = representations(50, 1.0, np.random.default_rng(3)).astype(np.float64)
    scaled = effects.matched_effects(audit(50), 7 * R)
    assert scaled.causal_stability.value == pytest.approx(
        effects.matched_effects(audit(50), R).causal_stability.value
    )


def test_every_set_of_a_cluster_must_discriminate() -> None:
    R = representations(20, 9.0, np.random.default_rng(4))
    R[2] = R[0]  # the first set's injected twin equals its benign one
    one_cluster = [replace(t, cluster="only") for t in audit(20)]
    found = effects.matched_effects(one_cluster, R)
    assert (found.causal_discrimination.value, found.causal_discrimination.clusters) == (0, 1)


def test_benign_accuracy_is_not_a_number_unless_tokens_were_counted() -> None:
    R = representations(9, 1.0, np.random.default_rng(5))
    assert effects.matched_effects(audit(9), R).benign_accuracy == "not applicable"
    counted = effects.matched_effects(audit(9), R, benign_tokens=[(3, 4), (0, 4)])
    assert counted.benign_accuracy == 3 / 8


def test_optional_members_give_optional_effects() -> None:
    kinds: tuple[Kind, ...] = (*KINDS, "imperative", "authorised")
    R = np.random.default_rng(6).normal(size=(250, 4))
    found = effects.matched_effects(audit(50, kinds), R)
    assert found.effect_beyond_imperative is not None
    assert found.effect_beyond_imperative.effect == 1
    assert found.effect_of_authorisation is not None
    assert found.imperative_stability is not None
    assert effects.matched_effects(audit(50), R).effect_beyond_imperative is None


def test_a_torn_set_is_refused() -> None:
    trials = list(audit(3))
    torn = [trials[0], *trials[3:], *trials[1:3]]
    with pytest.raises(InputError, match=r"benign or injected|torn"):
        effects.matched_effects(torn, np.ones((9, 4)))
    with pytest.raises(InputError, match="torn"):
        effects.matched_effects([*trials, *trials[:3]], np.ones((9, 4)))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_representation_without_direction_is_refused(bad: float) -> None:
    R = np.ones((9, 4))
    R[4] = bad
    with pytest.raises(InputError, match="1/counterfactual"):
        effects.matched_effects(audit(3), R)


@given(n=st.integers(1, 60), data=st.data())
def test_the_paired_interval_holds_the_effect(n: int, data: st.DataObject) -> None:
    up = data.draw(st.integers(0, n))
    down = data.draw(st.integers(0, n - up))
    found = effects.paired_effect(up, down, n)
    mirrored = effects.paired_effect(down, up, n)
    assert -1 <= found.low <= found.effect <= found.high <= 1
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_the_paired_interval_covers() -> None:
    rng, n, rates = np.random.default_rng(7), 40, (0.3, 0.1, 0.6)
    draws = rng.multinomial(n, rates, size=2000)
    cache = {tuple(d): effects.paired_effect(int(d[0]), int(d[1]), n) for d in draws}
    held = [cache[tuple(d)].low <= 0.2 <= cache[tuple(d)].high for d in draws]
    assert np.mean(held) >= 0.95


def test_impossible_pairs_are_a_bug() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        effects.paired_effect(3, 3, 5)


def test_epsilon_is_the_worst_family_at_delta_over_m() -> None:
    alone = effects.epsilon_causal({"a": (2, 100)}, delta=0.025)
    both = effects.epsilon_causal({"a": (2, 100), "b": (0, 100)}, delta=0.05)
    assert (both.worst_family, both.epsilon) == ("a", alone.epsilon)
    assert both.upper["b"] < both.epsilon


def test_a_family_without_trials_is_refused() -> None:
    with pytest.raises(InputError, match="b"):
        effects.epsilon_causal({"a": (0, 9), "b": (0, 0)})


def test_a_cluster_is_missed_if_any_of_its_sets_is() -> None:
    trials = [replace(t, cluster="one") for t in audit(2)]
    trials[2] = replace(trials[2], flagged=False)
    found = effects.matched_effects(trials, np.random.default_rng(8).normal(size=(6, 4)))
    assert found.epsilon.misses == {"f": (1, 1)}
    assert found.effect_of_instruction.pairs == 1


def test_unbiased_mmd_agrees_with_the_double_sum() -> None:
    rng = np.random.default_rng(9)
    p, q = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-((a - b) ** 2).sum() / (2 * 1.5**2)))

    pp = np.mean([kernel(a, b) for i, a in enumerate(p) for j, b in enumerate(p) if i != j])
    qq = np.mean([kernel(a, b) for i, a in enumerate(q) for j, b in enumerate(q) if i != j])
    pq = np.mean([kernel(a, b) for a in p for b in q])
    assert effects.mmd(p, q, width=1.5).mmd2_unbiased == pytest.approx(pp + qq - 2 * pq)


def test_mmd_is_unbiased_under_the_null_and_its_bound_holds() -> None:
    rng = np.random.default_rng(10)
    found = [
        effects.mmd(rng.normal(size=(30, 2)), rng.normal(size=(40, 2)), width=1.0)
        for _ in range(200)
    ]
    values = np.array([f.mmd2_unbiased for f in found])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(200)
    assert all(f.upper >= 0 for f in found)


def test_the_mmd_bound_follows_theorem_7() -> None:
    found = effects.mmd(np.zeros((50, 1)), np.zeros((200, 1)), width=1.0, delta=0.1)
    slack = 2 * (50**-0.5 + 200**-0.5) + np.sqrt(2 * 250 * np.log(10) / (50 * 200))
    assert found.mmd_biased == 0
    assert found.upper == pytest.approx(slack)


def test_the_mmd_bound_covers_the_true_distance() -> None:
    # Two Gaussians, shift 1, width 1: MMD² = 2(1 − exp(−1/6))/√3 in one dimension.
    truth = np.sqrt(2 * (1 - np.exp(-1 / 6)) / np.sqrt(3))
    rng = np.random.default_rng(11)
    found = effects.mmd(rng.normal(size=2000), 1 + rng.normal(size=2000), width=1.0)
    assert found.mmd_biased == pytest.approx(truth, abs=0.03)
    assert found.upper > truth


def test_the_median_width_ignores_copies_and_refuses_a_constant() -> None:
    rng = np.random.default_rng(12)
    assert effects.median_width([[0.0], [0.0], [2.0]], rng=rng) == 2
    with pytest.raises(InputError, match="no width"):
        effects.median_width(np.ones((5, 2)), rng=rng)


def test_the_tv_bound_stays_below_the_truth_and_comes_near_it() -> None:
    rng, n = np.random.default_rng(13), 8000
    y = np.arange(n) % 2
    R = rng.normal(size=(n, 4)) + 2.0 * y[:, None] * np.array([1, 0, 0, 0])
    found = effects.tv_lower_bound(R, y, [f"c{i}" for i in range(n)], rng=rng)
    truth = 2 * norm.cdf(1.0) - 1
    assert truth - 0.08 < found.lower < truth


def test_the_tv_bound_is_zero_when_nothing_differs() -> None:
    rng = np.random.default_rng(14)
    y = np.arange(400) % 2
    bounds = [
        effects.tv_lower_bound(
            rng.normal(size=(400, 6)), y, [str(i // 2) for i in range(400)], rng=rng
        ).lower
        for _ in range(60)
    ]
    assert np.mean(np.array(bounds) > 0) <= 0.1


def test_twins_of_one_cluster_never_stand_on_both_sides() -> None:
    rng = np.random.default_rng(15)
    # Ten documents, each copied a hundred times: only a leak could tell the classes apart.
    code = rng.integers(0, 40, 4000)
    R = rng.normal(size=(40, 64))[code]
    found = effects.tv_lower_bound(R, code % 2, [str(c) for c in code], rng=rng)
    assert found.n_positive + found.n_negative == 20
    assert found.lower < 0.5


def test_one_class_only_is_refused() -> None:
    rng = np.random.default_rng(16)
    with pytest.raises(InputError, match="one class"):
        effects.tv_lower_bound(rng.normal(size=(20, 2)), np.ones(20), list("a" * 20), rng=rng)


def test_the_logistic_fit_finds_its_optimum() -> None:
    rng = np.random.default_rng(17)
    x = rng.normal(size=(500, 3)) * [1, 10, 0]
    y = (rng.random(500) < 1 / (1 + np.exp(-x[:, 0]))).astype(np.int64)
    model = separation.fit_logistic(x, y)
    z = (x - model.mean) / model.scale
    residual = 1 / (1 + np.exp(-model.decision(x))) - y
    assert np.abs(z.T @ residual + model.weights).max() < 0.05
    assert model.weights[2] == 0


def test_half_l1_equals_its_null_mean_when_nothing_differs() -> None:
    rng = np.random.default_rng(18)
    found = effects.binned_l1_half(rng.random(300), rng.random(300), rng=rng, permutations=200)
    assert found.half_l1 == pytest.approx(found.null_mean, abs=0.08)
    assert found.null_mean > 0.05  # the bias that makes a bare ½·L1 misleading
    assert found.p_value > 0.01


def test_half_l1_of_disjoint_samples_is_one() -> None:
    rng = np.random.default_rng(19)
    found = effects.binned_l1_half(np.zeros(40), np.ones(60), rng=rng, permutations=99)
    assert (found.half_l1, found.p_value) == (1, 0.01)


def test_values_that_are_not_finite_are_named() -> None:
    with pytest.raises(InputError, match="second: row 1"):
        effects.mmd(np.ones((3, 2)), np.array([[0, 0], [np.nan, 0]]), width=1.0)
