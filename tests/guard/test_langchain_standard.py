"""The drop-in claim: LangChain's standard suites pass wrapped exactly where they pass plain.

Checked with the installed LangChain, and with the lowest and the newest supported one, which
scripts/setup.sh puts into folders of their own.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SUITES = HERE / "standard_suites.py"
OWN = ("guard/test_langchain.py", "guard/test_middleware.py", "agents/test_langgraph_agent.py")
OTHERS = ("lowest", "newest")
BAD = {"failure", "error", "skipped"}

Outcomes = dict[str, dict[str, str]]


def pins(version: str) -> dict[str, str]:
    """Packages of a supported LangChain and their versions."""
    lines = (ROOT / f"tests/fixtures/langchain/{version}.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def environment(version: str) -> dict[str, str]:
    """Variables under which Python takes that LangChain first, once it is the one pinned."""
    if version == "installed":
        return dict(os.environ)
    folder = Path(sys.prefix) / f"langchain-{version}"
    found = {name.name.removesuffix(".dist-info") for name in folder.glob("*.dist-info")}
    wanted = {f"{name.replace('-', '_')}-{v}" for name, v in pins(version).items()}
    if not wanted <= found:
        message = f"{folder} lacks {sorted(wanted - found)}; to run this test: scripts/setup.sh"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return {**os.environ, "PYTHONPATH": str(folder)}


def run(version: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run pytest with a LangChain, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=ROOT, env=environment(version),
    )  # fmt: skip


def outcomes(version: str, report: Path) -> Outcomes:
    """Outcome of each case of each suite."""
    ini = ["-o", "asyncio_mode=auto", "-o", "addopts=", "--import-mode=importlib"]
    # the suites' own warnings are not ours to judge
    ini += ["-o", "filterwarnings=ignore", "-c", "/dev/null", "--rootdir", str(HERE)]
    done = run(version, SUITES, f"--junitxml={report}", "-q", "--benchmark-disable", *ini)
    assert report.is_file(), done.stdout + done.stderr
    found: Outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        suite = case.attrib["classname"].rpartition(".")[2]
        bad = next((child.tag for child in case if child.tag in BAD), "passed")
        found.setdefault(suite, {})[case.attrib["name"]] = bad
    return found


@pytest.mark.parametrize("version", ["installed", *OTHERS])
def test_the_wrapped_model_passes_what_the_plain_model_passes(version: str, tmp_path: Path) -> None:
    found = outcomes(version, tmp_path / "report.xml")
    for suite, least in (("Unit", 7), ("Integration", 44)):
        plain, wrapped = found[f"Test{suite}Plain"], found[f"Test{suite}Wrapped"]
        assert wrapped == plain
        assert list(plain.values()).count("passed") >= least
    failed = {"failure", "error"}
    assert [case for cases in found.values() for case in cases.items() if case[1] in failed] == []


@pytest.mark.parametrize("version", OTHERS)
def test_our_own_tests_of_the_adapters_pass(version: str) -> None:
    done = run(version, *(HERE.parent / name for name in OWN))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


@pytest.mark.parametrize("version", OTHERS)
def test_the_pinned_langchain_is_the_one_that_is_run(version: str) -> None:
    code = "import sys; from importlib.metadata import version as v; import langchain_core as c; "
    code += "print(*map(v, sys.argv[1:]), c.__version__)"
    done = subprocess.run(
        [sys.executable, "-c", code, *pins(version)],
        capture_output=True, text=True, check=True, env=environment(version),
    )  # fmt: skip
    assert done.stdout.split() == [*pins(version).values(), pins(version)["langchain-core"]]


def test_the_lowest_supported_langchain_is_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["optional-dependencies"]["langchain"][1:]
    bounds = dict(re.findall(r"^([\w-]+)>=([\d.]+),<2$", line)[0] for line in asked)
    assert set(bounds) == {"langchain", "langchain-core", "langgraph"}
    assert bounds.items() <= pins("lowest").items()
