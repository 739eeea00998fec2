"""Start a run from the adapter and heads of a trained model: the second stage of a longer one."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from causalguard.errors import ConfigError
from causalguard.guard.encoder import LORA_PREFIX
from causalguard.train.model import TrainedModel


def start_from(model: TrainedModel, directory: Path) -> None:
    """Copy adapter and heads of a MODEL_DIR into a fresh model of the same shape, in place.

    Args:
        model: as built, before training.
        directory: a MODEL_DIR that ``guard-train`` wrote.

    Raises:
        ConfigError: the files are missing, or belong to another base, rank or head.
    """
    try:
        adapter = load_file(directory / "adapter_model.safetensors")
        heads = load_file(directory / "head.safetensors")
    except FileNotFoundError as error:
        raise ConfigError(f"init: {error.filename} is missing; give a MODEL_DIR") from None
    own = dict(model.encoder.backbone.named_parameters())
    found = {_peft_name(name): tensor for name, tensor in adapter.items()}
    wanted = {name: p for name, p in own.items() if ".lora_" in name}
    for exit_layer in model.encoder.exits:
        for name, p in model.encoder.head(exit_layer).named_parameters():
            wanted[f"exit{exit_layer}.{name}"] = p
    found |= heads
    odd = [n for n, p in wanted.items() if n not in found or found[n].shape != p.shape]
    if odd:
        raise ConfigError(f"init: {directory} is a model of another shape, e.g. in {odd[0]}")
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(found[name])


def _peft_name(name: str) -> str:
    module, part, _ = name.removeprefix(LORA_PREFIX).rsplit(".", 2)
    return f"{module}.{part}.default.weight"
