"""Parquet tables: rows by row group, columns that are needed only."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from causalguard.guard.corpora.lines import row_of_values
from causalguard.guard.corpora.plan import Limits, Piece, Row, SourceFile
from causalguard.guard.corpora.sources import open_file
from causalguard.guard.rows import FIELDS

CACHED_BYTES = 256 << 20
"""A row group up to this size is kept between two blocks of it."""


def open_table(file: SourceFile) -> Any:
    """The Parquet file; pyarrow's ArrowInvalid (a ValueError) when it is none."""
    from pyarrow import parquet

    return parquet.ParquetFile(open_file(file))


def rows_of_piece(piece: Piece, limits: Limits) -> Iterator[Row]:
    """The rows of a piece, in order."""
    table = open_table(piece.file)
    columns = _columns(table, limits)
    size = table.metadata.row_group(piece.group).total_byte_size
    if size <= CACHED_BYTES:
        part = _group(piece.file, piece.group, columns).slice(piece.start, piece.end - piece.start)
        values = _values(part)
    else:
        values = _skipping(table, piece, columns)
    for number, value in enumerate(values, piece.first_row):
        yield row_of_values(value, piece.file, number, limits)


def id_column(table: Any, group: int) -> list[Any]:
    """Ids of a row group; an empty list when the table has no such column."""
    if "id" not in table.schema_arrow.names:
        return []
    return [value["id"] for value in _values(table.read_row_group(group, columns=["id"]))]


def _columns(table: Any, limits: Limits) -> tuple[str, ...]:
    wanted = [limits.text_field, *(name for name in FIELDS if name != "text")]
    return tuple(name for name in wanted if name in table.schema_arrow.names)


@lru_cache(maxsize=1)
def _group(file: SourceFile, group: int, columns: tuple[str, ...]) -> Any:
    return open_table(file).read_row_group(group, columns=list(columns))


def _skipping(table: Any, piece: Piece, columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    at = 0
    step = piece.end - piece.start
    for batch in table.iter_batches(step, row_groups=[piece.group], columns=list(columns)):
        low, high = max(piece.start - at, 0), min(piece.end - at, batch.num_rows)
        if low < high:
            yield from _values(batch.slice(low, high - low))
        at += batch.num_rows
        if at >= piece.end:
            return


def _values(table: Any) -> Iterator[dict[str, Any]]:
    names = table.schema.names
    columns = [_strings(table.column(n), is_id=name == "id") for n, name in enumerate(names)]
    for number in range(table.num_rows):
        yield {name: column[number] for name, column in zip(names, columns, strict=True)}


def _strings(column: Any, *, is_id: bool) -> list[Any]:
    """Values of a column: strings as str, whole numbers too where they are ids.

    Bytes that are not UTF-8 come back as bytes, values of other types as 0: no row accepts them.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    if is_id and pa.types.is_integer(kind):
        return list(column.cast(pa.string()).to_pylist())
    text = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary())
    if kind not in text:
        return [0 if valid else None for valid in column.is_valid().to_pylist()]
    raw = column.cast(pa.large_binary()).to_pylist()
    return [value if value is None else _decoded(value) for value in raw]


def _decoded(value: bytes) -> str | bytes:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value
