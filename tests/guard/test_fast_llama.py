"""The short way through a Llama gives transformers' numbers, and is taken only where it does."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import DynamicCache, LlamaConfig, LlamaModel

from causalguard.guard.api import Guard
from causalguard.guard.deadline import side_by_side
from causalguard.guard.encoder import final_norm
from causalguard.guard.fast_llama import FastLlama, joined, level, suits
from causalguard.records import ToolOutput

DEPTH = 3


def llama(dtype: torch.dtype = torch.float32, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    shape = {"hidden_size": 48, "intermediate_size": 80, "num_attention_heads": 6,
             "num_key_value_heads": 2, "num_hidden_layers": DEPTH, "vocab_size": 100}  # fmt: skip
    model: nn.Module = LlamaModel(LlamaConfig(**{**shape, **changes}))
    for name, weight in model.named_parameters():
        if "norm" in name:  # all ones as made, which would hide that they are left out
            nn.init.uniform_(weight, 0.5, 1.5)
    final_norm(model)
    return model.eval().to(dtype)


def plain(model: nn.Module, prefix: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    cache = DynamicCache()
    with torch.inference_mode():
        model(input_ids=prefix, past_key_values=cache, use_cache=True)
        kept = [(x.keys.expand(len(ids), -1, -1, -1), x.values.expand(len(ids), -1, -1, -1))
                for x in cache.layers]  # fmt: skip
        found: torch.Tensor = model(
            input_ids=ids, past_key_values=DynamicCache(kept), use_cache=True
        ).last_hidden_state
    return found


def ids(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 100, (rows, length), generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 4), st.integers(1, 40), st.integers(1, 20), st.sampled_from([1, 2, 3, 6]))
def test_it_gives_what_transformers_gives(rows: int, length: int, before: int, kv: int) -> None:
    model = llama(num_key_value_heads=kv)
    fast, prefix, text = FastLlama(model), ids(1, before, 1), ids(rows, length, 2)
    found = fast.states(text, fast.prefix(prefix), (DEPTH,))[DEPTH]
    torch.testing.assert_close(found, plain(model, prefix, text), atol=2e-5, rtol=1e-4)


@given(st.integers(1, 3), st.integers(1, 90), st.integers(1, 20), st.integers(1, 5))
def test_pieces_side_by_side_give_what_the_whole_gives(
    rows: int, length: int, before: int, n: int
) -> None:
    fast, text, n = FastLlama(llama()), ids(rows, length, 2), min(n, length)
    prefix = ids(1, before, 1)
    kept = joined(side_by_side(fast.prefix_pieces(prefix, min(n, before)), 3))
    parts = side_by_side(fast.pieces(text, kept, (1, DEPTH), n), 3)
    whole = fast.states(text, fast.prefix(prefix), (1, DEPTH))
    for layer in (1, DEPTH):
        found = torch.cat([part[layer] for part in parts], dim=1)
        torch.testing.assert_close(found, whole[layer], atol=1e-5, rtol=1e-4)


def test_a_piece_that_fails_takes_those_that_wait_for_it_along() -> None:
    fast = FastLlama(llama())
    bad = torch.tensor([[1, 2, 1000, 3, 4, 5]])  # no such token
    with pytest.raises(IndexError):
        side_by_side(fast.pieces(bad, fast.prefix(ids(1, 4)), (DEPTH,), 2), 2)


@given(st.integers(1, 2000))
def test_products_come_in_few_shapes(rows: int) -> None:
    """Each shape is compiled and kept: a megabyte of memory apiece."""
    filled = level(torch.ones(rows, 2))
    assert len(filled) % 16 == 0
    assert len(filled) < 1.25 * rows + 16
    assert filled.sum() == 2 * rows
    assert len({len(level(torch.ones(n, 1))) for n in range(1, 641)}) <= 20


@pytest.mark.parametrize("scaling", [{}, {"rope_type": "linear", "factor": 2.0}])
def test_positions_follow_the_models_own_rule(scaling: dict[str, Any]) -> None:
    rope: Any = {"rope_parameters": {"rope_theta": 1e4, **scaling}} if scaling else {}
    model = llama(**rope)
    fast, prefix, text = FastLlama(model), ids(1, 5), ids(2, 30)
    found = fast.states(text, fast.prefix(prefix), (DEPTH,))[DEPTH]
    torch.testing.assert_close(found, plain(model, prefix, text), atol=2e-5, rtol=1e-4)


def test_padding_after_a_text_changes_nothing_before_it() -> None:
    fast = FastLlama(llama())
    kept, text = fast.prefix(ids(1, 4)), ids(1, 20)
    padded = torch.cat((text, torch.zeros(1, 7, dtype=torch.long)), dim=1)
    a, b = (fast.states(x, kept, (DEPTH,))[DEPTH][:, :20] for x in (text, padded))
    torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


def test_a_prefix_holds_no_more_memory_than_its_keys_and_values() -> None:
    for part in (part for layer in FastLlama(llama()).prefix(ids(1, 9)) for part in layer):
        assert part.untyped_storage().nbytes() == part.numel() * part.element_size()


def test_every_exit_is_read_after_its_layer() -> None:
    model = llama()
    fast, prefix, text = FastLlama(model), ids(1, 4), ids(2, 9)
    states = fast.states(text, fast.prefix(prefix), (1, DEPTH))
    shallow = llama(num_hidden_layers=1)
    shallow.load_state_dict(model.state_dict(), strict=False)
    torch.testing.assert_close(states[1], plain(shallow, prefix, text), atol=2e-5, rtol=1e-4)


def test_bfloat16_is_no_further_from_float32_than_transformers_is() -> None:
    exact, model = llama(), llama(torch.bfloat16)
    if not suits(model):
        pytest.skip("no bfloat16 products on this machine")
    fast, prefix, text = FastLlama(model), ids(1, 8), ids(8, 60)
    wanted = plain(exact, prefix, text)
    ours = (fast.states(text, fast.prefix(prefix), (DEPTH,))[DEPTH].float() - wanted).abs().mean()
    theirs = (plain(model, prefix, text).float() - wanted).abs().mean()
    assert ours < 1.5 * theirs


class Adapted(nn.Linear):
    """A map that computes more than its weight's product."""


