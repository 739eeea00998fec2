"""Rows in, verdicts out: the files that guard-scan reads and writes."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from causalguard.errors import DataError
from causalguard.files import MAX_FAULTS, parse_jsonl, raise_faults, read_jsonl
from causalguard.records import ToolOutput, Verdict

FIELDS = ("text", "task", "system", "tool", "id")


def read_rows(path: Path, stream: Iterable[bytes] | None = None) -> list[ToolOutput]:
    """Tool outputs of a JSONL file (``.gz`` too): ``text`` needed, the other fields optional.

    Fields that are not known are ignored, so that labelled data can be scanned as it is.

    Args:
        path: the file.
        stream: lines to read instead of the file's; ``path`` is then their name.

    Raises:
        DataError: with file and line of every row that is wrong.
    """
    outputs: list[ToolOutput] = []
    faults: list[str] = []
    for number, row in read_jsonl(path) if stream is None else parse_jsonl(path, stream):
        wrong = [f"{name} must be a string" for name in FIELDS if not _is_text(row, name)]
        if "text" not in row:
            wrong = ["the field 'text' is missing"]
        if wrong:
            faults.append(f"{path}:{number}: {'; '.join(wrong)}")
            if len(faults) > MAX_FAULTS:
                break
            continue
        values = {name: row.get(name) or "" for name in FIELDS}
        values["id"] = values["id"] or f"{path.name}:{number}"
        outputs.append(ToolOutput(**values))
    raise_faults(faults)
    return outputs


def _is_text(row: dict[str, Any], name: str) -> bool:
    value = row.get(name)
    return isinstance(value, str) or (value is None and name != "text")


def read_text(path: Path) -> ToolOutput:
    """A file as one tool output; bytes that are not UTF-8 become replacement characters.

    Raises DataError when the file cannot be read.
    """
    try:
        return ToolOutput(text=path.read_bytes().decode("utf-8", errors="replace"), id=str(path))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); give a readable file"
        ) from None


def row_of(output: ToolOutput, verdict: Verdict) -> dict[str, Any]:
    """A verdict as a JSON row: id, risk, threshold, flagged, spans, coverage, reason."""
    return {
        "id": output.id,
        "risk": verdict.risk,
        "threshold": verdict.threshold,
        "flagged": verdict.flagged,
        "spans": [[span.start, span.end] for span in verdict.spans],
        "coverage": verdict.coverage,
        "reason": verdict.reason,
    }


def to_jsonl(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as JSONL text; half a character (in an id, a file's name) stays as JSON's escape."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def table(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Rows as lines for a terminal."""
    yield f"{'verdict':8} {'risk':>7} {'threshold':>9} {'coverage':>8}  id"
    for row in rows:
        word = "FLAGGED" if row["flagged"] else "clean"
        line = f"{word:8} {row['risk']:7.4f} {row['threshold']:9.4f} {row['coverage']:8.1%}"
        spans = " ".join(f"[{a}:{b}]" for a, b in row["spans"][:4])
        yield f"{line}  {row['id']}  {spans}".rstrip()
