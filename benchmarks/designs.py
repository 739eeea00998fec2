"""Simulated data sets with known truth, for benchmarks/independence.py.

Each design is a pure function of (n, seed).  The shapes follow what the literature and the
installed peers are usually tried on: rotated Gaussians with a decaying spectrum, confounded by
a discrete Z with unequal levels; a sinusoidal density; post-nonlinear noise models.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVEL_SHARES = np.array([0.25, 0.20, 0.15, 0.12, 0.10, 0.08, 0.06, 0.04])
INJECTED_SHARES = np.array([0.20, 0.35, 0.50, 0.65, 0.80, 0.40, 0.60, 0.50])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One data set."""

    R: Array
    x: NDArray[np.generic]
    z: NDArray[np.int64] | None = None
    """Discrete condition."""
    Z: Array | None = None
    """Continuous condition."""
    clusters: NDArray[np.int64] | None = None
    twin: Array | None = None
    """Second member of matched pairs; R is then the first."""


@lru_cache
def _frame(d: int) -> tuple[Array, Array]:
    """A rotation and the class means: one draw for all data sets of dimension d."""
    rng = np.random.default_rng(40_000 + d)
    rotation, _ = np.linalg.qr(rng.standard_normal((d, d)))
    return rotation, 1.5 * rng.standard_normal((len(LEVEL_SHARES), d))


def _spectrum(d: int) -> Array:
    exponent = 0.5 if d < 100 else 1.0
    return np.sqrt(np.arange(1, d + 1) ** -exponent)


