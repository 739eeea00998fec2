"""What a trained guard has to beat: length, words, and a linear probe on the frozen network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from causalguard.interventions.leaks import WordPresence
from causalguard.records import ToolOutput

Floats = NDArray[np.float64]
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
"""Ridge penalties tried on the dev split."""


def length_risk(outputs: Sequence[ToolOutput]) -> Floats:
    """Length of each text in characters, mapped to [0, 1): longer is riskier."""
    lengths = np.array([len(output.text) for output in outputs], dtype=float)
    return lengths / (lengths + 1000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Word-presence naive Bayes, fitted on training texts."""

    model: WordPresence
    """Weights per word."""

    @classmethod
    def fit(cls, texts: Sequence[str], y: Sequence[int]) -> "Words":
        """Fit on texts of both classes; ValueError when one is missing."""
        if set(y) != {0, 1}:
            raise ValueError("naive Bayes needs texts of both classes")
        return cls(model=WordPresence(texts, y))

    def risk(self, outputs: Sequence[ToolOutput]) -> Floats:
        """Log-odds of label 1, squashed to (0, 1) without saturating; higher is worse."""
        odds = self.model.risk(output.text for output in outputs)
        return np.asarray(0.5 + 0.5 * odds / (1.0 + np.abs(odds)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Logistic regression on features of a frozen network."""

    center: Floats
    """Means of the features, shape (k,)."""
    scale: Floats
    """Standard deviations, shape (k,), > 0."""
    weight: Floats
    """Shape (k,), for standardised features."""
    bias: float
    """Intercept."""

    def logits(self, features: NDArray[np.float32]) -> Floats:
        """Log-odds of rows (n, k), shape (n,)."""
        z = (features.astype(np.float64) - self.center) / self.scale
        return np.asarray(z @ self.weight + self.bias)

    def risk(self, features: NDArray[np.float32]) -> Floats:
        """Probabilities of rows (n, k), shape (n,)."""
        return np.asarray(special.expit(self.logits(features)))


def fit_probe(
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    dev: tuple[NDArray[np.float32], NDArray[np.int64]],
) -> Probe:
    """Ridge-penalised logistic regression; the penalty is the one with the lowest dev loss.

    Args:
        x: features, shape (n, k).
        y: 0 or 1, both present, shape (n,).
        dev: features and labels of windows that were not fitted on.

    Raises:
        ValueError: one class only.
    """
    if set(np.unique(y)) != {0, 1}:
        raise ValueError("the probe needs windows of both classes")
    center = x.mean(axis=0).astype(np.float64)
    scale = np.maximum(x.std(axis=0).astype(np.float64), 1e-6)
    z = (x - center) / scale
    best, lowest = None, np.inf
    start = np.zeros(x.shape[1] + 1)
    for penalty in sorted(PENALTIES, reverse=True):
        start = _logistic(z, y, penalty, start)
        probe = Probe(center=center, scale=scale, weight=start[:-1], bias=float(start[-1]))
        loss = _loss(probe.logits(dev[0]), dev[1])
        if best is None or loss < lowest:
            best, lowest = probe, loss
    assert best is not None
    return best


def _loss(logits: Floats, y: NDArray[np.int64]) -> float:
    return float(np.mean(np.logaddexp(0.0, logits) - y * logits))


def _logistic(z: Floats, y: NDArray[np.int64], penalty: float, start: Floats) -> Floats:
    def cost(w: Floats) -> tuple[float, Floats]:
        logits = z @ w[:-1] + w[-1]
        error = special.expit(logits) - y
        value = _loss(logits, y) + 0.5 * penalty * float(w[:-1] @ w[:-1])
        slope = np.append(z.T @ error / len(y) + penalty * w[:-1], error.mean())
        return value, slope

    found = optimize.minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x, dtype=np.float64)
