"""guard-certify: certify a model, verify a report, make a key pair."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

import click
import numpy as np

from causalguard import console
from causalguard.attestation import keys
from causalguard.attestation.certificate import Certificate
from causalguard.attestation.digests import model_dir_digests, root_digest
from causalguard.certify import assemble, evidence, pipeline
from causalguard.certify import verify as checks
from causalguard.certify.attachments import (
    Attachments,
    attached_attacks,
    attached_structural,
    check_files,
)
from causalguard.certify.attacks.cli import attack, structural_command
from causalguard.certify.crew import Crew
from causalguard.certify.policy import LoadedPolicy
from causalguard.certify.policy import load as load_policy
from causalguard.certify.report.model import Report, audit_seed
from causalguard.certify.rounding import replay_allowance, vector_cap
from causalguard.certify.trials import TrialSet, read_trials
from causalguard.errors import CertificateError, InputError, NotCertifiedError, UnsignedError
from causalguard.interventions.triplets import read as read_triplets
from causalguard.records import Triplet

CODES = {"PASSED": console.OK, "FAILED": console.NEGATIVE, "INCONCLUSIVE": console.FAILED}
BUNDLE_SUFFIX = ".sigstore.json"
MAX_SEED = 2**53 - 1
"""Largest whole number that every reader of a report's JSON reads alike."""
COLOURS = {"PASSED": "green", "FAILED": "red", "INCONCLUSIVE": "yellow"}

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_HELP = """Certify a guard: exact bounds and causal tests in a report that others can check.

\b
  guard-certify --model DIR                      render an audit set, UNSIGNED report
  guard-certify --model DIR --key signer.pem     the same, signed: the model can be loaded
  guard-certify --model DIR --data audit.jsonl   your own audit set
  guard-certify verify DIR/safety-report.json --model DIR --key signer.pub.pem
  guard-certify keygen signer.pem

The audit set must share no carrier, goal or template with what the model was trained or
calibrated on; the rendered one comes from a split of its own.  Reports go to the model's
directory (its signed files are never altered), or to --output.  An interrupted run continues
where it stopped.

\b
Exit codes: 0 PASSED, 1 FAILED, 2 wrong usage, 3 INCONCLUSIVE or the run failed.
"""


@click.group(invoke_without_command=True, help=_HELP)
@click.option("--model", type=_PATH, help="MODEL_DIR, as guard-train writes it.")
@click.option("--data", type=_PATH, help="Audit set: JSONL of matched sets.  Default: rendered.")
@click.option("--sets", type=click.IntRange(min=1), help="Matched sets to render.")
@click.option("--seed", type=click.IntRange(min=0, max=MAX_SEED),
              help="Of the rendered set.  Default: follows from the model's digest, so that nobody "
              "could train on the set.")  # fmt: skip
