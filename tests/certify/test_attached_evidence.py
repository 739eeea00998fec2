"""Evidence that a report carries: of this model, unchanged, printed, and never a gate."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from causalguard.attestation import keys
from causalguard.attestation.canonical import canonical_json
from causalguard.attestation.digests import model_dir_digests, root_digest, sha256_bytes
from causalguard.certify import attachments, pipeline, verify
from causalguard.certify.assemble import report_bytes
from causalguard.certify.attachments import Attachments
from causalguard.certify.pipeline import Audit, Certified
from causalguard.certify.policy import LoadedPolicy, parse
from causalguard.certify.report import card, html, markdown
from causalguard.certify.report.attached import (
    AttackRow,
    Attacks,
    BudgetPoint,
    CertifiedRecall,
    Structural,
)
from causalguard.certify.verify import read_report
from causalguard.errors import InputError, NotCertifiedError, SubjectMismatchError
from causalguard.guard.api import Guard
from causalguard.records import ToolOutput
from support import planted

SETS = 80
POLICY = """\
schema: policy/1
name: small
description: Margins that a few dozen small sets can decide.
permutations: 99
bootstraps: 100
discovery: false
backend_margin: 0.06
gates:
  - {id: miss, claim: few misses, quantity: miss.overall, at_most: 0.3}
"""


class Other(planted.FakeGuard):
    """The same guard on another backend, with some risks moved."""

    def __init__(self, move: Callable[[float], float] = lambda risk: risk) -> None:
        super().__init__(planted.sound)
        self.backend = "torch-cpu-bfloat16"
        self._move = move

    def _one(self, output: ToolOutput) -> planted.FakeScored:
        answer = super()._one(output)
        risk = self._move(answer.risk)
        return replace(answer, risk=risk, flagged=risk >= self.threshold)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A fake MODEL_DIR."""
    return planted.model_dir(tmp_path / "model")


@pytest.fixture
def policy() -> LoadedPolicy:
    """A policy that the sound guard passes on a few sets."""
    return parse(POLICY.encode(), where="small")


def _attacks(model: Path, **changes: Any) -> bytes:
    row = AttackRow(
        attack="evolution", what="breeds wordings", knowledge="risks <b>", budget="9 queries",
        goals=10, evaded=4, estimate=0.4, low=0.15, high=0.7, delta=0.05,
        curve=(BudgetPoint(queries=1, evaded=1), BudgetPoint(queries=9, evaded=4)),
    )  # fmt: skip
    facts: dict[str, Any] = {
        "model_sha256": root_digest(model_dir_digests(model)),
        "threshold": planted.THRESHOLD,
        "backend": "b", "seed": 1, "success": "evaded: not flagged", "population": "goals",
        "carriers_flagged": 0, "rows_sha256": "b" * 64, "rows": (row,), "unions": (),
    }  # fmt: skip
    found = Attacks.model_validate(facts | changes)
    return canonical_json(found.model_dump(mode="json", by_alias=True))


def _structural(model: Path) -> bytes:
    row = CertifiedRecall(
        name="any suffix", claim="flagged whatever follows", threshold=0.5, clusters=9, missed=1,
        recall=8 / 9, low=0.5, false_positives=None, documents=None, false_positive_high=None,
        delta=0.05,
    )  # fmt: skip
    found = Structural(
        model_sha256=root_digest(model_dir_digests(model)), backend="b", epsilon=1e-6,
        epsilon_texts=8, tokenizer="why", data_sha256="c" * 64, sets=9, seed=1, rows=(row,),
    )  # fmt: skip
    return canonical_json(found.model_dump(mode="json", by_alias=True))


def _certify(model: Path, policy: LoadedPolicy, **extra: Any) -> Certified:
    private, public = keys.write_key_pair(model.parent / "key.pem")
    made = pipeline.certify(
        model,
        planted.FakeGuard(planted.sound),
        Audit(triplets=planted.small_world(SETS), origin="engine", seed=0),
        policy,
        signer=keys.load_signer(private),
        **extra,
    )
    verify.verify(
        (model / pipeline.BUNDLE_NAME).read_bytes(),
        public_key=keys.load_public(public),
        file_digests=model_dir_digests(model),
        report_copy=(model / pipeline.REPORT_NAME).read_bytes(),
    )
    return made


