"""What is to be scanned, cut into blocks: the same input always gives the same plan."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["jsonl", "parquet", "text", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a row and a block may go."""

    text_field: str = "text"
    """Field or column that holds the text."""
    max_chars: int = 4_000_000
    """Longest text that is scored, in characters; longer ones are set aside."""
    block_rows: int = 256
    """Most rows of a block: what is lost, and done again, when a worker or the run dies."""
    block_bytes: int = 8 << 20
    """Bytes after which a block is closed; one row may be longer."""

    @property
    def line_bytes(self) -> int:
        """Longest JSONL line that is read: every character as two escapes, and the other fields."""
        return 12 * self.max_chars + (1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file as it was listed."""

    root: str
    """URI or absolute path that the file was found under: names the file system."""
    path: str
    """Path inside that file system."""
    kind: Kind
    """How it is read: by its ending."""
    size: int
    """Bytes."""
    mtime_ns: int
    """Last change, nanoseconds since 1970; 0 where the store has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Consecutive rows of one file."""

    file: SourceFile
    """Where they are."""
    start: int
    """First byte (decompressed), or for Parquet the first row of the row group."""
    end: int
    """One past the last."""
    group: int = 0
    """Row group, for Parquet."""
    first_row: int
    """Row number in the file (line number for JSONL) that the piece begins at, from 1."""
    last_row: int
    """The last row number that it can hold."""
    rows: int
    """Rows in it: blank lines are none."""
    sha256: str = ""
    """Digest of its bytes; empty for Parquet, where size and time of the file stand in."""
    reason: str = ""
    """Why none of it can be read, for ``broken``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Pieces that one worker does at once, and whose outcome is one part."""

    number: int
    """Place in the plan, from 0."""
    pieces: tuple[Piece, ...]
    """In the order of the plan."""

    @property
    def rows(self) -> int:
        """Rows to be accounted for."""
        return sum(piece.rows for piece in self.pieces)

    def to_json(self) -> str:
        """The block as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> "Block":
        """The inverse of :meth:`to_json`."""
        raw: dict[str, Any] = json.loads(line)
        pieces = tuple(Piece(**(p | {"file": SourceFile(**p["file"])})) for p in raw["pieces"])
        return cls(number=raw["number"], pieces=pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row as it was read: to be scored, or to be set aside."""

    source: str
    """Path of its file."""
    row: int
    """Row number in it, from 1 (line number for JSONL)."""
    id: str
    """The row's own id, or ``source:row``; a text file's path."""
    text: str = ""
    task: str = ""
    system: str = ""
    tool: str = ""
    aside: str = ""
    """Why it cannot be scored; empty: it can."""


def pack(pieces: Iterable[Piece], limits: Limits) -> Iterator[Block]:
    """Join small neighbours into blocks, in order, within the limits."""
    held: list[Piece] = []
    number = rows = size = 0
    for piece in pieces:
        length = 0 if piece.file.kind == "parquet" else piece.end - piece.start
        full = rows + piece.rows > limits.block_rows or size + length > limits.block_bytes
        if held and full:
            yield Block(number=number, pieces=tuple(held))
            held, number, rows, size = [], number + 1, 0, 0
        held.append(piece)
        rows, size = rows + piece.rows, size + length
    if held:
        yield Block(number=number, pieces=tuple(held))


def id_key(identifier: str) -> bytes:
    """16 bytes that stand for an id when all ids of a corpus are compared."""
    return hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=16).digest()
