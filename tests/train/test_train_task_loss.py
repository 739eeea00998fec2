"""The task term: known values, the model around the backbone, and what a run does with it."""

from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from causalguard.errors import ConfigError, DataError
from causalguard.guard import base as bases
from causalguard.guard.base import BaseFiles, resolve
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.native import build_native
from causalguard.interventions import triplets
from causalguard.records import Triplet
from causalguard.train.batches import collate_chats
from causalguard.train.chats import Chat, Chats
from causalguard.train.config import TrainConfig, parse_config
from causalguard.train.losses import next_token_loss
from causalguard.train.measure import Measure
from causalguard.train.memory import Meter, predict
from causalguard.train.model import Build, TrainedModel, build_model
from causalguard.train.plan import describe
from causalguard.train.run import Prepared, build_of, make_trainer, prepare, train
from causalguard.train.shapes import find_base
from support.tiny import byte_tokenizer


def change(config: TrainConfig, **changes: Any) -> TrainConfig:
    return parse_config(config.model_dump(mode="json") | changes, where="test")


# The loss itself


def shifted_labels(n: int = 40, vocabulary: int = 50) -> tuple[Tensor, Tensor, nn.Linear, Tensor]:
    """States, labels of which a third are targets, an LM head, and torch's own loss."""
    torch.manual_seed(0)
    head = nn.Linear(16, vocabulary, bias=False)
    states = torch.randn(2, n, 16, requires_grad=True)
    labels = torch.randint(vocabulary, (2, n))
    labels[torch.rand(2, n) < 0.67] = -100
    whole = functional.cross_entropy(
        head(states)[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100
    )
    return states, labels, head, whole


@pytest.mark.parametrize("chunk", [1, 7, 128])
def test_chunks_give_the_loss_and_the_gradient_of_the_whole(chunk: int) -> None:
    states, labels, head, whole = shifted_labels()
    known = labels[:, 1:] != -100
    loss = next_token_loss(states[:, :-1][known], labels[:, 1:][known], head, chunk=chunk)
    assert loss.item() == pytest.approx(whole.item(), abs=1e-6)
    ours, theirs = (torch.autograd.grad(v, (states, head.weight)) for v in (loss, whole))
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_its_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    head = nn.Linear(4, 6).double()
    states = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 3, 5, 1, 1])
    assert torch.autograd.gradcheck(lambda s: next_token_loss(s, targets, head, chunk=2), states)


def test_the_logits_of_all_tokens_never_exist_together() -> None:
    head = nn.Linear(8, 4000, bias=False).requires_grad_(False)
    states = torch.randn(512, 8, requires_grad=True)
    with Meter() as meter:
        next_token_loss(states, torch.zeros(512, dtype=torch.long), head, chunk=16).backward()  # type: ignore[no-untyped-call]
    assert meter.peak < 0.2 * 512 * 4000 * 4


# The model


LLAMA_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "pad_token_id": None,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": LLAMA_SIZES | {"tie_word_embeddings": False},
    "gemma2": LLAMA_SIZES | {"final_logit_softcapping": 0.1, "sliding_window": 256},
    "phi": LLAMA_SIZES,
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 512},
}


