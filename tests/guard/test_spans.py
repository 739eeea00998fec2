import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from causalguard.guard.spans import risky_spans
from causalguard.records import Span


def at(*risks: float, join: int = 1) -> list[tuple[int, int]]:
    offsets = np.array([[3 * i, 3 * i + 3] for i in range(len(risks))])
    found = risky_spans(np.array(risks, dtype=np.float32), offsets, 0.5, join=join)
    return [(s.start, s.end) for s in found]


def test_near_tokens_are_joined_and_far_ones_are_not() -> None:
    assert at(0.9, 0.1, 0.9, 0.1, 0.1, 0.9) == [(0, 9), (15, 18)]


def test_a_span_reaches_as_far_as_risk_stays_up() -> None:
    offsets = np.array([[3 * i, 3 * i + 3] for i in range(6)])
    risks = np.array([0.1, 0.6, 0.95, 0.6, 0.1, 0.1], dtype=np.float32)
    assert risky_spans(risks, offsets, 0.9) == (Span(start=3, end=12),)


def test_risk_that_never_reaches_the_cut_gives_no_span() -> None:
    offsets = np.array([[3 * i, 3 * i + 3] for i in range(12)])
    risks = np.array([0.95, *[0.1] * 9, 0.7, 0.7], dtype=np.float32)
    assert risky_spans(risks, offsets, 0.9) == (Span(start=0, end=3),)


def test_no_risky_token_gives_no_span() -> None:
    assert at(0.1, 0.2) == []


def test_two_tokens_of_one_character_give_one_span() -> None:
    offsets = np.array([[0, 2], [1, 2]])
    assert risky_spans(np.array([0.9, 0.9], dtype=np.float32), offsets, 0.5) == (
        Span(start=0, end=2),
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80), st.integers(0, 5))
def test_spans_hold_every_risky_token_and_are_disjoint(risks: list[float], join: int) -> None:
    spans = at(*risks, join=join)
    for i, risk in enumerate(np.array(risks, dtype=np.float32)):
        if risk >= 0.5:
            assert any(a <= 3 * i and 3 * i + 3 <= b for a, b in spans)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))
