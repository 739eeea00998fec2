import gc
import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from causalguard.errors import TrainingError
from causalguard.train.callbacks import in_order
from causalguard.train.callbacks.bar import Bar
from causalguard.train.callbacks.early_stopping import EarlyStopping, looks_since_best
from causalguard.train.callbacks.explosion import LossExplosion
from causalguard.train.callbacks.gradient_norm import GradientNorm
from causalguard.train.callbacks.memory import MemoryMonitor
from causalguard.train.callbacks.shares import Shares
from causalguard.train.callbacks.verified import WEIGHTS, check_checkpoint
from causalguard.train.config import LoraConfig, TrainConfig, WatchConfig, parse_config
from causalguard.train.run import Prepared, make_trainer
from causalguard.train.trainer import METRIC, trackers


def args(**changes: Any) -> Any:
    facts = {"metric_for_best_model": METRIC, "greater_is_better": True, "fp16": False}
    return SimpleNamespace(**(facts | {"device": torch.device("cpu")} | changes))


def state(**changes: Any) -> Any:
    facts = {"global_step": 7, "max_steps": 9, "is_world_process_zero": True, "log_history": []}
    facts |= {"best_metric": None, "best_global_step": None}
    return SimpleNamespace(**(facts | changes))


def test_whoever_may_stop_a_run_is_asked_before_whoever_reports_on_it(
    config: TrainConfig, tmp_path: Path
) -> None:
    watch, lora = WatchConfig(every=5, patience=2), LoraConfig(lowest_share=0.5)
    full = config.model_copy(update={"watch": watch, "lora": lora})
    names = [type(c).__name__ for c in in_order(full, tmp_path, gpu=False, say=print)]
    assert names == [
        "Shares",
        "LastLook",
        "GradientNorm",
        "LossExplosion",
        "VerifiedCheckpoints",
        "EarlyStopping",
        "MemoryMonitor",
        "Bar",
    ]
    plain = config.model_copy(update={"watch": WatchConfig(every=5)})
    assert len(in_order(plain, tmp_path, gpu=False, say=print)) == len(names) - 2


