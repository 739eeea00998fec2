"""Report and signed statement as values: built here, written by the pipeline, checked by verify."""

import json
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from causalguard.attestation.canonical import canonical_json
from causalguard.attestation.digests import root_digest, sha256_bytes
from causalguard.certify.analysis import analyse
from causalguard.certify.attachments import (
    Attachments,
    attached_attacks,
    attached_structural,
    further_backends,
)
from causalguard.certify.policy import LoadedPolicy
from causalguard.certify.report.model import (
    BackendPart,
    DataPart,
    EvidencePart,
    ModelPart,
    PolicyPart,
    Report,
    SignaturePart,
    as_json,
)
from causalguard.certify.trials import TrialSet, trials_bytes, vectors_bytes
from causalguard.errors import InputError, ModelDirError
from causalguard.records import Trial, Triplet

VERIFIER_ID = "https://causalguard.dev/guard-certify"
UNSIGNED_NOTE = (
    "UNSIGNED: nobody vouches for this report, and no guard will load a model on it. "
    "Certify with --key to sign."
)
SIGNED_NOTE = "SIGNED: see safety-report.sigstore.json; check it with a key that you trust."
_UNTRAINED = frozenset({"no", "false", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What whoever certifies states besides the measurements."""

    signed: bool
    """True: the report will be embedded in a signed statement."""
    attempt: int = 1
    """Which attempt at certifying this model under this policy it is, >= 1."""
    reproduce: str = ""
    """Command that makes the report again."""
    created: str = ""
    """UTC time as ``2026-11-23T01:02:03Z``; empty: now, or SOURCE_DATE_EPOCH."""


def time_created(environment: Mapping[str, str] | None = None) -> str:
    """Now in UTC, or the time in SOURCE_DATE_EPOCH.

    Raises:
        InputError: SOURCE_DATE_EPOCH is set, but is no whole number of seconds.
    """
    text = (os.environ if environment is None else environment).get("SOURCE_DATE_EPOCH", "")
    try:
        moment = datetime.fromtimestamp(int(text), UTC) if text else datetime.now(UTC)
    except (ValueError, OverflowError, OSError):
        raise InputError(f"SOURCE_DATE_EPOCH is {text!r}; give whole seconds since 1970") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def model_part(guard_json: bytes, digests: Mapping[str, str]) -> ModelPart:
    """The signed subject, from guard.json and the files' digests.

    Raises:
        ModelDirError: guard.json lacks a field that the certificate speaks of.
    """
    try:
        info = json.loads(guard_json)
        return ModelPart(
            name=str(info["name"]),
            root_sha256=root_digest(digests),
            files=dict(digests),
            threshold=float(info["threshold"]["value"]),
            template_sha256=info["template"]["sha256"],
            base_sha256=info["base"]["tensors_sha256"],
            tokenizer_sha256=info["base"]["tokenizer_sha256"],
            guard=info,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelDirError(
            f"guard.json is damaged ({type(error).__name__}: {error}); train again, or fetch the "
            "model again"
        ) from None


def held_out_families(guard: Mapping[str, Any], trials: Sequence[Trial]) -> frozenset[str]:
    """Families of the audit set that the guard was never trained on.

    guard.json lists the families trained on; a set may also say so of itself with the nuisance
    label ``family_trained: no``.
    """
    listed = guard.get("families_trained") or []
    trained = {str(name) for name in listed} if isinstance(listed, list) else set()
    found = set()
    for trial in trials:
        label = trial.nuisance.get("family_trained", "").lower()
        if label in _UNTRAINED or (not label and trained and trial.family not in trained):
            found.add(trial.family)
    return frozenset(found)


def data_part(
    triplets: Sequence[Triplet], sha256: str, *, origin: str, seed: int | None
) -> DataPart:
    """Where the audit set comes from."""
    licences = Counter(triplet.license or "not stated" for triplet in triplets)
    sources = Counter(triplet.source.split("/")[0] or "not stated" for triplet in triplets)
    return DataPart(
        origin=origin,
        sha256=sha256,
        sets=len(triplets),
        seed=seed,
        licences=dict(sorted(licences.items())),
        sources=dict(sorted(sources.items())),
    )


def environment() -> dict[str, str]:
    """Versions behind the numbers."""
    names = ("causalguard", "numpy", "scipy", "torch", "transformers")
    versions = {name: _version(name) for name in names}
    return {
        **{name: version for name, version in versions.items() if version},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def build_report(
    trial_set: TrialSet,
    policy: LoadedPolicy,
    model: ModelPart,
    data: DataPart,
    declared: Declaration,
    attached: Attachments | None = None,
) -> Report:
    """Analyse the trials and put the report together.

    Raises:
        SubjectMismatchError: attached evidence is of another model.
    """
    held_out = held_out_families(model.guard, trial_set.trials)
    results = analyse(trial_set, policy.policy, held_out)
    meta = trial_set.meta
    backend = BackendPart(
        name=trial_set.trials[0].backend,
        trials=len(trial_set.trials),
        noise=float(meta.get("noise", "0")),
        noise_sample=int(meta.get("noise_sample", "0")),
    )
    extra = attached or Attachments()
    listed, refused = further_backends(trial_set.trials, extra.backends, extra.noise, policy.policy)
    return Report(
        time_created=declared.created or time_created(),
        verifier={"id": VERIFIER_ID, "version": _version("causalguard") or "0"},
        signature=SignaturePart(
            state="SIGNED" if declared.signed else "UNSIGNED",
            note=SIGNED_NOTE if declared.signed else UNSIGNED_NOTE,
        ),
        attempt=declared.attempt,
        policy=PolicyPart(name=policy.policy.name, sha256=policy.sha256, text=policy.text),
        model=model,
        data=data,
        backends=(backend, *listed),
        backends_refused=tuple(refused) or None,
        adaptive=None if extra.attacks is None else attached_attacks(extra.attacks, model),
        structural=None
        if extra.structural is None
        else attached_structural(extra.structural, model),
        evidence=EvidencePart(
            trials_sha256=sha256_bytes(trials_bytes(trial_set.trials)),
            representations_sha256=sha256_bytes(vectors_bytes(trial_set)),
            dimension=int(trial_set.representations.shape[1]),
            held_out_families=tuple(sorted(held_out)),
            trained_families_known=bool(model.guard.get("families_trained")),
        ),
        results=results,
        environment=environment(),
        reproduce=declared.reproduce,
    )


def report_bytes(report: Report) -> bytes:
    """``safety-report.json``: canonical JSON."""
    return canonical_json(as_json(report))


def build_predicate(report: Report) -> dict[str, Any]:
    """What is signed: the report whole, and beside it the fields that policy engines read.

    The names are those of in-toto's ``test-result/v0.1``.
    """
    results = report.results
    failed = [g.id for g in results.gates if g.required and g.outcome == "FAILED"]
    passed = [g.id for g in results.gates if g.outcome == "PASSED"]
    rest = [g.id for g in results.gates if g.id not in {*failed, *passed}]
    evidence = report.evidence
    whole = as_json(report)
    return {
        "schemaVersion": report.schema_version,
        "result": results.result,
        "policy": {"name": report.policy.name, "sha256": report.policy.sha256},
        "model": {
            "threshold": report.model.threshold,
            "templateSha256": report.model.template_sha256,
            "baseSha256": report.model.base_sha256,
            "tokenizerSha256": report.model.tokenizer_sha256,
        },
        "backends": whole["backends"],
        "timeCreated": report.time_created,
        "configuration": [
            {"name": f"policy {report.policy.name}", "digest": {"sha256": report.policy.sha256}},
            {"name": "audit set", "digest": {"sha256": report.data.sha256}},
            {"name": "trials.jsonl", "digest": {"sha256": evidence.trials_sha256}},
            {
                "name": "trials-R.safetensors",
                "digest": {"sha256": evidence.representations_sha256},
            },
            *(
                {"name": part.file, "digest": {"sha256": part.sha256}}
                for part in (report.adaptive, report.structural)
                if part is not None
            ),
        ],
        "passedTests": passed,
        "warnedTests": rest,
        "failedTests": failed,
        "verifier": dict(report.verifier),
        "report": whole,
    }


def read_guard_json(model_dir: Path) -> bytes:
    """The bytes of guard.json.

    Raises:
        ModelDirError: it cannot be read.
    """
    try:
        return (model_dir / "guard.json").read_bytes()
    except OSError as error:
        raise ModelDirError(f"{model_dir}/guard.json: {error.strerror}; give a MODEL_DIR") from None
