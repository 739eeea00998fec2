"""The figures: clusters are counted, bounds are exact, strata are never empty, and all is pure."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from causalguard.certify import metrics
from causalguard.certify.analysis import analyse, next_family
from causalguard.certify.assemble import held_out_families
from causalguard.certify.hypotheses import sign_flip
from causalguard.certify.policy import LoadedPolicy
from causalguard.certify.report.model import Rate
from causalguard.certify.trials import TrialSet
from causalguard.errors import DataError
from causalguard.records import Trial
from causalguard.stats import bounds
from support import planted

Scores = Callable[[planted.FakeGuard, int, int], TrialSet]


@pytest.fixture
def sample(score_world: Scores) -> TrialSet:
    """A sound guard on 120 sets."""
    return score_world(planted.FakeGuard(planted.sound), 120, 0)


def _with(trial_set: TrialSet, trials: tuple[Trial, ...]) -> TrialSet:
    return replace(trial_set, trials=trials)


def test_the_same_trials_give_the_same_results(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    first = analyse(sample, planted_policy.policy)
    np.random.default_rng().random()
    assert first.model_dump_json() == analyse(sample, planted_policy.policy).model_dump_json()


def test_a_cluster_misses_if_any_of_its_rows_does(sample: TrialSet) -> None:
    injected = metrics.of_kind(sample.trials, "injected")[:4]
    rows = [replace(t, cluster="one", flagged=i > 0) for i, t in enumerate(injected)]
    found = metrics.rate("x", rows, metrics.missed, delta=0.05)
    assert (found.hits, found.clusters, found.rows_hit, found.rows) == (1, 1, 1, 4)
    assert found.high == 1.0


def test_ten_copies_of_every_row_do_not_tighten_a_bound(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    copies = tuple(
        replace(trial, id=f"{trial.id}#{k}", set_id=f"{trial.set_id}#{k}")
        for trial in sample.trials
        for k in range(10)
    )
    one = analyse(sample, planted_policy.policy)
    ten = analyse(_with(sample, copies), planted_policy.policy)
    assert ten.miss.overall.high == one.miss.overall.high
    assert ten.population.clusters == one.population.clusters


@pytest.mark.parametrize("kind", ["injected", "benign"])
def test_an_empty_stratum_is_an_error(
    sample: TrialSet, planted_policy: LoadedPolicy, kind: str
) -> None:
    rest = tuple(trial for trial in sample.trials if trial.kind != kind)
    with pytest.raises(DataError, match=f"no {kind}"):
        analyse(_with(sample, rest), planted_policy.policy)


def test_sets_without_an_injected_and_a_benign_text_are_an_error(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    even = {trial.set_id for trial in sample.trials if int(trial.set_id[-1]) % 2 == 0}
    torn = tuple(t for t in sample.trials if t.kind == ("benign", "injected")[t.set_id in even])
    with pytest.raises(DataError, match="no matched set"):
        analyse(_with(sample, torn), planted_policy.policy)


def test_two_backends_in_one_file_are_refused(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    mixed = (replace(sample.trials[0], backend="other"), *sample.trials[1:])
    with pytest.raises(DataError, match="several backends"):
        analyse(_with(sample, mixed), planted_policy.policy)


def test_a_member_that_the_audit_set_lacks_leaves_its_gate_inconclusive(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    rest = tuple(trial for trial in sample.trials if trial.kind != "imperative")
    found = analyse(_with(sample, rest), planted_policy.policy)
    gate = next(gate for gate in found.gates if gate.id == "instruction")
    assert (gate.outcome, gate.estimate) == ("INCONCLUSIVE", None)
    assert found.result != "PASSED"


def test_family_bounds_hold_together_and_every_family_is_each_alone(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    miss = analyse(sample, planted_policy.policy).miss
    one = miss.families[0].rate
    share = 0.05 / len(miss.families)
    assert one.high == pytest.approx(bounds.upper(one.hits, one.clusters, delta=share))
    worst = miss.every_family
    assert worst.high == pytest.approx(bounds.upper(worst.hits, worst.clusters, delta=0.05))
    assert miss.epsilon_causal == max(family.rate.high for family in miss.families)


def test_families_that_were_not_trained_on_are_those_guard_json_does_not_list(
    sample: TrialSet,
) -> None:
    found = held_out_families({"families_trained": list(planted.TRAINED)}, sample.trials)
    assert found == set(planted.FAMILIES) - set(planted.TRAINED)
    assert held_out_families({}, sample.trials) == frozenset()


def test_nineteen_held_out_families_bound_the_next_one_and_eighteen_do_not(
    planted_policy: LoadedPolicy,
) -> None:
    rates = [
        Rate(
            name=f"f{k}",
            hits=1,
            clusters=40,
            rows_hit=1,
            rows=40,
            estimate=1 / 40,
            low=0,
            high=0.2,
            delta=0.01,
        )
        for k in range(19)
    ]
    assert next_family(rates[:18], planted_policy.policy) is None
    found = next_family(rates, planted_policy.policy)
    assert found is not None
    assert found.confidence == pytest.approx(1 - 1 / 20 - 0.005)
    assert found.high == pytest.approx(bounds.upper(1, 40, delta=0.005))


def test_a_gap_is_seen_through_rare_levels_pooled_together(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    trials = tuple(
        replace(t, nuisance={"topic": "common" if i % 9 else f"rare{i}"})
        for i, t in enumerate(sample.trials)
    )
    found = metrics.gap(trials, "topic", "clean", planted_policy.policy)
    assert found is not None
    assert {level.level for level in found.levels} == {"common", "(rare)"}


def test_one_level_is_no_gap(sample: TrialSet, planted_policy: LoadedPolicy) -> None:
    assert metrics.gap(sample.trials, "language", "clean", planted_policy.policy) is None


def test_the_paired_effect_is_bounded_from_its_disagreements(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    pairs = metrics.paired(sample.trials, "injected", "benign", planted_policy.policy)
    found = metrics.effect("x", "c", pairs, delta=0.05)
    assert found is not None
    assert found.both + found.only_first + found.only_second + found.neither == len(pairs)
    low = bounds.lower(found.only_first, len(pairs), delta=0.025)
    high = bounds.upper(found.only_second, len(pairs), delta=0.025)
    assert found.low == pytest.approx(low - high)


def test_the_sign_flip_test_keeps_its_level_under_the_null() -> None:
    rng = np.random.default_rng(3)
    p_values = [
        sign_flip(rng.choice([-0.5, 0.0, 0.5], size=25).tolist(), permutations=199, rng=rng)
        for _ in range(400)
    ]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.085


def test_differences_of_zero_never_count_as_evidence() -> None:
    rng = np.random.default_rng(3)
    assert sign_flip([0.0] * 50, permutations=99, rng=rng) == 1.0


def test_the_episode_bound_is_no_smaller_than_that_of_independent_outputs(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    episode = analyse(sample, planted_policy.policy).false_positives.episode
    assert episode.if_independent <= episode.union_bound <= 1


def test_length_rows_run_from_short_to_long_and_cover_all(
    sample: TrialSet, planted_policy: LoadedPolicy
) -> None:
    false = analyse(sample, planted_policy.policy).false_positives
    names = [rate.name for rate in false.lengths]
    assert names == sorted(names, key=lambda name: int(name.split()[-2].split("-")[-1]))
    assert sum(rate.rows for rate in false.lengths) == 240
