"""The layers of a Llama on a CPU, without what scoring does not need.

The same sums as transformers' ``LlamaModel`` in another order, so risks differ by rounding only.
What is saved is the traffic between the matrix products: norm weights are folded into the products
that follow, query, key and value are one product, the gate's activation, its product and both
residual sums are done by the library while a product's result is still in cache, and no padding
mask is needed, since padding stands after the text and attention looks back.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

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
STEPS = ((128, 16), (320, 32), (math.inf, 64))
"""Products of up to so many rows have a multiple of so many."""
STEP = 32
"""Attention looks at a multiple of so many keys."""
SMALL = 320
"""Rows up to which one call of torch's own norm is the faster: threads that call seldom do not
wait for each other at the interpreter's lock."""
QUERIES = 128
"""Attention takes no fewer queries at a time than so many, and fewer than twice as many."""


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

    def prefix(self, ids: Tensor) -> list[KeyValue]:
        """Keys and values of a trusted prefix.

        Args:
            ids: token ids, shape (1, P).
        """
        return joined([work() for work in self.prefix_pieces(ids, 1)])

    def states(
        self, ids: Tensor, prefix: Sequence[KeyValue], exits: Sequence[int]
    ) -> dict[int, Tensor]:
        """Hidden states (B, T, H) after the layers read.

        Args:
            ids: token ids, shape (B, T), padded on the right; states of padding mean nothing.
            prefix: what :meth:`prefix` gave, before every row.
            exits: layers, counted from 1.
        """
        (work,) = self.pieces(ids, prefix, exits, 1)
        return work()

    def prefix_pieces(self, ids: Tensor, n: int) -> list[Callable[[], list[KeyValue]]]:
        """:meth:`prefix` in n calls, as :meth:`pieces`; :func:`joined` puts them together."""
        relay = Relay(n, len(self._layers))
        return [
            partial(self._prefix_piece, part, start, Baton(relay, number))
            for number, (start, part) in enumerate(_parts(ids, n))
        ]

    def pieces(
        self, ids: Tensor, prefix: Sequence[KeyValue], exits: Sequence[int], n: int
    ) -> list[Callable[[], dict[int, Tensor]]]:
        """:meth:`states` in n calls to be run side by side, each for the next tokens of every row.

        Attention looks back, so a call needs nothing but keys and values of those before it, and
        waits for them layer by layer: calls must be started in order.  Together they cost what one
        costs, and less, for no call looks at keys that stand after its own tokens.

        Args:
            ids: token ids, shape (B, T).
            prefix: what :meth:`prefix` gave, before every row.
            exits: layers, counted from 1.
            n: calls, 1 to T.
        """
        relay = Relay(n, max(exits))
        before = prefix[0][0].shape[2]
        return [
            partial(self._piece, part, before + start, Baton(relay, number), prefix, exits)
            for number, (start, part) in enumerate(_parts(ids, n))
        ]

    @torch.inference_mode()
    def _prefix_piece(self, ids: Tensor, start: int, baton: "Baton") -> list[KeyValue]:
        # copies: a view would keep the queries' memory alive as well
        kept: list[KeyValue] = []
        with baton:
            for _ in self._run(ids, start, None, baton):
                k, v = baton.own
                kept.append((k.clone(memory_format=CONTIGUOUS), v.clone(memory_format=CONTIGUOUS)))
        return kept

    @torch.inference_mode()
    def _piece(
        self,
        ids: Tensor,
        start: int,
        baton: "Baton",
        prefix: Sequence[KeyValue],
        exits: Sequence[int],
    ) -> dict[int, Tensor]:
        states: dict[int, Tensor] = {}
        with baton:
            for number, x in enumerate(self._run(ids, start, prefix, baton), 1):
                if number in exits:
                    states[number] = x.view(*ids.shape, -1)
                if number == max(exits):
                    break
        return states

    def _run(
        self, ids: Tensor, start: int, prefix: Sequence[KeyValue] | None, baton: "Baton"
    ) -> Iterator[Tensor]:
        """Hidden states (B * T, H) after each layer, of tokens that stand from ``start`` on."""
        rows, length = ids.shape
        n = rows * length
        x = level(self._embed(ids).reshape(n, -1))
        places = torch.arange(start, start + length)[None]
        half = self.width // 2
        heads = self.heads + self.groups
        cos, sin = (part[0, :, :half].repeat(1, heads) for part in self._rotary(x[None], places))
        looks = list(_looks(length, start, self.heads // self.groups, x.dtype))
        filling = -(start + length) % STEP
        nothing = [x.new_zeros((rows, self.groups, filling, self.width))] if filling else []
        # one place for the results of attention, whose padding stays zero
        attended = x.new_zeros((len(x), self.heads * self.width))
        out = attended[:n].view(rows, length, self.heads, self.width).transpose(1, 2)
        for number, layer in enumerate(self._layers):
            qkv = layer.qkv(_normed(x, layer.epsilon))[:n].view(rows, length, -1)
            turned = _rotate(qkv[..., : heads * self.width], cos, sin)
            # (rows, heads, length, halves, half a head)
            turned = turned.view(rows, length, 2, heads, half).permute(0, 3, 1, 2, 4)
            k = turned[:, self.heads :].flatten(3)
            v = qkv[..., heads * self.width :].view(rows, length, -1, self.width).transpose(1, 2)
            seen = baton.passed(number, (k, v))
            if prefix:
                seen = [prefix[number], *seen]
            k, v = (torch.cat([*(_for(rows, part) for part in parts), *nothing], dim=2)
                    for parts in zip(*seen, strict=True))  # fmt: skip
            self._attend(turned[:, : self.heads], k, v, looks, out)
            x = layer.out(attended, x)
            x = layer.mlp(_normed(x, layer.epsilon), x)
            yield x[:n]

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, looks: Sequence["Look"], out: Tensor
    ) -> None:
        """Attention with the query heads of one key-value head side by side."""
        for look in looks:
            part = slice(look.start, look.end)
            folded = q[:, :, part].reshape(len(q), self.groups, -1, self.width)
            keys, values = k[:, :, : look.keys], v[:, :, : look.keys]
            found = F.scaled_dot_product_attention(folded, keys, values, attn_mask=look.mask)
            out[:, :, part] = found.view(len(q), self.heads, -1, self.width)


def _for(rows: int, part: Tensor) -> Tensor:
    """The same keys or values for every row."""
    return part if len(part) == rows else part.expand(rows, -1, -1, -1)


class Look(NamedTuple):
    """Consecutive queries, and the keys that the last of them may look at."""

    start: int
    end: int
    keys: int
    mask: Tensor
    """0 where a query may look, else minus infinity; shape (share * queries, keys)."""


def level(x: Tensor) -> Tensor:
    """Rows (M, H) filled up with zeros, so that products come in few shapes.

    oneDNN compiles every product for its number of rows and keeps 1,024 of them, a megabyte each:
    with texts of every length that is the better part of a gigabyte.
    """
    n = len(x)
    step = next(step for most, step in STEPS if n <= most)
    return F.pad(x, (0, 0, 0, -n % step)) if n % step else x


class Relay:
    """Keys and values that pieces of a row hand on, layer by layer."""

    def __init__(self, pieces: int, layers: int) -> None:
        """Empty places for all pieces but the last, whose nobody needs."""
        self.places: list[list[Future[KeyValue]]] = [
            [Future() for _ in range(layers)] for _ in range(pieces - 1)
        ]


class Baton:
    """A piece's own part in a :class:`Relay`; if the piece fails, those that wait for it do too."""

    def __init__(self, relay: Relay, number: int) -> None:
        """Take a piece's number, from 0."""
        self._before = relay.places[:number]
        self._own = relay.places[number] if number < len(relay.places) else []
        self.own: KeyValue

    def passed(self, layer: int, own: KeyValue) -> list[KeyValue]:
        """Hand on the piece's keys and values; those of the pieces before it, and its own."""
        self.own = own
        if self._own:
            self._own[layer].set_result(own)
        return [*(places[layer].result() for places in self._before), own]

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        for place in self._own:
            if error is not None and not place.done():
                place.set_exception(error)


def joined(pieces: Sequence[list[KeyValue]]) -> list[KeyValue]:
    """Keys and values of consecutive pieces as those of one."""
    if len(pieces) == 1:
        return pieces[0]
    layers = zip(*pieces, strict=True)
    return [(torch.cat([k for k, _ in parts], 2), torch.cat([v for _, v in parts], 2))
            for parts in layers]  # fmt: skip


def _parts(ids: Tensor, n: int) -> Iterator[tuple[int, Tensor]]:
    """Consecutive tokens (B, about T / n), each part with the place of its first."""
    start = 0
    for part in ids.tensor_split(n, dim=1):
        yield start, part
        start += part.shape[1]


class _Layer:
    """Weights of one layer, norms folded in."""

    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        first, second = layer.input_layernorm, layer.post_attention_layernorm
        self.epsilon = float(first.variance_epsilon)
        # All heads' first halves before all second halves: turning them is then two long products
        # instead of many short ones, and attention does not mind, as keys go with their queries.
        turned = [_folded(p, first) for p in (attention.q_proj, attention.k_proj)]
        both = torch.cat(turned)
        halves = both.view(-1, 2, attention.head_dim // 2, both.shape[1]).transpose(0, 1)
        self.qkv = _Linear(torch.cat((halves.flatten(0, 2), _folded(attention.v_proj, first))))
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
    if len(x) <= SMALL:
        return F.rms_norm(x, x.shape[1:], None, epsilon)
    y = x.to(torch.float32, copy=True)
    squares = torch.linalg.vector_norm(y, dim=-1, keepdim=True).square_()
    return y.mul_(squares.div_(x.shape[-1]).add_(epsilon).rsqrt_()).to(x.dtype)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021) of all heads; first halves stand first."""
    turned = torch.empty(x.shape, dtype=x.dtype)
    (a, b), (c, d) = x.chunk(2, dim=-1), turned.chunk(2, dim=-1)
    torch.mul(a, cos, out=c).addcmul_(b, sin, value=-1)
    torch.mul(b, cos, out=d).addcmul_(a, sin)
    return turned


def _looks(length: int, before: int, share: int, dtype: torch.dtype) -> Iterator[Look]:
    """What queries after ``before`` tokens may look at.

    Long runs of them come in parts, the first of which need not be shown all keys.
    """
    start = 0
    for part in torch.empty(length).chunk(max(1, length // QUERIES)):
        end = start + len(part)
        keys = before + end + -(before + end) % STEP
        hidden = torch.ones(len(part), keys, dtype=torch.bool).triu(before + start + 1)
        mask = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)
        yield Look(start, end, keys, mask.repeat(share, 1))
        start = end
