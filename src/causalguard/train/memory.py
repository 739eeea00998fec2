"""Memory of a training step, part by part, before a model loads.

The step is run on tensors without storage: every operation is dispatched, shapes and types are
those of the real run, and the bytes that are alive are counted.  Nothing is guessed per
architecture, and a 7B model is planned in seconds on a laptop.
"""

import os
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from causalguard.guard.base import BaseFiles
from causalguard.guard.encoder import find_layers
from causalguard.train.batches import PACK_CAPACITY, PAD_TO
from causalguard.train.config import TrainConfig
from causalguard.train.losses import LossWeights, guard_loss
from causalguard.train.model import Build, TrainedModel, assemble
from causalguard.train.quantise import BITS
from causalguard.train.shapes import empty_backbone

GIB = 2**30
CONTROL_TOKENS = 16
"""Tokens of a row that are neither context nor window: turn marks and role names."""
CONTEXT = int(0.4 * GIB)
"""What CUDA and its libraries take beside the tensors."""
FILL = 0.9
"""Share of the device's memory that a plan may use."""
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
    length = longest_row(config)
    if not config.packed:
        return Shape(rows=config.batch, length=length)
    members = len(config.data.kinds)
    # Members share their context for certain, and more when they are alike.
    tree = length + (min(members, config.batch) - 1) * config.windows.tokens
    sets = max(1, round(config.batch / members))
    side = max(1, min(sets, PACK_CAPACITY // tree))
    width = -(-side * tree // PAD_TO) * PAD_TO
    return Shape(rows=config.batch, length=length, packed=(-(-sets // side), width))


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
    model = _without_memory(config, base, bf16=bf16)
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
    )


def _without_memory(config: TrainConfig, base: BaseFiles, *, bf16: bool) -> TrainedModel:
    """The model of a run as shapes and types alone."""
    dtype = torch.bfloat16 if bf16 else torch.float32
    how = Build(
        dtype=dtype,
        checkpointing=config.checkpointing,
        bf16_heads=config.head_precision == "bf16",
    )
    with torch.device("meta"):
        backbone, digest = empty_backbone(base, config.depth, dtype)
        cast("Any", backbone).set_attn_implementation(_attention(config.attn))
        place = stand_in if config.quantisation == "nf4" else _leave
        return assemble(backbone, digest, config.exits, config.lora, how, place=place).train()


def _attention(wanted: str) -> str:
    """SDPA under a name that transformers makes no mask for: it cannot see that none is needed."""
    if wanted == "eager":
        return wanted
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    AttentionInterface.register("causalguard_plan", sdpa_attention_forward)
    return "causalguard_plan"


def _leave(backbone: nn.Module) -> None:
    del backbone


def stand_in(backbone: nn.Module) -> None:
    """Put stand-ins in the place of the layers' linear maps; in place."""
    for layer in find_layers(backbone):
        for parent in list(layer.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is nn.Linear:
                    setattr(parent, name, _Packed(child))


def _give_storage(model: nn.Module, *, gpu: bool) -> None:
    """Parameters and buffers of a model without memory as counted tensors; in place."""
    for module in model.modules():
        for name, p in list(module.named_parameters(recurse=False)):
            new = torch.empty(p.shape, dtype=p.dtype)
            setattr(module, name, nn.Parameter(new, requires_grad=p.requires_grad))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))
        if gpu and isinstance(getattr(module, "base_layer", None), _Packed):
            # Peft's layer for four-bit maps leaves its input's type to a GPU's autocast.
            module.cast_input_dtype_enabled = False  # type: ignore[assignment]


def _step(model: TrainedModel, config: TrainConfig, shape: Shape, *, bf16: bool) -> None:
    """Forward, losses and backward over a batch of this shape."""
    batch = _batch(shape)
    packed = {name: value for name, value in batch.items() if name.startswith("packed_")}
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        outputs = model(batch["input_ids"], packed or None)
    weights = LossWeights(**config.loss.model_dump())
    total = torch.zeros(())
    for r, logits in outputs.values():
        total = total + guard_loss(r.float(), logits.float(), batch, weights)[0]
    total.backward()  # type: ignore[no-untyped-call]


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
