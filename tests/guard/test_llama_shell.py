"""A guard's weights without transformers are those that transformers would have loaded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from causalguard.guard import base as bases
from causalguard.guard.api import Guard, build_scorer
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.encoder import load_backbone
from causalguard.guard.fast_llama import FastLlama, able
from causalguard.guard.llama_shell import load_shell
from causalguard.records import ToolOutput

DTYPES = [torch.float32, torch.bfloat16]
CPU = torch.device("cpu")


def states(backbone: nn.Module, dtype: torch.dtype) -> torch.Tensor:
    if not able(dtype, CPU):
        pytest.skip("no such products on this machine")
    fast = FastLlama(backbone.to(dtype))
    text = torch.randint(0, 200, (2, 60), generator=torch.Generator().manual_seed(0))
    return fast.states(text, fast.prefix(text[:1, :9]), (2,))[2]


def changed(tiny_base: Path, folder: Path, **changes: Any) -> bases.BaseFiles:
    shutil.copytree(tiny_base, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return bases.resolve(str(folder))


@pytest.mark.parametrize("dtype", DTYPES)
def test_states_and_digest_are_transformers_bit_for_bit(
    tiny_base: Path, dtype: torch.dtype
) -> None:
    base = bases.resolve(str(tiny_base))
    shell = load_shell(base, 2, dtype)
    assert shell is not None
    plain, digest = load_backbone(base, 2, torch.float32)
    assert shell[1] == digest
    assert torch.equal(states(shell[0], dtype), states(plain, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_guard_scores_bit_for_bit_as_with_transformers(
    tiny_model: Path, dtype: torch.dtype
) -> None:
    if not able(dtype, CPU):
        pytest.skip("no such products on this machine")
    files, name = read_model_dir(tiny_model), str(dtype).removeprefix("torch.")
    outputs = [ToolOutput(text="mail from ana " * n, task="t", system="s") for n in (1, 9, 80)]
    ours = Guard.load(tiny_model, require_certified=False, dtype=name).score(outputs)
    theirs = build_scorer(files, device="cpu", dtype=dtype).score(outputs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.risk == b.risk
        assert (a.token_risk == b.token_risk).all()
        assert (a.representation == b.representation).all()


UNUSUAL: list[dict[str, Any]] = [
    {"model_type": "mistral"},
    {"attention_bias": True},
    {"mlp_bias": True},
    {"hidden_act": "gelu"},
    {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}},
    {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}},
    {"rope_parameters": None},
    {"partial_rotary_factor": 0.5},
    {"quantization_config": {"quant_method": "gptq"}},
    {"num_key_value_heads": None},
    {"num_hidden_layers": 1},
]


@pytest.mark.parametrize("changes", UNUSUAL)
def test_an_unusual_llama_is_left_to_transformers(
    tiny_base: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    assert load_shell(changed(tiny_base, tmp_path / "base", **changes), 2, torch.float32) is None


def test_weights_of_another_shape_are_left_to_transformers(tiny_base: Path, tmp_path: Path) -> None:
    other = changed(tiny_base, tmp_path / "base", intermediate_size=8)
    assert load_shell(other, 2, torch.float32) is None


def test_what_was_hashed_does_not_change_with_the_file(tiny_base: Path, tmp_path: Path) -> None:
    base = changed(tiny_base, tmp_path / "base")
    shell = load_shell(base, 2, torch.float32)
    assert shell is not None
    before = {name: value.clone() for name, value in shell[0].state_dict().items()}
    for path in base.directory.glob("*.safetensors"):
        with path.open("r+b") as stream:  # in place, as no installer would
            stream.seek(-100_000, 2)
            stream.write(b"\x7f" * 100_000)
    assert all(torch.equal(value, before[n]) for n, value in shell[0].state_dict().items())


def test_loading_a_guard_and_scanning_needs_no_transformers(tiny_model: Path) -> None:
    code = """
import sys
from causalguard.guard import Guard
from causalguard.records import ToolOutput
guard = Guard.load(sys.argv[1], require_certified=False, dtype="float32")
guard.scan([ToolOutput(text="hello", task="t")])
heavy = {"transformers", "torch._dynamo", "sympy", "accelerate"} & set(sys.modules)
sys.exit(repr(heavy) if heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_model)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_loaded_guard_keeps_no_second_copy_of_its_weights(tiny_model: Path) -> None:
    files = Guard.load(tiny_model, require_certified=False).files
    assert (files.adapter_bytes, files.head_bytes) == (b"", b"")
    assert files.digests == read_model_dir(tiny_model).digests
