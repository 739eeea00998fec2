"""Mutation test of the certifier: each planted defect fails the gate meant for it."""

from collections.abc import Callable

import pytest

from causalguard.certify.analysis import analyse
from causalguard.certify.assemble import held_out_families
from causalguard.certify.policy import LoadedPolicy
from causalguard.certify.report.model import Results
from causalguard.certify.trials import TrialSet
from support import planted

Scores = Callable[[planted.FakeGuard, int, int], TrialSet]


def _certify(
    guard: planted.FakeGuard, seed: int, score_full_world: Scores, loaded: LoadedPolicy
) -> Results:
    trial_set = score_full_world(guard, loaded.policy.audit_sets, seed)
    held_out = held_out_families({"families_trained": list(planted.TRAINED)}, trial_set.trials)
    return analyse(trial_set, loaded.policy, held_out)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_sound_guard_passes(
    seed: int, score_full_world: Scores, full_policy: LoadedPolicy
) -> None:
    guard = planted.FakeGuard(planted.sound, seed=seed)
    found = _certify(guard, seed, score_full_world, full_policy)
    assert found.result == "PASSED", [g.id for g in found.gates if g.outcome != "PASSED"]


@pytest.mark.parametrize("defect", planted.DEFECTS, ids=lambda defect: str(defect.name))
def test_a_planted_defect_fails_the_gate_meant_for_it(
    defect: planted.Defect, score_full_world: Scores, full_policy: LoadedPolicy
) -> None:
    found = _certify(defect.make(11), 11, score_full_world, full_policy)
    failed = {gate.id for gate in found.gates if gate.outcome == "FAILED"}
    assert set(defect.gates) <= failed
    assert found.result == "FAILED"