@click.option("--policy", default="default", show_default=True, help="default, demo, or a file.")
@click.option("--key", help="Private key: a file, env:NAME or a key service's URI.")
@click.option("--public-key", type=_PATH, help="Its public half (needed for a key service).")
@click.option("--output", type=_PATH, help="Directory for the reports.  Default: MODEL_DIR.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(pipeline.FORMATS),
    help="Renderings beside the JSON (repeatable).  Default: all.",
)
@click.option("--attempt", type=click.IntRange(min=1), default=1, help="Which attempt it is.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, ...")
@click.option(
    "--dtype",
    default="auto",
    show_default=True,
    help="float32 or bfloat16; auto: the fast one on this machine.",
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes that score on this machine's CPU.")  # fmt: skip
@click.option("--also", multiple=True, help="Further backend to list, DEVICE-DTYPE (repeatable).")
@click.option("--attacks", type=_FILE, help="attacks.json of guard-certify attack, to report.")
@click.option("--structural", type=_FILE, help="structural.json, to report.")
@click.pass_context
def cli(
    context: click.Context,
    model: Path | None,
    data: Path | None,
    sets: int | None,
    seed: int | None,
    policy: str,
    key: str | None,
    public_key: Path | None,
    output: Path | None,
    formats: tuple[str, ...],
    attempt: int,
    device: str,
    dtype: str,
    workers: int,
    also: tuple[str, ...],
    attacks: Path | None,
    structural: Path | None,
) -> int | None:
    """Certify (without a subcommand)."""
    if context.invoked_subcommand is not None:
        return None
    if model is None:
        raise click.UsageError("give --model DIR, or a subcommand: verify, keygen")
    if data is not None and sets is not None:
        raise click.UsageError("--sets renders an audit set, --data reads one: give one of them")
    if data is not None and seed is not None:
        raise click.UsageError("--seed is of a rendered audit set, --data reads one: leave it out")
    if not model.is_dir():
        raise click.UsageError(f"--model {model}: no such directory; give a MODEL_DIR")
    loaded = load_policy(policy)
    root = root_digest(model_dir_digests(model))  # damage is noticed before a set is rendered
    if workers > 1 and device != "cpu":
        raise click.UsageError("--workers are for --device cpu: a GPU is kept busy by one process")
    public = None if public_key is None else keys.load_public(public_key)
    with _no_verdict():
        signer = None if key is None else keys.load_signer(key, public=public)
    pipeline.check_target(output or model, signed=signer is not None)
    others = [_other(model, name) for name in also]
    with _no_verdict():
        attached = _attached(model, attacks, structural)
    if seed is None:
        seed = audit_seed(root)
    audit = _audit(data, sets or loaded.policy.audit_sets, seed)
    guard = evidence.load_guard(model, device=device, dtype=dtype)
    dtype = guard.backend.rsplit("-", 1)[-1]
    loads = partial(evidence.load_guard, model, device=device, dtype=dtype)
    with Crew(loads, workers) if workers > 1 else nullcontext() as crew:
        done = pipeline.certify(
            model,
            guard,
            audit,
            loaded,
            signer=signer,
            output=output,
            formats=formats or pipeline.FORMATS,
            attempt=attempt,
            reproduce=_reproduce(
                audit, loaded, policy, device, dtype, _extra(also, attacks, structural)
            ),
            attached=attached,
            others=others,
            crew=crew,
            tell=lambda line: click.echo(line, err=True),
        )
    return _show(done.report, done.paths)


@contextmanager
def _no_verdict() -> Iterator[None]:
    """A wrong key or file is wrong usage: the code of refused certificates would say FAILED."""
    try:
        yield
    except CertificateError as error:
        raise InputError(str(error)) from None


def _other(model: Path, name: str) -> Callable[[], evidence.GuardLike]:
    device, _, dtype = name.rpartition("-")
    if not device or not dtype:
        raise click.UsageError(f"--also {name}: give DEVICE-DTYPE, e.g. cpu-float32")
    return lambda: evidence.load_guard(model, device=device, dtype=dtype)


def _attached(model: Path, attacks: Path | None, structural: Path | None) -> Attachments:
    """Read attached evidence; what is of another model is noticed before hours of work."""
    found = Attachments(
        attacks=None if attacks is None else attacks.read_bytes(),
        structural=None if structural is None else structural.read_bytes(),
    )
    part = assemble.model_part(assemble.read_guard_json(model), model_dir_digests(model))
    if found.attacks is not None:
        attached_attacks(found.attacks, part)
    if found.structural is not None:
        attached_structural(found.structural, part)
    return found


def _audit(data: Path | None, sets: int, seed: int) -> pipeline.Audit:
    if data is not None:
        return pipeline.Audit(triplets=read_triplets(data), origin=data.name)
    return pipeline.Audit(triplets=_rendered(sets, seed), origin="engine", seed=seed)


def _rendered(sets: int, seed: int) -> list[Triplet]:
    # loaded only when it is needed: verifying a report does not need the engine
    from causalguard.interventions import engine

    return list(engine.generate(sets, seed=seed, split="audit"))


def _reproduce(
    audit: pipeline.Audit,
    policy: LoadedPolicy,
    name: str,
    device: str,
    dtype: str,
    extra: Sequence[str],
) -> str:
    words = ["guard-certify", "--model", "MODEL_DIR"]
    if audit.seed is None:
        words += ["--data", audit.origin]
    else:
        words += ["--sets", str(len(audit.triplets)), "--seed", str(audit.seed)]
    # a policy file is named without its directory: paths of this machine stay here
    words += ["--policy", Path(name).name if Path(name).is_file() else policy.policy.name]
    words += ["--device", device, "--dtype", dtype, *extra]
    return shlex.join(words)


def _extra(also: Sequence[str], attacks: Path | None, structural: Path | None) -> list[str]:
    """Options that add evidence, with files named without their directories."""
    words = [word for backend in also for word in ("--also", backend)]
    for option, path in (("--attacks", attacks), ("--structural", structural)):
        words += [] if path is None else [option, path.name]
    return words


def _show(report: Report, paths: tuple[Path, ...]) -> int:
    results = report.results
    for gate in results.gates:
        mark = click.style(f"{gate.outcome:>12}", fg=COLOURS[gate.outcome], bold=gate.required)
        kind = "" if gate.required else " (report only)"
        click.echo(f"{mark}  {gate.id}{kind}: {gate.reason}")
    click.echo()
    for line in results.plain:
        click.echo(line)
    click.echo()
    for path in paths:
        click.echo(f"wrote {path}")
    signed = report.signature.state == "SIGNED"
    click.echo(click.style(report.signature.note, fg=None if signed else "red", bold=not signed))
    _say_result(report)
    return CODES[results.result]


def _say_result(report: Report) -> None:
    result = report.results.result
    words = f"{result} under policy {report.policy.name} ({report.signature.state})"
    click.echo(click.style(words, fg=COLOURS[result], bold=True))


@cli.command("keygen")
@click.argument("path", type=_PATH)
@click.option("--kind", type=click.Choice(["p256", "ed25519"]), default="p256", show_default=True)
@click.option("--encrypt", is_flag=True, help="Ask for a passphrase and encrypt the private key.")
def keygen(path: Path, kind: keys.Kind, *, encrypt: bool) -> None:
    """Make a key pair: PATH (private, mode 0600) and PATH with .pub before its suffix."""
    passphrase = (
        click.prompt("passphrase", hide_input=True, confirmation_prompt=True) if encrypt else None
    )
    private, public = keys.write_key_pair(path, kind=kind, passphrase=passphrase)
    click.echo(f"private key  {private}   keep it; whoever has it can certify in your name")
    click.echo(f"public key   {public}   give it to whoever is to verify your reports")


@cli.command("verify")
@click.argument("report", type=_PATH)
@click.option("--model", type=_PATH, required=True, help="MODEL_DIR the report speaks of.")
@click.option("--key", type=_PATH, help="Public key that you trust (not one from MODEL_DIR).")
@click.option(
    "--require-result",
    type=click.Choice(["PASSED", "FAILED", "INCONCLUSIVE", "any"]),
    default="PASSED",
    show_default=True,
)
@click.option("--policy", help="Accept only this policy: default, demo, or a file.")
@click.option("--max-age", help="Largest age, e.g. 90d.")
@click.option("--recompute", type=_PATH, help="trials.jsonl: compute every number again.")
@click.option("--replay", type=click.IntRange(min=1), help="Score so many audit texts again.")
@click.option("--data", type=_PATH, help="Audit set for --replay, if it was not rendered.")
@click.option("--allow-unsigned", is_flag=True, help="Check an UNSIGNED report's content only.")
def verify(
    report: Path,
    model: Path,
    key: Path | None,
    require_result: str,
    policy: str | None,
    max_age: str | None,
    recompute: Path | None,
    replay: int | None,
    data: Path | None,
    *,
    allow_unsigned: bool,
) -> int:
    """Check REPORT (safety-report.json or .sigstore.json) against MODEL_DIR.

    Checks the signature with the key that you trust, the digest of every file, that the report
    follows from what was signed, and its result.  --recompute proves the arithmetic, --replay that
    the trials came from this model (it loads the model).
    """
    wanted = None if require_result == "any" else require_result
    digests = model_dir_digests(model)
    guard_json = assemble.read_guard_json(model)
    given = _read(report)
    if allow_unsigned:
        if report.name.endswith(BUNDLE_SUFFIX):
            raise InputError(f"{report} is a signed bundle: give --key, not --allow-unsigned")
        found = checks.read_report(given)
        checks.check_consistent(found, digests, guard_json)
        _require(found, wanted)
    else:
        bundle, copy = _signed_and_copy(report, given, key)
        certificate, found = checks.verify(
            bundle,
            public_key=keys.load_public(key or ""),
            file_digests=digests,
            report_copy=copy,
            guard_json=guard_json,
            accepted_policies=_accepted(policy),
            require_result=wanted,
            max_age_days=_days(max_age),
            now=datetime.now(UTC),
        )
        _say_certificate(certificate, len(digests))
    trials = None if recompute is None else read_trials(recompute)
    attached = {
        n: _read(p) for n in pipeline.ATTACHED_NAMES if (p := report.with_name(n)).is_file()
    }
    check_files(found, None if trials is None else trials.trials, attached)
    if trials is not None:
        _recompute(found, trials)
    if replay is not None:
        _replay(found, model, recompute or report.with_name("trials.jsonl"), replay, data)
    if allow_unsigned:
        click.echo(click.style("signature not checked: --allow-unsigned", fg="red", bold=True))
    _say_result(found)
    return console.OK


def _signed_and_copy(report: Path, given: bytes, key: Path | None) -> tuple[bytes, bytes | None]:
    """The bundle and the unsigned copy; one of them is the file that was given.

    A bundle is known by its name, and its copy lies beside it or nowhere.  Anything else is a
    copy, whatever its name: it must be what the bundle in its directory signs.
    """
    if key is None:
        raise UnsignedError("give --key PUBLIC_KEY: the key of whoever you trust to certify")
    if report.name.endswith(BUNDLE_SUFFIX):
        copy_path = report.with_name(report.name.removesuffix(BUNDLE_SUFFIX) + ".json")
        return given, _read(copy_path) if copy_path.is_file() else None
    bundle_path = report.with_name(pipeline.BUNDLE_NAME)
    if not bundle_path.is_file():
        raise UnsignedError(
            f"{bundle_path} is missing: the report is UNSIGNED; get the signed one, or look at its "
            "content with --allow-unsigned"
        )
    return _read(bundle_path), given


def _accepted(policy: str | None) -> dict[str, str] | None:
    if policy is None:
        return None
    loaded = load_policy(policy)
    return {loaded.policy.name: loaded.sha256}


def _say_certificate(certificate: Certificate, files: int) -> None:
    click.echo(f"signature    good, by key {certificate.key_fingerprint[:16]}...")
    click.echo(f"files        {files} files are those that were certified")
    click.echo(f"certificate  {certificate.id}, issued {certificate.issued} (signer's clock)")


def _require(report: Report, wanted: str | None) -> None:
    if wanted is not None and report.results.result != wanted:
        raise NotCertifiedError(f"the result is {report.results.result}, {wanted} is needed")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the path of a report") from None


def _days(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        days = float(text.removesuffix("d"))
    except ValueError:
        days = -1.0
    if not days > 0:
        raise click.UsageError(f"--max-age {text}: give days, e.g. 90d")
    return days


def _recompute(report: Report, trials: TrialSet) -> None:
    found = checks.recompute(report, trials)
    if found.differences:
        raise NotCertifiedError(
            "recomputed numbers differ from the report's:\n  " + "\n  ".join(found.differences)
        )
    exact = "byte for byte" if found.identical else "to rounding"
    click.echo(f"recomputed   every number follows from the trials ({exact})")


def _replay(report: Report, model: Path, trials: Path, count: int, data: Path | None) -> None:
    trial_set = read_trials(trials)
    checks.check_trials(report, trial_set)
    if data is None and report.data.seed is None:
        raise click.UsageError(f"the audit set was read from {report.data.origin}: give --data")
    audit = _audit(data, report.data.sets, report.data.seed or 0)
    if evidence.data_digest(audit.triplets) != report.data.sha256:
        raise NotCertifiedError("the audit set is not the one the report speaks of; give --data")
    device, dtype = _backend(report)
    allowed = replay_allowance(report.backends[0].name, report.backends[0].noise)
    guard = evidence.load_guard(model, device=device, dtype=dtype)
    # drawn anew at each replay: whoever made the report cannot know which texts
    rng = np.random.default_rng()
    found = evidence.replay(guard, audit.triplets, trial_set, count=count, rng=rng, allowed=allowed)
    words = f"{found.texts} texts, risks within {found.risk:.2g} (allowed {allowed:.2g}), "
    words += f"R within {found.vector:.2g} (allowed {vector_cap(guard.backend):g})"
    if found.others:
        words += f"; {found.others} at another token of nearly the same risk"
    click.echo(f"replayed     {words}")


def _backend(report: Report) -> tuple[str, str]:
    """Device and dtype from a backend's name, ``torch-DEVICE-DTYPE``."""
    parts = report.backends[0].name.split("-")
    if len(parts) != 3:
        raise InputError(f"backend {report.backends[0].name!r} cannot be replayed here")
    return parts[1], parts[2]


cli.add_command(attack)
cli.add_command(structural_command)


def main() -> NoReturn:
    """Entry point of guard-certify."""
    console.run(cli)


if __name__ == "__main__":
    main()
