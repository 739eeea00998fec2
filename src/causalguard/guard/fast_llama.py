"""The layers of a Llama on a CPU, without what scoring does not need.

The same sums as transformers' ``LlamaModel`` in another order, so risks differ by rounding only.
What is saved is the traffic between the matrix products: norm weights are folded into the products
that follow, query, key and value are one product, the gate's activation, its product and both
residual sums are done by the library while a product's result is still in cache, and no padding
mask is needed, since padding stands after the text and attention looks back.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own habit
from torch import Tensor, nn

KeyValue = tuple[Tensor, Tensor]
"""Keys and values of one layer, each (1, key-value heads, tokens, head width)."""

OPS: Any = torch.ops.mkldnn
"""oneDNN's operators, which PyTorch's compiler uses; absent on machines without them."""
CONTIGUOUS = torch.contiguous_format
PACKED_ROWS = 320
"""Rows that the packed weights are laid out for; any number is right, this one is fastest."""


def suits(backbone: nn.Module) -> bool:
    """Whether :class:`FastLlama` computes what this backbone does, on this machine."""
    if type(backbone).__name__ not in {"LlamaModel", "LlamaShell"}:
        return False
    config: Any = backbone.config
    layers: Any = backbone.layers
    weight = next(backbone.parameters())
    maps = [m for m in layers.modules() if getattr(getattr(m, "weight", None), "ndim", 0) == 2]
    # neither quantised nor adapted: what the maps compute is their weight's product alone
    plain = all(type(m) is nn.Linear and m.bias is None for m in maps)
    return plain and able(weight.dtype, weight.device) and config.hidden_act == "silu"


def able(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether this machine can run :class:`FastLlama` at all."""
    if device.type != "cpu" or not hasattr(OPS, "_linear_pointwise"):
        return False
    return dtype == torch.float32 or (
        dtype == torch.bfloat16 and bool(OPS._is_mkldnn_bf16_supported())  # noqa: SLF001
    )


