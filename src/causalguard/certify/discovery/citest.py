"""Conditional independence of mixed nodes: a fast screen, and resampling where it is close.

x ⟂ y | z is tested on ‖XᵀY‖² of features that have been made free of z: cell means for
categories, ridge regression with leave-one-out tuning for numbers and blocks (the product of
two regression errors, as in the generalised covariance measure of Shah & Peters 2020).  Three
kernels are fused by the largest standardised statistic.

* Screen: a gamma law with the statistic's first two null moments, or χ² for tables.
* Grey zone, where that could decide wrongly: permutations inside the cells of z when z is
  categorical or empty (exact at every n), a wild bootstrap otherwise (asymptotic).

A number that a block explains to 95 % (a risk computed from a representation) counts as
independent of everything given that block: what is left of it is regression error.

Seeds come from the names of the nodes, so an answer does not depend on the order of columns
or of questions.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, gamma, rankdata

from causalguard.certify.discovery.features import (
    KERNELS,
    NodeFeatures,
    cells,
    node_features,
    random_features,
)
from causalguard.certify.discovery.pc import CiResult, Given
from causalguard.certify.discovery.variables import Codes, Matrix, Variable

JOINT_FEATURES = 60
"""Joint random features of the conditioning set: interactions and curvature."""

INDICES, INDEX_COSINES = 3, 8
"""Fitted directions of a node, and cosines of each one's rank, in the second regression."""

DETERMINED = 0.05
"""Share of a number's variance that a block may leave before the number counts as computed."""

RIDGES = 10.0 ** np.arange(-3, 5)
"""Ridge penalties tried, against features of unit variance summed over rows."""

SCREEN_LOW, SCREEN_HIGH = 0.05, 20.0
"""The grey zone is alpha × these: outside it the screen decides."""

SPARSE_LOW, SPARSE_HIGH = 1e-6, 0.6
"""The grey zone of sparse tables."""

SCREEN_ROWS = 1000
"""Rows from which the screen estimates the null variance."""

CHUNK = 4_000_000
"""Numbers held at once while permuting."""

BLOCK_PAIR = 16
"""Leading features of each side when both nodes are blocks."""


