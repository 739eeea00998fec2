"""What of an attacker's message stands in a text, and what of the rest was taken out.

AgentDojo renders tool outputs as YAML, which folds lines and escapes characters, so texts are
compared word by word.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from causalguard.interventions.locate import locate
from causalguard.records import Span

RUN = 4
"""Words in a row that must stand in a text before it counts as carrying a message."""

Grams = frozenset[tuple[str, ...]]
"""Runs of words."""

_WORD = re.compile(r"\w+")
_CODE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|[nrt])")


def words(text: str) -> list[str]:
    """The words of a text; escapes such as ``\\n`` and ``\\u2026`` are read as characters."""
    return _WORD.findall(_CODE.sub(_plain, text))


def _plain(match: re.Match[str]) -> str:
    code = match.group(1) or match.group(2)
    return chr(int(code, 16)) if code else " "


@lru_cache(maxsize=4096)
def grams(text: str, n: int = RUN) -> Grams:
    """All runs of ``n`` words; the whole text when it has fewer."""
    found = words(text)
    if len(found) < n:
        return frozenset({tuple(found)} if found else ())
    return frozenset(tuple(found[i : i + n]) for i in range(len(found) - n + 1))


def payload_grams(payloads: Iterable[str], benign: Iterable[str]) -> Grams:
    """Runs of words that give an attack away: those of the attacker's that are nobody else's.

    Args:
        payloads: the attacker's messages.
        benign: the outputs of the same calls without an attack.
    """
    known = frozenset[tuple[str, ...]]().union(*(grams(text) for text in benign))
    return frozenset[tuple[str, ...]]().union(*(grams(text) for text in payloads)) - known


def carries(text: str, marks: Grams) -> bool:
    """Whether four words in a row of an attacker's message can be read in a text.

    On purpose strict with a guard: a rest of the message counts like the whole.
    """
    return bool(marks) and not marks.isdisjoint(grams(text))


def places(payloads: Iterable[str], text: str) -> list[Span]:
    """Every place where a message stands, modulo escaping and folding."""
    found = []
    for payload in dict.fromkeys(payloads):
        start = 0
        while (span := locate(payload, text[start:])) is not None:
            found.append(Span(start=start + span.start, end=start + span.end))
            start += span.end
    return sorted(found, key=lambda span: span.start)


def loses_benign(text: str, removed: Sequence[Span], attack: Sequence[Span]) -> bool:
    """Whether cutting ``removed`` took a word that is not the attacker's.

    Args:
        text: the original output.
        removed: what was cut.
        attack: where the attacker's messages stand.
    """
    keep = bytearray(len(text))
    for span in removed:
        keep[span.start : span.end] = b"\1" * (span.end - span.start)
    for span in attack:
        keep[span.start : span.end] = bytes(span.end - span.start)
    return any(flag and char.isalnum() for flag, char in zip(keep, text, strict=True))
