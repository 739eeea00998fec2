"""A Llama's weights under transformers' names, without transformers.

The short way through the layers (fast_llama.py) needs weights, not transformers' code, whose import
costs every worker 130 MB and some seconds.  What is built here is what transformers would have
built, or nothing: a configuration with anything unusual goes the long way.
"""

import json
from typing import Any

import torch
from torch import Tensor, nn

from causalguard.guard.base import BaseFiles, load_tensors
from causalguard.guard.encoder import backbone_digest

PREFIX = "model."
"""Before the names of a backbone's tensors in the file of a causal LM."""
DEPTH = "num_hidden_layers"
SIZES = (
    "hidden_size",
    "intermediate_size",
    DEPTH,
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
)
PLAIN = {"attention_bias": False, "mlp_bias": False, "hidden_act": "silu"}
"""What is so unless a configuration says otherwise, and must be so."""
UNUSUAL = ("quantization_config", "rope_scaling", "partial_rotary_factor", "layer_types")


class ShellConfig:
    """Sizes of a Llama, named as transformers names them."""

    def __init__(self, given: dict[str, Any], layers: int) -> None:
        self.hidden_size, self.intermediate_size, _, *rest = (given[name] for name in SIZES)
        self.num_attention_heads, self.num_key_value_heads, self.vocab_size = rest
        self.num_hidden_layers = layers
        self.head_dim = given.get("head_dim") or self.hidden_size // self.num_attention_heads
        self.rms_norm_eps = float(given["rms_norm_eps"])
        self.rope_theta = float(given["rope_parameters"]["rope_theta"])
        self.hidden_act = "silu"


class LlamaShell(nn.Module):
    """Embedding, layers and rotary angles of a Llama; no forward, no final norm."""

    def __init__(self, config: ShellConfig) -> None:
        """Make the modules without memory."""
        super().__init__()
        self.config = config
        shape = (config.vocab_size, config.hidden_size)
        self.embed_tokens = nn.Embedding(*shape, _weight=_empty(*shape))
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))
        self.rotary_emb = _Rotary(config)


class _Layer(nn.Module):
    def __init__(self, config: ShellConfig) -> None:
        super().__init__()
        self.self_attn = _Attention(config)
        self.mlp = _Mlp(config)
        self.input_layernorm = _Norm(config)
        self.post_attention_layernorm = _Norm(config)


class _Attention(nn.Module):
    def __init__(self, config: ShellConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        queries = config.num_attention_heads * config.head_dim
        values = config.num_key_value_heads * config.head_dim
        self.q_proj = _linear(config.hidden_size, queries)
        self.k_proj = _linear(config.hidden_size, values)
        self.v_proj = _linear(config.hidden_size, values)
        self.o_proj = _linear(queries, config.hidden_size)


class _Mlp(nn.Module):
    def __init__(self, config: ShellConfig) -> None:
        super().__init__()
        wide = config.intermediate_size
        self.gate_proj = _linear(config.hidden_size, wide)
        self.up_proj = _linear(config.hidden_size, wide)
        self.down_proj = _linear(wide, config.hidden_size)


class _Norm(nn.Module):
    def __init__(self, config: ShellConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(_empty(config.hidden_size))
        self.variance_epsilon = config.rms_norm_eps


class _Rotary(nn.Module):
    """Rotary positions (Su et al. 2021), bit for bit as transformers' Llama has them."""

    inv_freq: Tensor

    def __init__(self, config: ShellConfig) -> None:
        super().__init__()
        steps = torch.arange(0, config.head_dim, 2, dtype=torch.float) / config.head_dim
        # a buffer: it takes the model's dtype, as it does there
        self.register_buffer("inv_freq", 1.0 / (config.rope_theta**steps), persistent=False)

    def forward(self, x: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        angles = places[..., None].float() * self.inv_freq.float()
        both = torch.cat((angles, angles), dim=-1)
        return both.cos().to(x.dtype), both.sin().to(x.dtype)


def _linear(inside: int, outside: int) -> nn.Linear:
    """A map without memory."""
    made = nn.Linear(1, 1, bias=False)  # torch fills weights with numbers, which costs imports too
    made.in_features, made.out_features = inside, outside
    made.weight = nn.Parameter(_empty(outside, inside))
    return made


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def load_shell(base: BaseFiles, layers: int, dtype: torch.dtype) -> tuple[LlamaShell, str] | None:
    """The first layers of a plain Llama, and the digest of the tensors it loaded.

    Weights keep the dtype on disk where that is ``dtype``, else they are float32: either way the
    sum with an adapter, rounded to ``dtype``, is the same.

    Args:
        base: the base model.
        layers: how many, from the first.
        dtype: what the model will run in.

    Returns:
        None for what is no plain Llama of that depth: the long way then says what is wrong.

    Raises:
        BaseModelError: tensors are missing or damaged.
    """
    config = read_config(base, layers)
    if config is None:
        return None
    shell = LlamaShell(config)
    shapes = {name: value.shape for name, value in shell.state_dict().items()}
    # copies: what was hashed must be what runs, whatever becomes of the file
    found = load_tensors(base, {PREFIX + name for name in shapes})
    state = {name: found.pop(PREFIX + name).clone() for name in shapes}
    if any(state[name].shape != shape for name, shape in shapes.items()):
        return None
    digest = backbone_digest({PREFIX + name: value for name, value in state.items()})
    kept = {n: value if value.dtype == dtype else value.float() for n, value in state.items()}
    shell.load_state_dict(kept, strict=True, assign=True)
    return shell.eval(), digest


def read_config(base: BaseFiles, layers: int) -> ShellConfig | None:
    """The configuration of a plain Llama with that many layers; None for any other."""
    try:
        given = json.loads((base.directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(given, dict) or given.get("model_type") != "llama":
        return None
    rope = given.get("rope_parameters")
    if not isinstance(rope, dict) or rope.keys() != {"rope_type", "rope_theta"}:
        return None
    sizes = [given.get(name) for name in SIZES]
    plain = (
        all(type(size) is int and size > 0 for size in sizes)
        and isinstance(given.get("rms_norm_eps"), float)
        and rope["rope_type"] == "default"
        and all(given.get(name, value) == value for name, value in PLAIN.items())
        and not any(given.get(name) for name in UNUSUAL)
    )
    return ShellConfig(given, layers) if plain and 1 <= layers <= given[DEPTH] else None
