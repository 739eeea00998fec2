"""Public sets that people have, from a local copy or from the hub, with their licences.

Nothing is shipped: a loader reads what is there.  Every loader returns :class:`Example` records;
``set_id`` ties a benign text to its injected versions, so that splits can keep them together.
"""

import csv
import importlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from causalguard.errors import DataError, InputError, MissingError
from causalguard.files import raise_faults, read_jsonl
from causalguard.interventions.locate import locate_all
from causalguard.records import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One labelled tool output of a public set."""

    text: str
    """The tool output; not blank."""
    y: int
    """1 = an unauthorised instruction is in the text, else 0."""
    spans: tuple[Span, ...] = ()
    """Every place where it stands; empty when y = 0 or when it was not found.  What reads one span
    alone takes several for none: which copy is meant, nobody knows."""
    tool: str = ""
    """Name of the tool; may be empty."""
    task: str = ""
    """The user's task; may be empty."""
    system: str = ""
    """System prompt; may be empty."""
    set_id: str
    """Rows with the same set_id share a carrier, a goal or a frame."""
    source: str
    """Name of the data set."""
    license: str
    """Licence as recorded; see ``licenses.shippable``."""
    family: str = ""
    """Attack, as the set calls it; may be empty."""


Row = Mapping[str, Any]


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield ``(number from 1, object)`` of a JSONL, JSON, YAML or CSV file, gzipped or not (JSONL).

    Raises:
        InputError: there is no such file, or its ending is none of these.
        DataError: the file does not hold a list of objects, or is not valid UTF-8.

    """
    name = path.name.removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson")):
        rows: Iterable[tuple[int, Row]] = read_jsonl(path)
    elif not path.is_file():
        message = f"{path}: no such file; give the path of a JSONL, JSON, YAML or CSV file"
        raise InputError(message)
    else:
        rows = enumerate(_whole_file(path, name), 1)
    for number, row in rows:
        halved = [key for key, value in row.items() if isinstance(value, str) and _halved(value)]
        if halved:
            message = (
                f"{path}:{number}: {halved[0]} holds half of a surrogate pair; "
                "save the row as valid UTF-8"
            )
            raise DataError(message)
        yield number, row


def _halved(text: str) -> bool:
    return re.search("[\ud800-\udfff]", text) is not None


def _whole_file(path: Path, name: str) -> list[Row]:
    try:
        content = path.read_text(encoding="utf-8-sig")  # spreadsheets begin it with a mark
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"{path}:{line}: not valid UTF-8 ({error.reason}); save it as UTF-8"
        raise DataError(message) from None
    try:
        if name.endswith(".csv"):
            return _csv_rows(content)
        if name.endswith(".json"):
            value = json.loads(content)
        elif name.endswith((".yaml", ".yml")):
            value = yaml.safe_load(content)
        else:
            message = f"{path}: unknown ending; use .jsonl, .jsonl.gz, .json, .yaml or .csv"
            raise InputError(message)
    # ValueError: JSON, integers of too many digits, and dates of YAML that are none.
    except (csv.Error, ValueError, RecursionError, yaml.YAMLError) as error:
        message = f"{path}: cannot be parsed ({error}); correct the file"
        raise DataError(message) from None
    rows = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        message = f"{path}: a list of objects is needed"
        raise DataError(message)
    return rows


def _csv_rows(content: str) -> list[Row]:
    # By default a field has 131,072 characters at most; tool outputs have more.
    before = csv.field_size_limit(max(len(content), csv.field_size_limit()))
    try:
        return list(csv.DictReader(io.StringIO(content)))
    finally:
        csv.field_size_limit(before)


def _first(row: Row, *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), "")


def _text(row: Row, *names: str) -> str:
    return str(_first(row, *names))


def _text_fault(value: object) -> str | None:
    """What keeps a value from being a tool output; None: nothing does."""
    if not isinstance(value, str):
        return f"text must be a string, got {type(value).__name__}"
    if not value.strip():
        return "no text; give a field text (or prompt, content, input)"
    return None


def _label(row: Row) -> int | None:
    value = next((row[n] for n in ("label", "y", "is_injection", "injected") if n in row), None)
    words = {"1": 1, "true": 1, "injection": 1, "jailbreak": 1, "yes": 1,
             "0": 0, "false": 0, "benign": 0, "no": 0, "safe": 0, "legit": 0}  # fmt: skip
    return words.get(str(value).strip().lower())


def _collect(path: Path, source: str, make: Callable[[int, Row], Example | str]) -> list[Example]:
    faults: list[str] = []
    found: list[Example] = []
    for number, row in read_rows(path):
        made = make(number, row)
        if isinstance(made, str):
            faults.append(f"{path}:{number}: {made}")
        else:
            found.append(made)
    if not found and not faults:
        faults.append(f"{path}: holds no rows of {source}; give another file")
    raise_faults(faults)
    return found


def load_rows(path: Path, *, source: str = "", license_text: str = "") -> list[Example]:
    """Read rows with at least ``text`` and a label, as PINT-style and most detection sets have.

    Known fields: text (or prompt, content, input), label (or y, is_injection: 1/0, true/false,
    injection/benign), task, system, tool, injection, pair, source, license, family (or category).

    Args:
        path: JSONL (``.gz`` too), JSON, YAML or CSV.
        source: name of the set where rows do not say.
        license_text: licence where rows do not say.

    Raises:
        DataError: rows lack a text or a label; all are listed.
        InputError: there is no such file, or its ending is unknown.

    """
    stem = path.name.split(".")[0]

    def make(number: int, row: Row) -> Example | str:
        text, y = _first(row, "text", "prompt", "content", "input"), _label(row)
        fault = _text_fault(text)
        if fault is not None:
            return fault
        if y is None:
            return "no label; give label as 0 or 1"
        name = source or _text(row, "source") or stem
        meta = row["meta"] if isinstance(row.get("meta"), dict) else {}
        return Example(
            text=text,
            y=y,
            spans=locate_all(_text(row, "injection"), text) if y else (),
            tool=_text(row, "tool"),
            task=_text(row, "task", "user_task", "instruction") if "prompt" not in row else "",
            system=_text(row, "system"),
            set_id=f"{name}/{_text(row, 'pair') or _text(row, 'id') or number}",
            source=name,
            license=_text(row, "license") or license_text or "unknown",
            family=_text(row, "family", "category", "attack") or _text(meta, "attack", "category"),
        )

    return _collect(path, source or stem, make)


def load_injecagent(path: Path) -> list[Example]:
    """Read InjecAgent's test cases (``test_cases_{dh,ds}_{base,enhanced}.json``, MIT).

    Each case gives the injected tool response; its benign twin has an ordinary sentence in the
    attacker's place.

    Raises:
        DataError: a row is no case of InjecAgent, or there is none.
    """
    out: list[Example] = []
    for number, row in read_rows(path):
        attack = _text(row, "Attacker Instruction")
        text, template = _text(row, "Tool Response"), _text(row, "Tool Response Template")
        if not (text and attack):
            message = f"{path}:{number}: not an InjecAgent case; give one of its test_cases files"
            raise DataError(message)
        common: dict[str, Any] = {
            "tool": _text(row, "User Tool"),
            "task": _text(row, "User Instruction"),
            "source": "injecagent",
            "license": "MIT (InjecAgent)",
            "set_id": f"injecagent/{_text(row, 'User Tool')}",
            "family": _text(row, "Attack Type"),
        }
        out.append(Example(text=text, y=1, spans=locate_all(attack, text), **common))
        if "<Attacker Instruction>" in template:
            plain = template.replace("<Attacker Instruction>", "Nothing to add.")
            out.append(Example(text=plain, y=0, **common))
    if not out:
        message = f"{path}: holds no cases; give one of InjecAgent's test_cases files"
        raise DataError(message)
    return out


def load_bipia(
    contexts: Path, attacks: Path, *, license_text: str, position: str = "end"
) -> list[Example]:
    """Build BIPIA examples from its context and attack files (MIT; contexts have their own).

    Args:
        contexts: JSONL with ``context`` (and ``question`` or ``ideal``).
        attacks: JSON, attack name -> list of attack strings.
        license_text: licence of the contexts: CC-BY-SA for tables and code, MIT for mails.
        position: ``start``, ``middle`` or ``end``.

    Raises:
        DataError: the attack file is not a mapping of lists, or a context is empty.
        InputError: a file is missing.

    """
    listed = _attacks(attacks)
    out: list[Example] = []
    for number, row in read_rows(contexts):
        context = row.get("context", "")
        text = "\n".join(map(str, context)) if isinstance(context, list) else str(context)
        if not text.strip():
            message = f"{contexts}:{number}: no context; give one of BIPIA's context files"
            raise DataError(message)
        name, attack = listed[number % len(listed)]
        common: dict[str, Any] = {
            "task": _text(row, "question"),
            "set_id": f"bipia/{number}",
            "source": "bipia",
        }
        out.append(Example(text=text, y=0, license=license_text, **common))
        poisoned, span = _placed(text, attack, position)
        out.append(Example(text=poisoned, y=1, spans=(span,), license=license_text, family=name,
                           **common))  # fmt: skip
    return out


def _attacks(path: Path) -> list[tuple[str, str]]:
    """Names and texts of BIPIA's attacks; at least one."""
    if not path.is_file():
        message = f"{path}: no such file; give BIPIA's attack file"
        raise InputError(message)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        message = f"{path}: cannot be parsed ({error}); give BIPIA's attack file"
        raise DataError(message) from None
    lists = list(table.values()) if isinstance(table, dict) else []
    texts = [text for inner in lists if isinstance(inner, list) for text in inner]
    good = texts and all(isinstance(inner, list) for inner in lists)
    if not good or not all(isinstance(text, str) and text.strip() for text in texts):
        message = f"{path}: must map attack names to lists of strings; give BIPIA's attack file"
        raise DataError(message)
    return [(name, text) for name, inner in table.items() for text in inner]


