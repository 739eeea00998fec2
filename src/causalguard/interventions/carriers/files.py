"""The user's own tool outputs as carriers: any text file, with places found in its raw text.

The file is never re-rendered: a payload is escaped for where it lands and spliced in, so cutting
it out gives the file back, byte for byte, or the file without the field that it replaced.
"""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causalguard.errors import DataError, InputError
from causalguard.interventions.formats.marks import Rendered, clean
from causalguard.interventions.splits import clusters, split_rows
from causalguard.records import Span

SHARES: Mapping[str, float] = {"train": 0.55, "dev": 0.1, "calibration": 0.1, "audit": 0.25}
"""How files are dealt to splits, near-duplicates together."""

_MAX_BYTES = 200_000
_MAX_CHARACTERS = 20_000
_SKIPPED = frozenset({".gz", ".zip", ".png", ".jpg", ".jpeg", ".pdf", ".safetensors", ".bin"})
_CODE = frozenset({".py", ".sh", ".toml", ".ini", ".cfg", ".yaml", ".yml", ".rb", ".r"})
_SLASHES = frozenset({".js", ".ts", ".go", ".c", ".h", ".java", ".rs", ".cpp", ".css"})
_JSON_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?')
_SENTENCE_END = re.compile(r"(?<=[.!?。])(?=\s|$)|(?<=\S)(?=\n)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place in a raw text where an outsider's text can stand."""

    at: int
    """Character before which the payload goes."""
    lead: str
    """Separator before it, as it stands in the raw text."""
    tail: str
    """Separator after it."""
    escape: str
    """How the payload is written: none, json, ascii, html, veil, row, or a comment mark."""
    drop: int = 0
    """Characters from ``at`` on that the payload replaces: a whole field or text, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCarrier:
    """One of the user's tool outputs."""

    name: str
    """Path below the directory, with a row number where a file holds several."""
    text: str
    """What the tool returned."""
    kind: str
    """Ending of the file, e.g. ``json``: counterfactuals have the same one."""
    tool: str
    """Name of the tool; from the row, or the name of the directory."""
    task: str
    """The user's task if the row says; else empty."""
    system: str
    """The system prompt if the row says; else empty."""
    points: tuple[Point, ...]
    """Where payloads can go, in text order; at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSite:
    """One point of a raw text."""

    text: str
    """The raw text."""
    point: Point
    """Where payloads go."""

    def put(self, payload: str) -> Rendered | None:
        """Return the text with the payload spliced in; None for a blank payload."""
        body = _ESCAPES.get(self.point.escape, _commented(self.point.escape))(
            clean(payload).strip()
        )
        if not body.strip():
            return None
        before = self.text[: self.point.at] + self.point.lead
        text = before + body + self.point.tail + self.text[self.point.at + self.point.drop :]
        span = Span(start=len(before), end=len(before) + len(body))
        return Rendered(text=text, span=span, without=self.text)


def _row(text: str) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow([text])
    return out.getvalue()


def _commented(mark: str) -> Callable[[str], str]:
    return lambda text: text.replace("\n", "\n" + mark)


_ESCAPES: Mapping[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "ascii": lambda text: json.dumps(text)[1:-1],
    "html": lambda text: html.escape(text, quote=False),
    "veil": lambda text: text.replace("--", "- -"),
    "row": _row,
}


def from_directory(path: Path) -> tuple[FileCarrier, ...]:
    """Read every text file below a directory as a carrier.

    JSONL rows with a string ``text`` are carriers of their own and may bring ``task``, ``system``
    and ``tool``; every other JSONL row is one as it stands.  Binary, empty and very large files
    are skipped; longer texts are cut to 20,000 characters.

    Args:
        path: the directory.

    Raises:
        InputError: it is no directory, or holds no usable text.
        DataError: a JSONL file is damaged.

    """
    if not path.is_dir():
        message = f"{path}: no such directory; give one that holds tool outputs as text files"
        raise InputError(message)
    found: list[FileCarrier] = []
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if hidden or not file.is_file() or file.suffix.lower() in _SKIPPED:
            continue
        if file.stat().st_size <= _MAX_BYTES or file.suffix == ".jsonl":
            found += _carriers_of(file, path)
    if len(found) < 2:
        message = f"{path}: {len(found)} usable text files; give at least two tool outputs"
        raise InputError(message)
    return tuple(found)


def _carriers_of(file: Path, root: Path) -> list[FileCarrier]:
    try:
        content = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return []
    name = file.relative_to(root).as_posix()
    tool = file.parent.name if file.parent != root else "read_file"
    if file.suffix != ".jsonl":
        made = _carrier(name, content, file.suffix, {"tool": tool})
        return [made] if made else []
    out = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            message = f"{file}:{number}: not JSON ({error}); each line must be one JSON value"
            raise DataError(message) from None
        labelled = isinstance(row, dict) and isinstance(row.get("text"), str)
        text = row["text"] if labelled else line
        kind = _guess(text) if labelled else ".json"
        made = _carrier(f"{name}:{number}", text, kind, row if labelled else {"tool": tool})
        out += [made] if made else []
    return out


def carrier_of(
    name: str, text: str, *, tool: str = "", task: str = "", system: str = ""
) -> FileCarrier | None:
    """Return a tool output as a carrier, its kind guessed; None if nothing can be put into it.

    Args:
        name: identifier of the carrier.
        text: what the tool returned; longer texts are cut to 20,000 characters.
        tool: name of the tool, if known.
        task: the user's task, if known.
        system: the system prompt, if known.

    """
    return _carrier(name, text, _guess(text), {"tool": tool, "task": task, "system": system})


def _guess(text: str) -> str:
    start = text.lstrip()[:1]
    return ".json" if start in {"{", "["} else ".html" if start == "<" else ".txt"


def _carrier(name: str, text: str, suffix: str, row: Mapping[str, Any]) -> FileCarrier | None:
    text = clean(text)[:_MAX_CHARACTERS]
    kind = suffix.lower()
    found = points(text, kind) if text.strip() else ()
    if not found:
        return None
    return FileCarrier(
        name=name,
        text=text,
        kind=kind.removeprefix(".") or "txt",
        tool=str(row.get("tool") or "read_file"),
        task=str(row.get("task") or ""),
        system=str(row.get("system") or ""),
        points=tuple(found),
    )


def points(text: str, suffix: str) -> tuple[Point, ...]:
    """Return the places of a raw text where an outsider's text could stand.

    Args:
        text: the raw text, not blank.
        suffix: ending of its file, with the dot.

    """
    if suffix in {".json", ".ipynb"}:
        found = _in_json(text)
    elif suffix in {".html", ".htm", ".xml"}:
        found = _in_markup(text)
    elif suffix in {".csv", ".tsv"}:
        ends = [match.start() for match in re.finditer(r"\n|$", text) if match.start()]
        found = [Point(at=at, lead="\n", tail="", escape="row") for at in ends]
    elif suffix in _CODE | _SLASHES:
        mark = "# " if suffix in _CODE else "// "
        ends = [match.start() for match in re.finditer(r"\n", text)] or [len(text)]
        found = [Point(at=at, lead="\n" + mark, tail="", escape=mark) for at in ends]
    else:
        body = text.find("\n\n") + 1 if suffix == ".eml" else 0
        ends = [match.start() for match in _SENTENCE_END.finditer(text, body)]
        found = [_in_text(text, at) for at in ends or [len(text.rstrip())]]
        start = Point(at=0, lead="", tail="\n" if len(text) % 2 else " ", escape="none")
        whole = Point(at=0, lead="", tail="", escape="none", drop=len(text))
        found = [start, whole, *found] if not body else found
    return tuple(found)


def _in_text(text: str, at: int) -> Point:
    alone = at >= len(text) or text[at] == "\n"
    return Point(at=at, lead="\n\n" if alone and at % 2 else " ", tail="", escape="none")


def _in_json(text: str) -> list[Point]:
    escape = "ascii" if text.isascii() else "json"
    found = []
    for match in _JSON_STRING.finditer(text):
        # Only prose: an identifier or a date that grew a sentence would be a cue by itself.
        if not match[2] and " " in match[1] and len(match[1]) > 10:
            lead = "\\n" if match.start() % 3 == 0 else " "
            start, end = match.span(1)
            found += [
                Point(at=start, lead="", tail=lead, escape=escape),
                Point(at=start, lead="", tail="", escape=escape, drop=end - start),
                Point(at=end, lead=lead, tail="", escape=escape),
            ]
    return found


def _in_markup(text: str) -> list[Point]:
    begin = max(text.lower().find("<body"), 0)
    found = [
        Point(at=match.start(), lead=" ", tail="", escape="html")
        for match in re.finditer(r"(?<=[\w.!?,;:)])\s*(?=</)", text)
        if match.start() > begin
    ]
    for match in re.finditer(r"</(?:p|li|div|tr|h\d|section)>", text):
        found.append(Point(at=match.end(), lead="\n<p>", tail="</p>", escape="html"))
        found.append(Point(at=match.end(), lead="\n<!-- ", tail=" -->", escape="veil"))
    return sorted(found, key=lambda point: point.at)


def of_split(found: tuple[FileCarrier, ...], split: str) -> tuple[FileCarrier, ...]:
    """Return the carriers of one split: files are dealt by clusters of near-duplicates.

    Raises:
        InputError: none falls into the split.

    """
    groups = clusters([[] for _ in found], [carrier.text for carrier in found])
    rows = split_rows(groups, SHARES, seed=0)[split]
    if not rows:
        message = (
            f"none of the {len(found)} carriers falls into split {split!r}: give more files that "
            "differ from each other"
        )
        raise InputError(message)
    return tuple(found[row] for row in rows)