def _effect(noise: Array, x: Array, sign: Array, kind: str, size: float) -> None:
    """Write the dependence on x into the noise before it is scaled and rotated."""
    d = noise.shape[1]
    if kind == "mean":
        noise[:, d // 3] += size * x
    elif kind == "flip":
        noise[:, 2] += size * x * sign
    elif kind == "scale":
        noise[:, :4] *= 1.0 + size * x[:, None]
    elif kind == "weak":
        noise[:, 50] += size * x
    elif kind != "null":
        raise ValueError(f"unknown kind {kind!r}")


def gaussian(n: int, seed: int, *, d: int, kind: str, size: float = 0.0) -> Sample:
    """Binary x, no condition."""
    rng = np.random.default_rng(seed)
    x = (rng.random(n) < 0.5).astype(np.int64)
    noise = rng.standard_normal((n, d))
    _effect(noise, x.astype(float), np.ones(n), kind, size)
    return Sample(R=(noise * _spectrum(d)) @ _frame(d)[0].T, x=x)


def stratified(n: int, seed: int, *, d: int, kind: str, size: float = 0.0) -> Sample:
    """Binary x whose rate, and R whose mean, depend on eight unequal levels of Z."""
    rng = np.random.default_rng(seed)
    z = rng.choice(len(LEVEL_SHARES), n, p=LEVEL_SHARES)
    x = (rng.random(n) < INJECTED_SHARES[z]).astype(np.int64)
    noise = rng.standard_normal((n, d))
    _effect(noise, x.astype(float), np.where(z % 2 == 0, 1.0, -1.0), kind, size)
    rotation, means = _frame(d)
    scale = _spectrum(d)
    return Sample(R=(noise * scale) @ rotation.T + scale.mean() * means[z], x=x, z=z)


def sine(n: int, seed: int, *, frequency: float) -> Sample:
    """Two scalars with density 1 + sin(f a) sin(f b), by rejection; frequency 0: independent."""
    rng = np.random.default_rng(seed)
    kept = np.zeros((0, 2))
    while len(kept) < n:
        draw = rng.uniform(-np.pi, np.pi, (4 * n, 2))
        density = (1.0 + np.prod(np.sin(frequency * draw), axis=1)) / 2.0
        kept = np.concatenate([kept, draw[rng.random(4 * n) < density]])
    return Sample(R=kept[:n, :1], x=kept[:n, 1])


def bernoulli(n: int, seed: int, *, rate: float = 0.2) -> Sample:
    """Two independent decisions of rate 0.2: nothing but ties."""
    rng = np.random.default_rng(seed)
    while True:
        both = rng.random((2, n)) < rate
        if 0 < both[1].sum() < n:
            return Sample(R=both[:1].T.astype(float), x=both[1].astype(np.int64))


def clustered(n: int, seed: int, *, d: int = 32, rows: int = 4) -> Sample:
    """Rows in fours share a carrier whose effect is strong; x is drawn per carrier."""
    rng = np.random.default_rng(seed)
    names = np.arange(n) // rows
    count = int(names[-1]) + 1
    carrier = 1.5 * rng.standard_normal((count, d))
    x = rng.permutation(np.arange(count) % 2)
    return Sample(R=carrier[names] + rng.standard_normal((n, d)), x=x[names], clusters=names)


def pairs(n: int, seed: int, *, d: int = 32) -> Sample:
    """n / 2 matched pairs of exchangeable members around strong carriers."""
    rng = np.random.default_rng(seed)
    carrier = 3.0 * rng.standard_normal((n // 2, d))
    first, second = (carrier + rng.standard_normal(carrier.shape) for _ in range(2))
    return Sample(R=first, x=np.zeros(n // 2, dtype=np.int64), twin=second)


_SMOOTH: tuple[Callable[[Array], Array], ...] = (
    np.tanh,
    np.sin,
    lambda t: t**2 / 2,
    lambda t: np.exp(-(t**2)),
    lambda t: t,
)
_OUTER: tuple[Callable[[Array], Array], ...] = (lambda t: t, lambda t: t + 0.3 * t**3, np.tanh)


def post_nonlinear(n: int, seed: int, *, e: int, common: float) -> Sample:
    """Scalars R, x = g(f(Z) + noise) after Zhang et al. 2011; ``common`` adds shared noise."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n, e))
    shared = common * rng.standard_normal(n)

    def side() -> Array:
        inner = np.zeros(n)
        for column in Z.T:
            shape = _SMOOTH[rng.integers(len(_SMOOTH))]
            inner += rng.choice([-1.0, 1.0]) * shape(rng.uniform(0.8, 1.5) * column)
        inner = (inner - inner.mean()) / inner.std()
        outer = _OUTER[rng.integers(len(_OUTER))]
        return np.asarray(outer(inner + 0.6 * rng.standard_normal(n) + shared))

    return Sample(R=side()[:, None], x=side(), Z=Z)


DESIGNS: dict[str, Callable[[int, int], Sample]] = {
    "U1-null": lambda n, s: sine(n, s, frequency=0.0),
    "U1-sine": lambda n, s: sine(n, s, frequency=2.0),
    "U32-null": lambda n, s: gaussian(n, s, d=32, kind="null"),
    "U576-null": lambda n, s: gaussian(n, s, d=576, kind="null"),
    "U576-weak": lambda n, s: gaussian(n, s, d=576, kind="weak", size=1.0),
    "D32-null": lambda n, s: stratified(n, s, d=32, kind="null"),
    "D32-mean": lambda n, s: stratified(n, s, d=32, kind="mean", size=0.5),
    "D32-flip": lambda n, s: stratified(n, s, d=32, kind="flip", size=0.7),
    "D32-scale": lambda n, s: stratified(n, s, d=32, kind="scale", size=0.35),
    "D576-null": lambda n, s: stratified(n, s, d=576, kind="null"),
    "cluster-null": clustered,
    "pairs-null": pairs,
    "ties-null": bernoulli,
    "Z1-null": lambda n, s: post_nonlinear(n, s, e=1, common=0.0),
    "Z1-alt": lambda n, s: post_nonlinear(n, s, e=1, common=0.25),
    "Z3-null": lambda n, s: post_nonlinear(n, s, e=3, common=0.0),
    "Z3-alt": lambda n, s: post_nonlinear(n, s, e=3, common=0.35),
}
CONTINUOUS_NULLS = (
    "U1-null", "U32-null", "U576-null", "D32-null", "D576-null", "cluster-null", "pairs-null",
)  # fmt: skip
DISCRETE_NULLS = ("ties-null",)


def make(name: str, n: int, repetition: int) -> Sample:
    """The data set of one design, size and repetition."""
    return DESIGNS[name](n, 1_000_003 * repetition + n)
