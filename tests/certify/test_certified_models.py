"""From trials to a signed report and back: what is altered anywhere is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from causalguard.attestation import dsse, keys
from causalguard.attestation.canonical import canonical_json, parse_canonical
from causalguard.attestation.certificate import Certificate, make_statement
from causalguard.attestation.digests import model_dir_digests
from causalguard.certify import assemble, pipeline, verify
from causalguard.certify.pipeline import Audit
from causalguard.certify.policy import LoadedPolicy
from causalguard.certify.report.model import Report
from causalguard.certify.trials import read_trials
from causalguard.errors import (
    CertificateError,
    ModelDirError,
    NotCertifiedError,
    OutputExistsError,
    ScanError,
    SignatureError,
    SubjectMismatchError,
)
from support import planted

NAMES = {
    "safety-report.json",
    "safety-report.sigstore.json",
    "safety-report.html",
    "safety-report.md",
    "safety-report.junit.xml",
    "README.md",
    "trials.jsonl",
    "trials-R.safetensors",
}


def _verify(sample: Any, **changes: Any) -> tuple[Certificate, Report]:
    values: dict[str, Any] = {
        "public_key": keys.load_public(sample.public),
        "file_digests": model_dir_digests(sample.model),
        "report_copy": (sample.model / "safety-report.json").read_bytes(),
        "guard_json": (sample.model / "guard.json").read_bytes(),
        "require_result": None,
    }
    bundle = changes.pop("bundle", None)
    data = (sample.model / "safety-report.sigstore.json").read_bytes()
    return verify.verify(bundle or data, **(values | changes))


def _certify(model: Path, policy: LoadedPolicy, **changes: Any) -> pipeline.Certified:
    guard = changes.pop("guard", None) or planted.FakeGuard(planted.sound)
    audit = Audit(triplets=planted.small_world(60), origin="engine", seed=0)
    return pipeline.certify(model, guard, audit, policy, **changes)


def test_a_signed_report_verifies_with_the_trusted_key(signed: Any) -> None:
    certificate, report = _verify(signed)
    assert certificate.result == report.results.result == signed.made.report.results.result
    assert certificate.policy_name == "planted"


def test_the_signed_files_of_the_model_are_never_altered(
    tmp_path: Path, planted_policy: LoadedPolicy
) -> None:
    model = planted.model_dir(tmp_path / "m")
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    made = _certify(model, planted_policy)
    after = {path.name: path.read_bytes() for path in model.iterdir()}
    assert before.items() <= after.items()
    assert set(after) - set(before) == NAMES - {"safety-report.sigstore.json"}
    assert made.bundle is None
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_without_a_key_the_report_says_unsigned_everywhere(
    tmp_path: Path, planted_policy: LoadedPolicy
) -> None:
    model = planted.model_dir(tmp_path / "m")
    made = _certify(model, planted_policy)
    assert made.report.signature.state == "UNSIGNED"
    for name in ("safety-report.json", "safety-report.html", "safety-report.md"):
        assert "UNSIGNED" in (model / name).read_text()
    assert not (model / "safety-report.sigstore.json").exists()


def test_an_unsigned_run_never_lands_beside_a_signed_report(
    signed: Any, planted_policy: LoadedPolicy
) -> None:
    guard = planted.FakeGuard(planted.sound)
    with pytest.raises(OutputExistsError, match="--key"):
        _certify(signed.model, planted_policy, guard=guard)
    assert guard.calls == 0


def test_the_same_inputs_give_the_same_report_bytes(
    tmp_path: Path, planted_policy: LoadedPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    models = [planted.model_dir(tmp_path / name) for name in ("one", "two")]
    first, second = (_certify(model, planted_policy) for model in models)
    assert assemble.report_bytes(first.report) == assemble.report_bytes(second.report)
    assert first.report.time_created == "2023-11-14T22:13:20Z"
    names = NAMES - {"safety-report.sigstore.json"}
    assert all((models[0] / n).read_bytes() == (models[1] / n).read_bytes() for n in names)


def test_the_copy_is_the_canonical_form_of_what_was_signed(signed: Any) -> None:
    bundle = (signed.model / "safety-report.sigstore.json").read_bytes()
    predicate = dsse.open_bundle(bundle, keys.load_public(signed.public))["predicate"]
    assert canonical_json(predicate["report"]) == (signed.model / "safety-report.json").read_bytes()


@pytest.mark.parametrize("name", ["guard.json", "head.safetensors", "training.yaml"])
def test_a_flipped_byte_in_any_signed_file_is_refused(signed: Any, name: str) -> None:
    path = signed.model / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(SubjectMismatchError, match=name):
        _verify(signed)


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6, 0.97])
def test_a_flipped_byte_in_the_copy_is_refused(signed: Any, place: float) -> None:
    path = signed.model / "safety-report.json"
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    with pytest.raises(SignatureError, match="differs from the report that was signed"):
        _verify(signed, report_copy=bytes(data))


@pytest.mark.parametrize("place", [0.01, 0.5, 0.99])
def test_a_flipped_byte_in_the_bundle_is_refused(signed: Any, place: float) -> None:
    data = bytearray((signed.model / "safety-report.sigstore.json").read_bytes())
    data[int(len(data) * place)] ^= 1
    with pytest.raises(CertificateError):
        _verify(signed, bundle=bytes(data))


def test_another_key_is_refused(signed: Any) -> None:
    _, public = keys.generate()
    with pytest.raises(SignatureError, match="key"):
        _verify(signed, public_key=keys.load_public(public))


def _resigned(sample: Any, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A bundle that verifies, with a predicate that somebody changed before signing."""
    predicate = assemble.build_predicate(sample.made.report)
    predicate = parse_canonical(canonical_json(predicate))
    change(predicate)
    statement = make_statement(sample.made.report.model.files, predicate)
    return dsse.sign(statement, keys.load_signer(sample.private))


