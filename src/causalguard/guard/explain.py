"""What a flagged span does to the risk: the text is scored again with spans taken out.

Risk per token says where the guard looked.  Whether a span *causes* the verdict is the effect of
do(span = none), which one more scan measures.  Two injections that each suffice hide each other's
effect while the other stands, so the effect is also measured with all other spans gone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from causalguard.records import Span

MAX_SPANS = 8
"""Spans examined in one text; the longest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The causal effect of one span on the risk of its text."""

    span: Span
    """The span, in characters of the text."""
    change: float
    """Risk with it less risk without it, [-1, 1]; the larger of: others kept, others gone."""
    confirmed: bool
    """Whether, in one of these two, the text is flagged with the span and not without."""


def variants(text: str, spans: Sequence[Span]) -> list[str]:
    """The texts that :func:`effects` needs scored, in its order.

    One span: the text without it.  More: without each, without all, and with each alone.
    """
    without = [remove(text, [span]) for span in spans]
    if len(spans) < 2:
        return without
    alone = [remove(text, [other for other in spans if other != span]) for span in spans]
    return [*without, remove(text, spans), *alone]


def effects(
    spans: Sequence[Span], risk: float, risks: Sequence[float], threshold: float
) -> tuple[Effect, ...]:
    """Effects of spans from the risks of :func:`variants`.

    Args:
        spans: the spans.
        risk: of the whole text, [0, 1].
        risks: of the variants, in order.
        threshold: risk from which a text is flagged.
    """
    n = len(spans)
    found = []
    for index, span in enumerate(spans):
        pairs = [(risk, risks[index])]
        if n > 1:
            pairs.append((risks[n + 1 + index], risks[n]))
        found.append(
            Effect(
                span=span,
                change=max(kept - gone for kept, gone in pairs),
                confirmed=any(kept >= threshold > gone for kept, gone in pairs),
            )
        )
    return tuple(found)


def explain(
    text: str,
    spans: Sequence[Span],
    *,
    risk: float,
    threshold: float,
    score: Callable[[list[str]], list[float]],
) -> tuple[Effect, ...]:
    """Measure the effects of spans by scoring the text without them.

    Args:
        text: the text that was flagged.
        spans: its spans, disjoint; beyond :data:`MAX_SPANS` the longest are taken.
        risk: its risk, [0, 1].
        threshold: risk from which a text is flagged.
        score: risks of texts, in order.

    Returns:
        One effect per span examined, in the order of the text.
    """
    longest = sorted(spans, key=lambda s: s.start - s.end)[:MAX_SPANS]
    chosen = sorted(longest, key=lambda s: s.start)
    return effects(chosen, risk, score(variants(text, chosen)), threshold)


def remove(text: str, spans: Sequence[Span]) -> str:
    """Cut spans out of a text.

    Args:
        text: the original.
        spans: character ranges in it, in any order; they may overlap.

    Returns:
        What is left, in order, nothing put in its place.
    """
    parts = []
    position = 0
    for span in sorted(spans, key=lambda span: span.start):
        parts.append(text[position : max(position, span.start)])
        position = max(position, span.end)
    return "".join([*parts, text[position:]])
