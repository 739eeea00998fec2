import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import nn

from causalguard.errors import ConfigError, DataError, OutputExistsError, TrainingError
from causalguard.guard.api import build_scorer
from causalguard.guard.bundle import read_model_dir
from causalguard.records import ToolOutput
from causalguard.train.cli import calibrate_command, numbered, train_command
from causalguard.train.config import TrainConfig, parse_config
from causalguard.train.examples import read_examples
from causalguard.train.export import merged_scorer
from causalguard.train.model import Build, build_model
from causalguard.train.run import Prepared, dry_run, make_trainer, prepare, train, work_directory
from causalguard.train.selection import dev_metrics, document_risks


def losses(trainer: Any) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def change(config: TrainConfig, **changes: Any) -> TrainConfig:
    return parse_config(config.model_dump(mode="json") | changes, where="test")


def test_a_run_writes_a_model_that_the_guard_loads(config: TrainConfig, tmp_path: Path) -> None:
    figures = train(config, tmp_path / "model", device="cpu")
    files = read_model_dir(tmp_path / "model")
    assert set(figures) == {"eval_worst_group_tpr", "eval_tpr", "eval_auroc"}
    assert files.info.threshold.benign_clusters == 40
    assert files.info.families_trained == ("plain/0", "plain/1")
    scorer = build_scorer(files, device="cpu", dtype=torch.float32)
    assert 0 <= scorer.score([ToolOutput(text="order a room", task="x")])[0].risk <= 1


