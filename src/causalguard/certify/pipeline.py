"""MODEL_DIR and an audit set in, a signed report out.

The signed files of MODEL_DIR are never altered.  Every output is made in memory first, written
beside its place and renamed; the signed bundle goes last, and a bundle that is about to be
replaced goes first, so that an interruption leaves a model that is refused, never one that is
accepted on half a report.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from causalguard.attestation import dsse
from causalguard.attestation.certificate import make_statement
from causalguard.attestation.digests import model_dir_digests
from causalguard.attestation.keys import Signer
from causalguard.attestation.layout import SUBJECT_FILES
from causalguard.certify import assemble
from causalguard.certify.attachments import Attachments
from causalguard.certify.crew import Crew
from causalguard.certify.evidence import GuardLike, collect, compare, data_digest, forget
from causalguard.certify.policy import LoadedPolicy, Policy
from causalguard.certify.report import card, html, junit, markdown
from causalguard.certify.report.attached import ATTACKS_NAME, BACKENDS_NAME, STRUCTURAL_NAME
from causalguard.certify.report.model import ModelPart, Report
from causalguard.certify.trials import (
    TRIALS_NAME,
    VECTORS_NAME,
    TrialSet,
    trials_bytes,
    vectors_bytes,
)
from causalguard.errors import ModelDirError, OutputExistsError
from causalguard.records import Triplet

REPORT_NAME = "safety-report.json"
BUNDLE_NAME = "safety-report.sigstore.json"
HTML_NAME = "safety-report.html"
MARKDOWN_NAME = "safety-report.md"
JUNIT_NAME = "safety-report.junit.xml"
CARD_NAME = "README.md"
RENDERED_NAMES = (HTML_NAME, MARKDOWN_NAME, JUNIT_NAME)
ATTACHED_NAMES = (ATTACKS_NAME, STRUCTURAL_NAME, BACKENDS_NAME)
FORMATS = ("html", "md", "junit", "card")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """An audit set, and where it comes from."""

    triplets: Sequence[Triplet]
    """Matched sets."""
    origin: str
    """``engine`` or a file's name."""
    seed: int | None = None
    """Seed it was rendered with; None when it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """What a run of the pipeline made."""

    report: Report
    bundle: bytes | None
    """The signed Sigstore bundle; None: UNSIGNED."""
    trials: TrialSet
    paths: tuple[Path, ...]
    """Files written."""


def certify(
    model_dir: Path,
    guard: GuardLike,
    audit: Audit,
    policy: LoadedPolicy,
    *,
    signer: Signer | None = None,
    output: Path | None = None,
    formats: Sequence[str] = FORMATS,
    attempt: int = 1,
    reproduce: str = "",
    attached: Attachments | None = None,
    others: Sequence[Callable[[], GuardLike]] = (),
    crew: Crew | None = None,
    tell: Callable[[str], None] | None = None,
) -> Certified:
    """Certify a model.

    Args:
        model_dir: a MODEL_DIR; its signed files are read, never written.
        guard: the same model, loaded.
        audit: matched sets disjoint from everything the model was trained or calibrated on.
        policy: what must hold.
        signer: who vouches for the report; None writes an UNSIGNED one.
        output: directory to write to; None: MODEL_DIR itself.
        formats: renderings besides JSON, of FORMATS.
        attempt: declared number of this attempt.
        reproduce: command that makes the report again.
        attached: evidence of other runs that goes into the report.
        others: load the same model on further backends; those that agree are listed too.
        crew: processes that score in the guard's place.
        tell: told one line when a stage begins.

    Raises:
        OutputExistsError: an unsigned run would lie beside a signed report.
        ModelDirError: a faulty MODEL_DIR, or one that changed while it was certified.
        CausalGuardError: as :func:`causalguard.certify.evidence.collect` and ``analyse``.
    """
    target = model_dir if output is None else output
    check_target(target, signed=signer is not None)
    digests = model_dir_digests(model_dir)
    model = assemble.model_part(assemble.read_guard_json(model_dir), digests)
    _check_threshold(guard, model)
    partial = _partial_dir(target)
    trial_set = collect(
        guard, audit.triplets, model_sha256=model.root_sha256, partial=partial, crew=crew
    )
    if tell is not None:
        tell(f"{len(trial_set.trials)} trials; computing bounds, tests and the graph (minutes)")
    if model_dir_digests(model_dir) != digests:
        raise ModelDirError(f"{model_dir} changed while it was certified; certify it again")
    data = assemble.data_part(
        audit.triplets, data_digest(audit.triplets), origin=audit.origin, seed=audit.seed
    )
    declared = assemble.Declaration(signed=signer is not None, attempt=attempt, reproduce=reproduce)
    extra = _with_backends(attached or Attachments(), others, audit, trial_set, policy.policy)
    report = assemble.build_report(trial_set, policy, model, data, declared, extra)
    bundle = None if signer is None else sign(report, signer)
    wanted = [name for name in formats if name != "card" or _card_is_ours(target)]
    files = extra.files() | render(report, bundle, trial_set, wanted)
    paths = write(target, files)
    forget(partial)
    return Certified(report=report, bundle=bundle, trials=trial_set, paths=paths)


def _with_backends(
    attached: Attachments,
    others: Sequence[Callable[[], GuardLike]],
    audit: Audit,
    trial_set: TrialSet,
    policy: Policy,
) -> Attachments:
    """Run the further backends, one loaded at a time."""
    rows, noise = list(attached.backends), dict(attached.noise)
    for load in others:
        guard = load()
        found, measured = compare(
            guard, audit.triplets, trial_set.trials, clusters=policy.backend_sets
        )
        rows += found
        noise[guard.backend] = measured
    return replace(attached, backends=tuple(rows), noise=noise)


def check_target(target: Path, *, signed: bool) -> None:
    """Refuse, before hours of work, to put an unsigned report beside a signed one."""
    bundle = target / BUNDLE_NAME
    if not signed and bundle.exists():
        raise OutputExistsError(
            f"{bundle} is a signed report, and this run is UNSIGNED: give --key to replace it, "
            "or --output DIR to write elsewhere"
        )
    if target.exists() and not target.is_dir():
        raise OutputExistsError(f"{target} is no directory; give another --output")


def _check_threshold(guard: GuardLike, model: ModelPart) -> None:
    if guard.threshold != model.threshold:
        raise ModelDirError(
            f"the guard runs at threshold {guard.threshold}, guard.json says {model.threshold}; "
            "load the guard from this MODEL_DIR"
        )


def _card_is_ours(target: Path) -> bool:
    """A README.md that somebody wrote by hand is left alone."""
    path = target / CARD_NAME
    return not path.exists() or card.MARK in path.read_text(encoding="utf-8", errors="replace")


def _partial_dir(target: Path) -> Path:
    # beside MODEL_DIR, not in it: an unlisted entry there is an error for every loader
    whole = target.resolve()
    return whole.parent / f".{whole.name}.certify-partial"


def sign(report: Report, signer: Signer) -> bytes:
    """The signed statement about the report's subject, as a Sigstore bundle."""
    files = {name: report.model.files[name] for name in SUBJECT_FILES}
    return dsse.sign(make_statement(files, assemble.build_predicate(report)), signer)


