"""Matched sets as JSONL: reading with every fault named, writing all or nothing, guard inputs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from causalguard.errors import OutputExistsError
from causalguard.files import raise_faults, read_jsonl, write_atomic
from causalguard.records import Kind, Span, ToolOutput, Triplet

SCHEMA = "triplet/1"
"""Version of the row format; readers refuse any other."""

_TEXTS = ("id", "system", "task", "tool", "benign", "counterfactual", "injected", "family", "group",
          "license", "source")  # fmt: skip
_MAY_BE_EMPTY = frozenset({"system", "tool"})
_OPTIONAL_TEXTS = ("imperative", "authorised_task", "misleading_task", "response")
_MAPPINGS = ("nuisance", "cluster")
_CONTRARY = (
    ("counterfactual", "injected"), ("imperative", "injected"), ("authorised_task", "task"),
    ("authorised_task", "misleading_task"),
)  # fmt: skip
"""Members whose equality would give one guard input both labels."""
_FIELDS = frozenset({
    "schema", *_TEXTS, *_OPTIONAL_TEXTS, *_MAPPINGS, "span", "imperative_span",
})  # fmt: skip
_REQUIRED = frozenset({"schema", *_TEXTS, "span"})

TrialText = tuple[Kind, int, ToolOutput, Span | None]
"""Kind, label Y, guard input, and the span of what was inserted."""


def read(path: Path) -> list[Triplet]:
    """Read and check a file of triplets.

    Args:
        path: JSONL, or gzipped JSONL ending in ``.gz``.

    Returns:
        The triplets, in file order; at least one.

    Raises:
        DataError: rows are wrong; lists every fault as ``path:line: what, and what to do``.
        InputError: there is no such file.

    """
    faults: list[str] = []
    found: list[Triplet] = []
    lines: dict[str, int] = {}
    for number, row in read_jsonl(path):
        wrong = row_faults(row)
        identifier = row.get("id")
        if isinstance(identifier, str) and identifier in lines:
            wrong.append(
                f"id {identifier!r} stands on line {lines[identifier]} too; make it unique"
            )
        elif isinstance(identifier, str):
            lines[identifier] = number
        faults += [f"{path}:{number}: {fault}" for fault in wrong]
        if not wrong:
            found.append(from_row(row))
    if not found and not faults:
        faults.append(f"{path}:1: no rows; write triplets with `guard-data triplets`")
    raise_faults(faults)
    return found


def row_faults(row: Mapping[str, Any]) -> list[str]:
    """Return everything that is wrong with one row, as sentences that say what to do."""
    faults = [f"unknown field {name!r}; remove it" for name in sorted(set(row) - _FIELDS)]
    missing = sorted(_REQUIRED - set(row))
    faults += [f"required field {name!r} is missing; add it" for name in missing]
    if row.get("schema", SCHEMA) != SCHEMA:
        faults.append(f"schema is {row['schema']!r}, this version reads {SCHEMA!r}; convert it")
    for name in (*_TEXTS, *_OPTIONAL_TEXTS):
        faults += _text_faults(name, row)
    for name in _MAPPINGS:
        value = row.get(name, {})
        good = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        if not good:
            faults.append(f"{name} must map names to strings, got {value!r}")
    faults += _span_faults("span", "injected", row)
    faults += _span_faults("imperative_span", "imperative", row)
    return faults or _content_faults(row)


def _text_faults(name: str, row: Mapping[str, Any]) -> list[str]:
    if name not in row:
        return []
    value = row[name]
    if not isinstance(value, str):
        return [f"{name} must be a string, got {type(value).__name__}"]
    if name in _TEXTS and name not in _MAY_BE_EMPTY and not value.strip():
        return [f"{name} is empty; give it text or drop the row"]
    if name == "response" and value and not value.strip():
        return ["response holds only white space; give it text or leave it out"]
    if any("\ud800" <= character <= "\udfff" for character in value):
        return [f"{name} holds half of a surrogate pair; save the row as valid UTF-8"]
    return []


def _span_faults(name: str, text_name: str, row: Mapping[str, Any]) -> list[str]:  # noqa: PLR0911  # one return a case
    value, text = row.get(name), row.get(text_name)
    if value is None:
        if name == "span" and name in row:
            return ["span is null; give [start, end] in characters of injected"]
        return [f"{text_name} needs {name}; give [start, end]"] if text and name != "span" else []
    whole = isinstance(value, list) and len(value) == 2
    if not whole or not all(type(number) is int for number in value):
        return [f"{name} must be [start, end] in characters, got {value!r}"]
    if not isinstance(text, str):
        return []
    start, end = value
    if not 0 <= start < end <= len(text):
        return [f"{name} {value} is not inside {text_name} ({len(text)} characters); correct it"]
    if not text[start:end].strip():
        return [f"{name} {value} holds only white space; point it at the inserted text"]
    return []


def _content_faults(row: Mapping[str, Any]) -> list[str]:
    if row["benign"] == row["injected"]:
        return ["benign and injected are the same text; the injection must change it"]
    start, end = row["span"]
    if row["injected"][start:end] in row["benign"] and end - start > 40:
        return ["benign holds the injected text too; take it out of benign"]
    return [
        f"{one} and {other} are the same, with other labels; correct one"
        for one, other in _CONTRARY
        if row.get(one) and row.get(one) == row.get(other)
    ]


def from_row(row: Mapping[str, Any]) -> Triplet:
    """Return the triplet of a checked row."""
    imperative_span = row.get("imperative_span")
    return Triplet(
        **{name: row[name] for name in _TEXTS},
        span=Span(start=row["span"][0], end=row["span"][1]),
        imperative=row.get("imperative", ""),
        imperative_span=None
        if imperative_span is None
        else Span(start=imperative_span[0], end=imperative_span[1]),
        authorised_task=row.get("authorised_task", ""),
        misleading_task=row.get("misleading_task", ""),
        response=row.get("response", ""),
        nuisance=dict(row.get("nuisance", {})),
        cluster=dict(row.get("cluster", {})),
    )


def to_row(triplet: Triplet) -> dict[str, Any]:
    """Return a triplet as a JSON object; optional members that are absent are left out."""
    row: dict[str, Any] = {"schema": SCHEMA}
    row |= {name: getattr(triplet, name) for name in _TEXTS}
    row["span"] = [triplet.span.start, triplet.span.end]
    if triplet.imperative and triplet.imperative_span is not None:
        row["imperative"] = triplet.imperative
        row["imperative_span"] = [triplet.imperative_span.start, triplet.imperative_span.end]
    if triplet.authorised_task:
        row["authorised_task"] = triplet.authorised_task
    if triplet.misleading_task:
        row["misleading_task"] = triplet.misleading_task
    if triplet.response:
        row["response"] = triplet.response
    row["nuisance"] = dict(triplet.nuisance)
    row["cluster"] = dict(triplet.cluster)
    return row


def write(path: Path, triplets: Iterable[Triplet]) -> int:
    """Write triplets to a new file, all or nothing.

    Args:
        path: must not exist; JSONL is written.
        triplets: at least one.

    Returns:
        How many rows were written.

    Raises:
        OutputExistsError: the path is taken.
        DataError: a triplet is not one this package would read back.

    """
    if path.exists():
        message = f"{path} exists already; give another path or remove it first"
        raise OutputExistsError(message)
    lines: list[str] = []
    faults: list[str] = []
    seen: set[str] = set()
    for number, triplet in enumerate(triplets, 1):
        row = to_row(triplet)
        wrong = row_faults(row)
        if triplet.id in seen:
            wrong.append(f"id {triplet.id!r} is used twice; make it unique")
        seen.add(triplet.id)
        faults += [f"{path}:{number}: {fault}" for fault in wrong]
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    if not lines:
        faults.append(f"{path}: nothing to write; ask for at least one triplet")
    raise_faults(faults)
    write_atomic(path, "".join(lines))
    return len(lines)


def trial_texts(triplet: Triplet) -> list[TrialText]:
    """Return the members of a matched set as guard inputs.

    Args:
        triplet: the set.

    Returns:
        ``(kind, y, tool output, span)`` for benign, counterfactual and injected, and for the
        imperative and the authorised member where the set has them.  ``span`` is where the
        instruction or imperative stands, None where nothing was inserted.

    """

    def output(kind: Kind, text: str, task: str) -> ToolOutput:
        return ToolOutput(
            text=text,
            tool=triplet.tool,
            task=task,
            system=triplet.system,
            id=f"{triplet.id}/{kind}",
        )

    task = triplet.task
    members: list[TrialText] = [
        ("benign", 0, output("benign", triplet.benign, task), None),
        ("counterfactual", 0, output("counterfactual", triplet.counterfactual, task), None),
        ("injected", 1, output("injected", triplet.injected, task), triplet.span),
    ]
    if triplet.imperative:
        text = output("imperative", triplet.imperative, task)
        members.append(("imperative", 0, text, triplet.imperative_span))
    if triplet.authorised_task:
        text = output("authorised", triplet.injected, triplet.authorised_task)
        members.append(("authorised", 0, text, triplet.span))
    if triplet.misleading_task:
        text = output("misled", triplet.injected, triplet.misleading_task)
        members.append(("misled", 1, text, triplet.span))
    return members
