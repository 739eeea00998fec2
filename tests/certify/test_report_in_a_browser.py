"""The HTML report in a real headless Chromium, in light and in dark."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from causalguard.certify.report import html

pytestmark = pytest.mark.external

HERE = Path(__file__).parent / "browser"
INSTALL = "Node.js >= 22 with npm, and a registry that has @sparticuz/chromium (Linux x86-64)"


def _missing(what: str) -> None:
    """Skip at a desk, fail under CI: there the proof is not optional."""
    message = f"{what}; to run this test: {INSTALL}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    words = [str(part) for part in command]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, signed_once: Any) -> Any:
    """What the browser saw of a report."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        _missing("node and npm are not installed")
    folder = tmp_path_factory.mktemp("browser")
    for name in ("package.json", "package-lock.json", "open.mjs"):
        shutil.copy(HERE / name, folder)
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    done = _run(*npm)
    if done.returncode:
        _missing(f"npm could not install Chromium: {done.stderr[-500:]}")
    done = _run("node", folder / "open.mjs", signed_once.model / "safety-report.html")
    if done.returncode:
        _missing(f"Chromium did not start: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_no_error_and_no_request_beside_the_page(seen: Any) -> None:
    assert seen["errors"] == []
    assert len(set(seen["requests"])) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_is_there_and_has_content(seen: Any, scheme: str) -> None:
    sections = seen["schemes"][scheme]["sections"]
    assert [(found["id"], found["title"]) for found in sections] == list(html.SECTIONS)
    assert all(found["height"] > 60 for found in sections)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_and_nothing_runs_off_the_page(seen: Any, scheme: str) -> None:
    page = seen["schemes"][scheme]
    light, dark = sorted((_luminance(page["fore"]), _luminance(page["back"])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 7
    assert not page["wide"]
    assert all(plot["inside"] and plot["height"] > 50 for plot in page["plots"])


def test_light_and_dark_are_different_pages(seen: Any) -> None:
    assert _luminance(seen["schemes"]["light"]["back"]) > 0.9
    assert _luminance(seen["schemes"]["dark"]["back"]) < 0.05
