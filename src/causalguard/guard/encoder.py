"""Encoder: the first k layers of a causal LM, read at one or more exits, with a head on each."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from causalguard.errors import BaseModelError
from causalguard.guard.base import BaseFiles, load_config, load_tensors, quiet_transformers
from causalguard.guard.head import RiskHead


def load_backbone(base: BaseFiles, layers: int, dtype: torch.dtype) -> tuple[nn.Module, str]:
    """The first ``layers`` layers of a base model, and the digest of the tensors it loaded.

    The final norm is left out: the head brings its own.  Deeper layers are never read.

    Raises:
        BaseModelError: the model is shallower than that, or tensors are missing.
    """
    config = load_config(base)
    text_config = config.get_text_config()
    depth = int(text_config.num_hidden_layers)
    if not 1 <= layers <= depth:
        raise BaseModelError(f"{base.name} has {depth} layers; cannot read layer {layers}")
    truncate_config(text_config, layers)
    model, prefix = _empty(text_config)
    wanted = {name for name in model.state_dict() if not _is_final_norm(name)}
    on_disk = load_tensors(base, {prefix + name for name in wanted})
    digest = backbone_digest(on_disk)
    state = {name.removeprefix(prefix): value.to(dtype) for name, value in on_disk.items()}
    from transformers import AutoModel
    from transformers.initialization import no_init_weights

    with quiet_transformers(), no_init_weights():
        backbone = AutoModel.from_config(text_config, dtype=dtype)
    missing, unexpected = backbone.load_state_dict(state, strict=False, assign=True)
    if unexpected or [name for name in missing if not _is_final_norm(name)]:
        raise BaseModelError(f"{base.name}: tensors do not fit the architecture: {missing[:5]}")
    final_norm(backbone)
    return backbone.eval(), digest


def backbone_digest(on_disk: Mapping[str, Tensor]) -> str:
    """Digest of the tensors that a backbone was loaded from, under their names on disk."""
    from causalguard.attestation.digests import tensors_digest

    return tensors_digest(
        (name, str(value.dtype).removeprefix("torch."), tuple(value.shape), raw_bytes(value))
        for name, value in on_disk.items()
    )


def truncate_config(config: Any, layers: int) -> None:
    """Set a configuration to its first ``layers`` layers, per-layer lists included."""
    config.num_hidden_layers = layers
    config.use_cache = False
    if getattr(config, "layer_types", None):
        config.layer_types = list(config.layer_types)[:layers]


def _empty(config: Any) -> tuple[nn.Module, str]:
    """The architecture without memory, and the prefix its tensors have in a causal LM's file."""
    from transformers import AutoModel, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModel.from_config(config)
        whole = AutoModelForCausalLM.from_config(config)
    return model, f"{whole.base_model_prefix}."


NORM_NAMES = ("norm", "final_layernorm", "ln_f", "final_norm")