class MixedTest:
    """A :class:`~causalguard.certify.discovery.pc.CiTest` on data.

    Args:
        nodes: The nodes by name, all on the same rows.
        alpha: Level at which the caller will decide; places the grey zone.
        seed: Seed of random features and resampling, >= 0.
        resamples: Permutations or bootstrap draws in the grey zone.

    """

    def __init__(
        self,
        nodes: Mapping[str, Variable],
        *,
        alpha: float = 0.01,
        seed: int = 0,
        resamples: int = 999,
    ) -> None:
        self.seed, self.alpha, self.resamples = seed, alpha, resamples
        self.features = {n: node_features(v, self._rng("node", n)) for n, v in nodes.items()}
        self.kinds = {name: node.kind for name, node in nodes.items()}
        self.n = len(next(iter(nodes.values())).values)
        self._residuals: dict[tuple[str, Given], dict[str, Matrix]] = {}
        self._regressions: dict[Given, _Regression] = {}

    def __call__(self, x: str, y: str, given: Given, /) -> CiResult:
        """Test x ⟂ y | given."""
        x, y = sorted((x, y))
        strata = self._strata(given)
        exact = all(self.kinds[name] == "category" for name in given)
        left, right = self.features[x].codes, self.features[y].codes
        if exact and left is not None and right is not None:
            p_value, method = self._table(left, right, strata, self._rng(x, y, *sorted(given)))
        else:
            p_value, method = self._kernel(x, y, given, strata if exact else None)
        return CiResult(x=x, y=y, given=tuple(sorted(given)), p_value=p_value, method=method)

    def _rng(self, *names: str) -> np.random.Generator:
        # Length-prefixed, so that no two lists of names read the same.
        text = "".join(f"{len(name)}:{name}" for name in (str(self.seed), *names))
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))

    def _strata(self, given: Given) -> Codes:
        codes = [self.features[name].codes for name in sorted(given)]
        known = [code for code in codes if code is not None]
        return cells(known) if known else np.zeros(self.n, dtype=np.int64)

    def _grey(self, p_value: float) -> bool:
        return self.alpha * SCREEN_LOW < p_value < min(self.alpha * SCREEN_HIGH, 1.0)

    def _table(
        self, x: Codes, y: Codes, strata: Codes, rng: np.random.Generator
    ) -> tuple[float, str]:
        table = _cross_table(x, y, strata)
        observed = float(_g_square(table[None])[0])
        freedom, sparse = _freedom(table)
        p_value = float(chi2.sf(observed, freedom)) if freedom else 1.0
        # χ² is rough in sparse tables: there only plain cases are left to it.
        close = SPARSE_LOW < p_value < SPARSE_HIGH if sparse else self._grey(p_value)
        if not freedom or not close:
            return max(p_value, 1e-300), "G2 (asymptotic)"
        drawn = _g_square(_permuted_tables(table, self.resamples, rng))
        reached = int(np.sum(drawn >= observed - 1e-9 * (1 + observed)))
        return (1 + reached) / (1 + self.resamples), "G2, stratified permutation (exact)"

    def _kernel(self, x: str, y: str, given: Given, strata: Codes | None) -> tuple[float, str]:
        if self._determined(x, given) or self._determined(y, given):
            return 1.0, "one node is a function of the block conditioned on"
        pairs = self._pairs(x, y, given)
        screened = min(1.0, len(pairs) * min(_gamma_screen(a, b) for a, b in pairs))
        if not self._grey(screened):
            return max(screened, 1e-300), "HSIC features, gamma screen (asymptotic)"
        rng = self._rng(x, y, *sorted(given))
        if strata is not None:
            drawn = _permuted(pairs, strata, self.resamples, rng)
            method = "HSIC features, stratified permutation (exact)"
        else:
            drawn = _wild(pairs, self.resamples, rng)
            method = "HSIC of residuals, wild bootstrap (asymptotic)"
        return _fused_p(drawn), method

    def _determined(self, name: str, given: Given) -> bool:
        """Whether a number is all but computed from a block: then only our error is left of it.

        Not among numbers: of two near copies each would explain the other's edges away.
        """
        if self.kinds[name] != "number" or all(self.kinds[g] != "block" for g in given):
            return False
        left = self._residual(name, given)["linear"]
        return float(left.var()) < DETERMINED * float(self.features[name].kernels["linear"].var())

    def _pairs(self, x: str, y: str, given: Given) -> list[tuple[Matrix, Matrix]]:
        left, right = self._residual(x, given), self._residual(y, given)
        both_blocks = self.kinds[x] == self.kinds[y] == "block"
        found: dict[tuple[int, int], tuple[Matrix, Matrix]] = {}
        for kernel in KERNELS:
            a, b = left[kernel], right[kernel]
            key = (id(a), id(b))
            found[key] = (a[:, :BLOCK_PAIR], b[:, :BLOCK_PAIR]) if both_blocks else (a, b)
        return list(found.values())

    def _residual(self, name: str, given: Given) -> dict[str, Matrix]:
        key = (name, given)
        if key not in self._residuals:
            if given not in self._regressions:
                self._regressions[given] = self._regression(given)
            fit = self._regressions[given]
            kernels = self.features[name].kernels
            once = {id(matrix): fit.residual(matrix) for matrix in kernels.values()}
            if fit.left is not None:
                refit = fit.along_index(kernels["linear"], once[id(kernels["linear"])])
                once = {key: refit.residual(matrix) for key, matrix in once.items()}
            self._residuals[key] = {k: once[id(matrix)] for k, matrix in kernels.items()}
        return self._residuals[key]

    def _regression(self, given: Given) -> "_Regression":
        parts = [self.features[name] for name in sorted(given)]
        strata = self._strata(given)
        if all(part.codes is not None for part in parts):
            return _Regression(strata, None)
        return _Regression(strata, self._design(parts, self._rng("given", *sorted(given))))

    def _design(self, parts: list[NodeFeatures], rng: np.random.Generator) -> Matrix:
        joint = random_features(np.hstack([p.scaled for p in parts]), JOINT_FEATURES, rng)
        bases = [part.basis for part in parts]
        return np.hstack([*bases, joint * np.sqrt(2)])


