"""Effects of assigned interventions on the verdict, counted over independent clusters."""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import binomtest

from causalguard.errors import InputError
from causalguard.stats import bounds

ASSUMPTION = (
    "An average over the sampled families, not their worst member; for one fully scanned tool "
    "output that is withheld when flagged, and an attack that needs its payload to be read."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedEffect:
    """Average causal effect of an assigned change on ``flagged``, from matched pairs."""

    effect: float
    """P(flagged | changed) − P(flagged | unchanged), [-1, 1]."""
    low: float
    """Lower end of the interval, [-1, 1]."""
    high: float
    """Upper end of the interval, [-1, 1]."""
    confidence: float
    """Coverage of [low, high], at least this at every n; (0, 1)."""
    pairs: int
    """Matched pairs counted, one a cluster."""
    only_changed: int
    """Pairs flagged only with the change."""
    only_unchanged: int
    """Pairs flagged only without it."""
    p_value: float
    """Exact McNemar (two-sided sign test on the discordant pairs), (0, 1]."""
    method: str
    """How the interval is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonCausal:
    """Simultaneous upper bound on P(injection reaches the LLM), over all families."""

    epsilon: float
    """Largest of the families' bounds, [0, 1]; lower is better."""
    worst_family: str
    """The family that sets it."""
    upper: Mapping[str, float]
    """Upper bound per family at delta / m; all hold together with probability 1 − delta."""
    misses: Mapping[str, tuple[int, int]]
    """Missed and tested clusters per family."""
    delta: float
    """Probability that any bound fails, (0, 1)."""
    assumption: str
    """What the number is about, in one sentence; print it beside the number."""


def paired_effect(
    only_changed: int, only_unchanged: int, pairs: int, *, confidence: float = 0.95
) -> PairedEffect:
    """Paired difference of two proportions, with an interval that holds at every n.

    The difference is p10 − p01, the rates of the two kinds of discordant pairs.  Each gets a
    two-sided Clopper–Pearson interval at confidence 1 − α/2, and the ends are subtracted
    (Bonferroni): conservative, never anti-conservative.

    Args:
        only_changed: Pairs flagged only with the change, >= 0.
        only_unchanged: Pairs flagged only without it, >= 0.
        pairs: All pairs, concordant ones too; independent clusters, >= 1.
        confidence: Coverage wanted, (0, 1).

    Returns:
        Effect, interval and exact McNemar p-value.

    Raises:
        ValueError: Counts that cannot be.

    """
    discordant = only_changed + only_unchanged
    if min(only_changed, only_unchanged) < 0 or pairs < max(discordant, 1):
        message = f"{only_changed} and {only_unchanged} discordant of {pairs} pairs cannot be"
        raise ValueError(message)
    each = 1 - (1 - confidence) / 2
    low10, high10 = bounds.clopper_pearson(only_changed, pairs, confidence=each)
    low01, high01 = bounds.clopper_pearson(only_unchanged, pairs, confidence=each)
    exact = float(binomtest(only_changed, discordant, 0.5).pvalue) if discordant else 1.0
    return PairedEffect(
        effect=(only_changed - only_unchanged) / pairs,
        low=max(low10 - high01, -1.0),
        high=min(high10 - low01, 1.0),
        confidence=confidence,
        pairs=pairs,
        only_changed=only_changed,
        only_unchanged=only_unchanged,
        p_value=min(exact, 1.0),
        method="difference of Clopper-Pearson intervals at 1 - alpha/2 on the discordant rates",
    )


def epsilon_causal(misses: Mapping[str, tuple[int, int]], *, delta: float = 0.05) -> EpsilonCausal:
    """Upper bound on P(injection reaches the LLM) that holds for all families at once.

    Args:
        misses: Per family the missed clusters and the clusters tested (>= 1); a cluster is
            missed if any of its rows is.
        delta: Probability that any of the bounds fails, (0, 1).

    Returns:
        The largest Clopper–Pearson upper bound at δ/m, and every family's own.

    Raises:
        InputError: No family, or a family without clusters.

    """
    empty = [family for family, (_, n) in misses.items() if n < 1]
    if not misses or empty:
        message = f"families without trials: {empty or 'all'}; add trials or drop the family"
        raise InputError(message)
    upper = {
        family: bounds.upper(k, n, delta=delta / len(misses))
        for family, (k, n) in sorted(misses.items())
    }
    worst = max(upper, key=lambda family: upper[family])
    return EpsilonCausal(
        epsilon=upper[worst],
        worst_family=worst,
        upper=upper,
        misses=dict(sorted(misses.items())),
        delta=delta,
        assumption=ASSUMPTION,
    )
