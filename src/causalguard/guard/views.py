"""Views: deterministic re-readings of a text that are scored beside the text itself.

A view undoes what hides words from a reader: see folding.py, decoding.py and spelling.py.  It
holds only the
places that change, with a little around them, and none is made where nothing is hidden.  What is
around them is there to be understood, not to be judged: a sentence cut short means other things
than the whole, which the raw view has read.  The places do not overlap, so a view is never much
longer than what it was read from; a view is re-read once more, for what was encoded twice.  So a
text costs at most three times itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalguard.guard.decoding import decoding_edits
from causalguard.guard.folding import Edit, unicode_edits
from causalguard.guard.spelling import Spelling

DEPTH = 2
"""Views of one text: encoded once, encoded twice."""
CONTEXT = 600
"""Characters kept on either side of a place that changes: about half a window."""
NEAR = 32
"""Characters on either side of an edit that count as changed with it."""
EVIDENCE = 4
"""Letters that must come to light in a place for it to be re-read."""

LEAST = 12
"""Characters of a reading below which another one that covers it makes it superfluous."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A re-reading of a text, and where each of its characters comes from."""

    text: str
    """What is scored; never empty."""
    starts: Integers
    """First character of the original behind each character, shape (len(text),), rising."""
    ends: Integers
    """One past the last, likewise: a decoded character stands for its whole encoded run."""
    changed: NDArray[np.bool_]
    """Whether each character is new, or near one that is: only there does risk count."""

    def original(self, offsets: Integers) -> Integers:
        """Ranges of characters of the view, shape (n, 2), as ranges of the original."""
        if not len(offsets):
            return offsets
        first = np.minimum(offsets[:, 0], len(self.text) - 1)
        last = np.maximum(offsets[:, 1] - 1, first)
        return np.stack([self.starts[first], self.ends[last]], axis=1)

    def counts(self, offsets: Integers) -> NDArray[np.bool_]:
        """Whether ranges of characters of the view, shape (n, 2), hold changed ones, shape (n,)."""
        before = np.concatenate([[0], np.cumsum(self.changed)])
        whole = before[np.maximum(offsets[:, 1], offsets[:, 0])] > before[offsets[:, 0]]
        return np.asarray(whole, dtype=np.bool_)


def views(text: str, spelling: Spelling | None = None) -> tuple[View, ...]:
    """The views of a text, at most :data:`DEPTH`; none for ordinary text.

    Args:
        text: what a tool returned.
        spelling: the words that careless spelling is put right to; None: it stays.

    Returns: views whose positions are characters of ``text``.
    """
    found: list[View] = []
    while len(found) < DEPTH:
        current = found[-1] if found else None
        view = _reread(current.text if current else text, spelling)
        if view is None:
            break
        if current:
            inner = np.stack([view.starts, view.ends], axis=1)
            ranges, changed = current.original(inner), view.changed | current.counts(inner)
            view = View(text=view.text, starts=ranges[:, 0], ends=ranges[:, 1], changed=changed)
        found.append(view)
    return tuple(found)


def _reread(text: str, spelling: Spelling | None) -> View | None:
    edits = [*decoding_edits(text), *unicode_edits(text)]
    if spelling is not None:
        edits += spelling.edits(text)
    places = _places(_disjoint(edits))
    writer = _Writer(text)
    for place in places:
        if sum(e.letters for e in place) >= EVIDENCE:
            writer.place(place)
    return writer.view()


def _disjoint(edits: list[Edit]) -> list[Edit]:
    """Edits in the order of the text; those that overlap as one that says what each says."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda e: (e.start, -e.end)):
        if kept and edit.start < kept[-1].end:
            kept[-1] = _joined(kept[-1], edit)
        else:
            kept.append(edit)
    return kept


def _joined(one: Edit, two: Edit) -> Edit:
    """What hides behind another reading of the same place must come to light too."""
    end = max(one.end, two.end)
    if two.end <= one.end and (len(two.text) < LEAST or two.text in one.text):
        return one
    if one.text in two.text:
        return Edit(one.start, end, two.text, max(one.letters, two.letters))
    return Edit(one.start, end, f"{one.text} {two.text}", one.letters + two.letters)


def _places(edits: list[Edit]) -> list[list[Edit]]:
    """Edits so far apart that what is kept around them does not meet."""
    places: list[list[Edit]] = []
    for edit in edits:
        if places and edit.start - places[-1][-1].end <= 2 * CONTEXT:
            places[-1].append(edit)
        else:
            places.append([edit])
    return places


class _Writer:
    """Writes places of a text one after the other, with the origin of every character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.edits: list[tuple[int, int]] = []

    def place(self, edits: list[Edit]) -> None:
        at = max(0, edits[0].start - CONTEXT)
        stop = min(len(self.text), edits[-1].end + CONTEXT)
        if self.parts:
            self._write("\n", [at], [at])
        hidden = None  # where invisible characters began: they belong to what follows them
        for edit in edits:
            if edit.start > at:
                self._copy(at, edit.start, hidden)
                hidden = None
            at = edit.end
            start = edit.start if hidden is None else hidden
            hidden = None if edit.text else start
            n = len(edit.text)
            self.edits.append((len(self.starts), len(self.starts) + n))
            self._write(edit.text, [start] * n, [edit.end] * n)
        if stop > at:
            self._copy(at, stop, hidden)

    def _copy(self, at: int, stop: int, hidden: int | None) -> None:
        first = at if hidden is None else hidden
        self._write(self.text[at:stop], [first, *range(at + 1, stop)], range(at + 1, stop + 1))

    def _write(self, text: str, starts: Iterable[int], ends: Iterable[int]) -> None:
        self.parts.append(text)
        self.starts.extend(starts)
        self.ends.extend(ends)

    def view(self) -> View | None:
        text = "".join(self.parts)
        if not text.strip():
            return None
        starts, ends = np.array(self.starts, np.int64), np.array(self.ends, np.int64)
        edges = np.zeros(len(text) + 1, np.int64)
        edits = np.array(self.edits, np.int64)
        np.add.at(edges, np.maximum(edits[:, 0] - NEAR, 0), 1)
        np.add.at(edges, np.minimum(edits[:, 1] + NEAR, len(text)), -1)
        changed = np.cumsum(edges)[:-1] > 0
        return View(text=text, starts=starts, ends=ends, changed=changed)