def _placed(text: str, attack: str, position: str) -> tuple[str, Span]:
    lines = text.split("\n")
    at = {"start": 0, "middle": len(lines) // 2, "end": len(lines)}[position]
    before = "\n".join(lines[:at]) + "\n" if at else ""
    after = "\n" + "\n".join(lines[at:]) if at < len(lines) else ""
    return f"{before}{attack}{after}", Span(start=len(before), end=len(before) + len(attack))


def load_llmail(path: Path) -> list[Example]:
    """Read LLMail-Inject submissions (MIT): subject and body of attacking mails, all y = 1."""

    def make(number: int, row: Row) -> Example | str:
        subject, body = _text(row, "subject"), _text(row, "body")
        if not body.strip():
            return "no body; give LLMail-Inject's submissions as JSONL"
        return Example(
            text=f"Subject: {subject}\n\n{body}",
            y=1,
            tool="read_email",
            set_id=f"llmail/{_text(row, 'team_id') or number}",
            source="llmail-inject",
            license="MIT (LLMail-Inject)",
            family=_text(row, "scenario"),
        )

    return _collect(path, "LLMail-Inject", make)


def load_hub(
    name: str, *, split: str = "train", license_text: str = "", text: str = "text"
) -> list[Example]:
    """Read a hub data set by name; it must have a text and a label column.

    Args:
        name: ``owner/name``.
        split: split of the set.
        license_text: as the set's card says; ``unknown`` if empty.
        text: name of the text column.

    Raises:
        MissingError: the package ``datasets`` is not installed.
        DataError: rows lack a text or a label.

    """
    try:
        load_dataset = importlib.import_module("datasets").load_dataset
    except ImportError:
        message = "hub data sets need the package datasets; run: pip install datasets"
        raise MissingError(message) from None
    rows: Iterable[Row] = load_dataset(name, split=split)
    out: list[Example] = []
    faults: list[str] = []
    for number, row in enumerate(rows, 1):
        y, value = _label(row), row.get(text)
        if y is None or _text_fault(value) is not None or _halved(str(value)):
            faults.append(f"{name}:{number}: no string {text!r} or no label; name the text column")
            continue
        out.append(Example(text=str(value), y=y, set_id=f"{name}/{number}", source=name,
                           license=license_text or "unknown"))  # fmt: skip
    raise_faults(faults)
    return out


def pairs(examples: Iterable[Example]) -> list[tuple[Example, Example]]:
    """Return ``(benign, injected)`` pairs of the same set_id: every injected with its benign."""
    benign: dict[str, Example] = {}
    injected: list[Example] = []
    for example in examples:
        if example.y:
            injected.append(example)
        else:
            benign.setdefault(example.set_id, example)
    return [(benign[one.set_id], one) for one in injected if one.set_id in benign]
