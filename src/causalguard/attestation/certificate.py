"""What a signed safety report allows: a pure decision over bytes, digests and pins.

:func:`verify` touches no disk, network or clock.  Its checks, in this order, each refusing on
its own: signature, predicateType, schemaVersion, predicate, subjects, result, policy, backend,
age.  Nothing the bundle says about itself is trusted before the signature holds.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from causalguard.attestation import dsse
from causalguard.attestation.digests import is_sha256, root_digest, sha256_bytes
from causalguard.attestation.dsse import STATEMENT_TYPE
from causalguard.attestation.keys import PublicKey
from causalguard.attestation.layout import NON_SUBJECT_NAMES, ROOT_SUBJECT, SUBJECT_FILES
from causalguard.errors import InputError, NotCertifiedError, SubjectMismatchError

__all__ = [
    "NON_SUBJECT_NAMES",
    "PREDICATE_TYPE",
    "RESULTS",
    "ROOT_SUBJECT",
    "SCHEMA_VERSION",
    "STATEMENT_TYPE",
    "SUBJECT_FILES",
    "Certificate",
    "make_statement",
    "verify",
]

PREDICATE_TYPE = "https://causalguard.dev/attestation/safety-report/v1"
SCHEMA_VERSION = "1.0"
"""Written into new predicates; a reader accepts every minor version of its own major version."""
RESULTS = ("PASSED", "FAILED", "INCONCLUSIVE")
MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far in the future a report may be dated, when its age is asked for."""
MAX_AGE_DAYS = 36_500
"""Largest age that may be asked for."""

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a verified report says.  Only :func:`verify` makes one."""

    id: str
    """SHA-256 of the bundle's bytes, 64 hexadecimal digits."""
    result: str
    """``PASSED``, ``FAILED`` or ``INCONCLUSIVE``."""
    policy_name: str
    """Name of the policy that the result was reached under."""
    policy_sha256: str
    """SHA-256 of that policy's file."""
    subjects: Mapping[str, str]
    """SHA-256 of every file of MODEL_DIR that was certified, by name, without the root entry."""
    threshold: float
    """The certified cut on risk, (0, 1]; at or above it an output is flagged."""
    template_sha256: str
    """Digest of the prompt template."""
    base_sha256: str
    """Digest of the base model's tensors as loaded."""
    tokenizer_sha256: str
    """Digest of the tokenizer."""
    backends: tuple[str, ...]
    """Backends (with dtype) that were measured; others are refused."""
    issued: str
    """When it was made by the signer's own clock, RFC 3339 in UTC, e.g. 2026-11-23T01:02:03Z."""
    key_fingerprint: str
    """Fingerprint of the key that signed it."""


def make_statement(subjects: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """An in-toto Statement about a MODEL_DIR, ready for ``dsse.sign``.

    Args:
        subjects: SHA-256 of every file in SUBJECT_FILES, from ``digests.model_dir_digests``.
            The root entry is added here.
        predicate: The safety report's predicate.  Keys read by :func:`verify`: ``schemaVersion``,
            ``result``, ``policy {name, sha256}``, ``model {threshold, templateSha256,
            baseSha256, tokenizerSha256}``, ``backends [{name}]``, ``timeCreated``.

    Returns:
        The Statement.

    Raises:
        InputError: Subjects or predicate are such that no verifier would accept the result.
    """
    faults = _subject_faults(SUBJECT_FILES, subjects)
    faults += [f"{name}: no SHA-256" for name, value in subjects.items() if not is_sha256(value)]
    faults += _predicate_faults(predicate)
    if faults:
        raise InputError(f"cannot be certified: {'; '.join(faults)}; correct the report")
    entries = {ROOT_SUBJECT: root_digest(subjects)} | {n: subjects[n] for n in SUBJECT_FILES}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": n, "digest": {"sha256": value}} for n, value in entries.items()],
        "predicateType": PREDICATE_TYPE,
        "predicate": dict(predicate),
    }


