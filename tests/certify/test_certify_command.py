"""guard-certify as a user types it: what it prints, and its exit code."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import causalguard
from causalguard import console
from causalguard.certify import cli, evidence, verify
from causalguard.interventions import triplets
from support import planted


class Outcome:
    """Exit code and text of one command."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> planted.FakeGuard:
    """Loading a model gives the sound fake guard."""
    guard = planted.FakeGuard(planted.sound)
    monkeypatch.setattr(evidence, "load_guard", lambda *args, **kwargs: guard)
    return guard


def _run(*words: object) -> Outcome:
    """Through console.run, as the installed script does."""

    @click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
    def process() -> None:
        console.run(_Bound(words))

    result = CliRunner().invoke(process, [])
    return Outcome(result.exit_code, result.output)


class _Bound(click.Command):
    """The command with its arguments fixed."""

    def __init__(self, words: Sequence[object]) -> None:
        super().__init__("bound")
        self._words = [str(word) for word in words]

    def main(self, *args: Any, **kwargs: Any) -> Any:
        return cli.cli.main(self._words, standalone_mode=False, prog_name="guard-certify")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A model, an audit file and a policy file."""
    model = planted.model_dir(tmp_path / "model")
    triplets.write(tmp_path / "audit.jsonl", planted.small_world(240))
    (tmp_path / "policy.yaml").write_text(planted.POLICY)
    return model, tmp_path / "audit.jsonl", tmp_path / "policy.yaml"


def _certify(files: tuple[Path, Path, Path], *more: object) -> Outcome:
    model, data, policy = files
    return _run("--model", model, "--data", data, "--policy", policy, *more)


def test_help_teaches_the_three_commands_and_the_exit_codes() -> None:
    text = _run("--help").text
    assert all(word in text for word in ("verify", "keygen", "UNSIGNED", "3 INCONCLUSIVE"))


def test_the_verdict_is_the_last_line_and_unsigned_is_said_before_it(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard
) -> None:
    found = _certify(files)
    lines = found.text.rstrip().splitlines()
    assert lines[-1].endswith("under policy planted (UNSIGNED)")
    assert lines[-2].startswith("UNSIGNED: nobody vouches")
    assert found.code == {"PASSED": 0, "FAILED": 1, "INCONCLUSIVE": 3}[lines[-1].split()[0]]


def test_failed_gates_are_printed_first_and_the_code_is_one(
    files: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = planted.FakeGuard(planted.flag_none)
    monkeypatch.setattr(evidence, "load_guard", lambda *args, **kwargs: guard)
    found = _certify(files)
    outcomes = [line.split()[0] for line in found.text.splitlines()[:20] if "  " in line]
    gates = [word for word in outcomes if word in {"FAILED", "PASSED", "INCONCLUSIVE"}]
    assert gates[0] == "FAILED"
    assert found.code == 1


def test_sign_then_verify_recompute_and_replay(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard, tmp_path: Path
) -> None:
    model, data, policy = files
    assert _run("keygen", tmp_path / "k.pem").code == 0
    _certify(files, "--key", tmp_path / "k.pem")
    report = model / "safety-report.json"
    found = _run(
        "verify",
        report,
        "--model",
        model,
        "--key",
        tmp_path / "k.pub.pem",
        "--require-result",
        "any",
        "--policy",
        policy,
        "--max-age",
        "30d",
        "--recompute",
        model / "trials.jsonl",
        "--replay",
        30,
        "--data",
        data,
    )
    assert found.code == 0, found.text
    for words in ("signature    good", "byte for byte", "30 texts, risks within 0"):
        assert words in found.text
    assert found.text.rstrip().endswith("(SIGNED)")


def test_a_replay_by_another_model_is_refused(
    files: tuple[Path, Path, Path],
    fake: planted.FakeGuard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, data, _ = files
    _certify(files)
    other = planted.FakeGuard(planted.sound, seed=4)
    monkeypatch.setattr(evidence, "load_guard", lambda *args, **kwargs: other)
    found = _run(
        "verify",
        model / "safety-report.json",
        "--model",
        model,
        "--allow-unsigned",
        "--require-result",
        "any",
        "--replay",
        20,
        "--data",
        data,
    )
    assert found.code == 1
    assert "did not come from this model" in found.text


def test_verifying_without_a_key_is_refused(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard
) -> None:
    _certify(files)
    found = _run("verify", files[0] / "safety-report.json", "--model", files[0])
    assert found.code == 1
    assert "--key" in found.text


def test_an_unsigned_report_does_not_verify(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard, tmp_path: Path
) -> None:
    _run("keygen", tmp_path / "k.pem")
    _certify(files)
    report = files[0] / "safety-report.json"
    found = _run("verify", report, "--model", files[0], "--key", tmp_path / "k.pub.pem")
    assert found.code == 1
    assert "UNSIGNED" in found.text


def test_a_model_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    found = _run("--model", tmp_path / "none")
    assert found.code == 2
    assert "no such directory" in found.text


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--model", "m", "--sets", "0"),
        ("--model", "m", "--sets", "9", "--data", "d"),
        ("--model", "m", "--seed", "9", "--data", "d"),
        ("--colour",),
        ("verify", "r.json"),
    ],
)
def test_wrong_usage_is_code_two(words: tuple[str, ...]) -> None:
    assert _run(*words).code == 2


def test_a_key_that_is_not_there_is_noticed_before_the_model_is_run(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard
) -> None:
    found = _certify(files, "--key", "no.pem")
    assert found.code == 2
    assert fake.calls == 0


@pytest.mark.parametrize("key", ["", "env:CAUSALGUARD_TEST_ABSENT"])
def test_a_key_that_is_not_set_is_no_verdict(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard, key: str
) -> None:
    found = _certify(files, "--key", key)
    assert (found.code, fake.calls) == (2, 0)
    assert "no signing key" in found.text


def test_attacks_on_another_model_are_no_verdict(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard
) -> None:
    shipped = Path(causalguard.__file__).parent / "models/default/safety-report.attacks.json"
    found = _certify(files, "--attacks", shipped)
    assert (found.code, fake.calls) == (2, 0)
    assert "made from another model" in found.text


def test_a_seed_that_no_report_can_state_is_wrong_usage(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard
) -> None:
    found = _run("--model", files[0], "--sets", 2, "--policy", files[2], "--seed", 2**53)
    assert (found.code, fake.calls) == (2, 0)


def test_a_replay_of_more_texts_than_there_are_says_how_many_it_scored(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard
) -> None:
    _certify(files)
    words = ("verify", files[0] / "safety-report.json", "--model", files[0], "--allow-unsigned")
    more = ("--require-result", "any", "--replay", 10**6, "--data", files[1])
    assert "1200 texts, risks within 0" in _run(*words, *more).text


def test_a_faulty_audit_row_is_named_by_its_line(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard
) -> None:
    data = files[1]
    first, rest = data.read_text().split("\n", 1)
    data.write_text(first.replace("triplet/1", "triplet/9") + "\n" + rest)
    found = _certify(files)
    assert found.code == 2
    assert "audit.jsonl:1:" in found.text


def test_an_old_report_is_refused(
    files: tuple[Path, Path, Path],
    fake: planted.FakeGuard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1500000000")
    _run("keygen", tmp_path / "k.pem")
    _certify(files, "--key", tmp_path / "k.pem")
    words: tuple[object, ...] = ("verify", files[0] / "safety-report.json", "--model", files[0])
    words += ("--key", tmp_path / "k.pub.pem", "--require-result", "any")
    assert _run(*words).code == 0
    assert _run(*words, "--max-age", "90d").code == 1
    assert _run(*words, "--max-age", "soon").code == 2


def test_verification_needs_neither_torch_nor_transformers() -> None:
    script = (
        "import sys; import causalguard.certify.cli, causalguard.certify.verify; "
        "sys.exit(bool({'torch', 'transformers', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == 0


def test_reports_name_no_directory_of_this_machine(
    files: tuple[Path, Path, Path], fake: planted.FakeGuard
) -> None:
    _certify(files)
    text = (files[0] / "safety-report.json").read_text()
    assert str(files[0].parent) not in text
    report = verify.read_report(text.encode())
    assert "--data audit.jsonl" in report.reproduce
