"""causalguard demo: the whole chain on this machine, with the commands printed as they run."""

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from causalguard.errors import CausalGuardError, OutputExistsError
from causalguard.interventions import engine, triplets
from causalguard.interventions.families import FAMILIES, by_name

POLICY = "demo"
AUDIT_SETS, AUDIT_SEED = 120, 19
AUDIT_LENGTHS = ("50-200", "200-800", "800-3000")
NOT_PLAIN = ("encoding", "language", "perturbed")
"""Groups that a model trained for a minute cannot know: codes and other languages."""
MARK = "DEMO"
"""File that marks a directory as ours to replace."""


class StepFailedError(CausalGuardError):
    """A step of the demo ended with an error; its own message stands above."""


def run_demo(output: Path) -> None:
    """Train, certify, sign, verify, guard.

    Args:
        output: directory for everything that is made; an earlier demo's is replaced.

    Raises:
        OutputExistsError: it exists, and was not made by an earlier demo.
        StepFailedError: a step failed; the message names it.
    """
    if output.exists() and not (output / MARK).is_file():
        raise OutputExistsError(f"{output} exists and no demo made it; give another --output")
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    (output / MARK).write_text("made by causalguard demo; safe to delete\n")
    began = time.monotonic()
    model, key = output / "model", output / "demo-key.pem"
    with _step("1/5 train a small guard on generated matched sets (CPU)"):
        _command("causalguard.train.cli", "--config", "tiny", "--output", model)
    with _step("2/5 make a signing key, for this demo only"):
        _command("causalguard.certify.cli", "keygen", key)
        click.echo("This key was made a second ago and proves nothing to anybody else.")
    with _step(f"3/5 certify under policy-{POLICY}.yaml, sign the report with the demo key"):
        click.echo("The demo policy is loose on purpose: it shows the chain, not a safe guard.")
        audit = _audit_set(output / "audit.jsonl")
        _command(
            "causalguard.certify.cli",
            *("--model", model, "--policy", POLICY, "--key", key, "--data", audit),
        )
    public = _public(key)
    with _step("4/5 verify the signed report against the files, as a third party would"):
        report = model / "safety-report.sigstore.json"
        _command("causalguard.certify.cli", "verify", report, "--model", model, "--key", public)
    with _step("5/5 run an agent whose tools return injected texts: without and with the guard"):
        from causalguard.demo.agent import compare

        compare(model, public, output / "demo.html")
    click.echo(f"\nDone in {time.monotonic() - began:.0f} s. Look at:")
    click.echo(f"  {output / 'demo.html'}  (risks drawn over each tool output)")
    click.echo(f"  {model / 'safety-report.html'}  (the certificate)")


def _audit_set(path: Path) -> Path:
    """Render matched sets of the audit split, as ``guard-data triplets --split audit`` does."""
    names = [f.name for f in FAMILIES if f.group not in NOT_PLAIN]
    sets = engine.generate(
        AUDIT_SETS, seed=AUDIT_SEED, split="audit", families=names, lengths=AUDIT_LENGTHS
    )
    triplets.write(path, sets)
    unseen = sum(not by_name(name).trained for name in names)
    click.echo(f"audit set: {AUDIT_SETS} matched sets that share nothing with the training data,")
    click.echo(f"{len(names)} attack families in plain English, {unseen} of them never trained on")
    return path


def _public(key: Path) -> Path:
    return key.with_suffix(".pub.pem")


def _command(module: str, *arguments: str | Path) -> None:
    names = {"causalguard.train.cli": "guard-train", "causalguard.certify.cli": "guard-certify"}
    words = [str(a) for a in arguments]
    click.echo(click.style(f"$ {names[module]} {shlex.join(words)}", bold=True))
    sys.stdout.flush()
    done = subprocess.run([sys.executable, "-m", module, *words], check=False)
    if done.returncode != 0:
        raise StepFailedError(f"{names[module]} ended with exit code {done.returncode}; see above")


@contextmanager
def _step(title: str) -> Iterator[None]:
    click.echo(click.style(f"\n== {title}", fg="cyan", bold=True))
    began = time.monotonic()
    yield
    click.echo(click.style(f"   ({time.monotonic() - began:.0f} s)", dim=True))
