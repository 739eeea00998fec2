"""Bases of other families: tiny random ones, through adapter, packing, a step and the guard."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from causalguard.errors import ConfigError
from causalguard.guard import base as bases
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.encoder import target_modules
from causalguard.train.config import TrainConfig, parse_config
from causalguard.train.model import build_model
from causalguard.train.run import batch_source, prepare, train
from support.tiny import byte_tokenizer

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": None,
}
LLAMA_LIKE = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
FAMILIES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "qwen2": ({}, LLAMA_LIKE),
    "qwen3": ({"head_dim": 8}, LLAMA_LIKE),
    "gemma": ({"head_dim": 8}, LLAMA_LIKE),
    "gemma3_text": ({"head_dim": 8, "sliding_window": 256}, LLAMA_LIKE),
    "mistral": ({"head_dim": 8, "sliding_window": 256}, LLAMA_LIKE),
    "phi": ({}, ["dense", "fc1", "fc2", "k_proj", "q_proj", "v_proj"]),
    "gpt2": (
        {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 512},
        ["c_attn", "c_fc", "c_proj"],
    ),
}


def family_base(family: str, directory: Path, **changes: Any) -> Path:
    """A random base of a family, with a tokenizer that has no padding token."""
    from transformers import AutoConfig, AutoModelForCausalLM

    own, _ = FAMILIES.get(family, ({}, []))
    tokenizer = byte_tokenizer()
    sizes = own if family == "gpt2" else SIZES | own
    sizes = sizes | changes | {"vocab_size": tokenizer.get_vocab_size()}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **sizes))
    with bases.quiet_transformers():
        model.save_pretrained(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


@pytest.fixture
def of_family(raw_config: dict[str, Any], tmp_path: Path) -> Callable[..., TrainConfig]:
    """The small configuration over a base of a family."""

    def make(family: str, sizes: dict[str, Any] | None = None, **changes: Any) -> TrainConfig:
        directory = family_base(family, tmp_path / family, **(sizes or {}))
        return parse_config(raw_config | {"base": str(directory)} | changes, where="test")

    return make


@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_of_this_family_is_trained_written_and_read_back(
    family: str, of_family: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    config = of_family(family, steps=2)
    train(config, tmp_path / "model", device="cpu")
    files = read_model_dir(tmp_path / "model")
    assert sorted(files.adapter.target_modules) == FAMILIES[family][1]
    assert files.adapter.fan_in_fan_out == (family == "gpt2")


@pytest.mark.parametrize("family", FAMILIES)
def test_packing_gives_what_separate_forwards_give(
    family: str, of_family: Callable[..., TrainConfig]
) -> None:
    config = of_family(family, packed=True, batch=5)
    prepared = prepare(config)
    model = build_model(prepared.base, config.exits, config.lora).eval()
    batch = batch_source(config, prepared)[0]
    packed = {n: v for n, v in batch.items() if n.startswith("packed_")}
    with torch.no_grad():
        apart, together = (model(batch["input_ids"], form)[3][1] for form in (None, packed))
    kept = batch["window_mask"]
    assert torch.allclose(apart[kept], together[kept], atol=1e-5)
    assert target_modules(model.encoder.backbone)


def test_a_row_longer_than_the_base_reads_is_refused_before_training(
    of_family: Callable[..., TrainConfig],
) -> None:
    with pytest.raises(ConfigError, match="64 positions"):
        prepare(of_family("gpt2", {"n_positions": 64}))


def test_packing_over_a_window_of_attention_shorter_than_a_row_is_refused(
    of_family: Callable[..., TrainConfig],
) -> None:
    short = {"sliding_window": 16}
    with pytest.raises(ConfigError, match="packed"):
        prepare(of_family("mistral", short, packed=True))
    prepare(of_family("mistral", short))


def test_packing_over_layers_that_no_mask_reaches_is_refused(
    of_family: Callable[..., TrainConfig],
) -> None:
    sizes: dict[str, Any] = {"head_dim": 8, "num_experts": 0}
    sizes |= {"linear_num_value_heads": 4, "linear_num_key_heads": 2}
    sizes |= {"linear_key_head_dim": 8, "linear_value_head_dim": 8}
    sizes["layer_types"] = ["linear_attention", "linear_attention", "full_attention"]
    with pytest.raises(ConfigError, match=r"packed.*linear_attention"):
        prepare(of_family("qwen3_next", sizes, packed=True))
    prepare(of_family("qwen3_next", sizes))