def verify(
    bundle: bytes,
    *,
    public_key: PublicKey | Iterable[PublicKey],
    file_digests: Mapping[str, str],
    accepted_policies: Mapping[str, str] | None,
    require_result: str | None = "PASSED",
    backend: str | None = None,
    max_age_days: float | None = None,
    now: datetime | None = None,
) -> Certificate:
    """Decide whether a signed report lets these files be used.

    Args:
        bundle: Bytes of ``safety-report.sigstore.json``.
        public_key: The key, or keys, that the *caller* trusts.  One that came along with the
            model proves nothing.
        file_digests: SHA-256 of the files of MODEL_DIR at hand, exactly SUBJECT_FILES.
        accepted_policies: Policy name to SHA-256 of its file.  None accepts any policy: for
            showing a report, never for loading a model.
        require_result: Result that is needed.  None accepts any, again only for showing.
        backend: Name of the backend about to be used; None: not asked.
        max_age_days: Largest age in days, > 0 and <= MAX_AGE_DAYS; None: not asked (warn on
            ``issued`` yourself).
        now: Aware time to count the age from; needed with ``max_age_days``.

    Returns:
        What the report says.

    Raises:
        SignatureError: The bundle is not, to the byte, what a trusted key signed.
        SubjectMismatchError: A file differs, is missing, or is one too many.
        NotCertifiedError: Verified, but it is no report this version reads, or its result,
            policy, list of backends or age refuses.
        InputError: ``max_age_days`` is above MAX_AGE_DAYS.
        ValueError: ``max_age_days`` without an aware ``now``, or not positive.
    """
    keys = [public_key] if isinstance(public_key, PublicKey) else list(public_key)
    statement = dsse.open_bundle(bundle, keys)
    predicate = _check_predicate(statement)
    _check_subjects(statement["subject"], file_digests)
    certificate = _certificate(bundle, predicate, file_digests)
    if require_result is not None and certificate.result != require_result:
        raise NotCertifiedError(
            f"result: the report says {certificate.result}, {require_result} is needed; read its "
            "failed gates, and use a model that passed"
        )
    _check_policy(certificate, accepted_policies)
    if backend is not None and backend not in certificate.backends:
        raise NotCertifiedError(
            f"backend: {backend!r} was not measured, only {', '.join(certificate.backends)}; run "
            "on one of these, or certify the model again with this backend"
        )
    if max_age_days is not None:
        _check_age(certificate.issued, max_age_days, now)
    return certificate


