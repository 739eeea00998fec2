"""do(I): put a payload into a document at one place, and change nothing else.

A :class:`Site` fixes document, format, style and place.  Every payload put there is escaped and
laid out by the same code, so the members of a matched set differ in the payload only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeVar

from causalguard.interventions.carriers.document import Block, BlockKind, Document, Field, Manner
from causalguard.interventions.carriers.draw import Draw
from causalguard.interventions.formats import FORMATS, Rendered, Style, render
from causalguard.interventions.formats.marks import CLOSE, END, OPEN, START, clean, finish

T = TypeVar("T")

Third = Literal["head", "middle", "tail"]
THIRDS: tuple[Third, ...] = ("head", "middle", "tail")

_BREAK = re.compile(r"(?<=[.!?。।])[ ]?|\n")
_IMITATED = frozenset({"message", "item", "step", "line", "quote"})
_REPLACEABLE = range(8, 900)
_HIDING: Mapping[str, tuple[Manner, ...]] = {
    "html": ("comment", "hidden", "attribute"),
    "markdown": ("comment", "hidden", "attribute"),
    "xml": ("comment",),
    "yaml": ("comment",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in a document where an outsider's text can stand."""

    where: Literal["head", "block", "cell", "own"]
    """A field, a block, a cell of a row, or a block of its own."""
    index: int
    """Which field, block or row; for own blocks, before which block."""
    column: int = 0
    """Which cell of the row."""
    at: int = -1
    """Character of the text at which it is inserted; -1: it replaces the text."""
    lead: str = ""
    """Separator before the payload."""
    tail: str = ""
    """Separator after it."""
    manner: Manner = "block"
    """How an own block hides."""
    prefix: str = ""
    """Put before every line of the payload but the first (comments in code)."""

    @property
    def label(self) -> str:
        """Level of the nuisance factor ``place``."""
        if self.manner != "block":
            return self.manner
        if self.where == "own":
            return "own-block"
        if self.at < 0:
            return "whole-field"
        return "comment" if self.prefix else "in-text"


class Placeable(Protocol):
    """Anywhere a payload can be put."""

    def put(self, payload: str) -> Rendered | None:
        """Return the text with the payload in it; None if it cannot stand there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One place in one rendering of one document."""

    document: Document
    """The data."""
    format_name: str
    """A key of ``FORMATS``."""
    style: Style
    """The renderer's choices."""
    tool: str
    """Name of the tool, for envelopes that print it."""
    slot: Slot
    """Where the payload goes."""

    def put(self, payload: str) -> Rendered | None:
        """Return the rendered text with the payload in it; None if it did not come out whole.

        Args:
            payload: what to insert, not blank.

        """
        document = place(self.document, self.slot, payload)
        return finish(render(document, self.format_name, self.style, self.tool))


def place(document: Document, slot: Slot, text: str, *, marked: bool = True) -> Document:
    """Return the document with a text in the slot; the given one is not changed.

    Args:
        document: where to put it.
        slot: from :func:`choose_slot` for this document.
        text: what to put there.
        marked: leave the marks by which :func:`formats.marks.finish` finds it after rendering.

    """
    body = clean(text).strip()
    if slot.prefix:
        body = body.replace("\n", "\n" + slot.prefix)
    core = f"{START}{body}{END}" if marked else body
    if slot.where == "own":
        block = _own_block(document, slot, core)
        blocks = (*document.blocks[: slot.index], block, *document.blocks[slot.index :])
        return replace(document, blocks=blocks)
    if slot.where == "block":
        old = document.blocks[slot.index]
        new = replace(old, text=_spliced(old.text, slot, core))
        return replace(document, blocks=_with(document.blocks, slot.index, new))
    if slot.where == "head":
        fields = _with(document.head, slot.index, _field(document.head[slot.index], slot, core))
        return replace(document, head=fields)
    row = document.rows[slot.index]
    row = _with(row, slot.column, _field(row[slot.column], slot, core))
    return replace(document, rows=_with(document.rows, slot.index, row))


def _own_block(document: Document, slot: Slot, core: str) -> Block:
    """A block like its neighbours: a message among messages, an item among items."""
    near = document.blocks[max(slot.index - 1, 0) : slot.index + 1]
    kind: BlockKind = "text"
    when = ""
    if near and slot.manner == "block" and near[-1].kind in _IMITATED:
        kind, when = near[-1].kind, near[-1].when
    return Block(text=core, kind=kind, when=when, own=START in core, manner=slot.manner)


def _with(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])


def _field(field: Field, slot: Slot, core: str) -> Field:
    return replace(field, value=_spliced(str(field.value), slot, core))


