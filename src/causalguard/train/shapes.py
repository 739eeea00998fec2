"""Bases without a download: an architecture's shape with random weights, for plans and speed.

``base: random:llama-2-7b`` trains a guard that knows nothing, at the cost of one that does.  Such
a guard is never written.  Its tokenizer reads bytes.
"""

import hashlib
import json
from typing import Any

import torch
from torch import nn

from causalguard.errors import BaseModelError
from causalguard.files import write_atomic
from causalguard.guard.base import BaseFiles, home, load_config, quiet_transformers, resolve
from causalguard.guard.encoder import final_norm, truncate_config

PREFIX = "random:"
SHAPES: dict[str, dict[str, Any]] = {
    "llama-2-7b": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 32_000,
        "hidden_size": 4096,
        "intermediate_size": 11_008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
    },
    "smollm2-135m": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 49_152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
    },
    "tiny-llama": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 320,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
    },
}
"""Published sizes (Touvron et al. 2023, table 1; SmolLM2's config.json), and one for tests."""
STD = 0.02
"""Standard deviation of the random weights, as transformers initialises them."""


def is_random(name: str) -> bool:
    """Whether a base's name asks for random weights."""
    return name.startswith(PREFIX)


def find_base(name: str) -> BaseFiles:
    """A base model by name, ``random:SHAPE`` among them.

    Raises BaseModelError when it is not on this machine, or there is no such shape.
    """
    if not is_random(name):
        return resolve(name)
    shape = name.removeprefix(PREFIX)
    if shape not in SHAPES:
        raise BaseModelError(f"{name}: no such shape; there are {', '.join(sorted(SHAPES))}")
    directory = home() / "base" / f"random-{shape}"
    write_atomic(directory / "config.json", json.dumps(SHAPES[shape], indent=1))
    write_atomic(directory / "tokenizer.json", byte_tokenizer().to_str())
    return BaseFiles(name=name, directory=directory)


def byte_tokenizer() -> Any:
    """A tokenizer of bytes and the two control tokens of the template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: k for k, token in enumerate([*control, *letters])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(control)
    return made


def empty_backbone(base: BaseFiles, layers: int, dtype: torch.dtype) -> tuple[nn.Module, str]:
    """The first layers of a shape, weights not written yet, and a digest of the recipe.

    Memory that is not written is not taken: a 7B shape costs nothing here.
    """
    from transformers import AutoModel
    from transformers.initialization import no_init_weights

    config = load_config(base).get_text_config()
    depth = int(config.num_hidden_layers)
    if not 1 <= layers <= depth:
        raise BaseModelError(f"{base.name} has {depth} layers; cannot read layer {layers}")
    truncate_config(config, layers)
    with quiet_transformers(), no_init_weights():
        backbone: nn.Module = AutoModel.from_config(config, dtype=dtype)
    final_norm(backbone)
    digest = hashlib.sha256(f"{base.name} std {STD}".encode()).hexdigest()
    return backbone.eval(), digest


def draw(like: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Random weights of a tensor's shape and dtype, made where they will be used."""
    return torch.empty(like.shape, dtype=like.dtype, device=device).normal_(std=STD)


def draw_linear(linear: nn.Linear, *, device: torch.device) -> torch.Tensor:
    """Random weights for a linear map."""
    return draw(linear.weight, device)


def fill(backbone: nn.Module, device: torch.device) -> None:
    """Write the weights of an empty backbone on a device: norms 1, the rest random; in place."""
    for module in backbone.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.dtype.is_floating_point and not hasattr(parameter, "quant_state"):
                new = draw(parameter, device) if parameter.dim() > 1 else _flat(name, parameter)
                setattr(module, name, nn.Parameter(new.to(device), requires_grad=False))


def _flat(name: str, parameter: torch.Tensor) -> torch.Tensor:
    """One-dimensional weights: a norm's scale is 1, a bias is 0."""
    return torch.zeros_like(parameter) if name == "bias" else torch.ones_like(parameter)
