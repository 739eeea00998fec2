"""Find an injected string in a text that escaped or folded it."""

import html
import json
import re

from causalguard.records import Span


def locate(injection: str, text: str) -> Span | None:
    """Return where an injection stands in a text, modulo escaping and folding of white space.

    Tried in order: as it is; JSON-escaped (twice as well); Python-escaped; HTML-escaped; with
    quotes doubled (YAML, CSV); last, word by word with anything that folding or quoting may put
    between words.

    Args:
        injection: the string as the attacker wrote it.
        text: the tool output.

    Returns:
        The first place found, or None; None for a blank injection too.

    """
    wanted = injection.strip()
    if not wanted:
        return None
    for variant in _variants(wanted):
        at = text.find(variant)
        if at >= 0:
            return Span(start=at, end=at + len(variant))
    return _by_words(wanted, text)


def locate_all(injection: str, text: str) -> tuple[Span, ...]:
    """Return every place of an injection in a text, in order; see :func:`locate`."""
    found: list[Span] = []
    rest = [(0, len(text))]
    while rest:
        start, end = rest.pop()
        span = locate(injection, text[start:end])
        if span is not None:
            found.append(Span(start=start + span.start, end=start + span.end))
            rest += [(start, found[-1].start), (found[-1].end, end)]
    return tuple(sorted(found, key=lambda place: place.start))


def _variants(wanted: str) -> list[str]:
    plain = json.dumps(wanted, ensure_ascii=False)[1:-1]
    coded = json.dumps(wanted)[1:-1]
    return [
        wanted,
        plain,
        coded,
        json.dumps(plain, ensure_ascii=False)[1:-1],
        json.dumps(coded)[1:-1],
        repr(wanted)[1:-1],
        wanted.replace("\n", "\\n"),
        wanted.replace("\n", " "),
        html.escape(wanted, quote=False),
        html.escape(wanted),
        wanted.replace("'", "''"),
        wanted.replace('"', '""'),
    ]


def _by_words(wanted: str, text: str) -> Span | None:
    """Match the sequence of words with little else between them."""
    words = re.findall(r"\w+", wanted)
    if not words:
        return None
    gap = r"(?:[\W_]|\\[nrt]|\\u[0-9a-fA-F]{4}|&\w+;|&#x?\w+;|<br\s*/?>){0,60}?"
    pattern = gap.join(re.escape(word) for word in words)
    match = re.search(pattern, text)
    return Span(start=match.start(), end=match.end()) if match else None
