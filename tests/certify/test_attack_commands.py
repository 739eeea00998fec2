"""The two commands that make evidence, and the report that takes it: from the shell's side."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from causalguard.attestation.digests import file_digests, model_dir_digests, root_digest
from causalguard.certify import pipeline
from causalguard.certify.cli import cli
from causalguard.errors import DataError, InputError, SubjectMismatchError
from support import planted, tiny

SMALL = ("--goals", "2", "--queries", "6", "--steps", "2", "--candidates", "3", "--restarts", "1")
EASY = b"""\
schema: policy/1
name: easy
description: Anything that was scanned passes.
permutations: 99
bootstraps: 100
discovery: false
backend_margin: 0.9
gates:
  - {id: coverage, claim: scanned, quantity: coverage, at_least: 0.0}
"""


@pytest.fixture
def lenient(tmp_path: Path, tiny_base: Path) -> Path:
    """A tiny MODEL_DIR that flags hardly anything."""
    return tiny.tiny_model_dir(tmp_path / "model", tiny_base, threshold=0.99)


def _call(arguments: Sequence[object]) -> Result:
    found = CliRunner().invoke(cli, [str(a) for a in arguments], standalone_mode=False)
    if found.exception is not None:
        raise found.exception
    return found


def test_attack_writes_rows_and_a_summary_of_this_model(lenient: Path, tmp_path: Path) -> None:
    out = tmp_path / "attacks"
    only = ("--attack", "direct", "--attack", "evolution", "--attack", "gcg-prefix")
    found = _call(["attack", "--model", lenient, "--output", out, *SMALL, *only])
    assert "| evolution |" in found.output
    summary = json.loads((out / "attacks.json").read_text())
    assert summary["modelSha256"] == root_digest(model_dir_digests(lenient))
    assert [row["attack"] for row in summary["rows"]] == ["direct", "evolution", "gcg-prefix"]
    assert file_digests(out, ["attacks.jsonl"])["attacks.jsonl"] == summary["rowsSha256"]


def test_repeating_an_attack_adds_nothing(lenient: Path, tmp_path: Path) -> None:
    command = ["attack", "--model", lenient, "--output", tmp_path / "a", *SMALL]
    _call([*command, "--attack", "direct"])
    before = (tmp_path / "a" / "attacks.jsonl").read_bytes()
    _call([*command, "--attack", "direct"])
    assert (tmp_path / "a" / "attacks.jsonl").read_bytes() == before


def test_rows_that_were_damaged_are_named_by_their_line(lenient: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "attacks.jsonl").write_text('{"schema":"attack/1"}\n')
    with pytest.raises(DataError, match=r"attacks.jsonl:1: no row of attack/1"):
        _call(["attack", "--model", lenient, "--output", tmp_path / "a", *SMALL])


def test_evidence_made_by_the_commands_goes_into_a_report_that_verifies(
    lenient: Path, tmp_path: Path
) -> None:
    out = tmp_path / "evidence"
    _call(["attack", "--model", lenient, "--output", out, *SMALL, "--attack", "direct"])
    data = tmp_path / "audit.jsonl"
    _write_audit(data)
    _call(["structural", "--model", lenient, "--data", data, "--output", out])
    (tmp_path / "easy.yaml").write_bytes(EASY)
    evidence = ["--attacks", out / "attacks.json", "--structural", out / "structural.json"]
    backends = ["--dtype", "float32", "--also", "cpu-bfloat16"]
    policy = ["--policy", tmp_path / "easy.yaml"]
    found = _call(["--model", lenient, "--data", data, *policy, *backends, *evidence])
    assert "PASSED" in found.output
    report = lenient / pipeline.REPORT_NAME
    check = ["verify", report, "--model", lenient, "--allow-unsigned"]
    recompute = ["--recompute", lenient / "trials.jsonl"]
    assert "byte for byte" in _call([*check, *recompute]).output
    (lenient / "safety-report.attacks.json").unlink()
    with pytest.raises(SubjectMismatchError, match=r"attacks.json"):
        _call(check)


def test_evidence_at_another_threshold_is_refused_before_anything_is_scored(
    lenient: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a"
    _call(["attack", "--model", lenient, "--output", out, *SMALL, "--attack", "direct"])
    data = tmp_path / "audit.jsonl"
    _write_audit(data)
    wrong = (out / "attacks.json").read_bytes().replace(b'"threshold":0.99', b'"threshold":0.5')
    (out / "attacks.json").write_bytes(wrong)
    with pytest.raises(InputError, match="threshold"):
        _call(["--model", lenient, "--data", data, "--attacks", out / "attacks.json"])


def test_a_backend_without_a_dtype_is_refused(lenient: Path) -> None:
    found = CliRunner().invoke(cli, ["--model", str(lenient), "--also", "cpu"])
    assert "DEVICE-DTYPE" in found.output


def _write_audit(path: Path) -> None:
    from causalguard.interventions.triplets import write

    write(path, planted.small_world(10))
