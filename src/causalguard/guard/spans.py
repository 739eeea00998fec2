"""From risks per token to spans of characters."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from causalguard.records import Span

JOIN_TOKENS = 4
"""Flagged tokens at most this far apart belong to one span."""
EDGE = 0.5
"""A span reaches as far as risk stays at or above this: tokens inside an injection more likely
than not.  The threshold is far above it, so cutting spans there would leave their ends behind."""


def risky_spans(
    token_risk: NDArray[np.float32],
    offsets: NDArray[np.int64],
    cut: float,
    *,
    edge: float = EDGE,
    join: int = JOIN_TOKENS,
) -> tuple[Span, ...]:
    """Spans of characters around tokens with ``risk >= cut``, as far as risk stays up.

    Hysteresis, as in edge detection (Canny 1986): tokens at or above ``edge`` form spans, near
    ones are joined, and those that hold a token at or above ``cut`` are kept.

    Args:
        token_risk: shape (n,), [0, 1].
        offsets: character ranges, shape (>= n, 2).
        cut: risk that a span must reach, [0, 1].
        edge: risk from which a token belongs to a span, [0, 1]; ``cut`` if that is lower.
        join: tokens of lower risk bridged between two risky ones, >= 0.

    Returns: disjoint spans in the order of the text.
    """
    at = np.flatnonzero(token_risk >= min(edge, cut))
    if not at.size:
        return ()
    breaks = np.flatnonzero(np.diff(at) > join + 1)
    firsts = at[np.concatenate(([0], breaks + 1))]
    lasts = at[np.concatenate((breaks, [at.size - 1]))]
    spans: list[Span] = []
    for first, last in zip(firsts, lasts, strict=True):
        if token_risk[first : last + 1].max() < cut:
            continue
        start, end = int(offsets[first, 0]), int(offsets[last, 1])
        if spans and start <= spans[-1].end:  # tokens inside one character share their range
            start, end = spans[-1].start, max(end, spans[-1].end)
            spans.pop()
        if end > start:
            spans.append(Span(start=start, end=end))
    return tuple(spans)


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans that overlap or touch made one, in the order of the text."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, s.end)):
        if kept and span.start <= kept[-1].end:
            kept[-1] = Span(start=kept[-1].start, end=max(kept[-1].end, span.end))
        else:
            kept.append(span)
    return tuple(kept)
