"""The command line of corpus scans: what is refused before anything starts."""

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from causalguard.errors import InputError, UnsignedError
from causalguard.guard.cli import command

WITHOUT_RAY = """
import sys
sys.modules["ray"] = None
from causalguard.errors import MissingError
from causalguard.guard.corpora.ray_pool import Workers, cluster
try:
    with cluster(Workers(count=1)):
        pass
except MissingError as error:
    print(error)
"""


def refused(*arguments: object) -> BaseException | None:
    given = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, given, standalone_mode=False).exception


def test_options_of_ray_alone_are_refused_without_it() -> None:
    error = refused("--workers", 2, "--resume", "x")
    assert isinstance(error, InputError)
    assert str(error).startswith("--resume, --workers: only with --engine ray")


def test_ray_needs_an_output_and_sources(tmp_path: Path) -> None:
    for arguments in (("x",), ("--output", tmp_path / "o"), ("--output", tmp_path / "o", "-")):
        assert "needs --output FOLDER" in str(refused("--engine", "ray", *arguments))


def test_without_a_key_no_worker_is_started(tiny_model: Path, tmp_path: Path) -> None:
    error = refused("--engine", "ray", "--model", tiny_model, "--output", tmp_path / "o", "x")
    assert isinstance(error, UnsignedError)


def test_a_missing_ray_names_the_extra() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY], capture_output=True, text=True, check=True
    )
    assert "pip install 'causalguard[ray]'" in done.stdout


def test_the_help_teaches_corpora() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    for word in ("s3://", "set-aside/part-", "--resume", "--num-gpus", "manifest.json"):
        assert word in text
