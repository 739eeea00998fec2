"""One walk over every file: where its pieces begin and end, how many rows, which ids."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from causalguard.errors import DataError, InputError
from causalguard.guard.corpora import parquet
from causalguard.guard.corpora.lines import Place, row_of_line, row_of_text, walk
from causalguard.guard.corpora.plan import Limits, Piece, Row, SourceFile, id_key
from causalguard.guard.corpora.sources import changed, open_bytes

DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error, ValueError)
"""What a damaged gzip or Parquet file raises (pyarrow's ArrowInvalid is a ValueError)."""
SHOWN = 5
"""Ids given twice that one message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What the walk over one file found."""

    pieces: tuple[Piece, ...]
    """In order; none for an empty table."""
    rows: tuple[int, ...]
    """Row number of every row."""
    ids: bytes
    """16 bytes for each row's id, in order: see :func:`id_key`."""


def index_file(file: SourceFile, limits: Limits) -> Index:
    """Cut one file into pieces.

    Raises InputError when it cannot be opened or has changed since it was listed.
    """
    try:
        if file.kind == "text":
            return _index_text(file)
        return (
            _index_parquet(file, limits) if file.kind == "parquet" else _index_lines(file, limits)
        )
    except DAMAGED as error:
        return _broken(file, f"the file is damaged ({error}): none of its rows was read")
    except OSError as error:
        raise InputError(f"{file.path}: cannot be read ({error}); try again") from None


def _broken(file: SourceFile, reason: str) -> Index:
    piece = Piece(
        file=replace(file, kind="broken"),
        start=0, end=0, first_row=1, last_row=1, rows=1, reason=reason,
    )  # fmt: skip
    return Index(pieces=(piece,), rows=(1,), ids=id_key(file.path))


def _index_text(file: SourceFile) -> Index:
    place = Place(0)
    with open_bytes(file) as stream:
        while chunk := stream.read(1 << 20):
            place.take(chunk)
    piece = Piece(
        file=file, start=0, end=place.offset, first_row=1, last_row=1, rows=1, sha256=place.cut()
    )
    return Index(pieces=(piece,), rows=(1,), ids=id_key(file.path))


def _index_lines(file: SourceFile, limits: Limits) -> Index:
    pieces, numbers, ids = [], [], []
    place, start, first, rows, number = Place(0), 0, 1, 0, 0

    def close() -> Piece:
        return Piece(
            file=file, start=start, end=place.offset, first_row=first, last_row=number,
            rows=rows, sha256=place.cut(),
        )  # fmt: skip

    with open_bytes(file) as stream:
        for number, line in enumerate(walk(stream, place, limits.line_bytes, None), 1):
            row = row_of_line(line, file, number, limits)
            if row is not None:
                rows += 1
                numbers.append(number)
                ids.append(id_key(row.id))
            if rows >= limits.block_rows or place.offset - start >= limits.block_bytes:
                pieces.append(close())
                start, first, rows = place.offset, number + 1, 0
    if rows:
        pieces.append(close())
    return Index(pieces=tuple(pieces), rows=tuple(numbers), ids=b"".join(ids))


def _index_parquet(file: SourceFile, limits: Limits) -> Index:
    table = parquet.open_table(file)
    pieces: list[Piece] = []
    ids: list[bytes] = []
    first = 1
    for group in range(table.metadata.num_row_groups):
        about = table.metadata.row_group(group)
        pieces += _cut_group(file, group, first, _step(about, limits), about.num_rows)
        given = parquet.id_column(table, group) or [None] * about.num_rows
        for number, one in enumerate(given, first):
            own = f"{file.path}:{number}"
            ids.append(id_key(one if isinstance(one, str) and one else own))
        first += about.num_rows
    return Index(pieces=tuple(pieces), rows=tuple(range(1, first)), ids=b"".join(ids))


def _cut_group(file: SourceFile, group: int, first: int, step: int, count: int) -> Iterator[Piece]:
    for start in range(0, count, step):
        end = min(start + step, count)
        yield Piece(
            file=file,
            group=group,
            start=start,
            end=end,
            first_row=first + start,
            last_row=first + end - 1,
            rows=end - start,
        )


def _step(about: Any, limits: Limits) -> int:
    """Rows of a piece: within both limits if the rows of the group are about equally long."""
    each: int = max(1, about.total_byte_size // max(about.num_rows, 1))
    return max(1, min(limits.block_rows, limits.block_bytes // each))


def rows_of_piece(piece: Piece, limits: Limits) -> Iterator[Row]:
    """The rows of a piece, in order.

    Raises InputError when the file is gone or its bytes are not those that were indexed.
    """
    file = piece.file
    if file.kind == "broken":
        yield Row(source=file.path, row=1, id=file.path, aside=piece.reason)
    elif file.kind == "parquet":
        yield from parquet.rows_of_piece(piece, limits)
    elif file.kind == "text":
        yield _text(piece, limits)
    else:
        yield from _lines(piece, limits)


def _text(piece: Piece, limits: Limits) -> Row:
    place = Place(0)
    with open_bytes(piece.file) as stream:
        data = stream.read(4 * limits.max_chars + 1)
        place.take(data)
        while chunk := stream.read(1 << 20):
            place.take(chunk)
    if place.cut() != piece.sha256:
        raise InputError(changed(piece.file.path))
    return row_of_text(data, piece.file, limits)


def _lines(piece: Piece, limits: Limits) -> Iterator[Row]:
    place = Place(piece.start)
    with open_bytes(piece.file) as stream:
        stream.seek(piece.start)  # in gzip this decompresses up to there
        lines = walk(stream, place, limits.line_bytes, piece.end)
        for number, line in enumerate(lines, piece.first_row):
            row = row_of_line(line, piece.file, number, limits)
            if row is not None:
                yield row
    if place.cut() != piece.sha256:
        raise InputError(changed(piece.file.path))


def refuse_duplicates(files: Sequence[SourceFile], indexes: Sequence[Index]) -> None:
    """Refuse a corpus in which two rows have the same id.  16 bytes a row are held.

    Raises DataError that names the places.
    """
    keys = np.frombuffer(b"".join(index.ids for index in indexes), dtype=">u8").reshape(-1, 2)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    ranked = keys[order]
    same = np.flatnonzero((ranked[1:] == ranked[:-1]).all(axis=1))
    if not same.size:
        return
    starts = np.cumsum([0, *(len(index.rows) for index in indexes)])

    def place(at: int) -> str:
        n = int(np.searchsorted(starts, at, side="right")) - 1
        return f"{files[n].path}:{indexes[n].rows[at - int(starts[n])]}"

    faults = []
    for k in same[:SHOWN].tolist():
        early, late = sorted((int(order[k]), int(order[k + 1])))
        faults.append(f"{place(late)}: its id is also that of {place(early)}; ids must be unique")
    if same.size > SHOWN:
        faults.append(f"... and {same.size - SHOWN} more rows with an id given before")
    raise DataError(faults)