def test_fields_beside_the_report_must_follow_from_it(signed: Any) -> None:
    def change(predicate: dict[str, Any]) -> None:
        predicate["result"] = "PASSED"
        predicate["failedTests"] = ["made-up"]

    with pytest.raises(NotCertifiedError, match="do not follow"):
        _verify(signed, bundle=_resigned(signed, change), report_copy=None)


def test_a_policy_text_that_does_not_have_its_digest_is_refused(signed: Any) -> None:
    def change(predicate: dict[str, Any]) -> None:
        predicate["report"]["policy"]["text"] += "# looser\n"

    with pytest.raises(NotCertifiedError, match="policy in the report"):
        _verify(signed, bundle=_resigned(signed, change), report_copy=None)


def test_a_result_that_is_not_the_required_one_is_refused(signed: Any) -> None:
    wanted = "FAILED" if signed.made.report.results.result != "FAILED" else "PASSED"
    with pytest.raises(NotCertifiedError, match="result"):
        _verify(signed, require_result=wanted)


def test_a_report_older_than_allowed_is_refused(signed: Any) -> None:
    later = datetime.now(UTC) + timedelta(days=100)
    with pytest.raises(NotCertifiedError, match="age"):
        _verify(signed, max_age_days=90, now=later)


def test_every_number_follows_from_the_trials(signed: Any) -> None:
    report = verify.read_report((signed.model / "safety-report.json").read_bytes())
    found = verify.recompute(report, read_trials(signed.model / "trials.jsonl"))
    assert found.identical
    assert found.differences == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("results", "miss", "overall", "high"), 0.001),
        (("results", "falsePositives", "overall", "hits"), 99),
        (("results", "gates", 0, "outcome"), "INCONCLUSIVE"),
        (("results", "ranking", "pooled", "estimate"), 1.0),
        (("results", "tests", 0, "pValue"), 0.9),
        (("evidence", "heldOutFamilies"), []),
    ],
)
def test_a_number_that_does_not_follow_from_the_trials_is_named(
    signed: Any, path: tuple[Any, ...], value: object
) -> None:
    content = json.loads((signed.model / "safety-report.json").read_bytes())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    found = verify.recompute(verify.report_of(content), read_trials(signed.model / "trials.jsonl"))
    assert not found.identical
    assert str(path[-1]) in found.differences[0]


def test_trials_of_another_run_are_refused(signed: Any) -> None:
    path = signed.model / "trials.jsonl"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"flagged":false', b'"flagged":true', 1))
    report = signed.made.report
    with pytest.raises(SubjectMismatchError, match="not the trials of this report"):
        verify.recompute(report, read_trials(path))


def test_a_guard_at_another_threshold_than_guard_json_is_not_certified(
    tmp_path: Path, planted_policy: LoadedPolicy
) -> None:
    model = planted.model_dir(tmp_path / "m")
    guard = planted.FakeGuard(planted.sound, threshold=0.4)
    with pytest.raises(ModelDirError, match=r"threshold 0.4, guard.json says 0.5"):
        _certify(model, planted_policy, guard=guard)


def test_a_model_that_changes_under_the_run_is_not_certified(
    tmp_path: Path, planted_policy: LoadedPolicy
) -> None:
    model = planted.model_dir(tmp_path / "m")

    class Swapping(planted.FakeGuard):
        def score(self, outputs: list[Any], /) -> Any:
            (model / "head.safetensors").write_bytes(b"other")
            return super().score(outputs)

    with pytest.raises(ModelDirError, match="changed while"):
        _certify(model, planted_policy, guard=Swapping(planted.sound))


def test_a_run_that_fails_writes_no_report(tmp_path: Path, planted_policy: LoadedPolicy) -> None:
    model = planted.model_dir(tmp_path / "m")
    before = sorted(path.name for path in model.iterdir())
    guard = planted.FakeGuard(lambda output, noise: float("nan"))
    with pytest.raises(ScanError):
        _certify(model, planted_policy, guard=guard)
    assert sorted(path.name for path in model.iterdir()) == before


def test_reports_can_go_elsewhere(tmp_path: Path, planted_policy: LoadedPolicy) -> None:
    model = planted.model_dir(tmp_path / "m")
    _certify(model, planted_policy, output=tmp_path / "out", formats=("junit",))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "safety-report.json",
        "safety-report.junit.xml",
        "trials.jsonl",
        "trials-R.safetensors",
    }
    assert len(list(model.iterdir())) == 5


def test_a_write_that_breaks_off_leaves_no_bundle(
    signed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def broken(self: Path, target: Path) -> Path:
        if self.name == "safety-report.html":
            raise OSError("disk full")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        pipeline.write(signed.model, dict.fromkeys(sorted(NAMES), b"x"))
    assert not (signed.model / "safety-report.sigstore.json").exists()
    assert not list(signed.model.parent.glob(".copy.*"))


def test_a_readme_written_by_hand_is_left_alone(
    tmp_path: Path, planted_policy: LoadedPolicy
) -> None:
    model = planted.model_dir(tmp_path / "m")
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("mine")
    _certify(model, planted_policy, output=out)
    assert (out / "README.md").read_text() == "mine"
    _certify(model, planted_policy)
    _certify(model, planted_policy)
    assert (model / "README.md").read_text().startswith("---\nlibrary_name: peft")
