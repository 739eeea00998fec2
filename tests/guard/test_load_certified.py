from pathlib import Path

import pytest

from causalguard.errors import (
    CertificateError,
    ConfigError,
    ModelDirError,
    NotCertifiedError,
    SignatureError,
    SubjectMismatchError,
    UnsignedError,
)
from causalguard.guard.api import Guard
from causalguard.records import ToolOutput
from support.signing import POLICY, sign_model_dir


def test_a_certified_model_loads_and_its_verdicts_name_the_certificate(tiny_model: Path) -> None:
    guard = Guard.load(tiny_model, trust=sign_model_dir(tiny_model), policies=POLICY)
    verdict = guard.scan([ToolOutput(text="hello", task="t")])[0]
    assert guard.certificate is not None
    assert verdict.certificate_id == guard.certificate.id


def test_no_key_is_refused_even_when_the_report_is_there(tiny_model: Path) -> None:
    sign_model_dir(tiny_model)
    with pytest.raises(UnsignedError, match="trust="):
        Guard.load(tiny_model, policies=POLICY)


def test_an_unsigned_model_is_refused(tiny_model: Path) -> None:
    key = sign_model_dir(tiny_model)
    (tiny_model / "safety-report.sigstore.json").unlink()
    with pytest.raises(UnsignedError, match="UNSIGNED"):
        Guard.load(tiny_model, trust=key, policies=POLICY)


def test_another_key_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from causalguard.attestation import keys

    sign_model_dir(tiny_model)
    _, stranger = keys.generate()
    with pytest.raises(SignatureError):
        Guard.load(tiny_model, trust=stranger, policies=POLICY)


@pytest.mark.parametrize("result", ["FAILED", "INCONCLUSIVE"])
def test_a_model_that_did_not_pass_is_refused(tiny_model: Path, result: str) -> None:
    key = sign_model_dir(tiny_model, result=result)
    with pytest.raises(NotCertifiedError, match=result):
        Guard.load(tiny_model, trust=key, policies=POLICY)


def test_an_unknown_policy_is_refused_by_default(tiny_model: Path) -> None:
    key = sign_model_dir(tiny_model)
    with pytest.raises(CertificateError, match="policy"):
        Guard.load(tiny_model, trust=key, policies={"other": "cd" * 32})
    with pytest.raises(ConfigError, match="no packaged policy"):
        Guard.load(tiny_model, trust=key, policies=["no-such"])


def test_an_unlisted_dtype_is_refused(tiny_model: Path) -> None:
    key = sign_model_dir(tiny_model)
    with pytest.raises(NotCertifiedError, match="bfloat16"):
        Guard.load(tiny_model, trust=key, policies=POLICY, dtype="bfloat16")


def test_the_dtype_that_the_report_lists_is_chosen_by_default(tiny_model: Path) -> None:
    key = sign_model_dir(tiny_model, backends=[{"name": "torch-cpu-bfloat16"}])
    assert Guard.load(tiny_model, trust=key, policies=POLICY).backend == "torch-cpu-bfloat16"
    key = sign_model_dir(tiny_model, backends=[{"name": "torch-cpu-float32"}])
    assert Guard.load(tiny_model, trust=key, policies=POLICY).backend == "torch-cpu-float32"


def test_a_report_about_another_threshold_is_refused(tiny_model: Path) -> None:
    from support.signing import predicate

    model = predicate(tiny_model, {})["model"] | {"threshold": 0.4}
    key = sign_model_dir(tiny_model, model=model)
    with pytest.raises(NotCertifiedError, match="another threshold"):
        Guard.load(tiny_model, trust=key, policies=POLICY)


def test_an_old_report_draws_a_warning_and_is_refused_only_when_asked(tiny_model: Path) -> None:
    key = sign_model_dir(tiny_model, timeCreated="2020-01-01T00:00:00Z")
    with pytest.warns(UserWarning, match="days old"):
        Guard.load(tiny_model, trust=key, policies=POLICY)
    with pytest.raises(NotCertifiedError, match="age"):
        Guard.load(tiny_model, trust=key, policies=POLICY, max_age_days=30)


SIGNED = ["adapter_config.json", "adapter_model.safetensors", "guard.json"]
SIGNED += ["head.safetensors", "training.yaml", "safety-report.sigstore.json"]


@pytest.mark.parametrize("name", SIGNED)
def test_a_flipped_byte_in_any_signed_file_is_refused(tiny_model: Path, name: str) -> None:
    key = sign_model_dir(tiny_model)
    path = tiny_model / name
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 25)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises((CertificateError, ModelDirError)):
            Guard.load(tiny_model, trust=key, policies=POLICY)


def test_a_swapped_head_of_the_right_shape_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    key = sign_model_dir(tiny_model)
    path = tiny_model / "head.safetensors"
    save_file({n: torch.zeros_like(t) for n, t in load_file(path).items()}, path)
    with pytest.raises(SubjectMismatchError, match=r"head\.safetensors"):
        Guard.load(tiny_model, trust=key, policies=POLICY)
