"""Kernels of a node as explicit features: what is tested, and what is conditioned on.

Every kernel is a matrix of centred columns whose variances sum to one, so that the statistic
‖XᵀY‖² is the HSIC of two kernels without any n × n matrix.  A rich kernel per node sees
non-linear dependence; the linear and the whitened ones keep the power for plain mean shifts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from causalguard.certify.discovery.variables import Codes, Matrix, Variable, independent_columns

KERNELS = ("linear", "white", "rich")
"""Kernels of a pair, each the product of the two nodes' kernels of that name."""

COSINES = 4
"""Cosines of the rank in the rich kernel of a number."""

RANDOM_FEATURES = 40
"""Random Fourier features in the rich kernel of a block."""

WHITE_RIDGE = 0.1
"""Share of the mean eigenvalue added before a block is whitened."""

MAX_COMPONENTS = 128
"""Principal components kept of a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFeatures:
    """A node, ready to be tested and conditioned on."""

    kernels: dict[str, Matrix]
    """Features of shape (n, a) by kernel name; names that share an array share the object."""
    basis: Matrix
    """Columns to regress on when conditioning: shape (n, b); empty for a category."""
    scaled: Matrix
    """Coordinates of about unit total variance, for joint random features, shape (n, c)."""
    codes: Codes | None
    """Category codes, shape (n,); None for numbers and blocks."""


def node_features(node: Variable, rng: np.random.Generator) -> NodeFeatures:
    """Features of one node.

    Args:
        node: The node, without constant values.
        rng: Draws random features of blocks.

    Returns:
        Kernels, regression basis and codes.

    """
    if node.kind == "category":
        return _category(node.values.astype(np.int64))
    if node.kind == "number":
        return _number(np.asarray(node.values, dtype=np.float64))
    return _block(np.asarray(node.values, dtype=np.float64), rng)


def random_features(rows: Matrix, count: int, rng: np.random.Generator) -> Matrix:
    """Random Fourier features of a Gaussian kernel at the median width, shape (n, count)."""
    n = len(rows)
    i, j = rng.integers(0, n, 1000), rng.integers(0, n, 1000)
    distance = np.linalg.norm(rows[i] - rows[j], axis=1)
    distance = distance[distance > 0]
    width = float(np.median(distance)) if distance.size else 1.0
    half = (count + 1) // 2
    angle = rows @ (rng.standard_normal((rows.shape[1], half)) / width)
    return np.column_stack([np.cos(angle), np.sin(angle)])[:, :count]


def _category(codes: Codes) -> NodeFeatures:
    share = np.bincount(codes) / len(codes)
    one_hot = np.eye(len(share))[codes]
    delta = _unit((one_hot - share) / np.sqrt(np.maximum(share, 1e-12)))
    return NodeFeatures(
        kernels=dict.fromkeys(KERNELS, delta),
        basis=np.empty((len(codes), 0)),
        scaled=_unit(one_hot - share),
        codes=codes,
    )


def _number(values: Matrix) -> NodeFeatures:
    rank = (rankdata(values) - 0.5) / len(values)
    normal = _unit((ndtri(rank) - ndtri(rank).mean())[:, None])
    waves = np.cos(np.pi * np.outer(rank, np.arange(1, COSINES + 3)))
    waves -= waves.mean(axis=0)
    rich = _unit(waves[:, :COSINES] / np.arange(1, COSINES + 1))
    raw = _unit((values - values.mean())[:, None])
    return NodeFeatures(
        kernels={"linear": normal, "white": normal, "rich": rich},
        basis=np.column_stack([normal, raw, waves]),
        scaled=normal,
        codes=None,
    )


def _block(values: Matrix, rng: np.random.Generator) -> NodeFeatures:
    centred = independent_columns(values)
    if not centred.shape[1]:  # a half-sample in which the block happens to be constant
        centred = np.zeros((len(values), 1))
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    keep = singular >= 1e-7 * singular[0]
    left, singular = left[:, keep][:, :MAX_COMPONENTS], singular[keep][:MAX_COMPONENTS]
    # The sign of a component is arbitrary: fix it, for random features depend on it.
    largest = np.abs(left).argmax(axis=0)
    left = left * np.sign(left[largest, np.arange(left.shape[1])])
    linear = left * singular
    ridge = WHITE_RIDGE * np.mean(singular**2) + 1e-300
    white = left * (singular / np.sqrt(singular**2 + ridge))
    waves = random_features(_unit(linear), RANDOM_FEATURES, rng)
    kernels = {"linear": _unit(linear), "white": _unit(white)}
    kernels["rich"] = _unit(waves - waves.mean(axis=0))
    return NodeFeatures(
        kernels=kernels, basis=left * np.sqrt(len(left)), scaled=_unit(linear), codes=None
    )


def _unit(columns: Matrix) -> Matrix:
    total = float((columns**2).sum() / len(columns))
    return np.asarray(columns / np.sqrt(total)) if total > 0 else columns


def cells(codes: list[Codes]) -> Codes:
    """Joint code of several categories, dense, shape (n,)."""
    joint: NDArray[np.int64] = codes[0]
    for more in codes[1:]:
        joint = np.unique(joint * (more.max() + 1) + more, return_inverse=True)[1].reshape(-1)
    return joint.astype(np.int64)
