from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from causalguard.errors import TrainingError
from causalguard.records import KINDS, Kind
from causalguard.train import recover
from causalguard.train.cli import train_command
from causalguard.train.config import TrainConfig, parse_config
from causalguard.train.measure import Measure
from causalguard.train.memory import (
    Meter,
    Plan,
    fits,
    longest_row,
    optimiser_bytes,
    predict,
    worst_shape,
)
from causalguard.train.model import TrainedModel
from causalguard.train.plan import advice, plan_text
from causalguard.train.quantise import BITS
from causalguard.train.recover import halved, newest_checkpoint
from causalguard.train.run import Prepared, batch_source, make_trainer, prepare, train
from causalguard.train.selection import document_risks
from causalguard.train.shapes import SHAPES, find_base


def change(config: TrainConfig, **changes: Any) -> TrainConfig:
    return parse_config(config.model_dump(mode="json") | changes, where="test")


@pytest.fixture
def shaped(config: TrainConfig) -> TrainConfig:
    """Four layers of random weights; nearly all memory is activations."""
    exits = [{"layer": 4}]
    return change(config, base="random:tiny-llama", exits=exits, batch=8, steps=2)


def test_the_meter_counts_what_is_alive_and_remembers_the_peak() -> None:
    with Meter() as meter:
        a = torch.ones(1000)
        b = a + 1
        assert meter.now == 8000
        view = b[:10]
        del a, b
        assert meter.now == 4000
        assert view.shape == (10,)
    assert meter.peak == 8000


