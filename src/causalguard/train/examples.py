"""Examples: what training reads, whatever it was made from.

A matched set gives up to five (benign, counterfactual, injected, imperative, authorised), a row
of a labelled file one.  Examples of one ``group`` depend on each other: they stand in the same
batch and on the same side of the dev split.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from causalguard.errors import DataError
from causalguard.files import raise_faults, read_jsonl
from causalguard.records import Kind, Span, ToolOutput, Triplet

ROLES: tuple[Kind, ...] = ("benign", "counterfactual", "injected", "authorised", "imperative")
"""Order of the role codes in a batch; rows of labelled files are benign or injected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One text under one trusted context."""

    output: ToolOutput
    """The text and its context."""
    y: int
    """1 = carries an instruction that the context does not authorise."""
    kind: Kind
    """Role in its matched set."""
    span: Span | None = None
    """Where the instruction (or benign imperative) stands; None: there is none, or nobody knows."""
    group: str
    """Examples that belong together: the matched set, or the pair of a labelled file."""
    cluster: str
    """The dev split goes by this: the carrier, or the pair."""
    family: str = ""
    """Family group of the attack (also on its benign twins); the source for labelled files."""
    source: str = ""
    """Which data source it came from; batches are mixed by the sources' weights."""


def from_triplet(triplet: Triplet, source: str) -> list[Example]:
    """The members of a matched set as examples."""
    t = triplet
    made: list[tuple[Kind, int, str, str, Span | None]] = [
        ("benign", 0, t.benign, t.task, None),
        ("counterfactual", 0, t.counterfactual, t.task, None),
        ("injected", 1, t.injected, t.task, t.span),
    ]
    if t.authorised_task:
        made.append(("authorised", 0, t.injected, t.authorised_task, t.span))
    if t.imperative:
        made.append(("imperative", 0, t.imperative, t.task, t.imperative_span))
    return [
        Example(
            output=ToolOutput(
                text=text, tool=t.tool, task=task, system=t.system, id=f"{t.id}/{kind}"
            ),
            y=y,
            kind=kind,
            # Kept for Y = 0 as well: a window must hold the imperative to be a hard negative.
            span=span,
            group=f"{source}/{t.id}",
            cluster=t.cluster.get("carrier", t.id),
            family=t.group,
            source=source,
        )
        for kind, y, text, task, span in made
    ]


def from_triplets(triplets: Iterable[Triplet], source: str) -> list[Example]:
    """All members of all sets."""
    return [example for triplet in triplets for example in from_triplet(triplet, source)]


def read_examples(
    path: Path,
    *,
    licences: Sequence[str] | None = None,
    exclude_sources: Sequence[str] = (),
    max_rows: int | None = None,
) -> list[Example]:
    """Read a file of labelled examples.

    Args:
        path: JSONL (or .gz) rows with ``text`` and ``label``; ``task, system, tool, id, source,
            license, injection, pair`` are used where they are there.
        licences: keep rows whose licence contains one of these words.
        exclude_sources: drop rows of these sources.
        max_rows: keep whole pairs, in an order fixed by their names, up to about this many rows.

    Raises:
        DataError: rows without text or with a label that is not 0 or 1, all with line numbers.
    """
    faults: list[str] = []
    found: list[Example] = []
    for number, row in read_jsonl(path):
        fault = _fault(row)
        if fault:
            faults.append(f"{path}:{number}: {fault}")
        elif _wanted(row, licences, exclude_sources):
            found.append(_example(row, path.name, number))
    raise_faults(faults)
    if not found:
        raise DataError(f"{path}: no row is left after the filters; loosen them or drop the file")
    return _thin(found, max_rows)


def _fault(row: dict[str, Any]) -> str:
    if not isinstance(row.get("text"), str) or not row["text"].strip():
        return "text is missing or empty; remove the row or fill it in"
    if row.get("label") not in (0, 1):
        return f"label must be 0 or 1, got {row.get('label')!r}"
    return ""


def _wanted(row: dict[str, Any], licences: Sequence[str] | None, excluded: Sequence[str]) -> bool:
    licence = str(row.get("license", "")).lower()
    if licences is not None and not any(word.lower() in licence for word in licences):
        return False
    return str(row.get("source", "")) not in excluded


def _example(row: dict[str, Any], file: str, number: int) -> Example:
    text, injection = row["text"], row.get("injection") or ""
    pair = str(row.get("pair") or row.get("id") or number)
    at = text.find(injection) if row["label"] == 1 and injection else -1
    source = str(row.get("source") or file)
    return Example(
        output=ToolOutput(
            text=text,
            tool=str(row.get("tool") or ""),
            task=str(row.get("task") or ""),
            system=str(row.get("system") or ""),
            id=str(row.get("id") or f"{file}:{number}"),
        ),
        y=int(row["label"]),
        kind="injected" if row["label"] == 1 else "benign",
        span=Span(start=at, end=at + len(injection)) if at >= 0 else None,
        group=f"{file}/{pair}",
        cluster=f"{file}/{pair}",
        family=source,
        source=file,
    )


def share(key: str, salt: str) -> float:
    """A number in [0, 1) that a name fixes: splits that do not move when data are added."""
    digest = hashlib.blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _thin(examples: list[Example], max_rows: int | None) -> list[Example]:
    if max_rows is None or len(examples) <= max_rows:
        return examples
    keep = max_rows / len(examples)
    return [e for e in examples if share(e.group + e.output.id, "thin") < keep]


def split_dev(
    examples: Sequence[Example], *, dev_share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Part examples by cluster into training and dev.

    Args:
        examples: all of them.
        dev_share: share of clusters that goes to dev, (0, 1).
        seed: another seed, another choice of clusters.

    Returns: (training, dev); no cluster is in both.
    """
    salt = f"dev{seed}"
    train = [e for e in examples if share(e.cluster, salt) >= dev_share]
    dev = [e for e in examples if share(e.cluster, salt) < dev_share]
    return train, dev


def describe_lengths(lengths: np.ndarray[Any, np.dtype[np.int64]], window: int) -> str:
    """One line of length statistics, in tokens."""
    low, middle, high, top = np.quantile(lengths, [0.0, 0.5, 0.95, 1.0]).astype(int)
    longer = float((lengths > window).mean())
    return (
        f"{len(lengths)} texts; tokens min {low}, median {middle}, p95 {high}, max {top}; "
        f"{longer:.1%} longer than a window of {window}"
    )
