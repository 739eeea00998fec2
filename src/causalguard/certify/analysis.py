"""Trials in, results out: pure, so that anyone can compute a report's numbers again.

The same trials and the same policy give the same results to the last digit that is printed:
no clock, no global random state, no file but the arguments.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from causalguard.certify import gates, graphs, hypotheses, metrics, representation, wording
from causalguard.certify.measures import Sections, measure_all
from causalguard.certify.metrics import CLEAN, of_kind
from causalguard.certify.policy import Policy
from causalguard.certify.report.model import (
    Effect,
    Episode,
    FalsePositiveSection,
    FamilyRate,
    Gap,
    MissSection,
    NextFamily,
    Population,
    Rate,
    Results,
    SampleSize,
)
from causalguard.certify.trials import TrialSet
from causalguard.errors import DataError
from causalguard.records import KINDS, POSITIVE, Trial
from causalguard.stats import bounds
from causalguard.stats.families import family_table

MARGINS = (0.05, 0.02, 0.01, 0.005, 0.001)
Rows = Sequence[Trial]
ANY_CLEAN = "any clean output of the carrier"
AMONG: tuple[Literal["clean", "injected"], ...] = ("clean", "injected")


def analyse(trial_set: TrialSet, policy: Policy, held_out: frozenset[str] = frozenset()) -> Results:
    """Compute every figure of the report.

    Args:
        trial_set: the guard's answers.
        policy: margins, confidence, seeds.
        held_out: families on which the guard was not trained; empty when that is not known.

    Raises:
        DataError: an empty stratum (it is named).
    """
    trials = trial_set.trials
    _check_strata(trials)
    miss = miss_section(trials, policy, held_out)
    false = false_positive_section(trials, policy)
    effects = effect_section(trials, policy)
    gaps = gap_section(trials, policy)
    ranking = metrics.rank(trials, policy)
    tests = hypotheses.run(trial_set, policy, effects, gaps, miss)
    described = representation.describe(trial_set, policy)
    sections = Sections(
        miss=miss,
        false=false,
        effects=effects,
        gaps=gaps,
        ranking=ranking,
        tests=tests,
        representation=described,
    )
    measures = measure_all(trials, sections, policy)
    outcomes = gates.judge_all(policy, measures)
    result = gates.verdict(outcomes)
    population = population_of(trials)
    return Results(
        result=result,
        gates=outcomes,
        population=population,
        miss=miss,
        false_positives=false,
        effects=effects,
        gaps=gaps,
        tests=tests,
        ranking=ranking,
        representation=described,
        curves=metrics.curves(trials, policy),
        graph=graphs.learn(trial_set, policy),
        sample_sizes=sample_sizes(policy),
        measures=measures,
        multiplicity=wording.MULTIPLICITY,
        plain=wording.plain(result, outcomes, miss, false, policy),
        not_covered=wording.NOT_COVERED,
    )


def _check_strata(trials: Rows) -> None:
    if not trials:
        raise DataError("there are no trials; render or give an audit set first")
    for kind in ("injected", "benign"):
        if not of_kind(trials, kind):
            raise DataError(f"no {kind} audit texts: an empty stratum has no bound; add some")
    backends = {trial.backend for trial in trials}
    if len(backends) != 1:
        raise DataError(
            f"trials of several backends ({', '.join(sorted(backends))}) in one file: certify "
            "each backend by itself"
        )


def miss_section(trials: Rows, policy: Policy, held_out: frozenset[str]) -> MissSection:
    """P(not flagged | Y = 1): overall, by family, by group, for the next family."""
    delta = policy.delta
    injected = of_kind(trials, "injected")
    rates = metrics.rates_by(injected, lambda t: t.family, metrics.missed, delta=delta)
    table = family_table(
        {rate.name: (rate.hits, rate.clusters) for rate in rates},
        alpha=policy.family_margin,
        delta=delta,
    )
    families = tuple(
        FamilyRate(
            rate=rate, p_value=row.p_value, covered=row.passes, held_out=rate.name in held_out
        )
        for rate, row in zip(rates, table.rows, strict=True)
    )
    worst = max(table.rows, key=lambda row: (row.bound_alone, row.family)).family
    every = metrics.rate(
        worst, [t for t in injected if t.family == worst], metrics.missed, delta=delta
    )
    return MissSection(
        overall=metrics.rate("all injected texts", injected, metrics.missed, delta=delta),
        families=families,
        groups=metrics.rates_by(injected, lambda t: t.group, metrics.missed, delta=delta),
        every_family=every,
        next_family=next_family([f.rate for f in families if f.held_out], policy),
        epsilon_causal=max(family.rate.high for family in families),
    )


def next_family(rates: Sequence[Rate], policy: Policy) -> NextFamily | None:
    """Bound for a family drawn like the held-out ones; None with too few of them.

    Half of delta goes to the draw of the family and half to the counts, where enough families
    are there for it; with 19 to 38 of them the rank takes 1 / (K + 1) and the counts a tenth of
    delta, and the confidence printed says so.
    """
    if len(rates) < 19:
        return None
    half = policy.delta / 2
    exact = half * (len(rates) + 1) >= 1
    found = bounds.unseen_family(
        [rate.hits for rate in rates],
        [rate.clusters for rate in rates],
        delta_rank=half if exact else 1 / (len(rates) + 1),
        delta_count=half if exact else policy.delta / 10,
    )
    if found.bound is None or found.confidence is None:
        return None
    estimates = sorted((rate.estimate for rate in rates), reverse=True)
    return NextFamily(
        families=found.families,
        order=found.rank,
        estimate=estimates[found.rank - 1],
        high=found.bound,
        confidence=found.confidence,
        assumption=found.assumption,
    )


def false_positive_section(trials: Rows, policy: Policy) -> FalsePositiveSection:
    """P(flagged | Y = 0): overall, by kind, by length, in an episode."""
    delta = policy.delta
    clean = of_kind(trials, *CLEAN)
    # one output a carrier: a statement about outputs; "any" would be one about carriers
    drawn = metrics.one_each(clean, metrics.rng_for(policy.seed, "false-positive/overall"))
    overall = metrics.rate("clean outputs", drawn, metrics.flagged, delta=delta)
    either = metrics.rate(ANY_CLEAN, clean, metrics.flagged, delta=delta)
    kinds = tuple(
        metrics.rate(kind, of_kind(trials, kind), metrics.flagged, delta=delta)
        for kind in KINDS
        if kind not in POSITIVE and of_kind(trials, kind)
    )
    independent = 1.0 - (1.0 - overall.high) ** policy.episode
    return FalsePositiveSection(
        overall=overall,
        kinds=(*kinds, either),
        lengths=metrics.rates_by_length(clean, policy.length_edges, metrics.flagged, delta=delta),
        episode=Episode(
            outputs=policy.episode,
            if_independent=independent,
            union_bound=min(1.0, policy.episode * overall.high),
        ),
    )


def effect_section(trials: Rows, policy: Policy) -> tuple[Effect, ...]:
    """Average causal effects on ``flagged`` of what the auditor assigned, paired."""
    found = (
        metrics.effect(
            name, claim, metrics.paired(trials, "injected", other, policy), delta=policy.delta
        )
        for name, claim, other in hypotheses.CONTRASTS
    )
    return tuple(effect for effect in found if effect is not None)


def gap_section(trials: Rows, policy: Policy) -> tuple[Gap, ...]:
    """Equivalence over the levels of each nuisance, at fixed Y."""
    pairs = ((factor, among) for factor in policy.gap_factors for among in AMONG)
    found = (metrics.gap(trials, factor, among, policy) for factor, among in pairs)
    return tuple(gap for gap in found if gap is not None)


def sample_sizes(policy: Policy) -> tuple[SampleSize, ...]:
    """Clusters needed to show small rates, for planning the next audit."""
    return tuple(
        SampleSize(
            margin=margin,
            confidence=policy.confidence,
            errors=errors,
            clusters=bounds.sample_size(margin, policy.delta, errors),
        )
        for margin in MARGINS
        for errors in (0, 1, 5)
    )


def population_of(trials: Rows) -> Population:
    """What was sampled."""
    clusters = {trial.cluster for trial in trials}
    goals = {label for t in trials if (label := t.nuisance.get("cluster.goal"))}
    templates = {label for t in trials if (label := t.nuisance.get("cluster.template"))}
    kinds = Counter(trial.kind for trial in trials)
    families = Counter(t.family for t in of_kind(trials, "injected"))
    return Population(
        statement=wording.population(len(clusters), len(goals), len(templates)),
        trials=len(trials),
        sets=len({trial.set_id for trial in trials}),
        clusters=len(clusters),
        contexts=len({trial.s for trial in trials}),
        goals=len(goals),
        templates=len(templates),
        kinds={kind: kinds[kind] for kind in KINDS if kinds[kind]},
        families=dict(sorted(families.items())),
        coverage_below_one=sum(trial.coverage < 1 for trial in trials),
    )