def family_base(family: str, directory: Path) -> tuple[BaseFiles, Any]:
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = byte_tokenizer()
    sizes = FAMILIES[family] | {"vocab_size": tokenizer.get_vocab_size()}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **sizes)).eval()
    with bases.quiet_transformers():
        model.save_pretrained(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    return resolve(str(directory)), model


def some_chats() -> list[Chat]:
    rng = np.random.default_rng(0)
    lengths = [(20, 12), (31, 30), (9, 2)]
    return [Chat(ids=rng.integers(3, 200, n).astype(np.int32), prompt=p) for n, p in lengths]


def with_labels(batch: dict[str, Tensor]) -> Tensor:
    labels = torch.full_like(batch["task_ids"], -100).flatten()
    labels[batch["task_at"] + 1] = batch["task_targets"]
    return labels.view_as(batch["task_ids"])


@pytest.mark.parametrize("family", FAMILIES)
def test_an_untrained_adapter_gives_the_loss_of_the_base_as_transformers_computes_it(
    family: str, config: TrainConfig, tmp_path: Path
) -> None:
    base, whole = family_base(family, tmp_path / family)
    exits = change(config, exits=[{"layer": 2}]).exits
    model = build_model(base, exits, config.lora, Build(language=True)).eval()
    batch = collate_chats(some_chats())
    theirs = whole(batch["task_ids"], labels=with_labels(batch)).loss
    assert model.answer_loss(**batch).item() == pytest.approx(theirs.item(), abs=1e-6)


def test_the_term_trains_the_adapter_and_nothing_else(
    config: TrainConfig, prepared: Prepared
) -> None:
    exits = change(config, exits=[{"layer": 2}]).exits
    torch.manual_seed(0)
    plain = build_model(prepared.base, exits, config.lora)
    torch.manual_seed(0)
    model = build_model(prepared.base, exits, config.lora, Build(language=True))
    assert model.trainable().keys() == plain.trainable().keys()
    assert all(torch.equal(p, model.trainable()[n]) for n, p in plain.trainable().items())
    model.answer_loss(**collate_chats(some_chats())).backward()  # type: ignore[no-untyped-call]
    touched = {n for n, p in model.named_parameters() if p.grad is not None}
    assert touched == {n for n in model.trainable() if ".lora_" in n}
    last = {n: p for n, p in model.trainable().items() if ".layers.1." in n and "lora_B" in n}
    assert all(p.grad is not None and p.grad.any() for p in last.values())


def test_recomputing_the_term_changes_neither_loss_nor_gradient(
    config: TrainConfig, prepared: Prepared
) -> None:
    found = []
    for recompute in (False, True):
        torch.manual_seed(0)
        how = Build(language=True, checkpointing=recompute)
        model = build_model(prepared.base, config.exits, config.lora, how).train()
        made = model(torch.ones(2, 8, dtype=torch.long), None, collate_chats(some_chats()))
        r, logits = made[0][3]
        (made[1] + logits.sum() + r.sum()).backward()
        found.append({n: p.grad for n, p in model.trainable().items()} | {"loss": made[1]})
    for name, value in found[0].items():
        assert torch.allclose(value, found[1][name], atol=1e-6), name


# Runs


@pytest.fixture
def tasked(config: TrainConfig, make_sets: Callable[..., list[Triplet]], tmp_path: Path) -> Any:
    """The small configuration with a task term, reading layer 2 of 3; answers are one phrase."""

    def make(responses: bool = True, **changes: Any) -> TrainConfig:
        sets = [replace(t, response="the mail says friday" * responses) for t in make_sets(60)]
        path = tmp_path / f"sets-{responses}.jsonl"
        if not path.exists():
            triplets.write(path, sets)
        data = {"files": [{"path": str(path)}], "dev_share": 0.3}
        raw = {"data": data, "loss": {"task": 1.0}, "exits": [{"layer": 2, "middle": 8}]}
        return change(config, **raw | changes)

    return make


def logged(config: TrainConfig, prepared: Prepared, work: Path) -> Any:
    trainer = make_trainer(config, prepared, work, device="cpu")
    trainer.args.logging_steps = 1
    trainer.args.load_best_model_at_end = False
    return trainer


def curve(trainer: Any, name: str) -> list[float]:
    return [entry[name] for entry in trainer.state.log_history if name in entry]


def test_ten_steps_lower_the_task_loss(tasked: Any, tmp_path: Path) -> None:
    changes = {
        "optimiser": {"lr": 0.03, "warmup": 0},
        "loss": {"task": 1.0, "token": 0.01, "document": 0.0},
    }
    config = tasked(steps=10, lora={"r": 8, "alpha": 64}, **changes)
    said: list[str] = []
    trainer = logged(config, prepare(config, say=said.append), tmp_path)
    trainer.train()
    task = curve(trainer, "task")
    assert len(task) == 10
    assert task[-1] < task[0] - 0.15  # of the 5.6 nats at which nothing is known
    assert sum("task term: " in line for line in said) == 1


def test_benign_and_injected_member_of_each_set_are_answered(tasked: Any) -> None:
    prepared = prepare(tasked())
    assert prepared.train.chats is not None
    assert prepared.dev.chats is None
    have = prepared.train.chats.prompts > 0
    groups = prepared.train.group
    assert set(prepared.train.role[have]) == {0, 2}
    assert np.bincount(groups[have]).tolist() == [2] * len(np.unique(groups))


def test_chats_are_tokenised_once_and_a_shorter_limit_reads_the_same_cache(
    tasked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chats(config: TrainConfig) -> Chats:
        found = prepare(config, cache=tmp_path / "cache").train.chats
        assert found is not None
        return found

    config = tasked()
    first = chats(config)
    monkeypatch.setattr("causalguard.train.chats.make_chat", None)  # no chat is made again
    again = chats(config)
    longest = int(np.diff(first.starts).max())
    data = config.data.model_dump(mode="json") | {"task_tokens": longest - 1}
    fewer = chats(change(config, data=data))
    assert all(np.array_equal(a, b) for a, b in zip(astuple(first), astuple(again), strict=True))
    assert 0 < (fewer.prompts > 0).sum() < (first.prompts > 0).sum()


def test_the_loss_is_the_surprise_of_the_generating_model_that_is_written(
    tasked: Any, tmp_path: Path
) -> None:
    config = tasked(lora={"r": 2, "alpha": 4}, optimiser={"lr": 0.03})
    prepared = prepare(config)
    native = trained_native(config, prepared, tmp_path)
    trainer, scorer = native
    assert prepared.train.chats is not None
    chat = prepared.train.chats.get(int(np.flatnonzero(prepared.train.chats.prompts)[0]))
    assert chat is not None
    surprise = scorer.model.surprise(chat.ids[: chat.prompt], chat.ids[chat.prompt :])
    ours = trainer.model.eval().answer_loss(**collate_chats([chat]))
    assert ours.item() == pytest.approx(surprise, abs=1e-4)


def trained_native(config: TrainConfig, prepared: Prepared, tmp_path: Path) -> tuple[Any, Any]:
    """A trainer after its run, and the generating model as native mode loads it."""
    from causalguard.train.run import write

    trainer = make_trainer(config, prepared, tmp_path / "work", device="cpu")
    trainer.train()
    write(trainer, config, prepared, tmp_path / "model", say=lambda _: None)
    files = read_model_dir(tmp_path / "model")
    return trainer, build_native(files, device="cpu", dtype=torch.float32)


def test_resuming_gives_the_losses_of_the_uninterrupted_run(tasked: Any, tmp_path: Path) -> None:
    config = tasked(steps=6, watch={"every": 3}, lora={"r": 2, "alpha": 4, "dropout": 0.2})
    prepared = prepare(config)
    whole = logged(config, prepared, tmp_path / "a")
    whole.train()
    resumed = logged(config, prepared, tmp_path / "b")
    resumed.train(resume_from_checkpoint=str(tmp_path / "a" / "checkpoint-3"))
    assert curve(resumed, "loss") == curve(whole, "loss")
    assert curve(resumed, "task")[-3:] == curve(whole, "task")[-3:]


def test_a_run_without_the_term_is_built_without_the_upper_layers(
    config: TrainConfig, prepared: Prepared, tmp_path: Path
) -> None:
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    assert trainer.model.language is None
    assert not [name for name in trainer.train_dataset[0] if name.startswith("task_")]


def test_sets_without_a_response_are_refused_with_what_to_do(tasked: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no matched set has a response.*set loss\.task: 0"):
        train(tasked(responses=False), tmp_path / "model", device="cpu")


def test_chats_that_are_all_too_long_are_refused_with_what_to_do(tasked: Any) -> None:
    config = tasked()
    data = config.data.model_dump(mode="json") | {"task_tokens": 16}
    with pytest.raises(DataError, match=r"raise data\.task_tokens"):
        prepare(change(config, data=data))


def test_a_term_that_could_train_nothing_is_refused(tasked: Any) -> None:
    with pytest.raises(ConfigError, match="no adapter is trained"):
        tasked(steps=0, heads_first={"windows": 10, "steps": 10})


def test_sharded_weights_and_the_term_do_not_go_together(
    tasked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ConfigError, match="FSDP"):
        build_of(tasked(), torch.device("cpu"), precision="fp32")


# Memory


@pytest.mark.parametrize("changes", [{}, {"precision": "bf16", "checkpointing": True}])
def test_the_peak_with_the_term_is_predicted_within_a_tenth(
    tasked: Any, tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = tasked(base="random:tiny-llama", batch=12, steps=2, **changes)
    prepared = prepare(config)
    trainer = make_trainer(config, prepared, tmp_path, device="cpu")
    with Measure(trainer) as measure:
        trainer.train()
    predicted, parts = measure.predicted(config, prepared.base), measure.parts()
    assert predicted.weights == pytest.approx(parts["weights"], rel=0.01)
    assert predicted.total == pytest.approx(parts["total"], rel=0.1)


def test_the_plan_counts_the_lm_head_and_a_chunk_of_logits(tasked: Any) -> None:
    config = tasked(base="random:llama-2-7b", exits=[{"layer": 1}], checkpointing=True)
    config = change(config, quantisation="nf4", precision="bf16")
    base = find_base(config.base)
    with_term = predict(config, base, bf16=True, gpu=True)
    without = predict(change(config, loss={"task": 0.0}), base, bf16=True, gpu=True)
    # Untied head and 31 more layers in four bits: 202 million weights each, and their norms.
    more = 32_000 * 4096 * 2 + 31 * 202.4e6 * 4.127 / 8
    assert with_term.weights - without.weights == pytest.approx(more, rel=0.01)
    assert with_term.logits == 128 * 32_000 * 10
    assert without.logits == 0
    assert "(logits" in describe(with_term, 80 * 2**30, gpu=True)


def test_upper_layers_are_four_bits_too(tasked: Any, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    config = tasked(base="random:tiny-llama", quantisation="nf4", precision="bf16")
    prepared = prepare(config)
    model: TrainedModel = make_trainer(config, prepared, tmp_path, device="cpu").model
    assert model.language is not None
    kinds = {type(m).__name__ for m in model.language.body.layers[-1].modules()}
    assert "Linear4bit" in kinds
    assert "Linear" not in kinds
