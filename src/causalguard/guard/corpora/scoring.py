"""A block's rows in, its outcome out: what runs on a worker."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from causalguard.errors import CausalGuardError, ScanError
from causalguard.guard.corpora.index import rows_of_piece
from causalguard.guard.corpora.plan import Block, Limits, Row
from causalguard.guard.rows import row_of
from causalguard.records import ToolOutput, Verdict

BATCH = 64
"""Rows per call of the guard."""


class Scanner(Protocol):
    """What scores: :class:`causalguard.guard.api.Guard`, or a stand-in."""

    def scan(self, outputs: Sequence[ToolOutput], /) -> list[Verdict]:
        """One verdict per output, in order."""
        ...


class Load(Protocol):
    """Makes the scanner, once in each worker; it is pickled to get there."""

    def __call__(self) -> Scanner:
        """Load."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a block."""

    number: int
    """The block's number."""
    verdicts: tuple[dict[str, Any], ...] = ()
    """A verdict per scored row."""
    aside: tuple[dict[str, Any], ...] = ()
    """Rows that were not scored, each with its reason."""
    error: str = ""
    """Name of the typed error that stopped the block; empty: it is whole."""
    message: str = ""
    """That error's message."""


def read_block(block: Block, limits: Limits) -> list[Row]:
    """All rows of a block.

    Raises InputError when a file is gone or has changed; ScanError when the rows are not as many
    as the plan says.
    """
    rows = [row for piece in block.pieces for row in rows_of_piece(piece, limits)]
    if len(rows) != block.rows:
        message = f"block {block.number}: {len(rows)} rows were read, {block.rows} were counted"
        raise ScanError(message + "; scan into a new --output")
    return rows


def score_rows(
    scanner: Scanner, number: int, rows: Sequence[Row], *, task: str = "", system: str = ""
) -> Outcome:
    """Score the rows of a block; a row that the guard cannot score alone is set aside.

    Args:
        scanner: the guard.
        number: the block's number.
        rows: its rows.
        task: the user's task, for rows without one.
        system: the system prompt, likewise.

    Raises ScanError when the guard fails on a harmless text as well: not the row is at fault.
    """
    good = [row for row in rows if not row.aside]
    aside = [_aside(row, row.aside) for row in rows if row.aside]
    verdicts = []
    for start in range(0, len(good), BATCH):
        part = good[start : start + BATCH]
        outputs = [_output(row, task, system) for row in part]
        for row, output, verdict in zip(part, outputs, _scan(scanner, outputs), strict=True):
            if isinstance(verdict, str):
                aside.append(_aside(row, verdict))
            else:
                verdicts.append({"source": row.source, "row": row.row} | row_of(output, verdict))
    return Outcome(number=number, verdicts=tuple(verdicts), aside=tuple(aside))


def _scan(scanner: Scanner, outputs: list[ToolOutput]) -> list[Verdict | str]:
    try:
        return list(scanner.scan(outputs))
    except ScanError as error:
        if len(outputs) == 1:
            scanner.scan([ToolOutput(text="still there?")])
            return [str(error)]
    return [_scan(scanner, [output])[0] for output in outputs]


def _output(row: Row, task: str, system: str) -> ToolOutput:
    return ToolOutput(
        text=row.text, tool=row.tool, id=row.id,
        task=row.task or task, system=row.system or system,
    )  # fmt: skip


def _aside(row: Row, reason: str) -> dict[str, Any]:
    return {"source": row.source, "row": row.row, "id": row.id, "reason": reason}


def failed(number: int, error: CausalGuardError) -> Outcome:
    """The outcome of a block that a typed error stopped."""
    return Outcome(number=number, error=type(error).__name__, message=str(error))


def rows_to_json(rows: Sequence[Row]) -> bytes:
    """Rows on their way from a reader to a scorer (lone surrogates survive as escapes)."""
    return json.dumps([asdict(row) for row in rows]).encode()


def rows_from_json(data: bytes) -> list[Row]:
    """The inverse of :func:`rows_to_json`."""
    return [Row(**value) for value in json.loads(data)]
