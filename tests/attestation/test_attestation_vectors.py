"""Signed vectors of every released format stay as they are, and verify for ever."""

from pathlib import Path

import pytest

from causalguard.attestation.certificate import Certificate, verify
from causalguard.attestation.digests import model_dir_digests
from causalguard.attestation.keys import load_public
from causalguard.errors import SignatureError, SubjectMismatchError

VERSIONS = sorted((Path(__file__).parents[1] / "fixtures" / "attestation").glob("v*"))
CASES = [(version, kind) for version in VERSIONS for kind in ("p256", "ed25519")]
NAMES = [f"{version.name}-{kind}" for version, kind in CASES]


def check(version: Path, kind: str, bundle: bytes) -> Certificate:
    return verify(
        bundle,
        public_key=load_public(version / f"{kind}.pub.pem"),
        file_digests=model_dir_digests(version / "model"),
        accepted_policies=None,
        backend="torch-cpu-float32",
    )


def test_there_is_a_vector_of_every_format_so_far() -> None:
    assert [version.name for version in VERSIONS] == ["v1"]


@pytest.mark.parametrize(("version", "kind"), CASES, ids=NAMES)
def test_a_committed_vector_verifies(version: Path, kind: str) -> None:
    certificate = check(version, kind, (version / f"{kind}.sigstore.json").read_bytes())
    assert (certificate.result, certificate.threshold) == ("PASSED", 0.5)
    assert certificate.issued == "2026-11-23T00:00:00Z"


@pytest.mark.parametrize(("version", "kind"), CASES, ids=NAMES)
def test_a_vector_is_refused_with_any_byte_changed(version: Path, kind: str) -> None:
    bundle = (version / f"{kind}.sigstore.json").read_bytes()
    for position in range(len(bundle)):
        for mask in (0x01, 0x10):
            flipped = bytearray(bundle)
            flipped[position] ^= mask
            with pytest.raises(SignatureError):
                check(version, kind, bytes(flipped))


@pytest.mark.parametrize(("version", "kind"), CASES, ids=NAMES)
def test_a_vector_with_another_files_digests_is_refused(version: Path, kind: str) -> None:
    digests = model_dir_digests(version / "model")
    digests["guard.json"] = digests["training.yaml"]
    with pytest.raises(SubjectMismatchError, match=r"guard\.json differs"):
        verify(
            (version / f"{kind}.sigstore.json").read_bytes(),
            public_key=load_public(version / f"{kind}.pub.pem"),
            file_digests=digests,
            accepted_policies=None,
        )


def test_no_private_key_is_committed_with_the_vectors() -> None:
    for path in VERSIONS[0].parent.rglob("*"):
        if path.is_file():
            assert b"PRIVATE KEY-----" not in path.read_bytes()
