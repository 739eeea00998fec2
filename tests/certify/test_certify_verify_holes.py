"""What a signer could state without having measured it, and what could lie beside a report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from causalguard.attestation.digests import model_dir_digests
from causalguard.certify import pipeline, verify
from causalguard.certify.report import card
from causalguard.certify.report.model import BackendPart, Report
from causalguard.certify.trials import read_trials
from causalguard.errors import InputError, NotCertifiedError


def _consistent(sample: Any, report: Report) -> None:
    guard_json = (sample.model / "guard.json").read_bytes()
    verify.check_consistent(report, model_dir_digests(sample.model), guard_json)


def _backends(sample: Any, *parts: BackendPart) -> Report:
    report: Report = sample.made.report.model_copy(update={"backends": parts})
    return report


@pytest.mark.parametrize(
    "change",
    [{"threshold": 0.500001}, {"name": "other"}, {"base_sha256": "f" * 64}],
    ids=lambda change: next(iter(change)),
)
def test_fields_of_the_model_must_follow_from_guard_json(
    signed: Any, change: dict[str, Any]
) -> None:
    report = signed.made.report
    _consistent(signed, report)
    other = report.model_copy(update={"model": report.model.model_copy(update=change)})
    with pytest.raises(NotCertifiedError, match=r"do not follow from its guard\.json"):
        _consistent(signed, other)


def test_a_backend_that_was_never_measured_is_not_listed(signed: Any) -> None:
    (first,) = signed.made.report.backends
    never = first.model_copy(update={"name": "torch-cuda-float16"})
    with pytest.raises(NotCertifiedError, match="torch-cuda-float16: listed, but not shown"):
        _consistent(signed, _backends(signed, first, never))


def test_a_list_without_backends_or_with_one_twice_is_refused(signed: Any) -> None:
    (first,) = signed.made.report.backends
    for parts in ((), (first, first)):
        with pytest.raises(NotCertifiedError, match="list of backends"):
            _consistent(signed, _backends(signed, *parts))


@pytest.mark.parametrize(
    "change",
    [{"name": "torch-cpu-bfloat16"}, {"trials": 9}, {"noise": 0.2}, {"noise_sample": 9999}],
    ids=lambda change: next(iter(change)),
)
def test_the_first_backend_is_that_of_the_trials(signed: Any, change: dict[str, Any]) -> None:
    (first,) = signed.made.report.backends
    report = _backends(signed, first.model_copy(update=change))
    found = verify.recompute(report, read_trials(signed.model / "trials.jsonl"))
    assert not found.identical
    assert found.differences[0].startswith("backends[0]")


EDITS: dict[str, Callable[[str], str]] = {
    "a key twice": lambda text: text.replace("{", '{"risk":0.0001,', 1),
    "blanks at the end of a line": lambda text: text.replace("\n", "  \n", 1),
    "a blank line": lambda text: "\n" + text,
    "another order of keys": lambda text: "".join(
        json.dumps(dict(reversed(json.loads(line).items())), separators=(",", ":")) + "\n"
        for line in text.splitlines()
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_trials_that_were_edited_without_changing_a_value_are_refused(
    signed: Any, edit: Callable[[str], str]
) -> None:
    path = signed.model / "trials.jsonl"
    path.write_text(edit(path.read_text()))
    with pytest.raises(InputError, match="not in the form it was written in"):
        read_trials(path)


def test_a_side_file_with_something_behind_its_matrices_is_refused(signed: Any) -> None:
    side = signed.model / "trials-R.safetensors"
    side.write_bytes(side.read_bytes() + b"tail")
    with pytest.raises(InputError, match="damaged"):
        read_trials(signed.model / "trials.jsonl")


def test_a_report_that_is_replaced_leaves_none_of_its_renderings(signed: Any) -> None:
    pipeline.write(signed.model, {pipeline.JUNIT_NAME: b"new"})
    left = {path.name for path in signed.model.iterdir()}
    assert not left & {"safety-report.html", "safety-report.md", "README.md"}
    assert (signed.model / pipeline.JUNIT_NAME).read_bytes() == b"new"


def test_only_a_model_card_of_ours_goes_with_its_report(tmp_path: Path) -> None:
    for text, stays in (("by hand", True), (f"type: {card.MARK}", False)):
        (tmp_path / "README.md").write_text(text)
        pipeline.write(tmp_path, {})
        assert (tmp_path / "README.md").exists() == stays
