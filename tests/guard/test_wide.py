"""The way through a GPU, taken on a CPU: the same results as the other way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from causalguard.guard import wide
from causalguard.guard.api import build_scorer
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.scorer import Scorer
from causalguard.records import ToolOutput

TEXTS = ["", "hi", "the meeting is on friday " * 9, "x" * 300, "%74%68%65 mail from %61%6e%61"]


@pytest.fixture
def scorer(tiny_model: Path) -> Scorer:
    return build_scorer(read_model_dir(tiny_model), device="cpu", dtype=torch.float32)


def outputs() -> list[ToolOutput]:
    tasks = ("read the mail", "what is on friday", "the meeting " * 20)
    return [ToolOutput(text=text, task=task, system="be good") for text in TEXTS for task in tasks]


@pytest.mark.parametrize("batch_tokens", [1, 150, 100_000])
def test_both_ways_give_the_same_result(scorer: Scorer, batch_tokens: int) -> None:
    narrow = scorer.score(outputs())
    scorer.wide, scorer.batch_tokens = True, batch_tokens
    for a, b in zip(narrow, scorer.score(outputs()), strict=True):
        assert (a.n_tokens, a.coverage, a.flagged) == (b.n_tokens, b.coverage, b.flagged)
        assert a.risk == pytest.approx(b.risk, abs=1e-5)
        np.testing.assert_allclose(a.token_risk, b.token_risk, atol=1e-5)
        np.testing.assert_allclose(a.representation, b.representation, atol=1e-4)
        np.testing.assert_allclose(a.mean, b.mean, atol=1e-4)
        assert len(a.views) == len(b.views)


def test_a_decoded_view_is_read_and_its_undecoded_tokens_do_not_count(scorer: Scorer) -> None:
    scorer.wide = True
    text = "the meeting is on friday " * 20 + TEXTS[-1]
    (found,) = scorer.score([ToolOutput(text=text, task="t")])
    (view,) = found.views
    assert 0 < (view.token_risk > 0).sum() < len(view.token_risk)


def test_the_representation_is_that_of_the_token_of_highest_risk(scorer: Scorer) -> None:
    row = wide.Row(prefix=(5, 6, 7), ids=np.arange(20) + 3, counts=np.arange(20) >= 4)
    (found,) = wide.read(scorer.encoder, scorer.exit, [row], 100)
    with torch.inference_mode():
        ids = torch.tensor([[*row.prefix, *row.ids.tolist()]])
        r, logits = scorer.encoder(ids)[scorer.exit]
    risk = torch.sigmoid(logits[0, 3:]).numpy()
    assert not found.risk[:4].any()
    np.testing.assert_allclose(found.risk[4:], risk[4:], atol=1e-6)
    np.testing.assert_allclose(found.r, r[0, 3 + 4 + int(risk[4:].argmax())].numpy(), atol=1e-5)


@given(sizes=st.lists(st.integers(1, 400), max_size=60), tokens=st.integers(1, 3000))
def test_every_row_is_in_one_batch_and_batches_hold_little_padding(
    sizes: list[int], tokens: int
) -> None:
    rows = [wide.Row(prefix=(1,), ids=np.zeros(n, np.int64), counts=None) for n in sizes]
    found = list(wide.batches(rows, tokens))
    assert sorted(k for batch in found for k in batch) == list(range(len(rows)))
    for batch in found:
        area = len(batch) * max(len(rows[k]) for k in batch)
        padding = area - sum(len(rows[k]) for k in batch)
        assert len(batch) == 1 or (area <= tokens and padding <= area // wide.PADDING)
