"""The model that is trained: a truncated backbone with LoRA, and heads in float32."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from causalguard.errors import MissingError
from causalguard.guard.base import BaseFiles
from causalguard.guard.encoder import (
    LORA_PREFIX,
    Encoder,
    adapted_modules,
    expected_adapter_shapes,
    find_layers,
    load_backbone,
    target_modules,
)
from causalguard.guard.head import RiskHead
from causalguard.guard.native_model import share_layers
from causalguard.train.config import ExitConfig, LoraConfig
from causalguard.train.kernels import compile_layers, mask_for
from causalguard.train.language import (
    LanguageModel,
    empty_language,
    load_rest,
    own_modules,
    upper_layers,
)
from causalguard.train.quantise import to_nf4
from causalguard.train.shapes import draw_linear, empty_backbone, fill, is_random

Outputs = dict[int, tuple[Tensor, Tensor]]
"""R (B, T, W) and logits (B, T) by layer read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """What was put into the backbone."""

    config: LoraConfig
    """Rank, scale, dropout."""
    targets: tuple[str, ...]
    """Last names of the adapted linear maps."""
    shapes: Mapping[str, tuple[int, ...]]
    """Its tensors under peft's names, layers without an adapter included."""
    transposed: bool = False
    """The adapted maps keep their weights transposed, as GPT-2's do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How a model is put together, beyond what is trained."""

    dtype: torch.dtype = torch.float32
    """Of the frozen weights; adapter and heads are float32."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where it will run: weights are quantised there, one map at a time."""
    nf4: bool = False
    """The linear maps of the layers in four bits; see train/quantise.py."""
    storage: torch.dtype = torch.uint8
    """What holds four-bit weights; FSDP shards floating-point types alone."""
    attention: str | None = None
    """transformers' name of the attention kernel; None: its own choice."""
    compiled: bool = False
    """Compile the layers; see train/kernels.py."""
    checkpointing: bool = False
    """Recompute activations in the backward pass."""
    offload: bool = False
    """What they are recomputed from waits in host memory; for GPUs."""
    bf16_heads: bool = False
    """The heads' linear maps compute in bfloat16."""
    language: bool = False
    """The layers above, final norm and LM head too: for the task term; see train/language.py."""


