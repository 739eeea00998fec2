"""Checking a report without torch: signature, files, arithmetic.

Everything here is pure: bytes in, findings out; the command line reads the files and the clock.
Recomputation proves the arithmetic.  That the trials came from this model is proved by replay
(:func:`causalguard.certify.evidence.replay`), which needs the model.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from causalguard.attestation import certificate, dsse
from causalguard.attestation.canonical import canonical_json, parse_canonical
from causalguard.attestation.certificate import Certificate
from causalguard.attestation.digests import root_digest, sha256_bytes
from causalguard.attestation.keys import PublicKey
from causalguard.certify import assemble
from causalguard.certify.analysis import analyse
from causalguard.certify.attachments import agrees
from causalguard.certify.policy import parse as parse_policy
from causalguard.certify.report.model import BackendPart, Report
from causalguard.certify.trials import TrialSet, trials_bytes, vectors_bytes
from causalguard.errors import InputError, NotCertifiedError, SignatureError, SubjectMismatchError

TOLERANCE = 1e-6
"""Relative difference up to which a recomputed number counts as the same (another machine's
linear algebra); equality of bytes is reported separately."""
MAX_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What came of computing a report's numbers again."""

    identical: bool
    """Every byte of the results is the same."""
    differences: tuple[str, ...]
    """Places that differ beyond rounding; empty when the report is right."""


def read_report(data: bytes) -> Report:
    """``safety-report.json``, strictly: canonical form, known version, known fields.

    Raises:
        SignatureError: not in canonical form (it was edited or re-formatted).
        InputError: no safety report of a version that this program reads.
    """
    try:
        value = parse_canonical(data)
    except InputError as error:
        raise SignatureError(f"safety-report.json: {error}") from None
    return report_of(value)


def report_of(value: Any) -> Report:
    """A report from its JSON value.

    Raises:
        InputError: it is none of this version.
    """
    try:
        return Report.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"not a safety report that this version reads ({place}: {first['msg']}); upgrade "
            "causalguard, or certify the model again"
        ) from None


def verify(
    bundle: bytes,
    *,
    public_key: PublicKey | Iterable[PublicKey],
    file_digests: Mapping[str, str],
    report_copy: bytes | None,
    guard_json: bytes | None = None,
    accepted_policies: Mapping[str, str] | None = None,
    require_result: str | None = "PASSED",
    max_age_days: float | None = None,
    now: datetime | None = None,
) -> tuple[Certificate, Report]:
    """Check a signed report against a model.

    Args:
        bundle: bytes of ``safety-report.sigstore.json``.
        public_key: the key (or keys) that the caller trusts.
        file_digests: sha256 of the files of MODEL_DIR.
        report_copy: bytes of ``safety-report.json``; None when there is no unsigned copy.
        guard_json: bytes of MODEL_DIR's guard.json, to compare with what the report says of it.
        accepted_policies: name -> sha256; None shows any policy.
        require_result: result that is needed; None shows any.
        max_age_days: largest age; None: not asked.
        now: aware time, needed with ``max_age_days``.

    Returns:
        The certificate and the report that was signed.

    Raises:
        CertificateError: its family; the message says which check refused.
        ModelDirError: guard.json lacks a field that the report speaks of.
        InputError: the embedded report is none of this version, or ``max_age_days`` is too large.
    """
    keys = [public_key] if isinstance(public_key, PublicKey) else list(public_key)
    found = certificate.verify(
        bundle,
        public_key=keys,
        file_digests=file_digests,
        accepted_policies=accepted_policies,
        require_result=require_result,
        max_age_days=max_age_days,
        now=now,
    )
    predicate = dsse.open_bundle(bundle, keys)["predicate"]
    report = report_of(predicate.get("report"))
    if assemble.build_predicate(report) != dict(predicate):
        raise NotCertifiedError(
            "predicate: the fields beside the embedded report do not follow from it; certify the "
            "model again"
        )
    if report_copy is not None and report_copy != canonical_json(predicate["report"]):
        raise SignatureError(
            "safety-report.json differs from the report that was signed; take the copy out of the "
            "bundle, or fetch both files again"
        )
    if report.signature.state != "SIGNED":
        raise NotCertifiedError("the signed report calls itself UNSIGNED; certify the model again")
    check_consistent(report, file_digests, guard_json)
    return found, report


