"""The container image holds what the pages that speak of it promise."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "Dockerfile", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUN = re.compile(r"docker run (?:[^\\\n]|\\\n)*")


def extras(text: str) -> set[str]:
    """Extras that a page, or the image's own line, installs the package with."""
    found = re.findall(r"install [^\n]*(?:causalguard|\.)\[([\w,-]+)\]", text)
    return {name for names in found for name in names.split(",")}


def test_the_image_has_the_extras_of_every_page_that_runs_it() -> None:
    image = extras((ROOT / "Dockerfile").read_text())
    promised = {page.name: extras(page.read_text()) for page in PAGES if runs(page)}
    assert "serve" in promised["serve.md"]
    assert {name: wanted - image for name, wanted in promised.items() if wanted - image} == {}
    assert image <= set(PROJECT["optional-dependencies"])


def test_every_program_that_is_run_in_the_image_exists() -> None:
    called = {word for page in PAGES for run in runs(page) for word in programs(run)}
    assert {"guard-scan", "guard-serve"} <= called <= set(PROJECT["scripts"])


def runs(page: Path) -> list[str]:
    return RUN.findall(page.read_text())


def programs(run: str) -> list[str]:
    return re.findall(r"\bguard-[a-z]+", run)
