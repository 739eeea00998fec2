"""Choosing a threshold inside its guarantee: fixed-sequence Learn-then-Test.

A text is flagged when ``risk >= threshold``.  The miss rate grows with the threshold and the
false-positive rate falls, so testing thresholds in order until the first failure needs no
correction: the choice costs one binomial quantile, nothing in n.  Choosing by the empirical
rate instead breaks the target in more than half of all calibration sets.

Source: Angelopoulos, Bates, Candes, Jordan & Lei 2021, section 4 (fixed sequence); Bates et
al. 2021 for monotone risks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalguard.stats.arrays import finite_vector, level
from causalguard.stats.bounds import allowed_errors, sample_size, upper

Side = Literal["miss", "fpr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdChoice:
    """A threshold with P(its true error rate > alpha) <= delta, or why there is none."""

    threshold: float | None
    """Flag at or above it; None when n is too small for any threshold."""
    side: Side
    """Which error is bounded."""
    alpha: float
    """Error rate not exceeded, (0, 1)."""
    delta: float
    """Probability, over calibration sets, that the true rate exceeds alpha."""
    n: int
    """Independent clusters used."""
    errors_allowed: int
    """k*: errors at which the test still rejects; -1 when there is no threshold."""
    errors: int
    """Errors made at the threshold on the calibration set; 0 when there is none."""
    n_needed: int
    """Smallest n at which a threshold exists."""

    @property
    def possible(self) -> bool:
        """Whether there is a threshold."""
        return self.threshold is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class JointChoice:
    """One threshold for both errors, each tested at delta / 2."""

    threshold: float | None
    """Inside [low, high]; None when the two guarantees cannot meet."""
    low: float | None
    """Smallest threshold that keeps the false-positive rate."""
    high: float | None
    """Largest threshold that keeps the miss rate."""
    miss: ThresholdChoice
    """The miss side, at delta / 2."""
    fpr: ThresholdChoice
    """The false-positive side, at delta / 2."""
    reason: str
    """Empty, or what is missing and how much of it."""


def miss_threshold(attack_risks: npt.ArrayLike, *, alpha: float, delta: float) -> ThresholdChoice:
    """Largest threshold whose miss rate is at most alpha with probability 1 - delta.

    Args:
        attack_risks: one risk per independent attack cluster (its lowest), shape (n,).
        alpha: miss rate not to be exceeded, (0, 1); fixed before the data are seen.
        delta: error probability, (0, 1).

    Returns:
        The (k* + 1)-th smallest risk, or a choice without threshold that says how many
        clusters are needed.

    Raises:
        ValueError: no attacks, values that are not finite, levels outside (0, 1).
    """
    risks = np.sort(finite_vector(attack_risks, "attack_risks"))
    allowed = allowed_errors(len(risks), alpha=alpha, delta=delta)
    threshold = float(risks[allowed]) if allowed >= 0 else None
    errors = int((risks < threshold).sum()) if threshold is not None else 0
    return ThresholdChoice(
        threshold=threshold,
        side="miss",
        alpha=alpha,
        delta=delta,
        n=len(risks),
        errors_allowed=allowed,
        errors=errors,
        n_needed=sample_size(alpha, delta, 0),
    )


def fpr_threshold(benign_risks: npt.ArrayLike, *, alpha: float, delta: float) -> ThresholdChoice:
    """Smallest threshold whose false-positive rate is at most alpha with probability 1 - delta.

    Args:
        benign_risks: one risk per independent benign cluster (its highest), shape (n,).
        alpha: false-positive rate not to be exceeded, (0, 1); fixed beforehand.
        delta: error probability, (0, 1).

    Returns:
        The float just above the (k* + 1)-th largest risk, or a choice without threshold.
        It may exceed 1 when many benign risks are 1: such a guard flags nothing.

    Raises:
        ValueError: no benign rows, values that are not finite, levels outside (0, 1).
    """
    risks = np.sort(finite_vector(benign_risks, "benign_risks"))[::-1]
    allowed = allowed_errors(len(risks), alpha=alpha, delta=delta)
    threshold = float(np.nextafter(risks[allowed], np.inf)) if allowed >= 0 else None
    errors = int((risks >= threshold).sum()) if threshold is not None else 0
    return ThresholdChoice(
        threshold=threshold,
        side="fpr",
        alpha=alpha,
        delta=delta,
        n=len(risks),
        errors_allowed=allowed,
        errors=errors,
        n_needed=sample_size(alpha, delta, 0),
    )


def joint_threshold(
    attack_risks: npt.ArrayLike,
    benign_risks: npt.ArrayLike,
    *,
    alpha_miss: float,
    alpha_fpr: float,
    delta: float,
    prefer: Side | Literal["middle"] = "middle",
) -> JointChoice:
    """One threshold that keeps both error rates, together with probability 1 - delta.

    Both halves hold at once, so any threshold between them is certified, even one chosen
    after looking at the data.

    Args:
        attack_risks: one risk per attack cluster, shape (n,).
        benign_risks: one risk per benign cluster, shape (m,).
        alpha_miss: miss rate not to be exceeded.
        alpha_fpr: false-positive rate not to be exceeded.
        delta: error probability of the pair of claims.
        prefer: "miss" takes the lowest (fewest misses), "fpr" the highest, "middle" the mean.
    """
    level(delta, "delta")
    miss = miss_threshold(attack_risks, alpha=alpha_miss, delta=delta / 2)
    fpr = fpr_threshold(benign_risks, alpha=alpha_fpr, delta=delta / 2)
    low, high = fpr.threshold, miss.threshold
    lacking = [
        f"{choice.n} {what} clusters, at least {choice.n_needed} are needed"
        for what, choice in (("attack", miss), ("benign", fpr))
        if not choice.possible
    ]
    threshold = None
    if low is not None and high is not None:
        if low <= high:
            threshold = {"miss": low, "fpr": high, "middle": low + (high - low) / 2}[prefer]
        else:
            lacking = [
                (
                    f"no threshold keeps both: false positives need >= {low:.6g}, misses <= "
                    f"{high:.6g}; a better model, or laxer rates, is needed"
                )
            ]
    return JointChoice(
        threshold=threshold, low=low, high=high, miss=miss, fpr=fpr, reason="; ".join(lacking)
    )


def family_threshold(
    risks_by_family: Mapping[str, npt.ArrayLike], *, alpha: float, delta: float
) -> tuple[float | None, dict[str, ThresholdChoice]]:
    """Largest threshold at which every family's miss rate is at most alpha.

    Intersection-union: "every family" needs each at delta and no correction, and the smallest
    of the families' thresholds serves all.  None when a family has too few clusters.
    """
    if not risks_by_family:
        raise ValueError("risks_by_family: no families; give at least one")
    choices: dict[str, ThresholdChoice] = {}
    for family, risks in risks_by_family.items():
        if np.size(np.asarray(risks)) == 0:
            raise ValueError(f"family {family!r} has no clusters; add some or leave it out")
        choices[family] = miss_threshold(risks, alpha=alpha, delta=delta)
    found = [c.threshold for c in choices.values() if c.threshold is not None]
    return (min(found) if len(found) == len(choices) else None), choices


def split_threshold(
    first: npt.ArrayLike, second: npt.ArrayLike, *, target: float, delta: float
) -> tuple[float, float]:
    """Choose on one half, bound on the other: any rule may choose, half the data are paid.

    Args:
        first: attack risks the threshold is chosen on: its empirical miss rate <= target.
        second: attack risks of other clusters, for the bound.
        target: empirical miss rate on the first half, [0, 1).
        delta: error probability of the bound.

    Returns:
        (threshold, upper bound on its miss rate).

    Raises:
        ValueError: an empty half, values that are not finite, levels outside their ranges.
    """
    if not 0.0 <= target < 1.0:
        raise ValueError(f"target: must lie in [0, 1), got {target!r}")
    chosen = np.sort(finite_vector(first, "first"))
    held = finite_vector(second, "second")
    # the guard against a product that rounds to just below an integer must not reach the end
    place = min(int(np.floor(target * len(chosen) + 1e-9)), len(chosen) - 1)
    threshold = float(chosen[place])
    return threshold, upper(int((held < threshold).sum()), len(held), delta=delta)
