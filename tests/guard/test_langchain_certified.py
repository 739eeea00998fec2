from pathlib import Path

import pytest
from langchain_core.messages import AIMessage

from causalguard import CausalGuardLLM
from causalguard.agents.scripted import ScriptedModel
from causalguard.attestation.digests import sha256_bytes
from causalguard.errors import CertificateError, ModelDirError
from causalguard.guard.policies import packaged_policy
from support.signing import sign_model_dir


@pytest.fixture
def key(tiny_model: Path) -> Path:
    digest = sha256_bytes(packaged_policy("default"))
    return sign_model_dir(tiny_model, policy={"name": "default", "sha256": digest})


def test_a_certified_model_starts_and_answers(tiny_model: Path, key: Path) -> None:
    llm = CausalGuardLLM(inner=ScriptedModel(), model_dir=tiny_model, trust=key)
    assert isinstance(llm.invoke("hello"), AIMessage)


@pytest.mark.parametrize(
    "name",
    ["head.safetensors", "guard.json", "training.yaml", "safety-report.sigstore.json"],
)
def test_a_flipped_byte_keeps_the_wrapper_from_starting(
    tiny_model: Path, key: Path, name: str
) -> None:
    path = tiny_model / name
    whole = path.read_bytes()
    at = len(whole) // 2
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises((CertificateError, ModelDirError)):
        CausalGuardLLM(inner=ScriptedModel(), model_dir=tiny_model, trust=key)
