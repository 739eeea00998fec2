import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from causalguard.errors import ModelDirError
from causalguard.guard.api import Guard
from causalguard.guard.fast_llama import FastLlama, KeyValue
from causalguard.guard.scorer import Scored
from causalguard.guard.template import Template, Tokens
from causalguard.guard.views import DEPTH, views
from causalguard.records import ToolOutput

PAYLOAD = "the mail from ana says the meeting is on friday"
ENCODED = base64.b64encode(PAYLOAD.encode()).decode()
PLAIN = ["", "hi", PAYLOAD, "the meeting is on friday " * 9, "é — “x”", "x" * 300]
Edit = Callable[[Path, Callable[[bytes], bytes]], None]


class CountingLayers(FastLlama):
    """Counts the tokens that are asked of it, prefix and padding (token 0) left out."""

    tokens = 0

    def pieces(
        self, ids: torch.Tensor, prefix: Sequence[KeyValue], exits: Sequence[int], n: int
    ) -> list[Callable[[], dict[int, torch.Tensor]]]:
        self.tokens += int((ids != 0).sum())
        return super().pieces(ids, prefix, exits, n)


@pytest.fixture
def guard(tiny_model: Path) -> Guard:
    return Guard.load(tiny_model, require_certified=False, dtype="float32")


def count(guard: Guard, text: str, *, with_views: bool = True) -> tuple[int, Scored]:
    scorer = guard._scorer
    layers = scorer._fast
    assert layers is not None
    layers.__class__ = CountingLayers
    assert isinstance(layers, CountingLayers)
    layers.tokens, scorer.with_views = 0, with_views
    (scored,) = guard.score([ToolOutput(text=text, task="t")])
    return layers.tokens, scored


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_without_views_has_the_risk_and_the_cost_of_its_raw_view(
    guard: Guard, text: str
) -> None:
    (with_tokens, a), (without_tokens, b) = count(guard, text), count(guard, text, with_views=False)
    assert with_tokens == without_tokens
    assert (a.risk, a.coverage, a.views) == (b.risk, b.coverage, ())
    np.testing.assert_array_equal(a.token_risk, b.token_risk)


def test_the_risk_is_the_maximum_over_the_raw_view_and_what_others_decode(guard: Guard) -> None:
    text = f"{'q w ' * 20} {ENCODED} {'z ' * 40}"
    _, scored = count(guard, text)
    _, raw = count(guard, text, with_views=False)
    (view,) = views(text)
    _, decoded = count(guard, view.text, with_views=False)
    counts = view.counts(decoded.offsets)
    assert 0 < counts.sum() < len(counts)
    expected = np.where(counts, decoded.token_risk, 0)
    np.testing.assert_allclose(scored.views[0].token_risk, expected, atol=1e-6)
    assert scored.risk == pytest.approx(max(raw.risk, expected.max()), abs=1e-6)
    np.testing.assert_allclose(scored.token_risk, raw.token_risk, atol=1e-6)


def test_a_verdict_from_a_view_points_at_the_encoded_run_and_says_so(guard: Guard) -> None:
    text = f"xx {ENCODED} yy"
    _, scored = count(guard, text)
    loud = scored.views[0].token_risk
    loud[:] = 0.0
    loud[len(loud) // 2] = scored_risk = 0.99
    quiet = np.zeros_like(scored.token_risk)
    rigged = replaced(scored, risk=scored_risk, flagged=True, token_risk=quiet)
    verdict = guard._verdict(ToolOutput(text=text), rigged)
    assert verdict.reason.endswith("in a decoded view")
    assert any(text[s.start : s.end].count(ENCODED) for s in verdict.spans)


def replaced(scored: Scored, **changes: object) -> Scored:
    from dataclasses import replace

    return replace(scored, **changes)  # type: ignore[arg-type]


def test_views_cost_at_most_a_constant_times_the_raw_text(guard: Guard) -> None:
    for text in (ENCODED, base64.b64encode(ENCODED.encode()).decode(), "\u200b".join(PAYLOAD)):
        spent, _ = count(guard, text)
        raw, _ = count(guard, text, with_views=False)
        assert raw < spent <= (1 + DEPTH) * raw


def test_a_text_beyond_the_limit_is_not_decoded(guard: Guard) -> None:
    text = " ".join([ENCODED] * 40)
    (spent, a), (raw, _) = count(guard, text), count(guard, text, with_views=False)
    assert spent == raw
    assert a.coverage < 1
    assert a.flagged


def test_a_view_beyond_the_limit_lowers_the_coverage_and_is_flagged(guard: Guard) -> None:
    limit = guard._scorer.spec.max_tokens
    text = "𝟙" + "㍿" * 60 + "".join(chr(0x1D41A + i % 26) for i in range(20))
    template: Template = guard._scorer.template
    n, m = len(template.tokens(text).ids), len(template.tokens(views(text)[0].text).ids)
    assert n <= limit
    guard._scorer.spec = type(guard._scorer.spec)(tokens=16, stride=12, max_tokens=min(n, m) - 1)
    (scored,) = guard.score([ToolOutput(text=text, task="t")])
    assert scored.coverage < 1
    assert scored.flagged


def test_a_model_of_scoring_version_one_is_scored_raw(tiny_model: Path, edit: Edit) -> None:
    def old(data: bytes) -> bytes:
        info = json.loads(data)
        assert info["scoring_version"] == 3
        return json.dumps({**info, "scoring_version": 1}).encode()

    new = Guard.load(tiny_model, require_certified=False, dtype="float32")
    edit(tiny_model / "guard.json", old)
    before = Guard.load(tiny_model, require_certified=False, dtype="float32")
    assert before.identity != new.identity
    outputs = [ToolOutput(text=ENCODED, task="t")]
    assert new.score(outputs)[0].views
    assert not before.score(outputs)[0].views


def test_half_a_surrogate_pair_is_scored_as_an_unknown_character(guard: Guard) -> None:
    whole, half = guard.score(
        [ToolOutput(text="the \ufffd mail", task="t"), ToolOutput(text="the \ud800 mail", task="t")]
    )
    assert whole.risk == half.risk
    guard.score([ToolOutput(text="x", task="a \udc00 task", system="\udfff")])


def test_a_text_that_gives_no_token_is_flagged_as_not_scanned(guard: Guard) -> None:
    class Mute(Template):
        def tokens(self, text: str) -> Tokens:
            nothing = np.zeros(0, dtype=np.int64)
            return Tokens(ids=nothing, offsets=nothing.reshape(0, 2))

    guard._scorer.template.__class__ = Mute
    mute, empty = guard.scan([ToolOutput(text="\x04\x06"), ToolOutput(text="")])
    assert (mute.flagged, mute.coverage) == (True, 0.0)
    assert "nothing scanned" in mute.reason
    assert (empty.flagged, empty.coverage) == (False, 1.0)


def test_a_model_of_scoring_version_two_is_refused_with_the_remedy(
    tiny_model: Path, edit: Edit
) -> None:
    edit(
        tiny_model / "guard.json",
        lambda data: json.dumps({**json.loads(data), "scoring_version": 2}).encode(),
    )
    with pytest.raises(ModelDirError, match="train it with this release"):
        Guard.load(tiny_model, require_certified=False)