class FastLlama:
    """Runs the layers of a backbone.  Pure; holds weights of its own."""

    def __init__(self, backbone: nn.Module) -> None:
        """Take the weights of a backbone that :func:`suits`."""
        config: Any = backbone.config
        parts: Any = backbone
        self.heads = int(config.num_attention_heads)
        self.groups = int(config.num_key_value_heads)
        self.width = int(parts.layers[0].self_attn.head_dim)
        self._embed: nn.Embedding = parts.embed_tokens
        self._rotary: nn.Module = parts.rotary_emb
        self._layers = [_Layer(layer) for layer in parts.layers]

    @torch.inference_mode()
    def prefix(self, ids: Tensor) -> list[KeyValue]:
        """Keys and values of a trusted prefix.

        Args:
            ids: token ids, shape (1, P).
        """
        cache: list[KeyValue] = []
        self._run(ids, None, (), cache)
        return cache

    @torch.inference_mode()
    def states(
        self, ids: Tensor, prefix: Sequence[KeyValue], exits: Sequence[int]
    ) -> dict[int, Tensor]:
        """Hidden states (B, T, H) after the layers read.

        Args:
            ids: token ids, shape (B, T), padded on the right; states of padding mean nothing.
            prefix: what :meth:`prefix` gave, before every row.
            exits: layers, counted from 1.
        """
        return self._run(ids, prefix, exits, None)

    def _run(
        self,
        ids: Tensor,
        prefix: Sequence[KeyValue] | None,
        exits: Sequence[int],
        keep: list[KeyValue] | None,
    ) -> dict[int, Tensor]:
        rows, length = ids.shape
        before = prefix[0][0].shape[2] if prefix else 0
        x = self._embed(ids).reshape(rows * length, -1)
        places = torch.arange(before, before + length)[None]
        cos, sin = (part[0, :, None] for part in self._rotary(x[None], places))
        half = self.width // 2
        cos, sin = cos[..., :half], sin[..., :half]
        mask = _causal(length, before, self.heads // self.groups, x.dtype)
        states: dict[int, Tensor] = {}
        last = max(exits, default=len(self._layers))
        for number, layer in enumerate(self._layers[:last], 1):
            qkv = layer.qkv(_normed(x, layer.epsilon)).view(rows, length, -1, self.width)
            turned = _rotate(qkv[:, :, : self.heads + self.groups], cos, sin)
            q = turned[:, :, : self.heads].transpose(1, 2)
            k = turned[:, :, self.heads :].transpose(1, 2)
            v = qkv[:, :, self.heads + self.groups :].transpose(1, 2)
            if keep is not None:
                # copies: a view would keep the queries' memory alive as well
                k, v = k.clone(memory_format=CONTIGUOUS), v.clone(memory_format=CONTIGUOUS)
                keep.append((k, v))
            if prefix:
                k, v = (
                    torch.cat((old.expand(rows, -1, -1, -1), new), dim=2)
                    for old, new in zip(prefix[number - 1], (k, v), strict=True)
                )
            x = layer.out(self._attend(q, k, v, mask), x)
            x = layer.mlp(_normed(x, layer.epsilon), x)
            if number in exits:
                states[number] = x.view(rows, length, -1)
        return states

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """Attention with the query heads of one key-value head side by side."""
        rows, heads, length, width = q.shape
        folded = q.reshape(rows, self.groups, heads // self.groups * length, width)
        found = F.scaled_dot_product_attention(folded, k, v, attn_mask=mask)
        return found.view(rows, heads, length, width).transpose(1, 2).reshape(rows * length, -1)


class _Layer:
    """Weights of one layer, norms folded in."""

    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        first, second = layer.input_layernorm, layer.post_attention_layernorm
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        self.epsilon = float(first.variance_epsilon)
        self.qkv = _Linear(torch.cat([_folded(p, first) for p in projections]))
        self._out = _Linear(attention.o_proj.weight)
        self._gate = _Linear(_folded(mlp.gate_proj, second))
        self._up = _Linear(_folded(mlp.up_proj, second))
        self._down = _Linear(mlp.down_proj.weight)

    def out(self, attended: Tensor, x: Tensor) -> Tensor:
        return self._out.plus(attended, x)

    def mlp(self, normed: Tensor, x: Tensor) -> Tensor:
        gate = self._gate.swish(normed)
        return self._down.plus(self._up.times(normed, gate), x)


class _Linear:
    """A product with a packed weight, and what is done to its result on the way out."""

    def __init__(self, weight: Tensor) -> None:
        plain = weight.detach().contiguous()
        self._weight = OPS._reorder_linear_weight(plain, PACKED_ROWS)  # noqa: SLF001

    def __call__(self, x: Tensor) -> Tensor:
        return self._unary(x, "none")

    def swish(self, x: Tensor) -> Tensor:
        return self._unary(x, "swish")

    def times(self, x: Tensor, other: Tensor) -> Tensor:
        return self._binary(x, other, "mul")

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        return self._binary(x, other, "add")

    def _unary(self, x: Tensor, after: str) -> Tensor:
        done: Tensor = OPS._linear_pointwise(x, self._weight, None, after, [], "")  # noqa: SLF001
        return done

    def _binary(self, x: Tensor, other: Tensor, after: str) -> Tensor:
        done: Tensor = OPS._linear_pointwise(x, other, self._weight, None, after)  # noqa: SLF001
        return done


def _folded(projection: Any, norm: Any) -> Tensor:
    weight: Tensor = projection.weight
    scale: Tensor = norm.weight
    return (weight.float() * scale.float()).to(weight.dtype)


def _normed(x: Tensor, epsilon: float) -> Tensor:
    """Root mean square 1; the norm's own weights stand in the product that follows."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    scale = (length * length / x.shape[-1] + epsilon).rsqrt_()
    return torch.mul(x, scale, out=torch.empty_like(x))


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021), halves paired as in transformers' Llama."""
    turned = torch.empty(x.shape, dtype=x.dtype)
    (a, b), (c, d) = x.chunk(2, dim=-1), turned.chunk(2, dim=-1)
    torch.mul(a, cos, out=c).addcmul_(b, sin, value=-1)
    torch.mul(b, cos, out=d).addcmul_(a, sin)
    return turned


def _causal(length: int, before: int, share: int, dtype: torch.dtype) -> Tensor:
    """0 where a query may look, else minus infinity; shape (share * T, P + T)."""
    hidden = torch.ones(length, before + length, dtype=torch.bool).triu(before + 1)
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf).repeat(share, 1)
