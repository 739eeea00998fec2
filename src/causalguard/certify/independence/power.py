"""What a test could have found at this n: a large p-value alone says nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalguard.certify.independence.hsic import independence_test
from causalguard.stats.arrays import Labels, codes, level
from causalguard.stats.bounds import clopper_pearson


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCurve:
    """Power against a mean shift, at this n, these strata and this distribution of R."""

    effects: tuple[float, ...]
    """Shifts tried: standard deviations along the shifted direction, > 0, ascending."""
    power: tuple[float, ...]
    """Share of simulated data sets with p <= alpha, one per effect."""
    sets: int
    """Simulated data sets per effect."""
    alpha: float
    """Level of the test."""
    minimum_effect: float | None
    """Smallest effect from which on power is at least the target; None when none was reached."""
    target: float
    """Power aimed at."""

    def interval(self, position: int) -> tuple[float, float]:
        """Exact 95 % interval of the power at effect ``position``."""
        hits = round(self.power[position] * self.sets)
        return clopper_pearson(hits, self.sets, confidence=0.95)


def minimum_detectable_effect(
    R: npt.ArrayLike,
    x: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    strata: Labels | None = None,
    effects: Sequence[float] = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0),
    target: float = 0.8,
    alpha: float = 0.05,
    sets: int = 100,
    permutations: int = 199,
) -> PowerCurve:
    """Simulate the power of :func:`independence_test` against a mean shift of binary x.

    x is first permuted inside its strata, which makes the null true whatever the data say;
    then rows with x = 1 are moved along a random direction, drawn evenly from the whitened
    space so that minor directions count like major ones.

    Args:
        R: shape (n, d) or (n,).
        x: two values, one per row.
        rng: source of permutations and directions.
        strata: as in the test.
        effects: shifts to try, in standard deviations along the direction.
        target: power aimed at, (0, 1).
        alpha: level, (0, 1).
        sets: simulated data sets per effect.
        permutations: of each simulated test.

    Raises:
        ValueError: x with other than two values, effects not positive and ascending.
    """
    points = np.asarray(R, dtype=np.float64)
    points = points[:, None] if points.ndim == 1 else points
    values, marks = np.unique(np.asarray(x), return_inverse=True)
    if len(values) != 2:
        raise ValueError(f"x: two values are needed for a mean shift, got {len(values)}")
    steps = tuple(float(e) for e in effects)
    if not steps or steps[0] <= 0 or list(steps) != sorted(set(steps)):
        raise ValueError("effects: positive and ascending, at least one")
    level(target, "target")
    level(alpha, "alpha")
    groups = np.zeros(len(points), np.int64) if strata is None else codes(strata, "strata")
    root = _covariance_root(points, groups)

    def rejects(effect: float) -> bool:
        fake = _permute_within(marks, groups, rng)
        direction = rng.standard_normal(len(root))
        shift = effect * (direction / np.linalg.norm(direction)) @ root
        moved = points + fake[:, None] * shift
        result = independence_test(moved, fake, strata=groups, permutations=permutations, rng=rng)
        return result.p_value <= alpha

    power = [sum(rejects(effect) for _ in range(sets)) / sets for effect in steps]
    reached = [all(p >= target for p in power[i:]) for i in range(len(power))]
    return PowerCurve(
        effects=steps,
        power=tuple(power),
        sets=sets,
        alpha=alpha,
        minimum_effect=next((e for e, ok in zip(steps, reached, strict=True) if ok), None),
        target=target,
    )


def _covariance_root(
    points: npt.NDArray[np.float64], groups: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Rows: principal axes scaled by their standard deviation inside strata."""
    sizes = np.bincount(groups)
    means = np.stack([np.bincount(groups, weights=c) / sizes for c in points.T], axis=1)
    inside = points - means[groups]
    _, s, axes = np.linalg.svd(inside, full_matrices=False)
    keep = s > 1e-6 * max(float(s[0]), 1e-300)
    return np.asarray(axes[keep] * (s[keep] / np.sqrt(len(points)))[:, None])


def _permute_within(
    marks: npt.NDArray[np.intp], groups: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    shuffled = marks.copy()
    for group in range(int(groups.max()) + 1):
        rows = np.flatnonzero(groups == group)
        shuffled[rows] = marks[rng.permutation(rows)]
    return shuffled
