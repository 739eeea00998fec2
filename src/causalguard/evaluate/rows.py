"""Labelled rows of public or private sets: what guard-eval scores, and what it keeps of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from causalguard.errors import DataError, InputError
from causalguard.files import raise_faults, read_jsonl
from causalguard.records import ToolOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What figures need to know of one scored text; the text itself is not kept."""

    id: str
    """Unique in its fold."""
    source: str
    """Name of the set."""
    y: int
    """1 = an injected instruction is in the text; else 0."""
    pair: str
    """Joins a benign text with its injected versions: the unit that intervals count."""
    part: str = ""
    """Part of the set; may be empty."""
    family: str = ""
    """Attack, as the set calls it; empty on benign rows."""
    format: str = ""
    """Format of the text; may be empty."""
    kind: str = ""
    """Member of a matched set, or empty."""
    probe: str = ""
    """Empty on a source's own rows; else the probe the text was made for."""
    level: int = 0
    """Tokens of surroundings in a dilution probe, else 0."""
    position: str = ""
    """head, middle or tail in a dilution probe, else empty."""
    tokens: int = 0
    """Tokens of the text once it was scored, >= 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One text to score."""

    case: Case
    """Its facts."""
    output: ToolOutput
    """What the guard gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a file keeps what figures are broken down by."""

    part: str = "split"
    """``split`` or a key of ``meta``."""
    family: str = "attack"
    """Key of ``meta``."""
    format: str = ""
    """``split`` or a key of ``meta``; empty: the file does not say."""


def read_labelled(
    path: Path, columns: Columns | None = None, *, source: str = ""
) -> list[Labelled]:
    """Read a JSONL file with ``text`` and ``label``, and optional id, source, split, pair,
    task, system, tool, meta.

    Args:
        path: JSONL or gzipped JSONL.
        columns: where part, family and format stand.
        source: name of the set; empty: that of the file, whatever its rows say.

    Raises:
        DataError: with file and line of every row that is wrong.
    """
    rows: list[Labelled] = []
    faults: list[str] = []
    name = path.name.split(".")[0]
    for number, row in read_jsonl(path):
        if not isinstance(row.get("text"), str) or row.get("label") not in (0, 1):
            faults.append(f"{path}:{number}: needs 'text' (a string) and 'label' (0 or 1)")
            continue
        if any("\ud800" <= character <= "\udfff" for character in row["text"]):
            half = "text holds half of a surrogate pair; save the row as valid UTF-8"
            faults.append(f"{path}:{number}: {half}")
            continue
        rows.append(_labelled(row, columns or Columns(), source or name, f"{name}-{number}"))
    raise_faults(faults)
    if not rows:
        raise DataError(f"{path}: holds no rows; give a JSONL file with text and label")
    return rows


def _labelled(row: Mapping[str, Any], columns: Columns, source: str, fallback: str) -> Labelled:
    ident = str(row.get("id") or fallback)
    values = {key: str(row.get(key) or "") for key in ("tool", "task", "system")}
    case = Case(
        id=ident,
        source=source,
        y=int(row["label"]),
        pair=str(row.get("pair") or "") or sha256(row["text"].encode()).hexdigest()[:16],
        part=_column(row, columns.part),
        family=_column(row, columns.family) if row["label"] else "",
        format=_column(row, columns.format),
    )
    return Labelled(case=case, output=ToolOutput(text=row["text"], id=ident, **values))


def _column(row: Mapping[str, Any], key: str) -> str:
    if not key:
        return ""
    meta = row.get("meta")
    inside = meta if isinstance(meta, dict) else {}
    return str((row.get(key) if key == "split" else inside.get(key)) or "")


def read_all(paths: Iterable[Path]) -> list[Labelled]:
    """Rows of several files, in order.

    Raises:
        InputError: two files have one name: they would be reported as one source.
    """
    paths = list(paths)
    names = [path.name.split(".")[0] for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two files are called {', '.join(twice)}; rename one, or give it once")
    return [row for path in paths for row in read_labelled(path)]


def thin(rows: Sequence[Labelled], limit: int | None, rng: np.random.Generator) -> list[Labelled]:
    """At most ``limit`` rows of each class, twins together.

    Pairs stand in one random order for both classes, those with rows of both classes first; every
    pair gives a row before any gives two.
    """
    if limit is None:
        return list(rows)
    classes: dict[str, set[int]] = {}
    for row in rows:
        classes.setdefault(row.case.pair, set()).add(row.case.y)
    names = list(classes)
    keys = [names[int(k)] for k in rng.permutation(len(names))]
    rank = {pair: i for i, pair in enumerate(sorted(keys, key=lambda p: -len(classes[p])))}
    kept: list[Labelled] = []
    for y in (0, 1):
        part = [r for r in rows if r.case.y == y]
        turns: dict[str, int] = {}
        ranked = []
        for k in (int(i) for i in rng.permutation(len(part))):
            pair = part[k].case.pair
            turns[pair] = turns.get(pair, -1) + 1
            ranked.append((turns[pair], rank[pair], k))
        kept += [part[k] for _, _, k in sorted(ranked)[:limit]]
    return kept


def to_json(case: Case, risk: Mapping[str, float]) -> dict[str, Any]:
    """A scored case as a JSON object; fields at their defaults are left out."""
    full = asdict(case)
    kept = {k: v for k, v in full.items() if v not in ("", 0) or k == "y"}
    return {**kept, "risk": {name: float(value) for name, value in risk.items()}}


def from_json(row: Mapping[str, Any]) -> tuple[Case, dict[str, float]]:
    """Inverse of :func:`to_json`."""
    facts = {k: v for k, v in row.items() if k != "risk"}
    return Case(**facts), dict(row["risk"])