def render(
    report: Report, bundle: bytes | None, trial_set: TrialSet, formats: Sequence[str] = FORMATS
) -> dict[str, bytes]:
    """Every output file's bytes, by name."""
    files = {
        TRIALS_NAME: trials_bytes(trial_set.trials),
        VECTORS_NAME: vectors_bytes(trial_set),
        REPORT_NAME: assemble.report_bytes(report),
    }
    renderers = {
        "html": (HTML_NAME, html.render),
        "md": (MARKDOWN_NAME, markdown.render),
        "junit": (JUNIT_NAME, junit.render),
        "card": (CARD_NAME, card.render),
    }
    for name in formats:
        file_name, renderer = renderers[name]
        files[file_name] = renderer(report).encode()
    if bundle is not None:
        files[BUNDLE_NAME] = bundle
    return files


def write(target: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write all files or, as far as a file system allows, none; the signed bundle last."""
    target.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=target.resolve().parent, prefix=f".{target.name}."))
    try:
        for name, content in files.items():
            with (staging / name).open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        (target / BUNDLE_NAME).unlink(missing_ok=True)
        ours = (CARD_NAME,) if _card_is_ours(target) else ()
        for name in {*ATTACHED_NAMES, *RENDERED_NAMES, *ours} - set(files):
            (target / name).unlink(missing_ok=True)  # of the report that is being replaced
        for name in sorted(files, key=lambda name: name == BUNDLE_NAME):
            (staging / name).replace(target / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return tuple(target / name for name in files)