def test_an_output_that_exists_is_refused_before_any_work(
    config: TrainConfig, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("keep")
    with pytest.raises(OutputExistsError):
        train(config, tmp_path / "model", device="cpu")
    assert not work_directory(tmp_path / "model").exists()


def test_sixty_steps_lower_the_loss_and_rank_attacks_first(
    config: TrainConfig, tmp_path: Path
) -> None:
    config = change(config, steps=60, batch=20)
    prepared = prepare(config)
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    trainer.train()
    curve = losses(trainer)
    assert curve[-1] < 0.8 * curve[0]
    risks = document_risks(trainer.model, prepared.dev, config.windows.spec())
    assert dev_metrics(risks, prepared.dev)["auroc"] > 0.8


def test_resuming_gives_the_losses_of_the_uninterrupted_run(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    config = change(config, steps=8, watch={"every": 4}, lora={"r": 2, "alpha": 4, "dropout": 0.2})
    whole = logging_trainer(config, prepared, tmp_path / "a")
    whole.train()
    resumed = logging_trainer(config, prepared, tmp_path / "b")
    resumed.train(resume_from_checkpoint=str(tmp_path / "a" / "checkpoint-4"))
    assert losses(resumed) == losses(whole)
    for name, tensor in whole.model.trainable().items():
        assert torch.equal(tensor, resumed.model.trainable()[name])


def logging_trainer(config: TrainConfig, prepared: Prepared, work: Path) -> Any:
    trainer = make_trainer(config, prepared, work, device="cpu")
    trainer.args.logging_steps = 1
    trainer.args.load_best_model_at_end = False
    return trainer


def test_accumulated_micro_batches_give_the_gradient_of_their_mean(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    config = change(config, steps=1, accumulation=3, optimiser={"clip": 1e9})
    trainer = logging_trainer(config, prepared, tmp_path)
    model, batches = trainer.model, trainer.train_dataset
    parts = [trainer.compute_loss(model, batches[i]) for i in range(3)]
    mean: torch.Tensor = torch.stack(parts).mean()
    named = list(model.trainable().values())
    wanted = torch.autograd.grad(mean, named)
    norm = torch.linalg.vector_norm(torch.stack([g.norm() for g in wanted])).item()
    trainer.train()
    logged = next(e for e in trainer.state.log_history if "grad_norm" in e)
    assert logged["grad_norm"] == pytest.approx(norm, rel=1e-4)
    assert logged["loss"] == pytest.approx(mean.item(), rel=1e-5)


def test_a_checkpoint_holds_adapter_and_heads_and_nothing_else(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    config = change(config, steps=2, watch={"every": 2})
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    trainer.train()
    tensors = load_file(tmp_path / "checkpoint-2" / "trainable.safetensors")
    assert tensors.keys() == trainer.model.trainable().keys()
    assert any(".lora_A" in name for name in tensors)
    assert any(".heads." in name for name in tensors)


def test_a_checkpoint_of_another_configuration_is_refused(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    with pytest.raises(TrainingError, match="checkpoint"):
        trainer._load_from_checkpoint(str(tmp_path))
    with pytest.raises(ValueError, match="another configuration"):
        trainer.model.load_trainable({})


def test_a_run_goes_on_from_a_checkpoint_of_its_own_configuration_alone(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    config = change(config, watch={"every": 2})
    make_trainer(config, prepared, tmp_path / "a", device="cpu").train()
    checkpoint, output = tmp_path / "a" / "checkpoint-2", tmp_path / "model"
    others = change(config, seed=1, steps=6, optimiser={"lr": 0.5, "head_lr": 0.01})
    with pytest.raises(ConfigError) as caught:
        train(others, output, resume=checkpoint, device="cpu", prepared=prepared)
    keys = [fault.split("with ")[1].split(":")[0] for fault in caught.value.faults]
    assert keys == ["optimiser.lr", "steps", "seed"]
    same = change(config, batch=5, accumulation=2, watch={"every": 2, "keep": 1})
    train(same, output, resume=checkpoint, device="cpu", prepared=prepared)
    (checkpoint / "training.yaml").unlink()
    with pytest.raises(ConfigError, match="nobody can tell"):
        train(config, tmp_path / "again", resume=checkpoint, device="cpu", prepared=prepared)


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_its_batch(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    with torch.no_grad():
        trainer.model.encoder.head(3).risk.bias.fill_(torch.nan)
    with pytest.raises(TrainingError, match="bad-batch-step-0"):
        trainer.train()
    assert "input_ids" in load_file(tmp_path / "bad-batch-step-0.safetensors")


def test_constant_risks_score_worst_on_the_metric_that_picks_checkpoints(
    prepared: Prepared,
) -> None:
    corpus = prepared.dev
    for constant in (0.0, 0.5, 1.0):
        risks = np.full(len(corpus), constant)
        assert dev_metrics(risks, corpus)["worst_group_tpr"] == 0.0
    perfect = corpus.y.astype(float)
    assert dev_metrics(perfect, corpus)["worst_group_tpr"] == 1.0


def test_one_bad_group_decides_the_metric(prepared: Prepared) -> None:
    corpus = prepared.dev
    family = np.asarray(corpus.family)
    risks = np.where((corpus.y == 1) & (family == "group0"), 0.0, corpus.y.astype(float))
    assert dev_metrics(risks, corpus)["worst_group_tpr"] == 0.0


def test_dev_risks_are_those_of_the_guard(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    trainer.train()
    model = trainer.model
    scorer = merged_scorer(model, prepared.base, prepared.template, config, "cpu")
    ours = document_risks(model, prepared.dev, config.windows.spec())[:8]
    theirs = [s.risk for s in scorer.score(prepared.probes)]
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_layers_below_the_first_adapted_one_get_an_adapter_of_zeros(
    config: TrainConfig, prepared: Prepared
) -> None:
    config = change(config, lora={"r": 2, "alpha": 4, "first_layer": 3})
    model = build_model(prepared.base, config.exits, config.lora)
    tensors = model.adapter_tensors()
    upper = {n for n in tensors if ".layers.2." in n}
    assert all(tensors[n].any() for n in upper if "lora_A" in n)
    assert not any(tensors[n].any() for n in tensors.keys() - upper)
    assert all(".layers.2." in n for n in model.trainable() if ".lora_" in n)


def test_only_adapter_and_heads_are_trained_and_both_in_float32(
    config: TrainConfig, prepared: Prepared
) -> None:
    model = build_model(prepared.base, config.exits, config.lora, Build(dtype=torch.bfloat16))
    assert {p.dtype for p in model.trainable().values()} == {torch.float32}
    frozen = [p for p in model.encoder.backbone.parameters() if not p.requires_grad]
    assert {p.dtype for p in frozen} == {torch.bfloat16}


def test_two_exits_are_trained_and_written(config: TrainConfig, tmp_path: Path) -> None:
    exits = [{"layer": 1, "middle": 8, "width": 4, "weight": 0.5}, {"layer": 3}]
    config = change(config, exits=exits, steps=2)
    train(config, tmp_path / "model", device="cpu")
    info = read_model_dir(tmp_path / "model").info
    assert [e.layer for e in info.exits] == [1, 3]


def test_bf16_and_checkpointing_train_on_the_cpu(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    config = change(config, precision="bf16", checkpointing=True)
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    before = {n: p.detach().clone() for n, p in trainer.model.trainable().items()}
    trainer.train()
    lora_b = [n for n in before if ".lora_B" in n]
    assert all(not torch.equal(before[n], trainer.model.trainable()[n]) for n in lora_b)


def test_too_few_calibration_clusters_are_reported_before_training(config: TrainConfig) -> None:
    tight = config.calibration.model_dump(mode="json") | {"alpha": 0.01}
    with pytest.raises(ConfigError, match="299 are needed"):
        prepare(change(config, calibration=tight))


def test_a_dry_run_reports_speed_and_writes_nothing(config: TrainConfig, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    report = dry_run(change(config, steps=500), device="cpu")
    assert "s a step" in report
    assert {p.name for p in tmp_path.iterdir()} - {p.name for p in before} <= {"home"}


def test_rows_of_sets_that_are_only_tested_on_are_never_read(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "label": 0, "source": "agentdojo"},
        {"text": "b", "label": 0, "source": "mine", "license": "MIT"},
        {"text": "c", "label": 0, "source": "mine", "license": "MIT; filler MIT (AgentDojo)"},
        {"text": "d", "label": 1, "source": "mine", "license": "CC-BY-SA-4.0"},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert [e.output.text for e in read_examples(path)] == ["b", "d"]
    assert [e.output.text for e in read_examples(path, licences="shippable")] == ["b"]
    with pytest.raises(DataError, match="no row is left"):
        read_examples(path, exclude_sources=["mine"])


def test_the_command_prints_trains_and_names_the_next_step(
    config: TrainConfig, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(config.to_yaml())
    runner = CliRunner()
    printed = runner.invoke(train_command, ["--config", str(path), "--print-config"])
    assert printed.stdout == config.to_yaml()
    target = str(tmp_path / "out")
    done = runner.invoke(
        train_command, ["--config", str(path), "--output", target, "--device", "cpu"]
    )
    assert done.exit_code == 0, done.output
    assert "guard-certify" in done.output


def test_calibrating_writes_a_new_model_and_leaves_the_old_one(
    tiny_model: Path, benign_file: Path, tmp_path: Path
) -> None:
    before = {p.name: p.read_bytes() for p in tiny_model.iterdir()}
    arguments = [str(benign_file), "--model", str(tiny_model), "--output", str(tmp_path / "new")]
    done = CliRunner().invoke(calibrate_command, [*arguments, "--alpha", "0.1"])
    assert done.exit_code == 0, done.output
    assert {p.name: p.read_bytes() for p in tiny_model.iterdir()} == before
    new = read_model_dir(tmp_path / "new")
    assert new.info.threshold.benign_clusters == 40
    assert new.head_bytes == before["head.safetensors"]


def test_bare_runs_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "tiny-1").mkdir()
    assert numbered(tmp_path, "tiny") == tmp_path / "tiny-2"


def test_padding_reaches_no_token_before_it(config: TrainConfig, prepared: Prepared) -> None:
    model: nn.Module = build_model(prepared.base, config.exits, config.lora).eval()
    ids = torch.randint(5, 200, (1, 20), generator=torch.Generator().manual_seed(0))
    padded = torch.cat([ids, torch.zeros(1, 12, dtype=torch.long)], dim=1)
    alone, beside = model(ids)[3], model(padded)[3]
    assert torch.allclose(alone[1], beside[1][:, :20], atol=1e-5)