def test_the_trainer_asks_them_in_that_order_after_its_own(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    names = [type(c).__name__ for c in trainer.callback_handler.callbacks]
    assert names[0] == "DefaultFlowCallback"
    assert names[1:4] == ["LastLook", "GradientNorm", "LossExplosion"]
    assert names[-1] == "Bar"


def test_early_stopping_waits_its_looks_and_says_the_best_value() -> None:
    said: list[str] = []
    stop = EarlyStopping(2, 0.01, say=said.append)
    control = SimpleNamespace(should_training_stop=False)
    now = state(best_metric=0.5, best_global_step=3)
    for value in (0.505, 0.4):
        assert not control.should_training_stop
        stop.on_evaluate(args(), now, control, metrics={METRIC: value})
    assert control.should_training_stop
    assert "2 looks" in said[0]
    assert "best is 0.5000 at step 3" in said[0]


def test_a_resumed_run_counts_on() -> None:
    assert looks_since_best([], 0.0) == 0
    assert looks_since_best([0.1, 0.3, 0.3, 0.2], 0.0) == 2
    assert looks_since_best([0.1, 0.105, 0.2], 0.01) == 0
    stop = EarlyStopping(3)
    history = [{METRIC: v} for v in (0.5, 0.4, 0.4)]
    stop.on_train_begin(
        args(load_best_model_at_end=True, eval_strategy="steps"), state(log_history=history), None
    )
    assert stop.early_stopping_patience_counter == 2


def test_patience_ends_a_run_early(config: TrainConfig, prepared: Prepared, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"steps": 9, "optimiser": {"lr": 1e-9, "head_lr": 1e-9}}
    changes["watch"] = {"every": 1, "patience": 2, "min_delta": 0.5}
    config = parse_config(config.model_dump(mode="json") | changes, where="test")
    said: list[str] = []
    trainer = make_trainer(config, prepared, tmp_path, device="cpu", say=said.append)
    trainer.train()
    assert trainer.state.global_step == 3
    assert any(line.startswith("stopped at step 3: 2 looks") for line in said)


def test_an_exploding_loss_stops_the_run_and_keeps_its_batch(tmp_path: Path) -> None:
    watch = LossExplosion(10.0, tmp_path)
    batch = {"input_ids": torch.arange(3)}
    for _ in range(50):
        watch.see(torch.tensor(1.0), batch, 1)
    watch.see(torch.tensor(9.0), batch, 2)
    with pytest.raises(TrainingError, match=r"11 at step 3 \(allowed: 10\)"):
        watch.see(torch.tensor(11.0), batch, 3)
    assert load_file(tmp_path / "bad-batch-step-3.safetensors")["input_ids"].tolist() == [0, 1, 2]


def test_a_late_look_finds_the_same_loss_one_step_later_or_at_the_end(tmp_path: Path) -> None:
    watch = LossExplosion(10.0, tmp_path, late=True)
    watch.see(torch.tensor(float("nan")), {"input_ids": torch.tensor([4])}, 1)
    with pytest.raises(TrainingError, match="step 1"):
        watch.see(torch.tensor(1.0), {"input_ids": torch.tensor([5])}, 2)
    assert load_file(tmp_path / "bad-batch-step-1.safetensors")["input_ids"].tolist() == [4]
    last = LossExplosion(10.0, tmp_path, late=True)
    last.see(torch.tensor(float("inf")), {"input_ids": torch.tensor([6])}, 3)
    with pytest.raises(TrainingError, match="step 3"):
        last.on_train_end(None, None, None)


def test_a_gradient_that_is_not_finite_stops_the_run_but_for_float16() -> None:
    watch = GradientNorm()
    watch.on_log(args(), state(), None, logs={"grad_norm": 2.5})
    assert watch.last == 2.5
    watch.on_log(args(fp16=True), state(), None, logs={"grad_norm": float("inf")})
    with pytest.raises(TrainingError, match="step 7"):
        watch.on_log(args(), state(), None, logs={"grad_norm": float("nan")})


def written(config: TrainConfig, prepared: Prepared, folder: Path) -> Path:
    changes = {"steps": 2, "watch": {"every": 2}}
    config = parse_config(config.model_dump(mode="json") | changes, where="test")
    make_trainer(config, prepared, folder, device="cpu").train()
    return folder / "checkpoint-2"


def test_every_way_a_checkpoint_can_be_spoilt_is_found(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    checkpoint = written(config, prepared, tmp_path)
    tensors = load_file(checkpoint / WEIGHTS)
    assert check_checkpoint(checkpoint, set(tensors)) == []
    assert "other tensors" in check_checkpoint(checkpoint, {"x"})[0]
    first = min(tensors)
    save_file(tensors | {first: tensors[first] * torch.nan}, checkpoint / WEIGHTS)
    assert check_checkpoint(checkpoint) == [f"{first} is not finite"]
    (checkpoint / WEIGHTS).write_bytes(b"\0" * 9)
    assert "damaged" in check_checkpoint(checkpoint)[0]
    (checkpoint / "optimizer.pt").unlink()
    assert check_checkpoint(checkpoint) == ["optimizer.pt is missing"]


def test_a_checkpoint_that_does_not_read_back_ends_the_run(
    config: TrainConfig, prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"steps": 2, "watch": {"every": 2}}
    config = parse_config(config.model_dump(mode="json") | changes, where="test")
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    monkeypatch.setattr(type(trainer), "_save_rng_state", lambda *_: None)
    with pytest.raises(TrainingError, match=r"rng_state\.pth is missing"):
        trainer.train()


def test_the_peak_of_the_first_steps_is_told_once() -> None:
    said: list[str] = []
    monitor = MemoryMonitor(say=said.append)
    for step in range(1, 7):
        monitor.on_step_end(args(), state(global_step=step), None)
    assert len(said) == 1
    assert said[0].startswith("memory after 3 steps: peak ")


def test_a_tracker_that_is_not_installed_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert trackers(["wandb_that_is_not_there", "wandb_that_is_not_there", "json"]) == ["json"]
    assert len(caplog.records) == 1
    assert "going on without" in caplog.text


def test_the_bar_shows_terms_speed_and_steps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bar = Bar()
    shown = io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    bar.on_train_begin(None, state(global_step=0), None)
    bar.on_log(args(), state(), None, logs={"loss": 1.5, "token": 0.5, "tokens_per_second": 1234.0})
    bar.on_step_end(None, state(), None)
    bar.on_train_end(None, None, None)
    text = shown.getvalue()
    assert "loss=1.500" in text
    assert "tokens/s=1234" in text
    assert "7/9" in text


def test_twenty_looks_leave_nothing_behind(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    counts = []
    for _ in range(20):
        trainer.evaluate()
        gc.collect()
        counts.append(sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects()))
    assert counts[-1] <= counts[1]


class Scaled:
    """Remembers the shares it was set to."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def set_share(self, share: float) -> None:
        self.shares.append(share)


def shares_of(seed: int, steps: range) -> list[float]:
    model, shares = Scaled(), Shares(0.5, seed)
    for step in steps:
        shares.on_step_begin(None, state(global_step=step), None, model=model)
    return model.shares


def test_shares_are_even_between_the_lowest_and_one_and_the_same_after_a_resume() -> None:
    drawn = shares_of(3, range(400))
    assert all(0.5 <= share <= 1 for share in drawn)
    assert abs(sum(drawn) / len(drawn) - 0.75) < 0.03
    assert shares_of(3, range(250, 400)) == drawn[250:]
    assert shares_of(4, range(400)) != drawn


def test_a_step_at_a_share_ends_with_the_whole_adapter_even_inside_a_wrapper() -> None:
    model, shares = Scaled(), Shares(0.5, 0)
    shares.on_step_end(None, state(), None, model=SimpleNamespace(module=model))
    assert model.shares == [1.0]


def test_computing_at_a_share_equals_keeping_that_share_of_the_weights(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    model = make_trainer(config, prepared, tmp_path, device="cpu").model.eval()
    ids = torch.arange(12)[None] + 5
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(1))
    whole = model(ids)
    model.set_share(0.4)
    shared = model(ids)
    model.set_share(1.0)
    model.interpolate(0.4)
    for layer, (r, _) in model(ids).items():
        assert torch.allclose(r, shared[layer][0], atol=1e-5)
        assert not torch.allclose(r, whole[layer][0], atol=1e-3)
