from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from causalguard.train.batches import CHUNK, BatchSource
from causalguard.train.config import TrainConfig
from causalguard.train.heads import run_frozen
from causalguard.train.model import TrainedModel, build_model
from causalguard.train.packing import make_tree, pack
from causalguard.train.run import Prepared, drawing

SEQUENCES = st.lists(
    st.lists(st.integers(1, 3), min_size=1, max_size=12).map(np.asarray),
    min_size=1,
    max_size=6,
)


@given(SEQUENCES)
def test_a_path_through_the_tree_reads_its_sequence(sequences: list[np.ndarray]) -> None:
    tree = make_tree(sequences)
    for sequence, path in zip(sequences, tree.paths, strict=True):
        assert tree.ids[path].tolist() == sequence.tolist()
        assert tree.depth[path].tolist() == list(range(len(sequence)))


@given(SEQUENCES)
def test_every_distinct_prefix_stands_in_the_tree_once(sequences: list[np.ndarray]) -> None:
    prefixes = {tuple(s[: k + 1].tolist()) for s in sequences for k in range(len(s))}
    assert len(make_tree(sequences).ids) == len(prefixes)


@given(SEQUENCES, st.integers(1, 30))
def test_a_packed_token_attends_to_its_own_past_and_nothing_else(
    sequences: list[np.ndarray],
    capacity: int,
) -> None:
    groups = [k % 2 for k in range(len(sequences))]
    packed = pack(sequences, groups, capacity=capacity, width=12)
    width = packed.ids.shape[1]
    for row, sequence in enumerate(sequences):
        at = packed.at[row, : len(sequence)]
        p, path = at[0] // width, at % width
        for k, token in enumerate(path):
            assert set(np.flatnonzero(packed.mask[p, token])) == set(path[: k + 1])


def packed_source(config: TrainConfig, prepared: Prepared) -> BatchSource:
    drawn = replace(drawing(config, prepared, 20), packed=True)
    return BatchSource(prepared.train, drawn, n_batches=CHUNK)


def model_of(config: TrainConfig, prepared: Prepared) -> TrainedModel:
    model = build_model(prepared.base, config.exits, config.lora)
    with torch.no_grad():
        for name, parameter in model.trainable().items():
            if ".lora_B" in name:
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    return model


def test_packed_and_separate_forwards_agree_in_values_and_gradients(
    config: TrainConfig, prepared: Prepared
) -> None:
    model = model_of(config, prepared)
    batch = packed_source(config, prepared)[0]
    packed = {n: v for n, v in batch.items() if n.startswith("packed_")}
    gradients = []
    logits = []
    for form in (None, packed):
        model.zero_grad()
        _, risk = model(batch["input_ids"], form)[3]
        kept = risk[batch["window_mask"]]
        kept.square().mean().backward()
        logits.append(kept.detach())
        gradients.append([p.grad.clone() for p in model.trainable().values() if p.grad is not None])
    assert torch.allclose(logits[0], logits[1], atol=1e-5)
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_packing_computes_fewer_tokens(config: TrainConfig, prepared: Prepared) -> None:
    source = packed_source(config, prepared)
    batches = [source[i] for i in range(CHUNK)]
    separate = sum(b["input_ids"].numel() for b in batches)
    assert sum(b["packed_ids"].numel() for b in batches) < 0.8 * separate


def test_frozen_states_are_those_of_the_window_tokens(
    config: TrainConfig, prepared: Prepared
) -> None:
    model = model_of(config, prepared)
    batch = packed_source(config, prepared)[0]
    kept = run_frozen(model, batch)
    with torch.no_grad():
        whole = model.hidden(batch["input_ids"])[3]
    for row, mask in enumerate(batch["window_mask"]):
        n = int(mask.sum())
        wanted = whole[row, mask]
        assert kept.facts["window_mask"][row].tolist()[:n] == [True] * n
        assert kept.states[3][row, :n].float().numpy() == pytest.approx(
            wanted.numpy(), abs=0.02, rel=0.02
        )
