import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from causalguard.errors import BaseModelError, ConfigError, MissingError
from causalguard.guard.bundle import read_model_dir
from causalguard.train.cli import packaged_config, train_command
from causalguard.train.config import TrainConfig, load_config, parse_config
from causalguard.train.memory import longest_row
from causalguard.train.model import Build, TrainedModel, build_model
from causalguard.train.quantise import BITS, to_nf4
from causalguard.train.run import Prepared, make_trainer, train
from causalguard.train.shapes import SHAPES, find_base

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*not.*supported on CPU.*"),
    pytest.mark.filterwarnings("ignore:.*aged.*:UserWarning"),
]


@pytest.fixture
def qlora(config: TrainConfig) -> TrainConfig:
    changes = {
        "quantisation": "nf4",
        "precision": "bf16",
        "head_precision": "bf16",
        "checkpointing": True,
        "optimiser": {"name": "paged_adamw_8bit", "lr": 0.003, "head_lr": 0.01},
    }
    return parse_config(config.model_dump(mode="json") | changes, where="test")


def nf4_model(config: TrainConfig, prepared: Prepared) -> TrainedModel:
    how = Build(dtype=torch.bfloat16, nf4=True)
    return build_model(prepared.base, config.exits, config.lora, how)


def losses(trainer: Any) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_every_linear_map_of_the_layers_is_quantised_and_nothing_else(
    config: TrainConfig, prepared: Prepared
) -> None:
    model = nf4_model(config, prepared)
    kinds = {type(m).__name__ for m in model.encoder.backbone.modules()}
    packed = [p for p in model.parameters() if hasattr(p, "quant_state")]
    assert "Linear4bit" in kinds
    assert len(packed) == 3 * 7
    assert {p.dtype for p in packed} == {torch.uint8}
    assert {p.dtype for p in model.trainable().values()} == {torch.float32}


def test_the_scales_of_the_weights_are_quantised_too(tmp_path: Path) -> None:
    layer = nn.Linear(512, 512, bias=False).to(torch.bfloat16)
    backbone = nn.Module()
    backbone.layers = nn.ModuleList([nn.ModuleDict({"map": layer})])
    backbone.config = type("Config", (), {"num_hidden_layers": 1})()
    assert to_nf4(backbone, torch.device("cpu"), dtype=torch.bfloat16) == 1
    weight: Any = backbone.get_submodule("layers.0.map").weight
    state = weight.quant_state
    stored = weight.numel() + state.absmax.numel() + 4 * state.state2.absmax.numel()
    assert 8 * stored / 512**2 == pytest.approx(BITS, rel=1e-3)


def test_the_digest_is_that_of_the_unquantised_base(
    config: TrainConfig, prepared: Prepared
) -> None:
    plain = build_model(prepared.base, config.exits, config.lora)
    assert nf4_model(config, prepared).base_digest == plain.base_digest


def test_quantised_and_plain_weights_give_like_states(
    config: TrainConfig, prepared: Prepared
) -> None:
    ids = torch.randint(5, 200, (2, 20), generator=torch.Generator().manual_seed(0))
    plain = build_model(prepared.base, config.exits, config.lora)
    with torch.no_grad():
        a = plain.hidden(ids)[3]
        b = nf4_model(config, prepared).hidden(ids)[3].float()
    assert 0.001 < float((a - b).norm() / a.norm()) < 0.25


def test_a_qlora_run_resumes_to_the_losses_of_the_uninterrupted_one(
    qlora: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    config = qlora.model_copy(
        update={"steps": 6, "watch": qlora.watch.model_copy(update={"every": 3})}
    )
    curves = []
    for name, checkpoint in (("a", None), ("b", str(tmp_path / "a" / "checkpoint-3"))):
        trainer = make_trainer(config, prepared, tmp_path / name, device="cpu")
        trainer.args.logging_steps = 1
        trainer.args.load_best_model_at_end = False
        trainer.train(resume_from_checkpoint=checkpoint)
        curves.append(losses(trainer))
    assert curves[0] == curves[1]
    assert len(curves[0]) == 6


def test_scoring_the_dev_split_leaves_the_gradients_alone(
    qlora: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    trainer = make_trainer(qlora, prepared, tmp_path, device="cpu")
    trainer.evaluate()
    trainer.train()
    first = trainer.model.encoder.backbone.get_submodule("layers.0.self_attn.v_proj.lora_B.default")
    assert first.weight.detach().any()


def test_a_qlora_guard_is_written_over_the_unquantised_base_and_read_back(
    qlora: TrainConfig, tmp_path: Path
) -> None:
    train(qlora, tmp_path / "model", device="cpu")
    files = read_model_dir(tmp_path / "model")
    assert files.adapter.r == 2
    assert "quantisation: nf4" in (tmp_path / "model" / "training.yaml").read_text()


def test_without_bitsandbytes_the_message_names_the_extra(
    config: TrainConfig, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingError, match=r"causalguard\[qlora\]"):
        nf4_model(config, prepared)


def test_layers_without_ordinary_linear_maps_are_refused() -> None:
    backbone = nn.Module()
    backbone.layers = nn.ModuleList([nn.LayerNorm(4)])
    backbone.config = type("Config", (), {"num_hidden_layers": 1})()
    with pytest.raises(BaseModelError, match="quantisation: none"):
        to_nf4(backbone, torch.device("cpu"), dtype=torch.float32)


def test_the_six_gigabyte_configuration_is_the_one_that_was_promised() -> None:
    path = packaged_config("llama2-7b-6gb")
    config = load_config(path)
    assert (config.quantisation, config.precision, config.checkpointing) == ("nf4", "bf16", True)
    assert (config.lora.r, config.lora.alpha, config.optimiser.lr) == (16, 32, 2e-4)
    assert (config.optimiser.name, config.optimiser.warmup) == ("paged_adamw_8bit", 0.05)
    assert (config.accumulation, config.watch.every, config.batch) == (8, 500, 3)
    assert longest_row(config) == 1024
    assert all("#" in line for line in path.read_text().splitlines() if line.strip())


@pytest.mark.parametrize("nf4", [False, True])
def test_a_shape_with_random_weights_needs_no_download(config: TrainConfig, nf4: bool) -> None:
    base = find_base("random:tiny-llama")
    build = Build(dtype=torch.bfloat16, nf4=nf4)
    model = build_model(base, config.exits, config.lora, build)
    ids = torch.randint(5, 200, (2, 20), generator=torch.Generator().manual_seed(0))
    _, logits = model(ids)[3]
    assert torch.isfinite(logits).all()
    assert model.base_digest == build_model(base, config.exits, config.lora).base_digest


def test_a_shape_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(BaseModelError, match="tiny-llama"):
        find_base("random:gpt-9")
    assert find_base("random:llama-2-7b").name == "random:llama-2-7b"
    assert set(SHAPES) >= {"llama-2-7b", "smollm2-135m"}


def test_random_weights_are_dry_run_and_never_shipped(
    config: TrainConfig, tmp_path: Path, edit: Callable[..., None]
) -> None:
    config = config.model_copy(update={"base": "random:tiny-llama"})
    with pytest.raises(ConfigError, match="random weights"):
        train(config, tmp_path / "model", device="cpu")
    path = tmp_path / "c.yaml"
    path.write_text(config.to_yaml())
    done = CliRunner().invoke(
        train_command, ["--config", str(path), "--dry-run", "--device", "cpu"]
    )
    assert done.exit_code == 0, done.output
    assert "s a step" in done.output
