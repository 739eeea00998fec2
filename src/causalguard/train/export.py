"""From the trained model to MODEL_DIR, and back to check that the guard computes the same."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from causalguard.errors import TrainingError
from causalguard.guard.api import CPU_BATCH_TOKENS, GPU_BATCH_TOKENS, build_scorer
from causalguard.guard.base import BaseFiles
from causalguard.guard.bundle import (
    BaseInfo,
    ExitInfo,
    GuardInfo,
    TemplateInfo,
    ThresholdInfo,
    WindowInfo,
    read_model_dir,
    write_model_dir,
)
from causalguard.guard.encoder import Encoder, load_backbone, merge_lora
from causalguard.guard.scorer import Scorer
from causalguard.guard.template import Template
from causalguard.records import ToolOutput
from causalguard.train.config import TrainConfig
from causalguard.train.model import TrainedModel

AGREE = 1e-4
"""Risks of the model in memory and of the one read back may differ by this much, in float32."""


def merged_scorer(
    model: TrainedModel,
    base: BaseFiles,
    template: Template,
    config: TrainConfig,
    device: str,
    *,
    dtype: torch.dtype = torch.float32,
) -> Scorer:
    """The guard as it will run: adapter merged into the base, heads on top."""
    backbone, _ = load_backbone(base, config.depth, dtype)
    merge_lora(
        backbone,
        model.adapter_tensors(),
        rank=config.lora.r,
        alpha=config.lora.alpha,
        targets=model.adapter.targets,
    )
    heads = {k: model.encoder.head(k) for k in model.encoder.exits}
    encoder = Encoder(backbone, heads).to(device)
    batch_tokens = GPU_BATCH_TOKENS if device.startswith("cuda") else CPU_BATCH_TOKENS
    return Scorer(
        encoder, template, config.windows.spec(), threshold=1.0, batch_tokens=batch_tokens
    )


def adapter_config(model: TrainedModel, config: TrainConfig) -> dict[str, Any]:
    """Peft's adapter_config.json as plain values."""
    import peft

    kept = peft.LoraConfig(
        r=config.lora.r,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=list(model.adapter.targets),
        fan_in_fan_out=model.adapter.transposed,
        base_model_name_or_path=config.base,
        inference_mode=True,
    ).to_dict()
    return {name: _plain(value) for name, value in kept.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset | tuple):
        return sorted(value)
    if hasattr(value, "value"):
        return value.value
    return value


def guard_info(
    model: TrainedModel,
    config: TrainConfig,
    template: Template,
    *,
    tokenizer_sha256: str,
    threshold: ThresholdInfo,
    families: Sequence[str],
) -> GuardInfo:
    """guard.json of a trained model."""
    spec = template.spec
    return GuardInfo(
        name=config.name,
        base=BaseInfo(
            name=config.base,
            layers=config.depth,
            tensors_sha256=model.base_digest,
            tokenizer_sha256=tokenizer_sha256,
        ),
        template=TemplateInfo(**asdict(spec), sha256=spec.digest()),
        windows=WindowInfo(**config.windows.model_dump()),
        exits=tuple(ExitInfo(layer=e.layer, middle=e.middle, width=e.width) for e in config.exits),
        threshold=threshold,
        families_trained=tuple(sorted(set(families))),
    )


def export(
    directory: Path,
    model: TrainedModel,
    config: TrainConfig,
    info: GuardInfo,
    *,
    scorer: Scorer,
    probes: Sequence[ToolOutput],
) -> float:
    """Write MODEL_DIR, read it back as a user would, and compare risks.

    Args:
        directory: must not exist.
        model: as trained.
        config: resolved copy goes into training.yaml.
        info: guard.json.
        scorer: the model in memory.
        probes: texts to compare on, at least one.

    Returns: the largest difference of a risk.

    Raises:
        TrainingError: the model that was read back computes something else.
    """
    write_model_dir(
        directory,
        info=info,
        adapter_config=adapter_config(model, config),
        adapter=model.adapter_tensors(),
        heads={k: model.encoder.head(k) for k in model.encoder.exits},
        training_yaml=config.to_yaml(),
    )
    read_back = build_scorer(
        read_model_dir(directory), device=str(scorer.device), dtype=torch.float32
    )
    ours, theirs = scorer.score(probes), read_back.score(probes)
    gap = max(abs(a.risk - b.risk) for a, b in zip(ours, theirs, strict=True))
    if not gap <= AGREE:
        message = (
            f"{directory} was written, but read back its risks differ by {gap:.2g}; do not use it, "
            "and report this with its training.yaml"
        )
        raise TrainingError(message)
    return gap
