"""Sign a MODEL_DIR for a test, with a report that says whatever the test needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from causalguard.attestation import certificate, dsse, keys
from causalguard.attestation.digests import model_dir_digests
from causalguard.guard.bundle import read_model_dir

POLICY = {"test": "ab" * 32}


def sign_model_dir(directory: Path, **changes: Any) -> Path:
    """Write a signed report into MODEL_DIR; returns the public key's path (outside of it)."""
    private, public = keys.generate()
    key = directory.parent / "key.pem"
    key.write_bytes(private)
    (directory.parent / "key.pub.pem").write_bytes(public)
    statement = certificate.make_statement(
        model_dir_digests(directory), predicate(directory, changes)
    )
    bundle = dsse.sign(statement, keys.load_signer(key))
    (directory / "safety-report.sigstore.json").write_bytes(bundle)
    return directory.parent / "key.pub.pem"


def predicate(model: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a safety report that loading reads."""
    info = read_model_dir(model).info
    facts: dict[str, Any] = {
        "schemaVersion": "1.0",
        "result": "PASSED",
        "policy": {"name": "test", "sha256": POLICY["test"]},
        "model": {
            "threshold": info.threshold.value,
            "templateSha256": info.template.sha256,
            "baseSha256": info.base.tensors_sha256,
            "tokenizerSha256": info.base.tokenizer_sha256,
        },
        "backends": [{"name": "torch-cpu-float32"}],
        "timeCreated": "2026-11-01T00:00:00Z",
    }
    return facts | dict(changes)
