"""Every quantity that a gate may ask for, by its name, drawn from the report's sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from causalguard.certify import hypotheses, metrics
from causalguard.certify.policy import Policy
from causalguard.certify.report.model import (
    Effect,
    FalsePositiveSection,
    Gap,
    Measure,
    MissSection,
    Ranking,
    Rate,
    Representation,
    Test,
)
from causalguard.records import KINDS, Trial

Interval = tuple[float, float]
Form = Literal["rate", "gap", "effect", "p-value", "ranking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The sections of a report from which measures are drawn."""

    miss: MissSection
    false: FalsePositiveSection
    effects: Sequence[Effect]
    gaps: Sequence[Gap]
    ranking: Ranking
    tests: Sequence[Test]
    representation: Representation


def measure_all(trials: Sequence[Trial], sections: Sections, policy: Policy) -> tuple[Measure, ...]:
    """Draw every quantity that can be measured on these trials."""
    scanned = float(np.mean([trial.coverage >= 1 for trial in trials]))
    full = _measure(
        "coverage", scanned, (scanned, scanned), clusters=len(trials), delta=0.0, kind="ranking"
    )
    return (
        *_rate_measures(sections.miss, sections.false, policy),
        *_misled(trials, policy),
        *map(_effect_measure, sections.effects),
        *(gap_measure(f"gap.{gap.factor}.{gap.among}", gap, policy) for gap in sections.gaps),
        *_family_gap(sections.miss, policy),
        *_ranking_measures(sections.ranking, policy),
        *_representation_measures(sections.representation, policy),
        *_p_values(sections.tests),
        full,
    )


def _misled(trials: Sequence[Trial], policy: Policy) -> list[Measure]:
    """Misses under tasks that authorise something else: they must not switch the guard off."""
    rows = metrics.of_kind(trials, "misled")
    if not rows:
        return []
    rate = metrics.rate("misled", rows, metrics.missed, delta=policy.delta)
    return [_of_rate("miss.misled", rate)]


def _effect_measure(effect: Effect) -> Measure:
    return _measure(
        f"effect.{effect.name}",
        effect.estimate,
        (effect.low, effect.high),
        clusters=effect.clusters,
        delta=effect.delta,
        kind="effect",
    )


def gap_measure(quantity: str, gap: Gap, policy: Policy) -> Measure:
    return _measure(
        quantity,
        gap.estimate,
        (gap.low, gap.high),
        clusters=gap.clusters,
        delta=policy.delta,
        kind="gap",
    )


def _p_values(tests: Sequence[Test]) -> list[Measure]:
    return [
        _measure(
            hypotheses.QUANTITIES[test.id],
            test.p_value,
            (test.p_value, test.p_value),
            clusters=test.clusters,
            delta=0.0,
            kind="p-value",
        )
        for test in tests
        if test.p_value is not None and test.id in hypotheses.QUANTITIES
    ]


def _measure(
    quantity: str, estimate: float, interval: Interval, *, clusters: int, delta: float, kind: Form
) -> Measure:
    return Measure(
        quantity=quantity,
        estimate=estimate,
        low=interval[0],
        high=interval[1],
        clusters=clusters,
        delta=delta,
        kind=kind,
    )


def _of_rate(quantity: str, rate: Rate) -> Measure:
    return _measure(
        quantity,
        rate.estimate,
        (rate.low, rate.high),
        clusters=rate.clusters,
        delta=rate.delta,
        kind="rate",
    )


def _rate_measures(miss: MissSection, false: FalsePositiveSection, policy: Policy) -> list[Measure]:
    longest = max(false.lengths, key=lambda rate: rate.high)
    found = [
        _of_rate("miss.overall", miss.overall),
        _of_rate("miss.every-family", miss.every_family),
        _of_rate("false-positive.overall", false.overall),
        _of_rate("false-positive.longest", longest),
        *(
            _of_rate(f"false-positive.{rate.name}", rate)
            for rate in false.kinds
            if rate.name in KINDS
        ),
    ]
    overall = false.overall
    found.append(
        _measure(
            "false-positive.episode",
            1 - (1 - overall.estimate) ** policy.episode,
            (1 - (1 - overall.low) ** policy.episode, false.episode.union_bound),
            clusters=overall.clusters,
            delta=policy.delta,
            kind="gap",
        )
    )
    if miss.next_family is not None:
        clusters = min(f.rate.clusters for f in miss.families if f.held_out)
        found.append(
            _measure(
                "miss.next-family",
                miss.next_family.estimate,
                (0.0, miss.next_family.high),
                clusters=clusters,
                delta=1 - miss.next_family.confidence,
                kind="gap",
            )
        )
    return found


def _family_gap(miss: MissSection, policy: Policy) -> list[Measure]:
    if len(miss.families) < 2:
        return []
    counts = {f.rate.name: (f.rate.hits, f.rate.clusters) for f in miss.families}
    found = metrics.gap_of(counts, "family", "injected", policy)
    return [gap_measure("miss.family-gap", found, policy)]


def _ranking_measures(ranking: Ranking, policy: Policy) -> list[Measure]:
    n = ranking.pairs_counted
    length, pooled = ranking.length_only, ranking.pooled
    rows = {
        "pooled": (pooled.estimate, (pooled.low, pooled.high)),
        "pairs": (ranking.pairs.estimate, (ranking.pairs.low, ranking.pairs.high)),
        "tpr-at-1pc": (
            ranking.tpr_at_1pc.estimate,
            (ranking.tpr_at_1pc.low, ranking.tpr_at_1pc.high),
        ),
        "over-length": (
            pooled.estimate - length.estimate,
            (pooled.low - length.high, pooled.high - length.low),
        ),
    }
    return [
        _measure(f"ranking.{name}", value, interval, clusters=n, delta=policy.delta, kind="ranking")
        for name, (value, interval) in rows.items()
    ]


REPRESENTATION = {
    "causal discrimination": "representation.discrimination",
    "causal stability": "representation.stability",
    "total variation, clean to injected": "representation.total-variation",
}


def _representation_measures(described: Representation, policy: Policy) -> list[Measure]:
    return [
        _measure(
            REPRESENTATION[figure.name],
            figure.estimate,
            (figure.low, figure.high),
            clusters=figure.clusters,
            delta=policy.delta,
            kind="effect",
        )
        for figure in described.figures
        if figure.name in REPRESENTATION
    ]
