"""Matched sets on other people's tool outputs: the benign rows of a labelled file as carriers.

The payloads are the intervention engine's, and the injections that the labelled files quote: an
attack seen in one carrier of its own set teaches the carrier, the same attack in many does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from causalguard.interventions import engine
from causalguard.interventions.carriers.files import FileCarrier, carrier_of
from causalguard.interventions.families.base import Family, FamilyContext, Rendered
from causalguard.interventions.goals import Goal
from causalguard.records import Triplet
from causalguard.train.examples import Example

BORROWED_SHARE = 0.35
"""Share of the sets whose payload is quoted from a labelled file, where there are any."""
SHORTEST = 12
"""Characters of the shortest quotation that counts as an injection of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted(Family):
    """Injections of one labelled file, as they stand there."""

    texts: tuple[str, ...] = field(repr=False)
    """Distinct injections, sorted."""

    def compose(self, goal: Goal, context: FamilyContext, rng: np.random.Generator) -> Rendered:
        """One of the texts; the goal and the context are not used."""
        del goal, context
        k = int(rng.integers(len(self.texts)))
        return Rendered(text=self.texts[k], template=f"{self.name}/{k}")


def quoted(rows: Sequence[Example]) -> tuple[Quoted, ...]:
    """One family per source, of the injections that its rows point at."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.y == 1 and row.span is not None:
            text = row.output.text[row.span.start : row.span.end].strip()
            if len(text) >= SHORTEST:
                found.setdefault(row.source, set()).add(text)
    return tuple(
        Quoted(
            name=f"quoted-{source}",
            group="quoted",
            source=source,
            trained=True,
            openers=("",),
            bodies=("«do»",),
            closers=("",),
            authorisable=False,
            texts=tuple(sorted(texts)),
        )
        for source, texts in sorted(found.items())
    )


def matched_sets(
    rows: Sequence[Example], quotations: Sequence[Quoted], *, per_row: float, seed: int
) -> list[Triplet]:
    """Render matched sets on benign rows.

    Args:
        rows: examples of one file; those with y = 0 are the carriers.
        quotations: families of quoted injections that may be used beside the engine's.
        per_row: sets per carrier, > 0.
        seed: >= 0.

    Returns: the sets, their ``cluster["carrier"]`` being the cluster of the row they stand on.
    """
    carriers = tuple(c for row in rows if row.y == 0 if (c := _carrier(row)) is not None)
    if len(carriers) < 2:
        return []
    plan = engine.make_plan(seed, "train", None, None, None)
    families = plan.families
    if quotations:
        each = BORROWED_SHARE / (1 - BORROWED_SHARE) * len(families) / len(quotations)
        families += tuple(q for q in quotations for _ in range(max(1, round(each))))
    plan = replace(plan, files=carriers, families=families)
    sets = (engine.nth(k, plan) for k in range(round(per_row * len(carriers))))
    return [
        replace(t, cluster={**t.cluster, "carrier": t.cluster["carrier"].removeprefix("file/")})
        for t in sets
    ]


def _carrier(row: Example) -> FileCarrier | None:
    o = row.output
    return carrier_of(row.cluster, o.text, tool=o.tool, task=o.task, system=o.system)
