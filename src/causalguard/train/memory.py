"""Memory of a training step, part by part, before a model loads.

The step is run on tensors without storage: every operation is dispatched, shapes and types are
those of the real run, and the bytes that are alive are counted.  Nothing is guessed per
architecture, and a 7B model is planned in seconds on a laptop.
"""

import os
import weakref
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from causalguard.guard.base import BaseFiles
from causalguard.guard.encoder import find_layers
from causalguard.records import Kind
from causalguard.train.batches import MAX_MEMBERS, PACK_CAPACITY, PAD_TO
from causalguard.train.config import TrainConfig
from causalguard.train.examples import ANSWERED
from causalguard.train.losses import CHUNK, LossWeights, guard_loss
from causalguard.train.model import Build, TrainedModel, add_language, assemble
from causalguard.train.quantise import BITS
from causalguard.train.shapes import empty_backbone

GIB = 2**30
CONTROL_TOKENS = 16
"""Tokens of a row that are neither context nor window: turn marks and role names."""
CONTEXT = int(0.4 * GIB)
"""What CUDA and its libraries take beside the tensors."""
FILL = 0.9
"""Share of the device's memory that a plan may use."""
ALWAYS = frozenset[Kind]({"benign", "counterfactual", "injected"})
"""Members that every matched set has."""
SMALL = 4096
"""Tensors below this many elements keep 32-bit states in 8-bit optimisers (bitsandbytes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A micro-batch."""

    rows: int
    """Rows, >= 1."""
    length: int
    """Tokens of the longest row, padding included."""
    packed: tuple[int, int] | None = None
    """Sequences and their length in the packed form."""
    chats: tuple[int, int, int] | None = None
    """Chats of the task term, tokens of the longest one, and tokens of all answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Peak memory of a step in bytes."""

    shape: Shape
    """Of the micro-batch it holds for."""
    weights: int
    """Frozen weights and buffers."""
    adapter: int
    """Adapter and heads."""
    gradients: int
    """Of adapter and heads."""
    optimiser: int
    """Its states."""
    activations: int
    """Everything else alive at the peak: saved for the backward pass, temporaries, the batch."""
    logits: int = 0
    """Of the task term: the most that exist at a time, at the peak (within activations) or not."""

    @property
    def total(self) -> int:
        """Sum of the parts."""
        return self.weights + self.adapter + self.gradients + self.optimiser + self.activations


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own base
    """Counts the bytes of tensors that come to life inside the block, and their peak."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._alive: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        made = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self.see, made)
        return made

    def see(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it dies; once, whoever shares it."""
        storage = tensor.untyped_storage()
        key = storage._cdata  # noqa: SLF001  # the storage's identity has no public name
        if key in self._alive:
            return
        self._alive[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self.now -= self._alive.pop(key)


class _Four(torch.autograd.Function):
    """A product with packed weights: what bitsandbytes keeps and what it makes for a moment."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, packed: Tensor, out_features: int) -> Tensor:
        ctx.sizes = (out_features, x.shape[-1])
        ctx.packed = packed
        return x @ x.new_empty(ctx.sizes).T

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0] @ gradients[0].new_empty(ctx.sizes), None, None


class _Packed(nn.Linear):
    """Stands for a linear map in NF4: its bytes, not its numbers."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        size = int(linear.weight.numel() * BITS / 8)
        packed = torch.empty(size, 1, dtype=torch.uint8, device="meta")
        self.weight = nn.Parameter(packed, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.get_autocast_dtype("cpu"))
        made: Tensor = _Four.apply(x, self.weight, self.out_features)  # type: ignore[no-untyped-call]
        return made.clone()  # as peft's layer for four-bit maps does


def longest_row(config: TrainConfig) -> int:
    """Tokens of the longest row that a configuration can give, padding included."""
    t = config.template
    n = t.system_tokens + t.task_tokens + CONTROL_TOKENS + config.windows.tokens
    return -(-n // PAD_TO) * PAD_TO


def worst_shape(config: TrainConfig) -> Shape:
    """The largest micro-batch that a configuration can give."""
    length, rows = longest_row(config), most_rows(config)
    chats = _most_chats(config, rows)
    if not config.packed:
        return Shape(rows=rows, length=length, chats=chats)
    members = len(config.data.kinds)
    # Members share their context for certain, and more when they are alike.
    tree = length + (members - 1) * config.windows.tokens
    sets = -(-rows // members)
    side = max(1, min(sets, PACK_CAPACITY // tree))
    width = -(-side * tree // PAD_TO) * PAD_TO
    return Shape(rows=rows, length=length, packed=(-(-sets // side), width), chats=chats)


def most_rows(config: TrainConfig) -> int:
    """Rows of the largest micro-batch: sets are never parted, so one may begin in the last row.

    There are no more rows than configured where all sets come from one source, are of one size,
    and that size divides the micro-batch.
    """
    data = config.data
    size = len(data.kinds)
    sources = (data.generate is not None) + len(data.files)
    if sources == 1 and not data.extra and set(data.kinds) <= ALWAYS and config.batch % size == 0:
        return config.batch
    return config.batch + max(size, MAX_MEMBERS) - 1


def _most_chats(config: TrainConfig, rows: int) -> tuple[int, int, int] | None:
    """The largest chats of a micro-batch: two of each set, all answer, whose logits come in chunks.

    A set has three members at least.
    """
    if config.loss.task <= 0:
        return None
    sets = -(-rows // min(3, len(config.data.kinds)))
    length = -(-config.data.task_tokens // PAD_TO) * PAD_TO
    return len(ANSWERED) * sets, length, len(ANSWERED) * sets * (length - 1)


def predict(
    config: TrainConfig,
    base: BaseFiles,
    *,
    bf16: bool,
    gpu: bool,
    shape: Shape | None = None,
) -> Plan:
    """Peak memory of a training step, without loading the model.

    Args:
        config: the run.
        base: its base; only config.json is read.
        bf16: the run computes in bfloat16 (else float32).
        gpu: the run is on a GPU.
        shape: of the micro-batch; None: the largest one that can come.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    at = shape or worst_shape(config)
    model = _without_memory(config, base, bf16=bf16, gpu=gpu)
    with FakeTensorMode(), Meter() as meter:
        _give_storage(model, gpu=gpu)
        fixed = meter.now
        trained = sum(tensor_bytes(p) for p in model.trainable().values())
        if config.accumulation > 1:
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.grad = torch.empty_like(parameter)
        meter.peak = meter.now
        _step(model, config, at, bf16=bf16)
    states = optimiser_bytes(config.optimiser.name, model.trainable().values())
    return Plan(
        shape=at,
        weights=fixed - trained,
        adapter=trained,
        gradients=trained,
        optimiser=states,
        activations=max(0, meter.peak - fixed - trained),
        logits=_logits_bytes(model, at, bf16=bf16),
    )


def elsewhere() -> AbstractContextManager[object]:
    """What is saved for the backward pass inside this block takes no memory until it is used."""

    def pack(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
        return tensor.shape, tensor.dtype

    def unpack(kept: tuple[torch.Size, torch.dtype]) -> Tensor:
        return torch.empty(kept[0], dtype=kept[1])

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)


def _logits_bytes(model: TrainedModel, shape: Shape, *, bf16: bool) -> int:
    """A chunk's logits in the type that they are computed in, in float32, and their gradient."""
    if model.language is None or shape.chats is None:
        return 0
    vocabulary = int(model.language.head.weight.shape[0])
    return min(CHUNK, shape.chats[2]) * vocabulary * (10 if bf16 else 8)


def _without_memory(config: TrainConfig, base: BaseFiles, *, bf16: bool, gpu: bool) -> TrainedModel:
    """The model of a run as shapes and types alone."""
    dtype = torch.bfloat16 if bf16 else torch.float32
    how = Build(
        dtype=dtype,
        checkpointing=config.checkpointing,
        offload=config.offload and gpu,
        bf16_heads=config.head_precision == "bf16",
        attention=_attention(config.attn),
    )

    def place(whole: nn.Module, layers: nn.ModuleList | None = None) -> None:
        if config.quantisation == "nf4":
            stand_in(find_layers(whole) if layers is None else layers)

    with torch.device("meta"):
        backbone, digest = empty_backbone(base, config.depth, dtype)
        cast("Any", backbone).set_attn_implementation(how.attention)
        model = assemble(backbone, digest, config.exits, config.lora, how, place=place)
        if config.loss.task > 0:
            model.language = add_language(backbone, base, how, place=place)
        if how.offload:
            model.keep = elsewhere
        return model.train()


def _attention(wanted: str) -> str:
    """SDPA under a name that transformers makes no mask for: it cannot see that none is needed."""
    if wanted == "eager":
        return wanted
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    AttentionInterface.register("causalguard_plan", sdpa_attention_forward)
    return "causalguard_plan"


def stand_in(layers: nn.ModuleList) -> None:
    """Put stand-ins in the place of the layers' linear maps; in place."""
    for layer in layers:
        for parent in list(layer.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear:
                    setattr(parent, name, _Packed(child))


def _give_storage(model: nn.Module, *, gpu: bool) -> None:
    """Parameters and buffers of a model without memory as counted tensors; in place."""
    made: dict[int, nn.Parameter] = {}
    kept = list(model.parameters())  # while they live, their ids stay theirs
    for module in model.modules():
        for name, p in list(module.named_parameters(recurse=False)):
            if id(p) not in made:  # an LM head may share the embedding's weights
                new = torch.empty(p.shape, dtype=p.dtype)
                made[id(p)] = nn.Parameter(new, requires_grad=p.requires_grad)
            setattr(module, name, made[id(p)])
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))
        if gpu and isinstance(getattr(module, "base_layer", None), _Packed):
            # Peft's layer for four-bit maps leaves its input's type to a GPU's autocast.
            module.cast_input_dtype_enabled = False  # type: ignore[assignment]
    del kept


def _step(model: TrainedModel, config: TrainConfig, shape: Shape, *, bf16: bool) -> None:
    """Forward, losses and backward over a batch of this shape."""
    batch = _batch(shape)
    _loss(model, config, batch, bf16=bf16).backward()  # type: ignore[no-untyped-call]


def _loss(
    model: TrainedModel, config: TrainConfig, batch: dict[str, Tensor], *, bf16: bool
) -> Tensor:
    """The loss as the trainer computes it; what it names is gone before the backward pass."""
    packed = {name: value for name, value in batch.items() if name.startswith("packed_")}
    task = {name: value for name, value in batch.items() if name.startswith("task_")}
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        made = model(batch["input_ids"], packed or None, task or None)
    outputs, total = made if task else (made, torch.zeros(()))
    weights = LossWeights(**config.loss.model_dump())
    for r, logits in outputs.values():
        total = total + guard_loss(r.float(), logits.float(), batch, weights)[0]
    loss: Tensor = total
    return loss


def _batch(shape: Shape) -> dict[str, Tensor]:
    size = (shape.rows, shape.length)
    made = {
        "input_ids": torch.zeros(size, dtype=torch.long),
        "token_labels": torch.zeros(size, dtype=torch.long),
        "window_mask": torch.ones(size, dtype=torch.bool),
        "document_labels": torch.zeros(shape.rows, dtype=torch.long),
        "roles": torch.zeros(shape.rows, dtype=torch.long),
        "groups": torch.zeros(shape.rows, dtype=torch.long),
    }
    if shape.packed is not None:
        n, width = shape.packed
        made["packed_ids"] = torch.zeros(shape.packed, dtype=torch.long)
        made["packed_positions"] = torch.zeros(shape.packed, dtype=torch.long)
        made["packed_mask"] = torch.ones((n, 1, width, width), dtype=torch.bool)
        made["packed_at"] = torch.zeros(size, dtype=torch.long)
    if shape.chats is not None:
        n, length, answers = shape.chats
        made["task_ids"] = torch.zeros((n, length), dtype=torch.long)
        made["task_at"] = torch.zeros(answers, dtype=torch.long)
        made["task_targets"] = torch.zeros(answers, dtype=torch.long)
    return made


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor's elements."""
    return tensor.numel() * tensor.element_size()


def optimiser_bytes(name: str, trained: Iterable[Tensor]) -> int:
    """Bytes of an optimiser's states.

    Args:
        name: as transformers calls it; one that is not known here counts as Adam.
        trained: what it updates.
    """
    total = 0
    eight = "8bit" in name
    tables = 0
    for tensor in trained:
        n = tensor.numel()
        if name.startswith("sgd"):
            continue
        if name.startswith("adafactor"):
            total += 4 * (sum(tensor.shape[-2:]) if tensor.dim() > 1 else n)
        elif eight and n >= SMALL:
            tables = 2 * 4 * 256  # what 8 bits mean, for each of the moments
            total += 2 * n + 2 * 4 * -(-n // 256)  # two moments, a scale per 256 elements each
        else:
            total += 2 * 4 * n
    return total + tables


def device_memory(device: torch.device) -> int:
    """Bytes of a device's memory: all of a GPU's, what a CPU's machine has."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def fits(plan: Plan, memory: int, *, gpu: bool) -> bool:
    """Whether a plan stays within the share of the memory that it may use."""
    return plan.total + (CONTEXT if gpu else 0) <= FILL * memory
