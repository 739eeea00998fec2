"""Reports of every published format version verify for ever: signature, files, trials."""

from pathlib import Path

import pytest

from causalguard.attestation import keys
from causalguard.attestation.digests import model_dir_digests
from causalguard.certify import verify
from causalguard.certify.attachments import check_files
from causalguard.certify.pipeline import ATTACHED_NAMES
from causalguard.certify.report import html
from causalguard.certify.report.model import SCHEMA_VERSION, Report
from causalguard.certify.trials import read_trials
from causalguard.errors import CertificateError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "reports"
RELEASED = sorted(path.name for path in FIXTURES.glob("v*") if path.is_dir())


def _verified(name: str) -> Report:
    model = FIXTURES / name
    _, report = verify.verify(
        (model / "safety-report.sigstore.json").read_bytes(),
        public_key=keys.load_public(FIXTURES / f"{name}.pub.pem"),
        file_digests=model_dir_digests(model),
        report_copy=(model / "safety-report.json").read_bytes(),
        guard_json=(model / "guard.json").read_bytes(),
    )
    return report


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_report_still_verifies(name: str) -> None:
    report = _verified(name)
    assert report.results.result == "PASSED"
    assert report.schema_version == name.removeprefix("v")


@pytest.mark.parametrize("name", RELEASED)
def test_what_a_released_report_carries_is_still_checked(name: str) -> None:
    report, model = _verified(name), FIXTURES / name
    files = {n: (model / n).read_bytes() for n in ATTACHED_NAMES if (model / n).is_file()}
    check_files(report, read_trials(model / "trials.jsonl").trials, files)
    assert (report.adaptive is None) == (name == "v1.0")


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_report_is_still_rendered(name: str) -> None:
    assert "PASSED" in html.render(_verified(name))


def test_the_present_version_has_its_fixture() -> None:
    assert f"v{SCHEMA_VERSION}" in RELEASED


@pytest.mark.parametrize("name", RELEASED)
def test_the_trials_of_a_released_report_are_still_read(name: str) -> None:
    verify.check_trials(_verified(name), read_trials(FIXTURES / name / "trials.jsonl"))


def test_a_released_report_is_still_refused_with_another_key(tmp_path: Path) -> None:
    _, public = keys.write_key_pair(tmp_path / "other.pem")
    with pytest.raises(CertificateError):
        verify.verify(
            (FIXTURES / "v1.0" / "safety-report.sigstore.json").read_bytes(),
            public_key=keys.load_public(public),
            file_digests=model_dir_digests(FIXTURES / "v1.0"),
            report_copy=None,
        )