def _spliced(text: str, slot: Slot, core: str) -> str:
    if slot.at < 0:
        return core
    inserted = f"{slot.lead}{core}{slot.tail}"
    if START in core:
        inserted = f"{OPEN}{inserted}{CLOSE}"
    return text[: slot.at] + inserted + text[slot.at :]


@dataclass(frozen=True, slots=True)
class _Leaf:
    where: Literal["head", "block", "cell"]
    index: int
    column: int
    text: str
    code: bool
    begin: float
    """Where it begins, as a share of all text."""


def _leaves(document: Document) -> tuple[list[_Leaf], list[float]]:
    """Free texts of a document in reading order, and where each block begins (as shares)."""
    found: list[tuple[Literal["head", "block", "cell"], int, int, str, bool, int]] = []
    starts: list[int] = []
    at = 0
    for index, field in enumerate(document.head):
        if field.free and isinstance(field.value, str):
            found.append(("head", index, 0, field.value, False, at))
        at += len(str(field.value)) + len(field.key) + 3
    for index, block in enumerate(document.blocks):
        starts.append(at)
        found.append(("block", index, 0, block.text, block.kind == "code", at))
        at += len(block.text) + 2
    starts.append(at)
    for index, row in enumerate(document.rows):
        for column, field in enumerate(row):
            if field.free and isinstance(field.value, str):
                found.append(("cell", index, column, field.value, False, at))
            at += len(str(field.value)) + 3
    total = max(at, 1)
    return [_Leaf(*entry[:5], entry[5] / total) for entry in found], [s / total for s in starts]


def choose_slot(
    document: Document, format_name: str, draw: Draw, *, third: Third, whole: bool
) -> Slot:
    """Return a slot in the wanted third of a document, as near as its texts allow.

    Args:
        document: where to look.
        format_name: decides which ways of hiding there are.
        draw: source of every choice.
        third: part of the text in which the payload should stand.
        whole: replace a whole text rather than insert into one, where one is short enough.

    """
    aim = (THIRDS.index(third) + draw.unit()) / 3
    leaves, starts = _leaves(document)
    if whole:
        short = [leaf for leaf in leaves if len(leaf.text) in _REPLACEABLE and not leaf.code]
        if short:
            leaf = min(short, key=lambda one: abs(one.begin - aim))
            return Slot(where=leaf.where, index=leaf.index, column=leaf.column)
    hiding = _HIDING.get(format_name, ())
    if not document.bare and (not leaves or draw.chance(0.6 if hiding else 0.35)):
        index = min(range(len(starts)), key=lambda at: abs(starts[at] - aim))
        manner: Manner = "block"
        if hiding and draw.chance(0.6):
            manner = draw.pick(hiding)
        return Slot(where="own", index=index, manner=manner)
    return _inside(min(leaves, key=lambda one: abs(one.begin - aim)), draw, third)


def _inside(leaf: _Leaf, draw: Draw, third: Third) -> Slot:
    ends = [match.end() for match in _BREAK.finditer(leaf.text)]
    places = [0, *ends, len(leaf.text)]
    if leaf.code:
        return _in_code(leaf, draw)
    # Head, middle and tail hold inside the text as well: a document of one block has no other.
    wish = (THIRDS.index(third) + draw.unit()) / 3 * len(leaf.text)
    at = min(places, key=lambda place: abs(place - wish))
    gap = (
        draw.pick((" ", " ", "\n", "\n\n", " - "))
        if leaf.where == "block"
        else draw.pick((" ", ". ", " - "))
    )
    before = at > 0 and not leaf.text[:at].endswith((" ", "\n"))
    after = at < len(leaf.text) and not leaf.text[at:].startswith((" ", "\n"))
    after = after or (at < len(leaf.text) and not before)
    return Slot(
        where=leaf.where,
        index=leaf.index,
        column=leaf.column,
        at=at,
        lead=gap if before else "",
        tail=gap if after else "",
    )


def _in_code(leaf: _Leaf, draw: Draw) -> Slot:
    ends = [match.start() for match in re.finditer("\n", leaf.text)]
    at = draw.pick((*ends, len(leaf.text)))
    mark_of = "// " if re.search(r"//|/\*|=> |;\n", leaf.text) else "# "
    lead = "\n" + mark_of if at and leaf.text[at - 1] != "\n" else mark_of
    return Slot(where="block", index=leaf.index, at=at, lead=lead, prefix=mark_of)


def check_format(name: str) -> None:
    """Raise ``ValueError`` if there is no format of that name."""
    if name not in FORMATS:
        message = f"unknown format {name!r}: use one of {', '.join(FORMATS)}"
        raise ValueError(message)