def _is_final_norm(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in NORM_NAMES


def final_norm(backbone: nn.Module) -> None:
    """Replace the final norm by the identity, whatever the architecture calls it.

    Raises BaseModelError for an architecture without one of the known names.
    """
    for name in NORM_NAMES:
        if isinstance(getattr(backbone, name, None), nn.Module):
            setattr(backbone, name, nn.Identity())
            return
    raise BaseModelError(f"{type(backbone).__name__}: no final norm found; architecture unknown")


def find_layers(backbone: nn.Module) -> nn.ModuleList:
    """The list of decoder layers; BaseModelError when the architecture has none to be found."""
    depth = int(backbone.config.num_hidden_layers)  # type: ignore[union-attr,arg-type]
    for module in backbone.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    raise BaseModelError(f"{type(backbone).__name__}: no list of {depth} layers found")


def raw_bytes(tensor: Tensor) -> bytes:
    """A tensor's bytes in C order, whatever its dtype."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


class Encoder(nn.Module):
    """Backbone with a :class:`RiskHead` at each exit."""

    def __init__(self, backbone: nn.Module, heads: dict[int, RiskHead]) -> None:
        """Heads by the layer they read, counted from 1; the deepest ends the backbone."""
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({str(layer): heads[layer] for layer in sorted(heads)})
        self.exits = tuple(sorted(heads))

    def head(self, layer: int) -> RiskHead:
        """The head that reads ``layer``."""
        return cast("RiskHead", self.heads[str(layer)])

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> dict[int, tuple[Tensor, Tensor]]:
        """Token ids (B, T) to ``{layer: (R (B, T, width), logits (B, T))}``."""
        states = self.hidden(input_ids, attention_mask, **kwargs)
        return {layer: self.head(layer)(states[layer]) for layer in self.exits}

    def hidden(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> dict[int, Tensor]:
        """Hidden states (B, T, H) after each exit's layer."""
        states: dict[int, Tensor] = {}

        def keep(layer: int) -> Any:
            def hook(_module: nn.Module, _args: Any, output: Any) -> None:
                states[layer] = output[0] if isinstance(output, tuple) else output

            return hook

        layers = find_layers(self.backbone)
        hooks = [layers[k - 1].register_forward_hook(keep(k)) for k in self.exits]
        try:
            self.backbone(input_ids=input_ids, attention_mask=attention_mask, **kwargs)
        finally:
            for handle in hooks:
                handle.remove()
        return states


def target_modules(backbone: nn.Module) -> list[str]:
    """Last names of the linear maps inside the decoder layers: where LoRA goes by default."""
    layers = find_layers(backbone)
    linear = {"Linear", "Linear4bit", "Linear8bitLt", "Conv1D"}
    names = {
        name.rsplit(".", 1)[-1]
        for name, module in layers.named_modules()
        if type(module).__name__ in linear
    }
    if not names:
        raise BaseModelError(f"{type(backbone).__name__}: no linear maps found in its layers")
    return sorted(names)


def merge_lora(
    backbone: nn.Module,
    tensors: dict[str, Tensor],
    *,
    rank: int,
    alpha: float,
    targets: Sequence[str],
) -> None:
    """Add ``alpha / rank * B @ A`` to each adapted weight, in float32.

    The tensors' names must be exactly those of an adapter over ``targets`` of this backbone;
    the caller has checked that (see bundle).
    """
    modules = dict(backbone.named_modules())
    for name in adapted_modules(backbone, targets):
        a = tensors[f"{LORA_PREFIX}{name}.lora_A.weight"].float()
        b = tensors[f"{LORA_PREFIX}{name}.lora_B.weight"].float()
        module = modules[name]
        weight = module.weight
        if not isinstance(weight, Tensor):
            raise BaseModelError(f"{name} has no weight to adapt")
        delta = (alpha / rank) * (b @ a)
        if type(module).__name__ == "Conv1D":  # GPT-2 stores its weights transposed
            delta = delta.T
        with torch.no_grad():
            merged = (weight.float() + delta.to(weight.device)).to(weight.dtype)
            module.weight = nn.Parameter(merged, requires_grad=False)


LORA_PREFIX = "base_model.model."
"""How peft names the tensors of an adapter."""


def adapted_modules(backbone: nn.Module, targets: Sequence[str]) -> list[str]:
    """Full names of the modules that an adapter over ``targets`` touches, sorted."""
    inside = {id(m) for m in find_layers(backbone).modules()}
    return sorted(
        name
        for name, module in backbone.named_modules()
        if id(module) in inside and name.rsplit(".", 1)[-1] in targets and hasattr(module, "weight")
    )


def expected_adapter_shapes(
    backbone: nn.Module, targets: Sequence[str], rank: int
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an adapter's tensors: what its file must hold, no more and no less."""
    modules = dict(backbone.named_modules())
    shapes: dict[str, tuple[int, ...]] = {}
    for name in adapted_modules(backbone, targets):
        module = modules[name]
        rows, columns = module.weight.shape
        if type(module).__name__ == "Conv1D":
            rows, columns = columns, rows
        shapes[f"{LORA_PREFIX}{name}.lora_A.weight"] = (rank, int(columns))
        shapes[f"{LORA_PREFIX}{name}.lora_B.weight"] = (int(rows), rank)
    return shapes
