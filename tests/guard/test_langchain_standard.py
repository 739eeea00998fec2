"""The drop-in claim: LangChain's standard suites pass wrapped exactly where they pass plain."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

SUITES = Path(__file__).with_name("standard_suites.py")

Outcomes = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    report = tmp_path_factory.mktemp("standard") / "report.xml"
    command = [sys.executable, "-m", "pytest", str(SUITES), f"--junitxml={report}"]
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--benchmark-disable"]
    ini = ["-o", "asyncio_mode=auto", "-o", "addopts=", "--import-mode=importlib"]
    # the suites' own warnings are not ours to judge
    ini += ["-o", "filterwarnings=ignore", "-c", "/dev/null", "--rootdir", str(SUITES.parent)]
    done = subprocess.run([*command, *options, *ini], capture_output=True, text=True, check=False)
    assert report.is_file(), done.stdout + done.stderr
    found: Outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        suite = case.attrib["classname"].rpartition(".")[2]
        bad = next((child.tag for child in case if child.tag in BAD), "passed")
        found.setdefault(suite, {})[case.attrib["name"]] = bad
    return found


BAD = {"failure", "error", "skipped"}


def _passed(outcomes: Outcomes, suite: str) -> set[str]:
    return {name for name, outcome in outcomes[suite].items() if outcome == "passed"}


@pytest.mark.parametrize(("suite", "least"), [("Unit", 7), ("Integration", 44)])
def test_the_wrapped_model_passes_what_the_plain_model_passes(
    outcomes: Outcomes, suite: str, least: int
) -> None:
    plain = _passed(outcomes, f"Test{suite}Plain")
    wrapped = _passed(outcomes, f"Test{suite}Wrapped")
    assert wrapped == plain
    assert len(wrapped) >= least


def test_nothing_in_the_standard_suites_fails(outcomes: Outcomes) -> None:
    failed = [
        f"{suite}::{name}"
        for suite, cases in outcomes.items()
        for name, outcome in cases.items()
        if outcome in {"failure", "error"}
    ]
    assert failed == []
