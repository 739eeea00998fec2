"""Mutation test of the certifier: each planted defect fails the gate meant for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from causalguard.certify.analysis import analyse
from causalguard.certify.assemble import held_out_families
from causalguard.certify.cli import cli
from causalguard.certify.policy import LoadedPolicy
from causalguard.certify.report.model import Results, audit_seed
from causalguard.certify.trials import TrialSet
from causalguard.certify.wording import seed_words
from causalguard.errors import ModelDirError, ScanError
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


def test_a_guard_that_knows_a_public_audit_set_passes_on_it_and_on_no_other(
    score_full_world: Scores, full_policy: LoadedPolicy
) -> None:
    """So the set must follow from the finished model: see audit_seed."""
    (leaked,) = (d for d in planted.DEFECTS if d.name == "leaked audit rows")
    seeds = (planted.PUBLIC_SEED, audit_seed("0" * 64))
    found = [_certify(leaked.make(3), seed, score_full_world, full_policy) for seed in seeds]
    assert [results.result for results in found] == ["PASSED", "FAILED"]


def test_a_guard_with_risks_that_are_no_numbers_gets_an_error_and_no_report(
    score_full_world: Scores, full_policy: LoadedPolicy
) -> None:
    with pytest.raises(ScanError, match="not in \\[0, 1\\]"):
        _certify(planted.FakeGuard(planted.no_number), 3, score_full_world, full_policy)


@pytest.mark.parametrize(("value", "error"), [(torch.nan, ModelDirError), (3e38, ScanError)])
def test_weights_that_give_no_numbers_get_an_error_and_no_report(
    value: float, error: type[Exception], tiny_model: Path
) -> None:
    head = load_file(tiny_model / "head.safetensors")
    broken = {name: torch.full_like(weight, value) for name, weight in head.items()}
    save_file(broken, tiny_model / "head.safetensors")
    found = CliRunner().invoke(cli, ["--model", str(tiny_model), "--sets", "2", "--policy", "demo"])
    assert isinstance(found.exception, error)
    assert not list(tiny_model.glob("safety-report*"))


def test_the_audit_set_of_a_model_follows_from_its_digest(signed_once: Any) -> None:
    assert audit_seed("a" * 64) != audit_seed("b" * 64)
    report = signed_once.made.report
    seeds = (audit_seed(report.model.root_sha256), 7, None)
    said = [seed_words(replaced(report, data=replaced(report.data, seed=s))) for s in seeds]
    assert ["could not be known" in words for words in said] == [True, False, False]


def replaced(part: Any, **changes: Any) -> Any:
    return part.model_copy(update=changes)