class _Regression:
    """Removes a conditioning set from features: cell means, then ridge on the design."""

    def __init__(self, strata: Codes, design: Matrix | None) -> None:
        self.strata = strata
        self.counts = np.bincount(strata).astype(np.float64)
        self.left: Matrix | None = None
        if design is not None:
            centred = self._centre(design)
            self.left, singular, _ = np.linalg.svd(centred, full_matrices=False)
            square = singular**2
            self.shrink = square / (square + RIDGES[:, None])

    def _centre(self, columns: Matrix) -> Matrix:
        sums = np.zeros((len(self.counts), columns.shape[1]))
        np.add.at(sums, self.strata, columns)
        return np.asarray(columns - (sums / self.counts[:, None])[self.strata])

    def along_index(self, linear: Matrix, residual: Matrix) -> "_Regression":
        """Second step: a node that is any function of one direction of the condition.

        The fitted values of the first step name that direction; without this step a risk that
        is computed from a block would keep a residual that still depends on the block.
        """
        fitted = self._centre(linear) - residual
        widest = np.argsort(-fitted.var(axis=0), kind="stable")[:INDICES]
        rank = rankdata(fitted[:, widest], axis=0) / len(fitted)
        waves = [np.cos(np.pi * k * rank) for k in range(1, INDEX_COSINES + 1)]
        return _Regression(self.strata, np.hstack(waves))

    def residual(self, columns: Matrix) -> Matrix:
        """Columns without what the conditioning set explains, shape as given."""
        target = self._centre(columns)
        if self.left is None:
            return target
        scores = self.left.T @ target
        best = np.full(target.shape[1], np.inf)
        kept = target
        for shrink in self.shrink:
            fit = (self.left * shrink) @ scores
            leverage = (self.left**2) @ shrink + (1 / self.counts)[self.strata]
            left_out = (target - fit) / np.maximum(1 - leverage, 1e-3)[:, None]
            error = (left_out**2).sum(axis=0)
            better = error < best
            kept = np.where(better, target - fit, kept)
            best = np.minimum(error, best)
        return kept


def _gamma_screen(a: Matrix, b: Matrix) -> float:
    """p-value of ‖AᵀB‖² under a gamma law with its wild-bootstrap mean and variance."""
    n = len(a)
    weight = np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b)
    mean, own = float(weight.sum()), float((weight**2).sum())
    if mean <= 1e-12 * n:
        return 1.0
    # A fixed shuffle: the same rows each time, and no order of the file in them.
    some = np.random.default_rng(n).permutation(n)[:SCREEN_ROWS]
    square = ((a[some] @ a[some].T) * (b[some] @ b[some].T)) ** 2
    between = float(square.sum() - np.trace(square)) * n * (n - 1) / (len(some) * (len(some) - 1))
    variance = 2 * (own + between)
    return float(gamma.sf(float(((a.T @ b) ** 2).sum()), mean**2 / variance, scale=variance / mean))


