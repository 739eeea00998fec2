"""From risks per token to spans of characters."""

import numpy as np
from numpy.typing import NDArray

from causalguard.records import Span

JOIN_TOKENS = 4
"""Flagged tokens at most this far apart belong to one span."""


def risky_spans(
    token_risk: NDArray[np.float32],
    offsets: NDArray[np.int64],
    cut: float,
    *,
    join: int = JOIN_TOKENS,
) -> tuple[Span, ...]:
    """Spans of characters whose tokens have ``risk >= cut``, near ones joined.

    Args:
        token_risk: shape (n,), [0, 1].
        offsets: character ranges, shape (>= n, 2).
        cut: risk from which a token belongs to a span.
        join: tokens of lower risk bridged between two risky ones, >= 0.

    Returns: disjoint spans in the order of the text.
    """
    at = np.flatnonzero(token_risk >= cut)
    if not at.size:
        return ()
    breaks = np.flatnonzero(np.diff(at) > join + 1)
    firsts = at[np.concatenate(([0], breaks + 1))]
    lasts = at[np.concatenate((breaks, [at.size - 1]))]
    spans: list[Span] = []
    for first, last in zip(firsts, lasts, strict=True):
        start, end = int(offsets[first, 0]), int(offsets[last, 1])
        if spans and start <= spans[-1].end:  # tokens inside one character share their range
            start, end = spans[-1].start, max(end, spans[-1].end)
            spans.pop()
        if end > start:
            spans.append(Span(start=start, end=end))
    return tuple(spans)
