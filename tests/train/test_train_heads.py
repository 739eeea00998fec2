from pathlib import Path
from typing import Any

import pytest
import torch

from causalguard.errors import ConfigError
from causalguard.guard.bundle import adapter_tensors, read_model_dir
from causalguard.guard.encoder import load_backbone
from causalguard.train.config import TrainConfig, parse_config
from causalguard.train.run import make_trainer, prepare, train, train_heads
from causalguard.train.selection import dev_metrics, document_risks

FIRST = {"windows": 200, "steps": 150, "batch": 20, "lr": 0.01}


def change(config: TrainConfig, **changes: Any) -> TrainConfig:
    return parse_config(config.model_dump(mode="json") | changes, where="test")


def test_heads_learn_on_the_frozen_backbone_and_nothing_else_moves(
    config: TrainConfig, tmp_path: Path
) -> None:
    config = change(config, heads_first=FIRST)
    prepared = prepare(config)
    model = make_trainer(config, prepared, tmp_path, device="cpu").model
    before = {n: p.detach().clone() for n, p in model.named_parameters() if ".heads." not in n}
    train_heads(config, prepared, model)
    after = dict(model.named_parameters())
    assert all(torch.equal(before[n], after[n]) for n in before)
    risks = document_risks(model, prepared.dev, config.windows.spec())
    assert dev_metrics(risks, prepared.dev)["auroc"] > 0.8


def test_without_joint_steps_the_model_is_the_frozen_probe(
    config: TrainConfig, tmp_path: Path
) -> None:
    config = change(config, heads_first=FIRST | {"steps": 10}, steps=0)
    train(config, tmp_path / "model", device="cpu")
    files = read_model_dir(tmp_path / "model")
    backbone, _ = load_backbone(prepare(config).base, 3, torch.float32)
    adapter = adapter_tensors(files, backbone)
    assert not any(t.any() for n, t in adapter.items() if "lora_B" in n)


def test_a_configuration_that_trains_nothing_is_refused(config: TrainConfig) -> None:
    with pytest.raises(ConfigError, match="nothing would be trained"):
        change(config, steps=0)