def _files(model: Path) -> dict[str, bytes]:
    return {
        name: (model / name).read_bytes()
        for name in pipeline.ATTACHED_NAMES
        if (model / name).is_file()
    }


def test_a_report_carries_attacks_and_structure_and_still_verifies(
    model: Path, policy: LoadedPolicy
) -> None:
    attached = Attachments(attacks=_attacks(model), structural=_structural(model))
    report = _certify(model, policy, attached=attached).report
    assert read_report(report_bytes(report)) == report
    verify.check_consistent(report, model_dir_digests(model))
    attachments.check_files(report, None, _files(model))
    page, plain = html.render(report), markdown.render(report)
    assert "| evolution | 9 queries | 10 | 40 % | 70 % |" in card.render(report)
    assert "risks &lt;b&gt;" in page
    assert "any suffix" in page
    assert "breeds wordings" in page
    assert "Goals passed by number of queries" in page
    assert "Adaptive attacks, only those that were run" in plain
    assert "Structural certificates" in plain


def test_attached_evidence_changes_no_result(model: Path, policy: LoadedPolicy) -> None:
    bare = _certify(model, policy).report
    shutil.rmtree(model)
    planted.model_dir(model)
    (model.parent / "key.pem").unlink()
    (model.parent / "key.pub.pem").unlink()
    bad = _attacks(model)
    assert _certify(model, policy, attached=Attachments(attacks=bad)).report.results == bare.results


def test_a_report_without_them_says_so_and_has_no_empty_fields(
    model: Path, policy: LoadedPolicy
) -> None:
    report = _certify(model, policy).report
    assert b'"adaptive"' not in report_bytes(report)
    assert b'"agreement"' not in report_bytes(report)
    assert "None were run" in html.render(report)
    assert "none were run" in card.render(report)


@pytest.mark.parametrize(
    "changes", [{"model_sha256": "d" * 64}, {"threshold": 0.7}], ids=["model", "threshold"]
)
def test_evidence_of_another_model_or_threshold_is_refused(
    changes: dict[str, Any], model: Path, policy: LoadedPolicy
) -> None:
    attached = Attachments(attacks=_attacks(model, **changes))
    with pytest.raises(SubjectMismatchError, match="again"):
        _certify(model, policy, attached=attached)


def test_a_file_that_is_no_evidence_is_refused(model: Path, policy: LoadedPolicy) -> None:
    with pytest.raises(InputError, match="not of a form"):
        _certify(model, policy, attached=Attachments(structural=b'{"schemaId":"structural/9"}'))


def test_an_attached_file_that_was_changed_or_lost_is_noticed(
    model: Path, policy: LoadedPolicy
) -> None:
    attached = Attachments(attacks=_attacks(model))
    report = _certify(model, policy, attached=attached).report
    with pytest.raises(SubjectMismatchError, match="not the file of this report"):
        attachments.check_files(report, None, {})
    files = {name: data + b" " for name, data in _files(model).items()}
    with pytest.raises(SubjectMismatchError, match="not the file of this report"):
        attachments.check_files(report, None, files)


def test_certifying_again_without_evidence_removes_the_old_files(
    model: Path, policy: LoadedPolicy
) -> None:
    _certify(model, policy, attached=Attachments(attacks=_attacks(model)))
    assert _files(model)
    (model.parent / "key.pem").unlink()
    (model.parent / "key.pub.pem").unlink()
    _certify(model, policy)
    assert not _files(model)


def test_a_backend_that_agrees_is_listed_with_what_its_bounds_grow_by(
    model: Path, policy: LoadedPolicy
) -> None:
    made = _certify(model, policy, others=[Other])
    first, second = made.report.backends
    assert first.agreement is None
    assert second.name == "torch-cpu-bfloat16"
    assert second.agreement is not None
    assert second.agreement.injected.clusters == second.agreement.clean.clusters == SETS
    assert second.agreement.injected.differ == 0
    assert 0 < second.agreement.injected.high <= 0.06
    attachments.check_files(made.report, made.trials.trials, _files(model))
    assert "other verdict on 0 of 80" in html.render(made.report)


def test_a_backend_that_disagrees_is_refused_and_said(model: Path, policy: LoadedPolicy) -> None:
    def move(risk: float) -> float:
        return 0.1 if 0.5 <= risk < 0.6 else risk

    report = _certify(model, policy, others=[lambda: Other(move)]).report
    assert [backend.name for backend in report.backends] == ["torch-cpu-float32"]
    assert report.backends_refused is not None
    assert "refused" in html.render(report)


