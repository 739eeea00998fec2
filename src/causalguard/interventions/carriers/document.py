"""What a tool returned, before it has a format: a title, fields, blocks of prose, rows of data.

Every format renders every document, so topic, kind of tool and format can be assigned
independently of each other.
"""

from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float | bool | None
Value = Scalar | tuple[str, ...]

BlockKind = Literal["text", "heading", "item", "step", "quote", "message", "code", "line"]
Manner = Literal["block", "comment", "hidden", "attribute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A named value."""

    key: str
    """snake_case name; a format may re-case it."""
    value: Value
    """The datum."""
    free: bool = False
    """True: text that somebody outside can write, so an injection may stand here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of prose, of code or of a conversation."""

    text: str
    """Content; may hold line breaks."""
    kind: BlockKind = "text"
    """How a format shows it."""
    author: str = ""
    """Who wrote it, for messages."""
    when: str = ""
    """When, for messages and log lines."""
    own: bool = False
    """True: the block is an inserted payload and nothing else."""
    manner: Manner = "block"
    """Where an own block hides in formats that can hide text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A tool output without a format."""

    kind: str
    """Kind of carrier, e.g. ``mail``."""
    topic: str
    """What it is about."""
    language: str
    """Language of its prose, in English words."""
    title: str
    """May be empty."""
    head: tuple[Field, ...] = ()
    """Fields about the whole."""
    blocks: tuple[Block, ...] = ()
    """Prose, in reading order."""
    rows: tuple[tuple[Field, ...], ...] = ()
    """Records of the same make."""
    rows_name: str = "results"
    """What the rows are called."""
    bare: bool = False
    """True: the text of the only block is the whole output (``ok``, ``[]``, an error line)."""