@pytest.mark.filterwarnings("ignore:.*aged.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*not.*supported on CPU.*")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"precision": "bf16", "checkpointing": True},
        {"packed": True, "accumulation": 2},
        {"precision": "bf16", "quantisation": "nf4", "optimiser": {"name": "paged_adamw_8bit"}},
    ],
)
def test_the_peak_is_predicted_within_a_tenth(
    shaped: TrainConfig, prepared: Prepared, tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = change(shaped, batch=12, **changes)  # two whole sets
    base = find_base(config.base)
    data = Prepared(**{n: getattr(prepared, n) for n in prepared.__slots__} | {"base": base})
    trainer = make_trainer(config, data, tmp_path, device="cpu")
    with Measure(trainer) as measure:
        trainer.train()
    predicted, parts = measure.predicted(config, base), measure.parts()
    for name in ("weights", "adapter", "optimiser"):
        assert getattr(predicted, name) == pytest.approx(parts[name], rel=0.01), name
    assert predicted.total == pytest.approx(parts["total"], rel=0.1)


def test_a_seven_billion_shape_is_planned_without_its_weights(config: TrainConfig) -> None:
    changes = {"quantisation": "nf4", "checkpointing": True, "packed": True, "batch": 3}
    big = change(config, base="random:llama-2-7b", exits=[{"layer": 4}], **changes)
    plan = predict(big, find_base(big.base), bf16=True, gpu=True)
    # Table 1 of the Llama-2 paper: 202 million weights a layer, beside 131 million of embedding.
    assert plan.weights == pytest.approx(4 * 202.4e6 * BITS / 8 + 131.1e6 * 2, rel=0.01)


def test_checkpointing_and_smaller_batches_need_less(shaped: TrainConfig) -> None:
    base = find_base(shaped.base)

    def activations(**changes: Any) -> int:
        return predict(change(shaped, **changes), base, bf16=False, gpu=False).activations

    assert activations(checkpointing=True) < 0.6 * activations()
    assert activations() < 0.6 * activations(batch=24)


def test_offloading_frees_what_checkpointing_keeps_of_every_layer(shaped: TrainConfig) -> None:
    base, config = find_base(shaped.base), change(shaped, checkpointing=True)
    at = worst_shape(config)

    def peak(config: TrainConfig) -> int:
        return predict(config, base, bf16=False, gpu=True, shape=at).total

    saved = peak(config) - peak(change(config, offload=True))
    one = at.rows * at.length * int(SHAPES["tiny-llama"]["hidden_size"]) * 4  # a layer's, float32
    assert (config.depth - 1) * one <= saved <= config.depth * one


def test_offloading_changes_no_gradient(
    shaped: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    config = change(shaped, checkpointing=True)
    data = replace(prepared, base=find_base(config.base))
    moved: list[torch.Size] = []

    def away(tensor: Tensor) -> Tensor:
        moved.append(tensor.shape)
        return tensor.clone()

    gradients = []
    for keep in (nullcontext, partial(saved_tensors_hooks, away, Tensor.clone)):
        trainer = make_trainer(config, data, tmp_path, device="cpu")
        trainer.model.keep = keep
        batch = next(iter(trainer.get_train_dataloader()))
        trainer.compute_loss(trainer.model, batch).backward()
        gradients.append([p.grad for p in trainer.model.trainable().values()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert len([shape for shape in moved if len(shape) == 3]) >= config.depth


def test_states_are_counted_as_the_optimiser_keeps_them() -> None:
    large, small = torch.empty(100, 256), torch.empty(10)
    assert optimiser_bytes("adamw_torch", [large, small]) == 8 * 25_610
    assert optimiser_bytes("paged_adamw_8bit", [large, small]) == 2 * 25_600 + 800 + 80 + 2048
    assert optimiser_bytes("sgd", [large]) == 0


def test_a_plan_that_does_not_fit_names_the_cheapest_change_that_does(
    shaped: TrainConfig,
) -> None:
    config = change(shaped, batch=24, exits=[{"layer": 2}])
    base = find_base(config.base)

    def told(memory: float) -> str:
        return advice(config, base, bf16=False, memory=int(memory), gpu=False)

    def needs(**changes: Any) -> float:
        return predict(change(config, **changes), base, bf16=False, gpu=False).total / 0.899

    assert "--set batch=12 --set accumulation=2  " in told(needs(batch=12, accumulation=2))
    assert "checkpointing=true" in told(needs(batch=6, accumulation=4, checkpointing=True))
    assert "shallower" in told(1e6)


def test_the_worst_batch_has_the_longest_rows_and_packing_shares_their_context(
    config: TrainConfig,
) -> None:
    shape = worst_shape(change(config, batch=5))
    assert shape.length >= 8 + 16 + 64
    packed = worst_shape(change(config, batch=5, packed=True)).packed
    assert packed is not None
    assert packed[0] * packed[1] < shape.rows * shape.length


@pytest.mark.parametrize("kinds", [KINDS, ("benign", "counterfactual", "injected")])
def test_no_micro_batch_has_more_rows_than_are_planned(
    config: TrainConfig, kinds: tuple[Kind, ...]
) -> None:
    data = config.data.model_dump(mode="json") | {"kinds": kinds}
    config = change(config, batch=6, steps=400, data=data)
    source = batch_source(config, prepare(config))
    most = max(len(source[i]["groups"]) for i in range(400))
    assert most <= worst_shape(config).rows == (6 if len(kinds) == 3 else 6 + 6 - 1)
    assert (most == 6) is (len(kinds) == 3)


def test_nine_tenths_of_the_memory_may_be_used() -> None:
    shape = worst_shape
    parts = {"weights": 0, "adapter": 0, "gradients": 0, "optimiser": 0}
    plan = Plan(shape=shape, activations=90, **parts)  # type: ignore[arg-type]
    assert fits(plan, 100, gpu=False)
    assert not fits(plan, 99, gpu=False)
    assert not fits(plan, 100, gpu=True)


def test_the_command_plans_for_a_card_that_is_not_here(shaped: TrainConfig, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(shaped.to_yaml())
    done = CliRunner().invoke(train_command, ["--config", str(path), "--plan", "--memory", "80"])
    assert done.exit_code == 0, done.output
    assert "activations" in done.output
    assert "\nfits: " in done.output
    assert "does not fit" in plan_text(shaped, memory_gib=0.3)


def limit_rows(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Make a device that runs out of memory above so many rows."""
    forward = TrainedModel.forward

    def limited(model: TrainedModel, input_ids: torch.Tensor, *rest: Any) -> Any:
        if model.training and len(input_ids) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(model, input_ids, *rest)

    monkeypatch.setattr(TrainedModel, "forward", limited)


def limit_tokens(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Make a device that runs out of memory above so many tokens; gives what it is asked for."""
    forward, sizes = TrainedModel.forward, []

    def limited(model: TrainedModel, input_ids: torch.Tensor, *rest: Any) -> Any:
        sizes.append(input_ids.numel())
        if input_ids.numel() > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(model, input_ids, *rest)

    monkeypatch.setattr(TrainedModel, "forward", limited)
    return sizes


def test_out_of_memory_halves_the_micro_batch_and_keeps_the_step(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_rows(monkeypatch, 13)
    said: list[str] = []
    train(change(config, batch=20), tmp_path / "model", device="cpu", say=said.append)
    used = (tmp_path / "model" / "training.yaml").read_text()
    assert "batch: 10\n" in used
    assert "accumulation: 2\n" in used
    (line,) = [line for line in said if line.startswith("out of memory")]
    assert "of 10 rows in place of 20, 2 of them a step in place of 1; on from the start" in line


def test_a_look_takes_smaller_forwards_when_memory_runs_out_and_finds_the_same(
    config: TrainConfig, prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_trainer(config, prepared, tmp_path, device="cpu").model
    corpus, spec = prepared.dev, config.windows.spec()
    wanted = document_risks(model, corpus, spec)
    sizes = limit_tokens(monkeypatch, 500)
    assert document_risks(model, corpus, spec) == pytest.approx(wanted, abs=1e-5)
    assert sum(size > 500 for size in sizes) <= 4  # halved from 4096, and for good
    limit_tokens(monkeypatch, 20)
    with pytest.raises(torch.OutOfMemoryError):
        document_risks(model, corpus, spec)


def test_a_look_runs_no_more_tokens_at_a_time_than_a_step(
    config: TrainConfig, prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = change(config, batch=3)
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    sizes = limit_tokens(monkeypatch, 3 * longest_row(config))
    trainer.evaluate()
    assert 2 * longest_row(config) < max(sizes) <= 3 * longest_row(config)


def test_memory_that_no_matched_set_fits_is_a_readable_error(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_rows(monkeypatch, 1)
    with pytest.raises(TrainingError, match="guard-train --plan"):
        train(config, tmp_path / "model", device="cpu")


def test_one_of_several_processes_does_not_go_on_alone(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(tried: TrainConfig, checkpoint: Path | None) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(recover, "many_processes", lambda: True)
    with pytest.raises(TrainingError, match="several processes"):
        recover.within_memory(attempt, change(config, batch=20), tmp_path, resume=None, say=print)


def test_a_matched_set_is_never_parted(config: TrainConfig) -> None:
    once = halved(change(config, batch=12, accumulation=3))
    assert once is not None
    assert (once.batch, once.accumulation) == (6, 6)
    assert halved(once) is None


def test_training_goes_on_from_this_runs_last_checkpoint_alone(tmp_path: Path) -> None:
    for step in (5, 10, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if step < 20:
            (folder / "trainer_state.json").write_text("{}")
    begun = (tmp_path / "checkpoint-5").stat().st_mtime - 1
    assert newest_checkpoint(tmp_path, since=begun) == tmp_path / "checkpoint-10"
    assert newest_checkpoint(tmp_path, since=begun + 100) is None
