"""Evidence of runs of its own that a report carries: attacks, structural certificates, backends.

Each is a file beside the report, with its digest and its content in the report.  Nothing here
gates: it is printed for what it is.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from causalguard.attestation.canonical import canonical_json, parse_canonical
from causalguard.attestation.digests import sha256_bytes
from causalguard.certify.policy import Policy
from causalguard.certify.policy import parse as parse_policy
from causalguard.certify.report.attached import (
    ATTACKS_NAME,
    BACKENDS_NAME,
    STRUCTURAL_NAME,
    Agreement,
    AttachedAttacks,
    AttachedStructural,
    Attacks,
    Disagreement,
    Structural,
)
from causalguard.certify.report.model import BackendPart, ModelPart, Report
from causalguard.errors import InputError, SubjectMismatchError
from causalguard.records import Trial
from causalguard.stats import bounds

Content = TypeVar("Content", Attacks, Structural)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRow:
    """One audit text on a further backend."""

    id: str
    """The trial's identifier."""
    backend: str
    """Backend and dtype."""
    risk: float
    """Its risk there, [0, 1]."""
    flagged: bool
    """Its verdict there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """Files that go beside a report and into it."""

    attacks: bytes | None = None
    """``safety-report.attacks.json``; None: no attacks were run."""
    structural: bytes | None = None
    """``safety-report.structural.json``; None: not computed."""
    backends: tuple[BackendRow, ...] = ()
    """Texts scored on further backends, in the order of the trials, backend by backend."""
    noise: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """Numeric noise of each further backend, and the texts it was measured on."""

    def files(self) -> dict[str, bytes]:
        """Bytes of the files by name."""
        found = {
            ATTACKS_NAME: self.attacks,
            STRUCTURAL_NAME: self.structural,
            BACKENDS_NAME: backend_bytes(self.backends) if self.backends else None,
        }
        return {name: data for name, data in found.items() if data is not None}


def attached_attacks(data: bytes, model: ModelPart) -> AttachedAttacks:
    """The attacks' part of a report about this model.

    Raises:
        InputError: no such file of this version.
        SubjectMismatchError: another model or threshold was attacked.
    """
    content = _content(data, Attacks, ATTACKS_NAME, model)
    if content.threshold != model.threshold:
        raise SubjectMismatchError(
            f"{ATTACKS_NAME}: attacked at threshold {content.threshold}, the model has "
            f"{model.threshold}; run the attacks again"
        )
    return AttachedAttacks(sha256=sha256_bytes(data), content=content)


def attached_structural(data: bytes, model: ModelPart) -> AttachedStructural:
    """The structural part of a report about this model.

    Raises:
        InputError: no such file of this version.
        SubjectMismatchError: it speaks of another model.
    """
    content = _content(data, Structural, STRUCTURAL_NAME, model)
    return AttachedStructural(sha256=sha256_bytes(data), content=content)


def _content(data: bytes, form: type[Content], name: str, model: ModelPart) -> Content:
    try:
        content = form.model_validate(parse_canonical(data))
    except (ValidationError, InputError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{name}: not of a form that this version reads ({first})") from None
    if content.model_sha256 != model.root_sha256:
        raise SubjectMismatchError(
            f"{name}: made from another model ({content.model_sha256[:16]}...); run it again on "
            "this one"
        )
    return content


def backend_bytes(rows: Sequence[BackendRow]) -> bytes:
    """The bytes of ``safety-report.backends.jsonl``."""
    return b"".join(
        canonical_json(
            {"id": row.id, "backend": row.backend, "risk": row.risk, "flagged": row.flagged}
        )
        + b"\n"
        for row in rows
    )


def backend_rows(data: bytes) -> tuple[BackendRow, ...]:
    """Read them back.

    Raises:
        InputError: not of this form, to the byte.
    """
    rows = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            rows.append(_row(json.loads(line)))
        except (TypeError, ValueError, RecursionError):
            raise InputError(f"{BACKENDS_NAME}:{number}: damaged; certify again") from None
    if backend_bytes(rows) != data:
        raise InputError(f"{BACKENDS_NAME}: not in the form it was written in; fetch it again")
    return tuple(rows)


def _row(value: Any) -> BackendRow:
    if not isinstance(value, dict):
        raise TypeError
    row = BackendRow(**value)
    typed = (
        isinstance(row.id, str)
        and isinstance(row.backend, str)
        and isinstance(row.risk, float)
        and math.isfinite(row.risk)
        and isinstance(row.flagged, bool)
    )
    if not typed:
        raise TypeError
    return row


def further_backends(
    trials: Sequence[Trial],
    rows: Sequence[BackendRow],
    noise: Mapping[str, tuple[float, int]],
    policy: Policy,
) -> tuple[list[BackendPart], list[BackendPart]]:
    """Backends that agree with the trials' own, and those that do not.

    Args:
        trials: the report's trials.
        rows: texts scored on further backends.
        noise: measured noise and texts by backend.
        policy: margin and confidence.

    Raises:
        InputError: a row is of no trial, or a backend has no injected or no clean text.
    """
    by_id = {trial.id: trial for trial in trials}
    listed: list[BackendPart] = []
    refused: list[BackendPart] = []
    for name in dict.fromkeys(row.backend for row in rows):
        mine = [row for row in rows if row.backend == name]
        if any(row.id not in by_id for row in mine):
            raise InputError(f"backend {name}: rows of texts that are not in the trials")
        epsilon, texts = noise.get(name, (0.0, 0))
        part = BackendPart(
            name=name,
            trials=len(mine),
            noise=epsilon,
            noise_sample=texts,
            agreement=_agreement(mine, by_id, policy),
        )
        (listed if agrees(part) else refused).append(part)
    return listed, refused


def agrees(part: BackendPart) -> bool:
    """Whether a further backend is close enough to be listed."""
    found = part.agreement
    return found is None or max(found.injected.high, found.clean.high) <= found.margin


def _agreement(rows: Sequence[BackendRow], by_id: Mapping[str, Trial], policy: Policy) -> Agreement:
    return Agreement(
        injected=_disagreement([r for r in rows if by_id[r.id].y == 1], by_id, policy),
        clean=_disagreement([r for r in rows if by_id[r.id].y == 0], by_id, policy),
        largest=max(abs(row.risk - by_id[row.id].risk) for row in rows),
        margin=policy.backend_margin,
        rows_sha256=sha256_bytes(backend_bytes(rows)),
    )


def _disagreement(
    rows: Sequence[BackendRow], by_id: Mapping[str, Trial], policy: Policy
) -> Disagreement:
    clusters = {by_id[row.id].cluster for row in rows}
    if not rows or len(clusters) != len(rows):
        raise InputError("a further backend needs one injected and one clean text of each cluster")
    differ = sum(row.flagged != by_id[row.id].flagged for row in rows)
    high = bounds.upper(differ, len(rows), delta=policy.delta, name="verdicts that differ")
    return Disagreement(clusters=len(rows), differ=differ, high=high, delta=policy.delta)


def check_files(report: Report, trials: Sequence[Trial] | None, files: Mapping[str, bytes]) -> None:
    """What a report says of attached files must follow from them.

    Args:
        report: the report.
        trials: its trials; None: figures of further backends are not computed again.
        files: bytes of the attached files at hand, by name.

    Raises:
        SubjectMismatchError: a file is missing, is not the one the report speaks of, or is one
            too many; or a backend's figures do not follow from its rows.
        InputError: a file cannot be read, or a row is of no trial.
        ConfigError: the policy in the report cannot be read.
    """
    for attached in (report.adaptive, report.structural):
        if attached is not None and sha256_bytes(files.get(attached.file, b"")) != attached.sha256:
            raise SubjectMismatchError(
                f"{attached.file}: not the file of this report; fetch it again"
            )
    parts = (*report.backends[1:], *(report.backends_refused or ()))
    named: set[str] = {BACKENDS_NAME} if parts else set()
    named |= {part.file for part in (report.adaptive, report.structural) if part is not None}
    strange = sorted(set(files) - named)
    if strange:
        raise SubjectMismatchError(
            f"{', '.join(strange)}: the report speaks of no such file; remove it, or fetch model "
            "and report again from one release"
        )
    rows = backend_rows(files.get(BACKENDS_NAME, b""))
    for part in parts:
        mine = backend_bytes([row for row in rows if row.backend == part.name])
        if part.agreement is None or sha256_bytes(mine) != part.agreement.rows_sha256:
            raise SubjectMismatchError(f"{BACKENDS_NAME}: rows of {part.name} are not the report's")
    if {row.backend for row in rows} != {part.name for part in parts}:
        raise SubjectMismatchError(f"{BACKENDS_NAME}: has a backend that the report does not name")
    if trials is not None and parts:
        _check_agreements(report, trials, rows)


def _check_agreements(report: Report, trials: Sequence[Trial], rows: Sequence[BackendRow]) -> None:
    """Lists, counts, bounds and margins again; only the noise of a backend is not in its rows."""
    policy = parse_policy(report.policy.text.encode(), where="policy in the report").policy
    listed, refused = report.backends[1:], report.backends_refused or ()
    noise = {part.name: (part.noise, part.noise_sample) for part in (*listed, *refused)}
    again = further_backends(trials, rows, noise, policy)
    for said, found in zip((listed, refused), again, strict=True):
        if [_plain(part) for part in said] != [_plain(part) for part in found]:
            names = ", ".join(dict.fromkeys(part.name for part in (*said, *found)))
            raise SubjectMismatchError(f"{names}: its agreement does not follow from its rows")


def _plain(part: BackendPart) -> dict[str, Any]:
    """Its values, with bounds to six places: their last digits are those of a library."""
    value = part.model_dump()
    for side in ("injected", "clean"):
        value["agreement"][side]["high"] = round(value["agreement"][side]["high"], 6)
    return value
