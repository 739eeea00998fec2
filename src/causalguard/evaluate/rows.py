"""Labelled rows of public or private sets: what guard-eval scores."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from causalguard.errors import DataError
from causalguard.files import raise_faults, read_jsonl
from causalguard.records import ToolOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One text of a labelled set."""

    id: str
    """Unique in its file."""
    source: str
    """Name of the set."""
    split: str
    """Part of the set, for tables; may be empty."""
    output: ToolOutput
    """What the guard gets."""
    y: int
    """1 = an injected instruction is in the text; else 0."""
    pair: str
    """Joins a benign text with its injected versions; the text's digest when it has none."""


def read_labelled(path: Path) -> list[Labelled]:
    """Read a JSONL file with ``text`` and ``label``, and optional id, source, split, pair,
    task, system, tool.

    Raises DataError with file and line of every row that is wrong.
    """
    rows: list[Labelled] = []
    faults: list[str] = []
    name = path.name.split(".")[0]
    for number, row in read_jsonl(path):
        if not isinstance(row.get("text"), str) or row.get("label") not in (0, 1):
            faults.append(f"{path}:{number}: needs 'text' (a string) and 'label' (0 or 1)")
            continue
        text = {key: str(row.get(key) or "") for key in ("tool", "task", "system")}
        ident = str(row.get("id") or f"{name}-{number}")
        rows.append(
            Labelled(
                id=ident,
                source=str(row.get("source") or name),
                split=str(row.get("split") or ""),
                output=ToolOutput(text=row["text"], id=ident, **text),
                y=int(row["label"]),
                pair=str(row.get("pair") or "") or sha256(row["text"].encode()).hexdigest()[:16],
            )
        )
    raise_faults(faults)
    if not rows:
        raise DataError(f"{path}: holds no rows; give a JSONL file with text and label")
    return rows


def read_all(paths: Iterable[Path]) -> list[Labelled]:
    """Rows of several files, in order."""
    return [row for path in paths for row in read_labelled(path)]