class TrainedModel(nn.Module):
    """The guard's encoder as Trainer wants it: rows in, ``{layer: (R, logits)}`` out."""

    def __init__(
        self,
        encoder: Encoder,
        adapter: Adapter,
        base_digest: str,
        *,
        bf16_heads: bool = False,
        keep: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Take the parts; the layers' forward runs inside ``keep()``."""
        super().__init__()
        self.keep = keep
        self.encoder = encoder
        self.adapter = adapter
        self.base_digest = base_digest
        self.bf16_heads = bf16_heads
        # Registered after the encoder: what the two share keeps the encoder's names.
        self.language: LanguageModel | None = None
        backbone: Any = encoder.backbone
        self.bf16 = backbone.dtype == torch.bfloat16

    def forward(
        self,
        input_ids: Tensor,
        packed: dict[str, Tensor] | None = None,
        task: dict[str, Tensor] | None = None,
    ) -> Outputs | tuple[Outputs, Tensor]:
        """Token ids (B, T), padded on the right, to R (B, T, W) and logits (B, T) per exit.

        No attention mask: under causal attention, padding on the right reaches no earlier token.
        With the packed form of the same batch, shared prefixes are computed once.  With chats for
        the task term, that term beside the outputs.
        """
        # First forward, last backward: when it is recomputed, nothing else is alive any more.
        answers = None if task is None else self.answer_loss(**task)
        states = self.hidden(input_ids, packed)
        # The heads stay in float32 whatever the backbone computes in, unless they are told not to.
        with torch.autocast(input_ids.device.type, torch.bfloat16, enabled=self.bf16_heads):
            outputs = {k: self.encoder.head(k)(state) for k, state in states.items()}
        return outputs if answers is None else (outputs, answers)

    def answer_loss(self, task_ids: Tensor, task_at: Tensor, task_targets: Tensor) -> Tensor:
        """The task term of some chats; see :func:`causalguard.train.batches.collate_chats`."""
        if self.language is None:
            raise ValueError("the model was built without its upper layers; set Build.language")
        with self._autocast(task_ids.device), self.keep():
            loss: Tensor = self.language(task_ids, task_at, task_targets)
        return loss

    def hidden(
        self, input_ids: Tensor, packed: dict[str, Tensor] | None = None
    ) -> dict[int, Tensor]:
        """Hidden states (B, T, H) per exit, whichever way they are computed."""
        with self._autocast(input_ids.device), self.keep():
            return self._hidden(input_ids, packed)

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Float32 adapters meet bfloat16 states: under Trainer's autocast, or under this one."""
        return torch.autocast(device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def _hidden(self, input_ids: Tensor, packed: dict[str, Tensor] | None) -> dict[int, Tensor]:
        if packed is None:
            return self.encoder.hidden(input_ids, None)
        backbone: Any = self.encoder.backbone
        kernel = str(backbone.config._attn_implementation)  # noqa: SLF001  # it has no other name
        states = self.encoder.hidden(
            packed["packed_ids"],
            mask_for(kernel, packed["packed_mask"], backbone.dtype),
            position_ids=packed["packed_positions"],
        )
        return {k: s.flatten(0, 1)[packed["packed_at"]] for k, s in states.items()}

    def trainable(self) -> dict[str, Tensor]:
        """Everything that training changes, by name: what a checkpoint holds."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def load_trainable(self, tensors: dict[str, Tensor]) -> None:
        """Take the tensors of a checkpoint; ValueError unless the names are exactly ours."""
        own = self.trainable()
        if own.keys() != tensors.keys():
            odd = sorted(own.keys() ^ tensors.keys())[:3]
            raise ValueError(f"the checkpoint belongs to another configuration: {odd}")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(tensors[name])

    def interpolate(self, share: float) -> None:
        """Keep a share of the adapter's change of the weights, in place: W + share (W' - W).

        Linear interpolation between the base and the fine-tuned weights (WiSE-FT, Wortsman et al.
        2022, arXiv:2109.01903, section 2); the heads stay as they are.

        Args:
            share: (0, 1]; 1 changes nothing.
        """
        with torch.no_grad():
            for name, parameter in self.encoder.backbone.named_parameters():
                if ".lora_B." in name:
                    parameter.mul_(share)

    def set_share(self, share: float) -> None:
        """Compute with a share of the adapter's change from now on; the weights stay as they are.

        Args:
            share: [0, 1]; 1 is the whole adapter.
        """
        from peft.tuners.lora import LoraLayer

        for module in self.encoder.backbone.modules():
            if isinstance(module, LoraLayer):
                module.set_scale("default", share)

    def adapter_tensors(self) -> dict[str, Tensor]:
        """The adapter under peft's names; layers without one get zeros."""
        own = dict(self.encoder.backbone.named_parameters())
        made: dict[str, Tensor] = {}
        for name, shape in sorted(self.adapter.shapes.items()):
            module, part, _ = name.removeprefix(LORA_PREFIX).rsplit(".", 2)
            found = own.get(f"{module}.{part}.default.weight")
            made[name] = torch.zeros(shape) if found is None else found.detach().float().cpu()
        return made


def build_model(
    base: BaseFiles,
    exits: tuple[ExitConfig, ...],
    lora: LoraConfig,
    build: Build | None = None,
) -> TrainedModel:
    """Load a base model's first layers and put adapter and heads on them.

    Args:
        base: files of the base model, or a shape with random weights.
        exits: layers read; the deepest ends the backbone.
        lora: the adapter.
        build: types, kernels and memory; None: plain float32 on the CPU.

    Raises:
        BaseModelError: the base model is too shallow, damaged, or of an unknown architecture.
        MissingError: peft, or bitsandbytes for NF4, is not installed.
    """
    how = build or Build()
    load = empty_backbone if is_random(base.name) else load_backbone
    backbone, digest = load(base, exits[-1].layer, how.dtype)
    if how.attention is not None:
        cast("Any", backbone).set_attn_implementation(how.attention)

    def place(whole: nn.Module) -> None:
        """Quantise, and write the weights of a base that has none."""
        _quantise(whole, find_layers(whole), base, how)
        if is_random(base.name):
            fill(whole, how.device)

    def place_rest(whole: nn.Module, upper: nn.ModuleList) -> None:
        """The same for what lies above the backbone."""
        if not is_random(base.name):
            load_rest(whole, backbone, base, how.dtype)
        _quantise(whole, upper, base, how)
        if is_random(base.name):
            fill(own_modules(whole, backbone), how.device)

    model = assemble(backbone, digest, exits, lora, how, place=place)
    if how.language:
        model.language = add_language(backbone, base, how, place=place_rest)
    return model


def _quantise(whole: nn.Module, layers: nn.ModuleList, base: BaseFiles, how: Build) -> None:
    """The linear maps of these layers in four bits, if that is asked for; in place."""
    if not how.nf4 or not len(layers):
        return
    # A base without a download has its weights drawn one map at a time.
    drawn = {"weight": partial(draw_linear, device=how.device)} if is_random(base.name) else {}
    to_nf4(whole, how.device, dtype=how.dtype, storage=how.storage, layers=layers, **drawn)


def add_language(
    backbone: nn.Module,
    base: BaseFiles,
    how: Build,
    *,
    place: Callable[[nn.Module, nn.ModuleList], None],
) -> LanguageModel:
    """The generating model around an adapted backbone.

    ``place`` gets the whole and the layers above the backbone: it reads or writes what is not
    shared, and quantises.
    """
    whole = empty_language(base, how.dtype)
    body: Any = getattr(whole, str(whole.base_model_prefix))
    if how.attention is not None:
        cast("Any", whole).set_attn_implementation(how.attention)
    if how.compiled:
        compile_layers(body, how.device)  # those that are shared come compiled
    share_layers(whole, backbone)
    place(whole, upper_layers(whole, backbone))
    if how.checkpointing:
        _recompute(body)
    return LanguageModel(whole, recompute=how.checkpointing and not how.offload)


def assemble(
    backbone: nn.Module,
    digest: str,
    exits: tuple[ExitConfig, ...],
    lora: LoraConfig,
    how: Build,
    *,
    place: Callable[[nn.Module], None],
) -> TrainedModel:
    """Adapter and heads on frozen layers; ``place`` quantises, once the shapes are read."""
    backbone.requires_grad_(False)
    targets = tuple(target_modules(backbone)) if lora.targets == "auto" else lora.targets
    shapes = expected_adapter_shapes(backbone, targets, lora.r)
    place(backbone)
    transposed = add_lora(backbone, lora, targets)
    hidden = int(backbone.config.hidden_size)  # type: ignore[union-attr,arg-type]
    heads = {e.layer: RiskHead(hidden, middle=e.middle, width=e.width) for e in exits}
    if how.checkpointing:
        _recompute(backbone)
    if how.compiled:
        compile_layers(backbone, how.device)
    adapter = Adapter(config=lora, targets=targets, shapes=shapes, transposed=transposed)
    model = TrainedModel(Encoder(backbone, heads), adapter, digest, bf16_heads=how.bf16_heads)
    if how.offload:
        # What checkpointing saves is each layer's input, and nothing else (save_on_cpu sees to all
        # that is saved in its block; what a layer saves itself, checkpointing drops first).
        model.keep = partial(torch.autograd.graph.save_on_cpu, pin_memory=True)
    return model


def _recompute(backbone: Any) -> None:
    """Recompute activations in the backward pass, by whichever name transformers has for it."""
    new = getattr(backbone, "activation_checkpointing_enable", None)
    (new or backbone.gradient_checkpointing_enable)({"use_reentrant": False})


def add_lora(backbone: nn.Module, lora: LoraConfig, targets: tuple[str, ...]) -> bool:
    """Wrap the target maps of layers ``first_layer`` and above; in place, adapter in float32.

    Returns whether the maps keep their weights transposed, as GPT-2's do.
    """
    try:
        import peft
    except ImportError:
        raise MissingError("peft is needed to train; pip install 'causalguard[train]'") from None
    names = _names_from(backbone, targets, lora.first_layer)
    kinds = {type(backbone.get_submodule(name)).__name__ for name in names}
    config = peft.LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=names,
        fan_in_fan_out=kinds == {"Conv1D"},
    )
    # Peft looks for this mark before it takes its layer for four-bit maps.
    backbone.is_loaded_in_4bit = "Linear4bit" in kinds  # type: ignore[assignment]
    peft.inject_adapter_in_model(config, backbone)
    for name, parameter in backbone.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)
    frozen = list(find_layers(backbone))[: lora.frozen_below - 1]
    for parameter in (p for layer in frozen for p in layer.parameters()):
        parameter.requires_grad_(False)
    if lora.dropout == 0:
        # Peft would copy each input to float32, for autocast to copy it back: the same numbers.
        for module in backbone.modules():
            if hasattr(module, "lora_A"):
                module.cast_input_dtype_enabled = False  # type: ignore[assignment]
    return bool(config.fan_in_fan_out)


def _names_from(backbone: nn.Module, targets: tuple[str, ...], first_layer: int) -> list[str]:
    upper = {
        id(module)
        for layer in list(find_layers(backbone))[first_layer - 1 :]
        for module in layer.modules()
    }
    modules = dict(backbone.named_modules())
    return [n for n in adapted_modules(backbone, targets) if id(modules[n]) in upper]


def pick_precision(wanted: str, device: torch.device) -> str:
    """``auto`` as fp32 or bf16, by what the device computes fast.

    Raises MissingError when bf16 is asked of a GPU that has none.
    """
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16" if wanted == "auto" else wanted
        if wanted == "bf16":
            raise MissingError("this GPU has no bf16; use --set precision=fp16 (or fp32)")
        return "fp16" if wanted == "auto" else wanted
    if wanted == "auto":
        return "bf16" if _cpu_has_tiles() else "fp32"
    return wanted


def _cpu_has_tiles() -> bool:
    """Whether the CPU multiplies bfloat16 matrices in hardware (AMX)."""
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe()) if probe is not None else False