def _check_predicate(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    if statement["predicateType"] != PREDICATE_TYPE:
        raise NotCertifiedError(
            f"predicateType: {statement['predicateType']!r} is no safety report that this version "
            f"reads ({PREDICATE_TYPE}); give the safety report, or upgrade causalguard"
        )
    predicate = statement["predicate"]
    faults = _predicate_faults(predicate)
    if faults:
        raise NotCertifiedError(
            f"{'; '.join(faults)}; certify the model again with this version of causalguard"
        )
    checked: Mapping[str, Any] = predicate
    return checked


def _check_subjects(listed: Any, file_digests: Mapping[str, str]) -> None:
    faults = _subject_faults(SUBJECT_FILES, file_digests)
    expected = dict(file_digests)
    if not faults:
        expected[ROOT_SUBJECT] = root_digest(file_digests)
        certified = _listed_subjects(listed)
        faults = _subject_faults(certified, expected)
        changed = [n for n, value in certified.items() if expected.get(n, value) != value]
        if changed != [ROOT_SUBJECT]:  # the root follows from the files: name it only by itself
            changed = [name for name in changed if name != ROOT_SUBJECT]
        faults += [f"{name} differs from the certified file" for name in changed]
    if faults:
        raise SubjectMismatchError(
            f"subjects: {'; '.join(faults)}; fetch the model and its report again from one "
            "release, or certify the files as they are now"
        )


def _listed_subjects(listed: Any) -> dict[str, str]:
    """Name to digest of the Statement's ``subject``; in-toto ResourceDescriptors, strictly read."""
    result: dict[str, str] = {}
    entries: list[Any] = listed if isinstance(listed, list) else [None]
    for entry in entries:
        try:
            name, digest = entry["name"], entry["digest"]["sha256"]
            exact = entry == {"name": name, "digest": {"sha256": digest}}
        except (KeyError, TypeError):
            exact = False
        if not exact or not isinstance(name, str) or name in result:
            raise SubjectMismatchError(
                "subjects: the report's list is malformed (name and sha256 once each are "
                "expected); certify the model again"
            )
        result[name] = digest
    return result


def _subject_faults(needed: Iterable[str], given: Iterable[str]) -> list[str]:
    wanted, present = set(needed), set(given)
    return [f"{name} is missing" for name in sorted(wanted - present)] + [
        f"{name} is not among the certified files" for name in sorted(present - wanted)
    ]


def _predicate_faults(predicate: Any) -> list[str]:
    if not isinstance(predicate, Mapping):
        return ["predicate: not an object"]
    version = predicate.get("schemaVersion")
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None or match[1] != SCHEMA_VERSION.partition(".")[0]:
        return [f"schemaVersion: {version!r} is not read by this version, {SCHEMA_VERSION} is"]
    policy, model = _object(predicate, "policy"), _object(predicate, "model")
    good = {
        "result": predicate.get("result") in RESULTS,
        "policy.name": isinstance(policy.get("name"), str) and policy["name"] != "",
        "policy.sha256": is_sha256(policy.get("sha256")),
        "model.threshold": _is_threshold(model.get("threshold")),
        "model.templateSha256": is_sha256(model.get("templateSha256")),
        "model.baseSha256": is_sha256(model.get("baseSha256")),
        "model.tokenizerSha256": is_sha256(model.get("tokenizerSha256")),
        "backends": _are_backends(predicate.get("backends")),
        "timeCreated": _time(predicate.get("timeCreated")) is not None,
    }
    return [
        f"predicate: {place} is missing or malformed" for place, fine in good.items() if not fine
    ]


def _object(predicate: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = predicate.get(key)
    return value if isinstance(value, Mapping) else {}


def _is_threshold(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1


def _are_backends(value: object) -> bool:
    if not isinstance(value, list) or not value:
        return False
    names = [row.get("name") if isinstance(row, Mapping) else None for row in value]
    return all(isinstance(n, str) and n for n in names) and len(set(names)) == len(names)


def _time(text: object) -> datetime | None:
    if not isinstance(text, str) or _TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _certificate(
    bundle: bytes, predicate: Mapping[str, Any], file_digests: Mapping[str, str]
) -> Certificate:
    policy, model = predicate["policy"], predicate["model"]
    return Certificate(
        id=sha256_bytes(bundle),
        result=predicate["result"],
        policy_name=policy["name"],
        policy_sha256=policy["sha256"],
        subjects=dict(file_digests),
        threshold=float(model["threshold"]),
        template_sha256=model["templateSha256"],
        base_sha256=model["baseSha256"],
        tokenizer_sha256=model["tokenizerSha256"],
        backends=tuple(row["name"] for row in predicate["backends"]),
        issued=predicate["timeCreated"],
        key_fingerprint=dsse.signed_by(bundle),
    )


def _check_policy(certificate: Certificate, accepted: Mapping[str, str] | None) -> None:
    if accepted is None:
        return
    name, digest = certificate.policy_name, certificate.policy_sha256
    if name not in accepted:
        known = ", ".join(sorted(accepted)) or "none"
        raise NotCertifiedError(
            f"policy: {name!r} is not accepted here (accepted: {known}); use a model certified "
            "under one of these, or accept this policy by name and digest after reading it"
        )
    if accepted[name] != digest:
        raise NotCertifiedError(
            f"policy: {name!r} has the digest {digest[:16]}..., {accepted[name][:16]}... is "
            "accepted; compare the two policy files before accepting another digest"
        )


def _check_age(issued: str, max_age_days: float, now: datetime | None) -> None:
    if now is None or now.tzinfo is None or not max_age_days > 0:
        raise ValueError("max_age_days must be positive and needs an aware time in now")
    if max_age_days > MAX_AGE_DAYS:
        raise InputError(f"an age of {max_age_days:g} days; give at most {MAX_AGE_DAYS}, or none")
    made = _time(issued)
    age = None if made is None else now - made
    if age is None or age < -MAX_CLOCK_SKEW:
        raise NotCertifiedError(f"age: issued {issued}, which is in the future; check the clock")
    if age > timedelta(days=max_age_days):
        raise NotCertifiedError(
            f"age: issued {issued}, {age.days} days ago, {max_age_days:g} are allowed; certify "
            "the model again, or allow an older report"
        )
