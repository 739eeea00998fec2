"""What the representation itself shows, under honest names; see :mod:`causalguard.certify.effects`.

Closeness may only be concluded from the upper bound on the MMD, separation only from the lower
bound on the total variation.  Stability alone shows nothing: a constant R is perfectly stable.
"""

import numpy as np

from causalguard.certify import metrics
from causalguard.certify.effects import (
    BinnedL1,
    Mean,
    MmdEstimate,
    Share,
    TvLowerBound,
    binned_l1_half,
    matched_effects,
    median_width,
    mmd,
    tv_lower_bound,
)
from causalguard.certify.policy import Policy
from causalguard.certify.report.model import Distance, Representation
from causalguard.certify.trials import TrialSet, Vectors
from causalguard.errors import InputError
from causalguard.records import Kind, Trial

DEFAULT_WIDTH = 1.0
"""Kernel width where there are no other rows to take it from; R has unit length."""


def describe(trial_set: TrialSet, policy: Policy) -> Representation:
    """Every figure of the section; a figure that cannot be computed is left out, with a note.

    Args:
        trial_set: the guard's answers.
        policy: confidence and seed.
    """
    notes: list[str] = []
    rows: list[Distance] = []
    for name, make in (("matched sets", _matched), ("total variation", _tv), ("MMD", _distances)):
        try:
            rows += make(trial_set, policy)
        except InputError as error:
            notes.append(f"{name}: {error}")
    return Representation(figures=tuple(rows), benign_accuracy="not applicable", notes=tuple(notes))


def _matched(trial_set: TrialSet, policy: Policy) -> list[Distance]:
    # the trials are shuffled; the pass wants one matched set after another
    ordered = sorted(trial_set.trials, key=lambda trial: (trial.set_id, trial.kind))
    found = matched_effects(ordered, trial_set.representations, delta=policy.delta)
    figures: dict[str, tuple[str, Mean | Share | None]] = {
        "causal stability": (
            "cos(benign, counterfactual); higher is better",
            found.causal_stability,
        ),
        "spurious separation": (
            "(1 - cos(benign, injected)) / 2; higher is better",
            found.spurious_separation,
        ),
        "causal discrimination": (
            "carriers whose benign text is closer to its counterfactual than to its injection",
            found.causal_discrimination,
        ),
        "imperative stability": (
            "cos(benign, imperative); higher is better",
            found.imperative_stability,
        ),
    }
    return [
        Distance(
            name=name,
            meaning=meaning,
            estimate=value.value,
            low=value.low,
            high=value.high,
            clusters=value.clusters,
        )
        for name, (meaning, value) in figures.items()
        if value is not None
    ]


def _tv(trial_set: TrialSet, policy: Policy) -> list[Distance]:
    rows = metrics.of_kind(trial_set.trials, *metrics.CLEAN, "injected")
    found: TvLowerBound = tv_lower_bound(
        _vectors(trial_set, rows),
        [trial.y for trial in rows],
        [trial.cluster for trial in rows],
        rng=metrics.rng_for(policy.seed, "representation/tv"),
        delta=policy.delta,
    )
    return [
        Distance(
            name="total variation, clean to injected",
            meaning="lower bound from a classifier trained on other carriers; there is no upper",
            estimate=found.estimate,
            low=found.lower,
            high=1.0,
            clusters=min(found.n_positive, found.n_negative),
        )
    ]


def _distances(trial_set: TrialSet, policy: Policy) -> list[Distance]:
    rng = metrics.rng_for(policy.seed, "representation/mmd")
    samples = {
        kind: _one_each(trial_set, kind, rng) for kind in ("benign", "counterfactual", "injected")
    }
    others = metrics.of_kind(trial_set.trials, "imperative")
    # the width must not depend on the rows that are compared
    width = median_width(_vectors(trial_set, others), rng=rng) if len(others) > 1 else DEFAULT_WIDTH
    pairs: tuple[tuple[Kind, Kind], ...] = (("benign", "counterfactual"), ("benign", "injected"))
    found = []
    for first, second in pairs:
        one, two = (_vectors(trial_set, samples[kind]) for kind in (first, second))
        value: MmdEstimate = mmd(one, two, width=width, delta=policy.delta)
        found.append(
            Distance(
                name=f"MMD, {first} to {second}",
                meaning=f"{value.kernel}, width {width:.3g}; the upper bound needs no assumption",
                estimate=value.mmd_biased,
                low=0.0,
                high=value.upper,
                clusters=min(value.n_first, value.n_second),
            )
        )
    return [*found, _binned(samples["benign"], samples["injected"], rng)]


def _binned(clean: list[Trial], injected: list[Trial], rng: np.random.Generator) -> Distance:
    found: BinnedL1 = binned_l1_half(
        [trial.risk for trial in clean], [trial.risk for trial in injected], rng=rng
    )
    return Distance(
        name="half L1 of binned risk, benign to injected",
        meaning=f"plug-in over {found.bins} bins, no bound; without any difference it would be "
        f"{found.null_mean:.3g}",
        estimate=found.half_l1,
        low=0.0,
        high=1.0,
        clusters=min(len(clean), len(injected)),
    )


def _one_each(trial_set: TrialSet, kind: Kind, rng: np.random.Generator) -> list[Trial]:
    rows = metrics.of_kind(trial_set.trials, kind)
    if not rows:
        raise InputError(f"there are no {kind} trials; add them to the audit set")
    return metrics.one_each(rows, rng)


def _vectors(trial_set: TrialSet, rows: list[Trial]) -> Vectors:
    return trial_set.representations[[trial.row for trial in rows]]
