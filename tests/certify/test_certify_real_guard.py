"""The certifier and the real guard agree on every name: certified here, loaded there."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from causalguard.attestation import keys
from causalguard.certify import pipeline
from causalguard.certify.evidence import load_guard
from causalguard.certify.pipeline import Audit
from causalguard.certify.policy import LoadedPolicy, parse
from causalguard.errors import NotCertifiedError, SubjectMismatchError
from causalguard.guard import Guard
from causalguard.interventions import engine
from causalguard.records import ToolOutput, Triplet

POLICY = b"""\
schema: policy/1
name: easy
description: Anything that was scanned passes.
permutations: 99
bootstraps: 100
gates:
  - {id: coverage, claim: scanned, quantity: coverage, at_least: %s}
"""


@pytest.fixture(scope="module")
def sets() -> Sequence[Triplet]:
    """A few rendered audit sets."""
    return list(engine.generate(6, seed=3, split="audit"))


def _policy(margin: bytes) -> LoadedPolicy:
    return parse(POLICY % margin, where="easy")


def _certified(model: Path, sets: Sequence[Triplet], policy: LoadedPolicy) -> Path:
    private, public = keys.write_key_pair(model.parent / "key.pem")
    pipeline.certify(
        model,
        load_guard(model),
        Audit(triplets=sets, origin="engine", seed=3),
        policy,
        signer=keys.load_signer(private),
    )
    return public


def test_a_model_certified_here_is_loaded_by_the_guard(
    tiny_model: Path, sets: Sequence[Triplet]
) -> None:
    policy = _policy(b"0.0")
    public = _certified(tiny_model, sets, policy)
    guard = Guard.load(tiny_model, trust=public, policies={"easy": policy.sha256})
    assert guard.certificate is not None
    verdict = guard.scan([ToolOutput(text="hello", task="say hello")])[0]
    assert verdict.certificate_id == guard.certificate.id


def test_the_guard_refuses_what_did_not_pass_and_what_was_changed(
    tiny_model: Path, sets: Sequence[Triplet]
) -> None:
    policy = _policy(b"1.0")
    short = [triplet for triplet in sets if len(triplet.injected) < 3000]
    public = _certified(tiny_model, short, policy)
    with pytest.raises(NotCertifiedError, match="FAILED"):
        Guard.load(tiny_model, trust=public)
    path = tiny_model / "training.yaml"
    path.write_text(path.read_text() + "# changed\n")
    with pytest.raises(SubjectMismatchError, match=r"training.yaml"):
        Guard.load(tiny_model, trust=public, policies={"easy": policy.sha256})
