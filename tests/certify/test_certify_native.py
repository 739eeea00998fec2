"""Native mode from threshold to certificate: calibrated, certified and loaded."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from causalguard.attestation import keys
from causalguard.certify import evidence, pipeline
from causalguard.certify.cli import cli
from causalguard.certify.pipeline import Audit
from causalguard.certify.policy import LoadedPolicy, parse
from causalguard.errors import CertificateError, NotCertifiedError
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.langchain import CausalGuardLLM
from causalguard.guard.native import NativeGuard
from causalguard.interventions import engine
from causalguard.records import Triplet
from causalguard.train.cli import calibrate_command, packaged_config
from causalguard.train.config import load_config

POLICY = b"""\
schema: policy/1
name: easy
description: Anything that was read passes.
permutations: 99
bootstraps: 100
gates:
  - {id: coverage, claim: read, quantity: coverage, at_least: 0.0}
"""


@pytest.fixture
def native(tiny_model: Path, tmp_path: Path) -> Path:
    """Calibrated with the command, on 30 benign outputs."""
    rows = [{"text": f"mail {k} from ana", "task": "the mail"} for k in range(30)]
    source = tmp_path / "benign.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--native", "--model", str(tiny_model), "--output", str(tmp_path / "native")]
    done = CliRunner().invoke(calibrate_command, [*arguments, str(source), "--alpha", "0.1"])
    assert done.exit_code == 0, done.output
    return tmp_path / "native"


@pytest.fixture(scope="module")
def sets() -> list[Triplet]:
    return list(engine.generate(6, seed=3, split="audit", lengths=["50-200"]))


def easy() -> LoadedPolicy:
    return parse(POLICY, where="easy")


def certified(model: Path, sets: list[Triplet]) -> Path:
    private, public = keys.write_key_pair(model.parent / "key.pem")
    pipeline.certify(
        model,
        evidence.load_guard(model),
        Audit(triplets=sets, origin="engine", seed=3),
        easy(),
        signer=keys.load_signer(private),
    )
    return public


def test_the_native_threshold_is_chosen_on_native_risks(native: Path) -> None:
    files = read_model_dir(native)
    assert files.info.native is not None
    assert files.info.native.generator == "base+adapter"
    assert files.info.threshold.benign_clusters == 30
    guard = NativeGuard.load(native, require_certified=False, dtype="float32")
    from causalguard.records import ToolOutput

    risks = [
        guard.score([ToolOutput(text=f"mail {k} from ana", task="the mail")])[0].risk
        for k in range(30)
    ]
    flagged = sum(risk >= guard.threshold for risk in risks)
    assert flagged == files.info.threshold.false_positives < 3


def test_calibrating_for_windows_again_takes_native_mode_back(native: Path, tmp_path: Path) -> None:
    source = tmp_path / "benign.jsonl"
    arguments = ["--model", str(native), "--output", str(tmp_path / "again"), str(source)]
    done = CliRunner().invoke(calibrate_command, [*arguments, "--alpha", "0.1"])
    assert done.exit_code == 0, done.output
    assert read_model_dir(tmp_path / "again").info.native is None


def test_the_certificate_lists_the_native_backend_and_is_enough_to_load(
    native: Path, sets: list[Triplet]
) -> None:
    public = certified(native, sets)
    report = json.loads((native / "safety-report.json").read_text())
    assert [backend["name"] for backend in report["backends"]] == ["native-cpu-float32"]
    policies = {"easy": easy().sha256}
    llm = CausalGuardLLM.from_pretrained(native, trust=public, loading={"policies": policies})
    assert llm.enforcer.scanner.identity
    with pytest.raises(NotCertifiedError, match="native-cpu-bfloat16"):
        NativeGuard.load(native, trust=public, policies=policies, dtype="bfloat16")


def test_a_flipped_byte_of_a_native_model_is_refused(native: Path, sets: list[Triplet]) -> None:
    public = certified(native, sets)
    path = native / "head.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    with pytest.raises(CertificateError):
        CausalGuardLLM.from_pretrained(
            native, trust=public, loading={"policies": {"easy": easy().sha256}}
        )


def test_the_trials_of_a_native_report_can_be_replayed(
    native: Path, sets: list[Triplet], tmp_path: Path
) -> None:
    guard = evidence.load_guard(native)
    trials = evidence.collect(guard, sets, model_sha256="0" * 64, partial=tmp_path / "partial")
    assert {trial.backend for trial in trials.trials} == {"native-cpu-float32"}
    found = evidence.replay(
        evidence.load_guard(native), sets, trials, count=5, rng=np.random.default_rng(0)
    )
    assert found.texts == 5
    assert max(found.risk, found.vector) < 1e-5


def test_guard_certify_recognises_a_native_model(native: Path, tmp_path: Path) -> None:
    policy = tmp_path / "easy.yaml"
    policy.write_bytes(POLICY)
    arguments = ["--model", str(native), "--sets", "4", "--policy", str(policy)]
    done = CliRunner().invoke(cli, [*arguments, "--dtype", "float32"], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert "native-cpu-float32" in (native / "safety-report.json").read_text()


def test_the_shipped_native_configuration_trains_heads_alone() -> None:
    config = load_config(packaged_config("native"))
    assert config.steps == 0
    assert config.heads_first is not None