@pytest.mark.parametrize("changes", [{"attention_bias": True}, {"hidden_act": "gelu"}])
def test_other_architectures_take_the_long_way(changes: dict[str, Any]) -> None:
    assert suits(llama())
    assert not suits(llama(**changes))


def test_quantised_or_adapted_maps_take_the_long_way() -> None:
    model: Any = llama()
    model.layers[1].mlp.up_proj = Adapted(48, 80, bias=False)
    assert not suits(model)
    assert not suits(llama(torch.float16))


def test_the_guard_takes_it_and_scores_as_without(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = [ToolOutput(text="mail from ana " * n, task="t") for n in (1, 3, 40)]
    quick = Guard.load(tiny_model, require_certified=False, dtype="float32")
    found = quick.score(outputs)
    assert quick._scorer._fast is not None
    monkeypatch.setattr("causalguard.guard.scorer.suits", lambda _: False)
    monkeypatch.setattr("causalguard.guard.api.able", lambda *_: False)
    slow = Guard.load(tiny_model, require_certified=False, dtype="float32")
    for a, b in zip(found, slow.score(outputs), strict=True):
        assert a.risk == pytest.approx(b.risk, abs=1e-6)
    assert slow._scorer._fast is None


def test_a_slimmed_guard_says_where_its_layers_are(tiny_model: Path) -> None:
    guard = Guard.load(tiny_model, require_certified=False, dtype="float32")
    with pytest.raises(RuntimeError, match="build_scorer"):
        guard._scorer.encoder(ids(1, 4))
