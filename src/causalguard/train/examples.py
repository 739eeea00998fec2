"""Examples: what training reads, whatever it was made from.

A matched set gives up to six (benign, counterfactual, injected, imperative, authorised, misled), a
row of a labelled file one.  Examples of one ``group`` depend on each other: they stand in the same
batch and on the same side of the dev split.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from causalguard.errors import DataError
from causalguard.interventions import loaders
from causalguard.interventions.licenses import shippable
from causalguard.records import Kind, Span, ToolOutput, Triplet

ROLES: tuple[Kind, ...] = (
    "benign", "counterfactual", "injected", "authorised", "imperative", "misled",
)  # fmt: skip
"""Order of the role codes in a batch; rows of labelled files are benign or injected."""

ANSWERED: tuple[Kind, ...] = ("benign", "injected")
"""Members that a set's response answers."""

TEST_ONLY = re.compile(r"agentdojo|notinject", re.IGNORECASE)
"""Sets that this project tests on and never trains on; rows that name them are left out."""


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
    response: str = ""
    """What a model should answer to it, for the task term; empty: it takes no part in that."""


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
    if t.misleading_task:
        made.append(("misled", 1, t.injected, t.misleading_task, t.span))
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
            # The same answer with and without the instruction: to learn to ignore it.
            response=t.response if kind in ANSWERED else "",
        )
        for kind, y, text, task, span in made
    ]


def from_triplets(triplets: Iterable[Triplet], source: str) -> list[Example]:
    """All members of all sets."""
    return [example for triplet in triplets for example in from_triplet(triplet, source)]


def read_examples(
    path: Path,
    *,
    licences: Literal["all", "shippable"] | Sequence[str] = "all",
    exclude_sources: Sequence[str] = (),
    max_rows: int | None = None,
) -> list[Example]:
    """Read a file of labelled examples (see :func:`causalguard.interventions.loaders.load_rows`).

    Args:
        path: rows with at least a text and a label.
        licences: ``shippable`` keeps rows whose licence lets a model trained on them be given
            away; words keep rows whose licence contains one of them.
        exclude_sources: drop rows of these sources.
        max_rows: keep at most this many rows, whole pairs, the same ones for the same file.

    Rows of the sets that this project only tests on are always left out.

    Raises:
        DataError: rows without text or label, with line numbers; or nothing is left.
    """
    rows = loaders.load_rows(path)
    kept = [
        _example(row, path.name, number)
        for number, row in enumerate(rows)
        if _licensed(row.license, licences)
        and row.source not in exclude_sources
        and not TEST_ONLY.search(f"{row.source} {row.license}")
    ]
    if not kept:
        raise DataError(f"{path}: no row is left after the filters; loosen them or drop the file")
    thinned = _thin(kept, max_rows)
    if not thinned:
        raise DataError(f"{path}: no pair has as few as max_rows ({max_rows}) rows; raise it")
    return thinned


def _licensed(licence: str, wanted: Literal["all", "shippable"] | Sequence[str]) -> bool:
    if wanted == "all":
        return True
    if wanted == "shippable":
        return shippable(licence)
    return any(word.lower() in licence.lower() for word in wanted)


def _example(row: loaders.Example, file: str, number: int) -> Example:
    return Example(
        output=ToolOutput(
            text=row.text, tool=row.tool, task=row.task, system=row.system, id=f"{file}:{number}"
        ),
        y=row.y,
        kind="injected" if row.y == 1 else "benign",
        span=row.spans[0] if len(row.spans) == 1 else None,
        group=f"{file}/{row.set_id}",
        cluster=f"{file}/{row.set_id}",
        family=row.source,
        source=file,
    )


def share(key: str, salt: str) -> float:
    """A number in [0, 1) that a name fixes: splits that do not move when data are added."""
    digest = hashlib.blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _thin(examples: list[Example], max_rows: int | None) -> list[Example]:
    if max_rows is None or len(examples) <= max_rows:
        return examples
    sizes = Counter(e.group for e in examples)
    kept: set[str] = set()
    left = max_rows
    for group in sorted(sizes, key=lambda g: share(g, "thin")):
        if sizes[group] <= left:
            kept.add(group)
            left -= sizes[group]
    return [e for e in examples if e.group in kept]


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
