"""H6's probe: can the source of a text be read off the representation, at fixed Y?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causalguard.certify import metrics
from causalguard.certify.policy import Policy
from causalguard.certify.report.model import Test
from causalguard.certify.trials import TrialSet
from causalguard.records import Trial
from causalguard.stats import bounds

RIDGE = 1e-2
"""Penalty of the probe, in shares of the mean eigenvalue."""
FOLDS = 5


def source_probe(trial_set: TrialSet, policy: Policy) -> Test:
    """Balanced accuracy of a cross-fitted linear probe of the source on clean texts.

    One text a carrier, so rows are independent and a source's texts are in one fold each; sources
    with fewer carriers than a level of a nuisance needs are pooled.

    Args:
        trial_set: the guard's answers.
        policy: confidence, seed, smallest level.

    Returns:
        The test; without figures when the audit set has one source only, and it says so.
    """
    clean = metrics.of_kind(trial_set.trials, *metrics.CLEAN)
    rows = metrics.one_each(clean, metrics.rng_for(policy.seed, "probe/source"))
    levels = metrics.levels_of(rows, "source", minimum=policy.level_minimum("source"))
    large = {name: part for name, part in levels.items() if len(part) >= FOLDS}
    if len(large) < 2:
        return _test(None, len(rows), "not tested: this audit set has one source")
    kept = [trial for part in large.values() for trial in part]
    labels = np.array([name for name, part in large.items() for _ in part])
    held = trial_set.representations[[trial.row for trial in kept]].astype(np.float64)
    right = _cross_fitted(held, labels, metrics.rng_for(policy.seed, "probe/folds")) == labels
    share = policy.delta / len(large)
    found = [(int(right[labels == name].sum()), int((labels == name).sum())) for name in large]
    chance = 1 / len(large)
    accuracy = float(np.mean([k / n for k, n in found]))
    highest = float(np.mean([1 - bounds.lower(n - k, n, delta=share, name="p") for k, n in found]))
    note = f"chance {chance:.3f} over {len(large)} sources; {_counts(kept)} carriers"
    return _test((accuracy - chance, highest - chance), len(kept), note)


def _counts(rows: Sequence[Trial]) -> int:
    return len({trial.cluster for trial in rows})


def _cross_fitted(
    held: NDArray[np.float64], labels: NDArray[np.str_], rng: np.random.Generator
) -> NDArray[np.str_]:
    """Predictions of a ridge classifier that never saw the row's fold."""
    names = np.unique(labels)
    coded = (labels[:, None] == names).astype(np.float64)
    weights = 1 / coded.mean(axis=0)[coded.argmax(axis=1)]  # balanced: chance is 1 / sources
    fold = rng.permutation(len(labels)) % FOLDS
    predicted = labels.copy()
    for k in range(FOLDS):
        fit, test = fold != k, fold == k
        centre = np.average(held[fit], axis=0, weights=weights[fit])
        x = (held[fit] - centre) * np.sqrt(weights[fit])[:, None]
        target = np.average(coded[fit], axis=0, weights=weights[fit])
        y = (coded[fit] - target) * np.sqrt(weights[fit])[:, None]
        gram = x.T @ x
        penalty = RIDGE * max(float(np.trace(gram)) / len(gram), 1e-12)
        beta = np.linalg.solve(gram + penalty * np.eye(len(gram)), x.T @ y)
        scores = (held[test] - centre) @ beta + target
        predicted[test] = names[scores.argmax(axis=1)]
    return predicted


def _test(figures: tuple[float, float] | None, clusters: int, note: str) -> Test:
    return Test(
        id="H6.probe",
        claim="the source of a clean text cannot be read off the representation",
        null="a linear probe tells the sources apart better than chance by more than the bound",
        method="cross-fitted ridge probe, balanced accuracy minus chance, bounds by source",
        guarantee="not tested" if figures is None else "approximate: cross-fitted",
        clusters=clusters,
        statistic=None,
        p_value=None,
        p_holm=None,
        effect=None if figures is None else figures[0],
        bound=None if figures is None else figures[1],
        note=note,
    )
