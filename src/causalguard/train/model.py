"""The model that is trained: a truncated backbone with LoRA, and heads in float32."""

from dataclasses import dataclass
from typing import Any

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
from causalguard.train.config import ExitConfig, LoraConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """What was put into the backbone."""

    config: LoraConfig
    """Rank, scale, dropout."""
    targets: tuple[str, ...]
    """Last names of the adapted linear maps."""


class TrainedModel(nn.Module):
    """The guard's encoder as Trainer wants it: rows in, ``{layer: (R, logits)}`` out."""

    def __init__(self, encoder: Encoder, adapter: Adapter, base_digest: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.adapter = adapter
        self.base_digest = base_digest

    def forward(
        self, input_ids: Tensor, packed: dict[str, Tensor] | None = None
    ) -> dict[int, tuple[Tensor, Tensor]]:
        """Token ids (B, T), padded on the right, to R (B, T, W) and logits (B, T) per exit.

        No attention mask: under causal attention, padding on the right reaches no earlier token.
        With the packed form of the same batch, shared prefixes are computed once.
        """
        states = self.hidden(input_ids, packed)
        # The heads stay in float32 whatever the backbone computes in.
        with torch.autocast(input_ids.device.type, enabled=False):
            return {k: self.encoder.head(k)(state) for k, state in states.items()}

    def hidden(
        self, input_ids: Tensor, packed: dict[str, Tensor] | None = None
    ) -> dict[int, Tensor]:
        """Hidden states (B, T, H) per exit, whichever way they are computed."""
        if packed is None:
            return self.encoder.hidden(input_ids, None)
        states = self.encoder.hidden(
            packed["packed_ids"],
            packed["packed_mask"],
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

    def adapter_tensors(self) -> dict[str, Tensor]:
        """The adapter under peft's names; layers without one get zeros."""
        backbone = self.encoder.backbone
        own = dict(backbone.named_parameters())
        made: dict[str, Tensor] = {}
        for name, shape in self._shapes().items():
            module, part, _ = name.removeprefix(LORA_PREFIX).rsplit(".", 2)
            found = own.get(f"{module}.{part}.default.weight")
            made[name] = torch.zeros(shape) if found is None else found.detach().float().cpu()
        return made

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        backbone, adapter = self.encoder.backbone, self.adapter
        shapes = expected_adapter_shapes(_Plain(backbone), adapter.targets, adapter.config.r)
        return dict(sorted(shapes.items()))


class _Plain(nn.Module):
    """A backbone seen without its LoRA wrappers, sharing its tensors."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.config = backbone.config
        for name, child in backbone.named_children():
            setattr(self, name, _without_lora(child))


def _without_lora(module: nn.Module) -> nn.Module:
    inner = getattr(module, "base_layer", None)
    if isinstance(inner, nn.Module):
        return inner
    if isinstance(module, nn.ModuleList):
        return nn.ModuleList([_without_lora(m) for m in module])
    if not list(module.children()):
        return module
    copy = nn.Module()
    for name, child in module.named_children():
        copy.add_module(name, _without_lora(child))
    return copy


def build_model(
    base: BaseFiles,
    exits: tuple[ExitConfig, ...],
    lora: LoraConfig,
    *,
    dtype: torch.dtype,
    checkpointing: bool = False,
) -> TrainedModel:
    """Load a base model's first layers and put adapter and heads on them.

    Args:
        base: files of the base model.
        exits: layers read; the deepest ends the backbone.
        lora: the adapter.
        dtype: of the frozen weights; adapter and heads are float32.
        checkpointing: recompute activations in the backward pass.

    Raises:
        BaseModelError: the base model is too shallow, damaged, or of an unknown architecture.
        MissingError: peft is not installed.
    """
    backbone, digest = load_backbone(base, exits[-1].layer, dtype)
    backbone.requires_grad_(False)
    targets = tuple(target_modules(backbone)) if lora.targets == "auto" else lora.targets
    add_lora(backbone, lora, targets)
    hidden = int(backbone.config.hidden_size)  # type: ignore[union-attr,arg-type]
    heads = {e.layer: RiskHead(hidden, middle=e.middle, width=e.width) for e in exits}
    if checkpointing:
        _recompute(backbone)
    encoder = Encoder(backbone, heads)
    return TrainedModel(encoder, Adapter(config=lora, targets=targets), digest)


def _recompute(backbone: Any) -> None:
    """Recompute activations in the backward pass, by whichever name transformers has for it."""
    new = getattr(backbone, "activation_checkpointing_enable", None)
    (new or backbone.gradient_checkpointing_enable)({"use_reentrant": False})


def add_lora(backbone: nn.Module, lora: LoraConfig, targets: tuple[str, ...]) -> None:
    """Wrap the target maps of layers ``first_layer`` and above; in place, adapter in float32."""
    try:
        import peft
    except ImportError:
        raise MissingError("peft is needed to train; pip install 'causalguard[train]'") from None
    names = _names_from(backbone, targets, lora.first_layer)
    config = peft.LoraConfig(
        r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=names
    )
    peft.inject_adapter_in_model(config, backbone)
    for name, parameter in backbone.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)


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