def check_consistent(
    report: Report, file_digests: Mapping[str, str], guard_json: bytes | None = None
) -> None:
    """What a report says of policy and model must agree with itself and with the files.

    Raises:
        SubjectMismatchError: the files are others.
        NotCertifiedError: the report contradicts itself, or lists a backend that was not measured.
        ModelDirError: guard.json lacks a field that the report speaks of.
    """
    if dict(report.model.files) != dict(file_digests):
        names = sorted(set(report.model.files) | set(file_digests))
        changed = [n for n in names if report.model.files.get(n) != file_digests.get(n)]
        raise SubjectMismatchError(
            f"{', '.join(changed)}: not the files the report speaks of; fetch model and report "
            "again from one release, or certify the files as they are now"
        )
    if report.model.root_sha256 != root_digest(file_digests):
        raise NotCertifiedError("the report's root digest does not follow from its files")
    if sha256_bytes(report.policy.text.encode()) != report.policy.sha256:
        raise NotCertifiedError("the policy in the report does not have the digest stated for it")
    if guard_json is not None and _object(guard_json) != report.model.guard:
        raise SubjectMismatchError("guard.json is not the one the report speaks of")
    # the copies beside guard.json are what a certificate is made of
    if assemble.model_part(canonical_json(report.model.guard), file_digests) != report.model:
        raise NotCertifiedError(
            "the report's fields of the model do not follow from its guard.json"
        )
    _check_backends(report)


def _check_backends(report: Report) -> None:
    """The first backend is the trials' own; each other one was compared with it, and agrees."""
    names = [part.name for part in report.backends]
    if not names or len(set(names)) != len(names) or report.backends[0].agreement is not None:
        raise NotCertifiedError("the report's list of backends is not one that certifying makes")
    for part in report.backends[1:]:
        if part.agreement is None or not agrees(part):
            raise NotCertifiedError(f"backend {part.name}: listed, but not shown to agree")


def _object(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def check_trials(report: Report, trial_set: TrialSet) -> None:
    """The trial files must be those whose digests the report states.

    Raises:
        SubjectMismatchError: they are others.
    """
    evidence = report.evidence
    for name, said, here in (
        ("trials.jsonl", evidence.trials_sha256, trials_bytes(trial_set.trials)),
        ("trials-R.safetensors", evidence.representations_sha256, vectors_bytes(trial_set)),
    ):
        if said != sha256_bytes(here):
            raise SubjectMismatchError(
                f"{name}: not the trials of this report (its sha256 is {said[:16]}...); give the "
                "files that were written with it"
            )


def recompute(report: Report, trial_set: TrialSet) -> Recomputed:
    """Compute every number of a report again from its trials.

    Args:
        report: what is to be checked.
        trial_set: from ``trials.jsonl`` and ``trials-R.safetensors``.

    Raises:
        SubjectMismatchError: the trials are not those of the report.
        ConfigError: the policy in the report cannot be read.
    """
    check_trials(report, trial_set)
    policy = parse_policy(report.policy.text.encode(), where="policy in the report").policy
    held_out = assemble.held_out_families(report.model.guard, trial_set.trials)
    again = analyse(trial_set, policy, held_out).model_dump(mode="json", by_alias=True)
    said = report.results.model_dump(mode="json", by_alias=True)
    differences = list(_differences(said, again, "results"))
    if sorted(held_out) != list(report.evidence.held_out_families):
        differences.append("evidence.heldOutFamilies")
    if trial_set.meta.get("model") != report.model.root_sha256:
        differences.append("trials-R.safetensors: of another model")
    if report.backends[:1] != _measured_backend(trial_set):
        differences.append("backends[0]: not the backend, count and noise of the trials")
    differences += _declared_differences(report, trial_set)
    return Recomputed(
        identical=canonical_json(said) == canonical_json(again) and not differences,
        differences=tuple(differences[:MAX_LISTED]),
    )


def _measured_backend(trial_set: TrialSet) -> tuple[BackendPart, ...]:
    """The backend that all trials are of; empty when there is no such one."""
    names = {trial.backend for trial in trial_set.trials}
    meta = trial_set.meta
    try:
        found = [
            BackendPart(
                name=name,
                trials=len(trial_set.trials),
                noise=float(meta.get("noise", "0")),
                noise_sample=int(meta.get("noise_sample", "0")),
            )
            for name in names
        ]
    except ValueError:  # whoever made the trials wrote something else there
        return ()
    return tuple(found)


def _declared_differences(report: Report, trial_set: TrialSet) -> list[str]:
    """Trials whose ``flagged`` does not follow from the certified threshold."""
    threshold = report.model.threshold
    wrong = [
        trial.id
        for trial in trial_set.trials
        if trial.flagged != (trial.risk >= threshold or trial.coverage < 1)
    ]
    return [f"{name}: flagged does not follow from the threshold" for name in wrong]


def _differences(said: Any, again: Any, place: str) -> Iterable[str]:
    if isinstance(said, dict) and isinstance(again, dict):
        for key in sorted(set(said) | set(again)):
            yield from _differences(said.get(key), again.get(key), f"{place}.{key}")
    elif isinstance(said, list) and isinstance(again, list) and len(said) == len(again):
        for index, (one, two) in enumerate(zip(said, again, strict=True)):
            yield from _differences(one, two, f"{place}[{index}]")
    elif not _same(said, again):
        yield f"{place}: the report says {said!r:.60}, recomputed {again!r:.60}"


def _same(said: Any, again: Any) -> bool:
    if isinstance(said, float) and isinstance(again, float):
        return math.isclose(said, again, rel_tol=TOLERANCE, abs_tol=1e-12)
    return type(said) is type(again) and bool(said == again)
