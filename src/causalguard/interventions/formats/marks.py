"""Marks that ride through rendering and say where the payload came out.

A payload goes into the document between marks, is escaped and laid out like any other text, and
afterwards the marks give its span and the piece to cut out to get the benign text back.  They
are Unicode noncharacters, which no text may hold (Unicode 15, section 23.7).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from causalguard.records import Span

OPEN, START, END, CLOSE = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"
"""Begin of what was inserted, of the payload; end of the payload, of what was inserted."""

_MARKS = re.compile("[\ufdd0-\ufdd3]")
_SPLIT = re.compile("([\ufdd0-\ufdd3])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A text with a payload in it."""

    text: str
    """What the tool returned."""
    span: Span
    """Where the payload stands in ``text``, after escaping."""
    without: str
    """The same text with the payload, and the separators that belong to it, cut out."""


def clean(text: str) -> str:
    """Return text without marks (and other noncharacters that would pass for marks)."""
    return _MARKS.sub("", text)


def marked(text: str) -> bool:
    """Return True if the text carries a payload, so that its style must not depend on content."""
    return START in text


def segments(text: str) -> list[str]:
    """Cut text at the marks; the marks are kept as pieces of their own."""
    return _SPLIT.split(text)


def finish(text: str) -> Rendered | None:
    """Read the marks of a rendered text; None if the payload did not come out once and whole."""
    places = [text.find(mark) for mark in (START, END)]
    if min(places) < 0 or places[0] + 1 >= places[1] or text.count(START) != 1:
        return None
    start, end = places
    opened, closed = text.find(OPEN), text.rfind(CLOSE)
    if opened < 0 or not opened < start < end < closed:
        opened, closed = start, end
    span_start = len(clean(text[:start]))
    span = Span(start=span_start, end=span_start + len(clean(text[start:end])))
    return Rendered(text=clean(text), span=span, without=clean(text[:opened] + text[closed:]))


def join(pieces: Sequence[tuple[str, bool]], separator: str) -> str:
    """Join pieces; the separator next to an own piece is cut out together with it.

    Args:
        pieces: text, and True for the piece that is nothing but the payload (at most one).
        separator: what stands between pieces.

    """
    own = next((index for index, (_, is_own) in enumerate(pieces) if is_own), None)
    texts = [text for text, _ in pieces]
    if own is None:
        return separator.join(texts)
    before, after = separator.join(texts[:own]), separator.join(texts[own + 1 :])
    if own > 0:
        rest = separator + after if own + 1 < len(texts) else ""
        return f"{before}{OPEN}{separator}{texts[own]}{CLOSE}{rest}"
    if own + 1 < len(texts):
        return f"{OPEN}{texts[own]}{separator}{CLOSE}{after}"
    return f"{OPEN}{texts[own]}{CLOSE}"


def wrap(text: str, width: int, indent: str = "") -> str:
    """Break lines at spaces so that what stands around the payload wraps the same without it."""
    if not width:
        return text
    out, column = [], 0
    resume = 0
    begin = OPEN if OPEN in text else START
    for piece in segments(text):
        if _MARKS.fullmatch(piece or ""):
            # What follows goes on from the column in which the cut began, whatever the payload.
            if piece == begin:
                resume = column
            elif piece in {END, CLOSE}:
                column = resume
            out.append(piece)
            continue
        for word in re.split(r"( |\n)", piece):
            if word == "\n" or (word == " " and column >= width):
                out.append("\n" + indent)
                column = 0
            else:
                out.append(word)
                column += len(word)
    return "".join(out)