def test_figures_of_a_backend_must_follow_from_its_rows(model: Path, policy: LoadedPolicy) -> None:
    made = _certify(model, policy, others=[Other])
    files = _files(model)
    rows = files["safety-report.backends.jsonl"]
    name = "safety-report.backends.jsonl"
    with pytest.raises(SubjectMismatchError, match="are not the report's"):
        attachments.check_files(made.report, None, {name: rows.replace(b"true", b"false", 1)})
    flipped = [replace(t, flagged=not t.flagged) for t in made.trials.trials]
    with pytest.raises(SubjectMismatchError, match="does not follow"):
        attachments.check_files(made.report, flipped, files)
    agreement = made.report.backends[1].agreement
    assert agreement is not None
    assert sha256_bytes(rows) == agreement.rows_sha256


def test_a_guard_loads_on_each_listed_backend_and_on_no_other(tiny_model: Path) -> None:
    from causalguard.certify.evidence import load_guard

    text = POLICY.replace("miss.overall, at_most: 0.3", "coverage, at_least: 0.0")
    loaded = parse(text.replace("0.06", "0.9").encode(), where="easy")
    private, public = keys.write_key_pair(tiny_model.parent / "key.pem")
    pipeline.certify(
        tiny_model,
        load_guard(tiny_model, dtype="float32"),
        Audit(triplets=planted.small_world(12), origin="engine", seed=0),
        loaded,
        signer=keys.load_signer(private),
        others=[lambda: load_guard(tiny_model, dtype="bfloat16")],
    )
    accept = {"small": loaded.sha256}
    for dtype in ("float32", "bfloat16"):
        guard = Guard.load(tiny_model, trust=public, policies=accept, dtype=dtype)
        assert guard.certificate is not None
    with pytest.raises(NotCertifiedError, match="torch-cpu-float16"):
        Guard.load(tiny_model, trust=public, policies=accept, dtype="float16")


@pytest.mark.parametrize("name", pipeline.ATTACHED_NAMES)
def test_a_file_beside_a_report_that_does_not_name_it_is_refused(
    name: str, model: Path, policy: LoadedPolicy
) -> None:
    report = _certify(model, policy).report
    with pytest.raises(SubjectMismatchError, match=f"{name}: the report speaks of no such file"):
        attachments.check_files(report, None, {name: b""})


def test_rows_of_a_backend_that_the_report_does_not_name_are_refused(
    model: Path, policy: LoadedPolicy
) -> None:
    report = _certify(model, policy, others=[Other]).report
    more = attachments.BackendRow(id="x", backend="torch-cuda-float16", risk=0.1, flagged=False)
    rows = _files(model)["safety-report.backends.jsonl"] + attachments.backend_bytes([more])
    with pytest.raises(SubjectMismatchError, match="does not name"):
        attachments.check_files(report, None, {"safety-report.backends.jsonl": rows})


@pytest.mark.parametrize("change", [{"margin": 0.9}, {"largest": 0.5}])
def test_a_backend_is_measured_by_the_margin_of_the_policy(
    change: dict[str, float], model: Path, policy: LoadedPolicy
) -> None:
    made = _certify(model, policy, others=[Other])
    first, second = made.report.backends
    assert second.agreement is not None
    wider = second.model_copy(update={"agreement": second.agreement.model_copy(update=change)})
    report = made.report.model_copy(update={"backends": (first, wider)})
    attachments.check_files(report, None, _files(model))
    with pytest.raises(SubjectMismatchError, match="does not follow"):
        attachments.check_files(report, made.trials.trials, _files(model))


ROW = b'{"backend":"b","flagged":true,"id":"a","risk":0.5}\n'


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 200_000,
        ROW.replace(b'"b"', b"{}"),
        ROW.replace(b"0.5", b"NaN"),
        ROW.replace(b"{", b'{"risk":0.1,'),
        ROW + b"\n",
    ],
    ids=["deep", "no text", "NaN", "a key twice", "a blank line"],
)
def test_rows_of_backends_are_read_only_as_they_were_written(data: bytes) -> None:
    assert attachments.backend_bytes(attachments.backend_rows(ROW)) == ROW
    with pytest.raises(InputError, match=r"backends\.jsonl"):
        attachments.backend_rows(data)
