from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from causalguard.guard.native_decode import Settings, TextStream, choose

TEXT = st.text(alphabet="abc é漢", max_size=30)


def as_bytes(ids: Sequence[int]) -> str:
    """One token a byte: the hardest case for characters."""
    return bytes(ids).decode("utf-8", errors="replace")


def streamed(text: str, stop: tuple[str, ...]) -> list[str]:
    stream = TextStream(as_bytes, stop)
    parts = []
    for token in text.encode():
        parts.append(stream.add(token))
        if stream.stopped:
            return parts
    return [*parts, stream.rest()]


@given(TEXT, st.lists(st.text(alphabet="abc é", min_size=1, max_size=4), max_size=3))
def test_what_is_streamed_is_the_text_up_to_the_first_stop(text: str, stop: list[str]) -> None:
    shown = "".join(streamed(text, tuple(stop)))
    # a stop is seen when it is complete: of two, the one that ends first
    ends = [text.find(s) + len(s) for s in stop if s in text]
    seen = text[: min(ends)] if ends else text
    starts = [seen.find(s) for s in stop if s in seen]
    assert shown == (seen[: min(starts)] if starts else text)


def test_a_character_is_shown_when_it_is_whole() -> None:
    assert [p for p in streamed("a漢b", ()) if p] == ["a", "漢", "b"]


def test_nothing_that_may_begin_a_stop_is_shown_early() -> None:
    stream = TextStream(as_bytes, ("END",))
    assert [stream.add(b) for b in b"xEN"] == ["x", "", ""]
    assert stream.add(ord("!")) == "EN!"


def test_temperature_zero_takes_the_likeliest_token() -> None:
    logits = torch.tensor([0.0, 3.0, 1.0])
    assert choose(logits, Settings(), torch.Generator()) == 1


def test_top_p_never_draws_from_the_tail_and_keeps_the_likeliest() -> None:
    logits, generator = torch.tensor([5.0, 4.9, -3.0]), torch.Generator().manual_seed(0)
    drawn = {choose(logits, Settings(temperature=1.0, top_p=0.9), generator) for _ in range(60)}
    assert drawn == {0, 1}
    narrow = Settings(temperature=1.0, top_p=1e-6)
    assert {choose(logits, narrow, generator) for _ in range(9)} == {0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tokens": 0},
        {"temperature": -1.0},
        {"top_p": 0.0},
        {"time_limit_s": 0.0},
        {"stop": ("",)},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]