def _permutations(
    strata: Codes, count: int, rng: np.random.Generator, *, per_row: int
) -> list[NDArray[np.intp]]:
    """Row orders that permute inside the strata, in chunks of bounded memory."""
    n = len(strata)
    members = np.split(np.argsort(strata, kind="stable"), np.cumsum(np.bincount(strata))[:-1])
    size = max(1, CHUNK // (n * per_row))
    chunks = []
    for start in range(0, count, size):
        rows = min(size, count - start)
        order = np.empty((rows, n), dtype=np.intp)
        for member in members:
            order[:, member] = rng.permuted(np.tile(member, (rows, 1)), axis=1)
        chunks.append(order)
    return chunks


def _permuted(
    pairs: list[tuple[Matrix, Matrix]], strata: Codes, count: int, rng: np.random.Generator
) -> Matrix:
    """Statistics by (draw, kernel); row 0 is the observed one."""
    # Permute the narrower side: fewer numbers to move.
    pairs = [(a, b) if a.shape[1] <= b.shape[1] else (b, a) for a, b in pairs]
    rows = [[float(((a.T @ b) ** 2).sum()) for a, b in pairs]]
    widest = max(a.shape[1] for a, _ in pairs)
    for order in _permutations(strata, count, rng, per_row=widest):
        drawn = []
        for a, b in pairs:
            moved = a.T[:, order].transpose(1, 0, 2).reshape(-1, len(a))
            cross = (moved @ b).reshape(len(order), -1)
            drawn.append((cross**2).sum(axis=1))
        rows += np.column_stack(drawn).tolist()
    return np.array(rows)


def _wild(pairs: list[tuple[Matrix, Matrix]], count: int, rng: np.random.Generator) -> Matrix:
    """Statistics by (draw, kernel) with random signs; row 0 is the observed one."""
    n = len(pairs[0][0])
    signs = rng.integers(0, 2, (count + 1, n)) * 2.0 - 1.0
    signs[0] = 1
    drawn = []
    for a, b in pairs:
        products = (a[:, :, None] * b[:, None, :]).reshape(n, -1)
        drawn.append(((signs @ products) ** 2).sum(axis=1))
    return np.column_stack(drawn)


def _fused_p(statistics: Matrix) -> float:
    """p-value of the largest standardised statistic; row 0 is observed and counts itself."""
    deviation = statistics.std(axis=0)
    usable = deviation > 0
    if not usable.any():
        return 1.0
    standard = (statistics[:, usable] - statistics[:, usable].mean(axis=0)) / deviation[usable]
    largest = standard.max(axis=1)
    # Ties count against us (Phipson & Smyth 2010).
    return float(np.mean(largest >= largest[0] - 1e-9 * (1 + abs(largest[0]))))


def _cross_table(x: Codes, y: Codes, strata: Codes) -> Codes:
    """Counts by (stratum, y, x)."""
    shape = (int(strata.max()) + 1, int(y.max()) + 1, int(x.max()) + 1)
    flat = np.ravel_multi_index((strata, y, x), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)


def _permuted_tables(table: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Tables that permuting x inside each stratum gives: (draw, stratum, y, x).

    Drawn cell by cell from the hypergeometric law of a table with these margins, which is the
    law of the permuted table without moving a single row.
    """
    strata, columns, levels = table.shape
    drawn = np.zeros((count, strata, columns, levels), dtype=np.int64)
    left = np.broadcast_to(table.sum(axis=1), (count, strata, levels)).copy()
    for column in range(columns):
        wanted = np.broadcast_to(table[:, column].sum(axis=1), (count, strata)).copy()
        for level in range(levels):
            others = left[:, :, level + 1 :].sum(axis=2)
            taken = rng.hypergeometric(left[:, :, level], others, wanted)
            drawn[:, :, column, level] = taken
            wanted -= taken
        left -= drawn[:, :, column]
    return drawn


def _g_square(tables: Codes) -> Matrix:
    """G² summed over strata, one per draw of tables (draw, stratum, y, x)."""
    by_row, by_column = tables.sum(axis=2, keepdims=True), tables.sum(axis=3, keepdims=True)
    expected = by_row * by_column / np.maximum(by_row.sum(axis=3, keepdims=True), 1)
    ratio = np.where(tables > 0, tables / np.where(expected > 0, expected, 1.0), 1.0)
    return np.asarray(2 * (tables * np.log(ratio)).sum(axis=(1, 2, 3)))


def _freedom(table: Codes) -> tuple[int, bool]:
    """Degrees of freedom over occupied rows and columns, and whether χ² is too rough."""
    by_x, by_y = table.sum(axis=1), table.sum(axis=2)
    rows = np.maximum((by_x > 0).sum(axis=1) - 1, 0)
    columns = np.maximum((by_y > 0).sum(axis=1) - 1, 0)
    total = np.maximum(by_x.sum(axis=1), 1)
    expected = by_y[:, :, None] * by_x[:, None, :] / total[:, None, None]
    occupied = expected[expected > 0]
    return int(np.sum(rows * columns)), bool(np.mean(occupied < 5) > 0.2)
