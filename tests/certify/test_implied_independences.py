"""What the causal model implies is listed whole, and each statement can be seen to fail."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from causalguard.certify import hypotheses, implied, probe
from causalguard.certify.analysis import analyse
from causalguard.certify.discovery.oracle import d_separated
from causalguard.certify.policy import LoadedPolicy
from causalguard.certify.trials import TrialSet
from support import planted

Scores = Callable[[planted.FakeGuard, int, int], TrialSet]


@pytest.fixture
def trial_set(score_world: Scores) -> TrialSet:
    """The sound guard on a few sets."""
    return score_world(planted.FakeGuard(planted.sound), 80, 0)


def _function_of_r(trial_set: TrialSet) -> TrialSet:
    """The same trials with a risk that is g(R)."""
    logit = trial_set.representations.astype(np.float64) @ np.linspace(-2, 3, 8) + 0.3
    risks = 1 / (1 + np.exp(-logit))
    trials = tuple(
        replace(t, risk=float(risks[t.row]), flagged=bool(risks[t.row] >= 0.5))
        for t in trial_set.trials
    )
    return replace(trial_set, trials=trials)


def test_the_basis_has_one_true_statement_for_each_node_of_the_model() -> None:
    found = implied.statements()
    assert [statement.left for statement in found] == list(implied.DAG)
    for statement in found:
        for other in statement.right:
            assert d_separated(implied.DAG, statement.left, other, statement.given)


def test_the_basis_leaves_out_no_non_descendant() -> None:
    by_left = {statement.left: set(statement.right) for statement in implied.statements()}
    assert by_left["risk"] == {"S", "D", "I", "N", "Y", "X"}
    assert by_left["A"] == {"D", "I", "N", "Y", "R"}
    assert by_left["X"] == {"S", "Y"}


def test_every_statement_has_its_row_in_a_report(
    trial_set: TrialSet, planted_policy: LoadedPolicy
) -> None:
    tests = analyse(trial_set, planted_policy.policy).tests
    ids = {test.id for test in tests}
    for statement in implied.statements():
        assert statement.id in ids or any(name.startswith(f"{statement.id}.") for name in ids)
    assert {"H1", "H2", "H3", "H6.probe", "H7", "H8"} <= ids


def test_all_p_values_are_in_one_holm_family(
    trial_set: TrialSet, planted_policy: LoadedPolicy
) -> None:
    tested = [t for t in analyse(trial_set, planted_policy.policy).tests if t.p_value is not None]
    assert len(tested) > 5
    assert all(t.p_holm is not None and t.p_holm >= (t.p_value or 0) for t in tested)
    smallest = min(tested, key=lambda t: t.p_value or 0)
    assert smallest.p_holm == pytest.approx(min(1, (smallest.p_value or 0) * len(tested)))


def test_a_risk_that_is_a_function_of_r_is_checked_exactly(
    trial_set: TrialSet, planted_policy: LoadedPolicy
) -> None:
    (row,) = implied._risk(
        implied.statements()[7], _function_of_r(trial_set), planted_policy.policy
    )
    assert row.id == "G.risk"
    assert row.effect is not None
    assert row.effect < implied.EXACT
    assert row.p_value is None


def test_a_risk_that_reads_y_beside_r_is_found(
    trial_set: TrialSet, planted_policy: LoadedPolicy
) -> None:
    honest = _function_of_r(trial_set)
    leaky = tuple(replace(t, risk=min(1.0, t.risk * 0.6 + 0.4 * t.y)) for t in honest.trials)
    rows = implied._risk(
        implied.statements()[7], replace(honest, trials=leaky), planted_policy.policy
    )
    by_id = {row.id: row.p_value for row in rows}
    assert by_id["G.risk.Y"] is not None
    assert by_id["G.risk.Y"] < 0.01


def test_an_authorised_member_of_another_length_is_noticed(
    trial_set: TrialSet, planted_policy: LoadedPolicy
) -> None:
    trials = list(trial_set.trials)
    at = next(i for i, t in enumerate(trials) if t.kind == "authorised")
    trials[at] = replace(trials[at], n_tokens=trials[at].n_tokens + 1)
    rows = implied.run(replace(trial_set, trials=tuple(trials)), planted_policy.policy)
    (same,) = [row for row in rows if row.id == "G.X"]
    assert same.note.startswith("1 of 80")


def _with_sources(trial_set: TrialSet, strength: float) -> TrialSet:
    """Half of the carriers come from another source, which R shows so strongly."""
    first = {t.cluster for t in trial_set.trials[: len(trial_set.trials) // 3]}
    trials = tuple(
        replace(t, nuisance={**t.nuisance, "source": "a" if t.cluster in first else "b"})
        for t in trial_set.trials
    )
    held = trial_set.representations.copy()
    for t in trials:
        held[t.row, 3] += strength * (t.nuisance["source"] == "a")
    return replace(trial_set, trials=trials, representations=held)


def test_a_source_that_shows_in_r_is_read_off_by_the_probe(
    score_world: Scores, planted_policy: LoadedPolicy
) -> None:
    world = score_world(planted.FakeGuard(planted.sound, vector="random"), 160, 0)
    shown = probe.source_probe(_with_sources(world, 3.0), planted_policy.policy)
    hidden = probe.source_probe(_with_sources(world, 0.0), planted_policy.policy)
    assert shown.effect is not None
    assert shown.effect > 0.4
    assert hidden.effect is not None
    assert hidden.bound is not None
    assert abs(hidden.effect) < 0.15 < hidden.bound + 0.1


def test_one_source_is_said_not_to_be_tested(
    trial_set: TrialSet, planted_policy: LoadedPolicy
) -> None:
    found = probe.source_probe(trial_set, planted_policy.policy)
    assert found.guarantee == "not tested"
    assert found.effect is None


def test_the_worst_case_agent_acts_on_what_was_not_flagged(
    trial_set: TrialSet, planted_policy: LoadedPolicy
) -> None:
    tests = {t.id: t for t in analyse(trial_set, planted_policy.policy).tests}
    missed = sum(t.kind == "injected" and not t.flagged for t in trial_set.trials)
    assert tests["H8"].effect == pytest.approx(missed / 80)
    assert (tests["H8"].bound or 0) > missed / 80


def test_h1_swaps_whole_carriers(trial_set: TrialSet, planted_policy: LoadedPolicy) -> None:
    merged = tuple(replace(t, cluster=f"c{int(t.set_id[-5:]) // 20}") for t in trial_set.trials)
    tests = {
        t.id: t for t in analyse(replace(trial_set, trials=merged), planted_policy.policy).tests
    }
    assert tests["H1"].clusters == 4
    assert (tests["H1"].p_value or 0) >= 2 * 2**-4 - 0.02  # 4 carriers: 16 ways to swap


def _null(trial_set: TrialSet, rng: np.random.Generator) -> TrialSet:
    """R moves with Y to either side alike, but the same way in all sets of a carrier: no effect."""
    held = rng.normal(size=trial_set.representations.shape).astype(np.float32)
    moves: dict[str, float] = {}
    for trial in trial_set.trials:
        move = moves.setdefault(trial.cluster, float(2 * rng.normal()))
        held[trial.row, 0] += move if trial.kind == "injected" else -move
    return replace(trial_set, representations=held)


@pytest.mark.parametrize(("merged", "lowest", "highest"), [(True, 0.0, 0.12), (False, 0.2, 1.0)])
def test_h1_holds_its_level_only_if_carriers_move_as_one(
    merged: bool, lowest: float, highest: float, trial_set: TrialSet, planted_policy: LoadedPolicy
) -> None:
    policy = planted_policy.policy.model_copy(update={"permutations": 99})
    carrier = {t.set_id: f"c{k % 16}" for k, t in enumerate(trial_set.trials)}
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(60):
        grouped = tuple(replace(t, cluster=carrier[t.set_id]) for t in trial_set.trials)
        world = _null(replace(trial_set, trials=grouped), rng)
        if not merged:  # the same data, told that every set is independent
            world = replace(world, trials=tuple(replace(t, cluster=t.set_id) for t in world.trials))
        rejected += (hypotheses._h1(world, policy).p_value or 0) <= 0.05
    assert lowest <= rejected / 60 <= highest
