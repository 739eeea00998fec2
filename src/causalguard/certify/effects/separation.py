"""A lower bound on total variation: what a classifier trained on other rows can tell apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from causalguard.certify.effects.distances import Matrix, sample
from causalguard.errors import InputError
from causalguard.stats import bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class TvLowerBound:
    """TV(P, Q) is at least ``lower`` with probability 1 − delta.  There is no upper bound."""

    estimate: float
    """TPR − FPR of the classifier on held-out rows, [-1, 1]; a plug-in, no guarantee."""
    lower: float
    """Lower bound on the total variation between the two populations, [0, 1]."""
    true_positive_rate: float
    """On held-out rows of the second population, [0, 1]."""
    false_positive_rate: float
    """On held-out rows of the first population, [0, 1]."""
    n_positive: int
    """Held-out clusters of the second population."""
    n_negative: int
    """Held-out clusters of the first population."""
    delta: float
    """Probability that ``lower`` fails, (0, 1); half is spent on each rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticModel:
    """Ridge logistic regression on standardised columns."""

    mean: Matrix
    """Column means of the training rows, shape (d,)."""
    scale: Matrix
    """Column standard deviations, shape (d,); 1 where a column is constant."""
    weights: Matrix
    """Weight per standardised column, shape (d,)."""
    intercept: float
    """Log-odds at the mean."""

    def decision(self, rows: Matrix) -> Matrix:
        """Log-odds of class 1, shape (n,), for rows of shape (n, d)."""
        return np.asarray(((rows - self.mean) / self.scale) @ self.weights + self.intercept)


def tv_lower_bound(
    R: ArrayLike,
    y: ArrayLike,
    clusters: Sequence[str],
    *,
    rng: np.random.Generator,
    delta: float = 0.05,
) -> TvLowerBound:
    """Lower bound on the total variation between R | y = 0 and R | y = 1.

    Half of the clusters train a logistic regression and choose its cut; the other half, one row
    a cluster and class, is counted.  TV >= TPR − FPR for every classifier; Clopper–Pearson at
    δ/2 on each rate makes that a bound.

    Args:
        R: Representations, shape (n, d).
        y: 0 or 1 per row, shape (n,).
        clusters: Independent unit of each row; a cluster is never on both sides of the split.
        rng: Splits the clusters and picks their rows.
        delta: Probability that the bound fails, (0, 1).

    Returns:
        The bound with both held-out rates.

    Raises:
        InputError: Lengths differ, y is not 0/1, values are not finite, or a class is absent
            from one half.

    """
    rows, labels, units = _checked(R, y, clusters)
    names = np.unique(units)
    train_names = rng.permutation(names)[: len(names) // 2]
    training = np.isin(units, train_names)
    _need_both_classes(labels[training], "training")
    model = fit_logistic(rows[training], labels[training])
    cut = _best_cut(model.decision(rows[training]), labels[training])
    held = _one_row_each(np.flatnonzero(~training), units, labels, rng)
    _need_both_classes(labels[held], "held-out")
    hit = model.decision(rows[held]) >= cut
    positive = labels[held] == 1
    k1, n1 = int(hit[positive].sum()), int(positive.sum())
    k0, n0 = int(hit[~positive].sum()), int((~positive).sum())
    # One-sided bounds at δ/2 each: the lower end of a two-sided interval of confidence 1 − δ.
    low = bounds.clopper_pearson(k1, n1, confidence=1 - delta)[0]
    high = bounds.clopper_pearson(k0, n0, confidence=1 - delta)[1]
    return TvLowerBound(
        estimate=k1 / n1 - k0 / n0,
        lower=max(low - high, 0.0),
        true_positive_rate=k1 / n1,
        false_positive_rate=k0 / n0,
        n_positive=n1,
        n_negative=n0,
        delta=delta,
    )


def fit_logistic(rows: Matrix, labels: NDArray[np.int64], *, ridge: float = 1.0) -> LogisticModel:
    """Ridge logistic regression by L-BFGS; the intercept is not shrunk.

    Args:
        rows: Shape (n, d), finite.
        labels: 0 or 1, shape (n,).
        ridge: Weight of ½‖w‖² on standardised columns against the summed log loss, > 0.

    Returns:
        The fitted model.

    """
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(deviation > 1e-12 * (1 + np.abs(mean)), deviation, 1.0)
    x = (rows - mean) / scale
    sign = 2.0 * labels - 1.0

    def loss(theta: Matrix) -> tuple[float, Matrix]:
        margin = sign * (x @ theta[1:] + theta[0])
        pull = -sign * expit(-margin)
        gradient = np.concatenate([[pull.sum()], x.T @ pull + ridge * theta[1:]])
        value = np.logaddexp(0, -margin).sum() + 0.5 * ridge * theta[1:] @ theta[1:]
        return float(value), gradient

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B")
    theta = np.asarray(found.x, dtype=np.float64)
    return LogisticModel(mean=mean, scale=scale, weights=theta[1:], intercept=float(theta[0]))


def _checked(
    R: ArrayLike, y: ArrayLike, clusters: Sequence[str]
) -> tuple[Matrix, NDArray[np.int64], NDArray[np.str_]]:
    rows = sample(R, "R")
    labels, units = np.asarray(y), np.asarray(clusters, dtype=np.str_)
    if not len(rows) == len(labels) == len(units):
        message = (
            f"R, y and clusters have {len(rows)}, {len(labels)}, {len(units)} rows; align them"
        )
        raise InputError(message)
    if not np.isin(labels, (0, 1)).all():
        message = "y must be 0 or 1 in every row; drop or recode the others"
        raise InputError(message)
    return rows, labels.astype(np.int64), units


def _need_both_classes(labels: NDArray[np.int64], where: str) -> None:
    if len(np.unique(labels)) < 2:
        message = f"the {where} half has one class only; give more clusters of both classes"
        raise InputError(message)


def _best_cut(decision: Matrix, labels: NDArray[np.int64]) -> float:
    order = np.argsort(-decision, kind="stable")
    gain = np.cumsum(
        np.where(labels[order] == 1, 1 / (labels == 1).sum(), -1 / (labels == 0).sum())
    )
    return float(decision[order[int(np.argmax(gain))]])


def _one_row_each(
    index: NDArray[np.intp],
    units: NDArray[np.str_],
    labels: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    shuffled = rng.permutation(index)
    keys = np.char.add(units[shuffled], np.where(labels[shuffled] == 1, "/1", "/0"))
    return np.asarray(shuffled[np.unique(keys, return_index=True)[1]], dtype=np.intp)
