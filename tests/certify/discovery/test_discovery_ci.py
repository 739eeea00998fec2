"""The conditional-independence test on mixed nodes: level, power, symmetry, and its methods."""

import numpy as np
import pytest

from causalguard.certify.discovery import MixedTest, make_variables
from causalguard.certify.discovery.citest import (
    _cross_table,
    _gamma_screen,
    _permutations,
    _permuted_tables,
)

Columns = dict[str, np.ndarray]


def p_value(columns: Columns, x: str, y: str, *known: str, seed: int = 0) -> float:
    test = MixedTest(make_variables(columns), alpha=0.05, seed=seed)
    return test(x, y, frozenset(known)).p_value


def confounded(rng: np.random.Generator, n: int) -> Columns:
    """x, number, other and block depend on z only; z has four levels."""
    z = rng.integers(0, 4, n)
    return {
        "z": z.astype(np.str_),
        "x": np.where(rng.random(n) < 0.2 + 0.2 * z, "yes", "no"),
        "number": z + rng.standard_normal(n),
        "other": z**2 + rng.standard_normal(n),
        "block": np.eye(4)[z] @ rng.standard_normal((4, 6)) + rng.standard_normal((n, 6)),
    }


PAIRS = [("x", "number"), ("number", "other"), ("x", "block"), ("number", "block")]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_common_cause_is_explained_away_at_the_level(a: str, b: str) -> None:
    draws = [confounded(np.random.default_rng(seed), 150) for seed in range(80)]
    below = sum(p_value(columns, a, b, "z") <= 0.05 for columns in draws)
    assert below <= 11  # binomial(80, 0.05): more has probability < 0.002


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_same_pairs_depend_when_the_cause_is_not_known(a: str, b: str) -> None:
    assert p_value(confounded(np.random.default_rng(1), 300), a, b) < 1e-3


def test_a_numeric_common_cause_is_explained_away_at_the_level() -> None:
    below = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((200, 2))
        columns = {
            "z": z[:, 0],
            "w": z[:, 1],
            "a": np.tanh(z[:, 0]) + z[:, 1] ** 2 / 2 + 0.6 * rng.standard_normal(200),
            "b": np.sin(z[:, 0]) - z[:, 1] + 0.6 * rng.standard_normal(200),
        }
        below += p_value(columns, "a", "b", "z", "w") <= 0.05
    assert below <= 13


def test_categories_are_tested_exactly_when_the_table_is_sparse() -> None:
    rng = np.random.default_rng(2)
    columns = {
        "a": rng.integers(0, 8, 61).astype(np.str_),
        "b": rng.integers(0, 8, 61).astype(np.str_),
    }
    found = MixedTest(make_variables(columns))("a", "b", frozenset())
    assert "stratified permutation (exact)" in found.method


def test_sparse_tables_hold_their_level() -> None:
    below = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        z = rng.integers(0, 3, 90)
        columns = {name: (z + rng.integers(0, 6, 90)).astype(np.str_) for name in "ab"}
        below += p_value(columns | {"z": z.astype(np.str_)}, "a", "b", "z") <= 0.05
    assert below <= 13


@pytest.mark.parametrize(
    "make",
    [
        lambda u, e: np.cos(3 * u) + 0.3 * e,
        lambda u, e: u**2 + 0.5 * e,
        lambda u, e: (0.3 + np.abs(u)) * e,
        lambda u, e: 0.3 * u + e,
    ],
    ids=["wave", "square", "scale", "line"],
)
def test_dependence_of_many_shapes_is_seen(make: object) -> None:
    rng = np.random.default_rng(3)
    u, e = rng.standard_normal(500), rng.standard_normal(500)
    assert callable(make)
    assert p_value({"a": u, "b": make(u, e)}, "a", "b") < 0.01


def test_a_weak_direction_of_a_block_is_seen() -> None:
    rng = np.random.default_rng(4)
    x = rng.integers(0, 2, 500)
    rows = rng.standard_normal((500, 32)) / np.sqrt(np.arange(1, 33))
    rows[:, 20] += 0.6 * x / np.sqrt(21)
    assert p_value({"x": x.astype(np.str_), "block": rows}, "x", "block") < 0.01


def test_the_test_is_symmetric_and_repeatable() -> None:
    columns = confounded(np.random.default_rng(5), 120)
    first = p_value(columns, "x", "block", "z")
    assert first == p_value(columns, "block", "x", "z")
    assert first == p_value(dict(reversed(columns.items())), "x", "block", "z")


def test_the_seed_reaches_the_resampling() -> None:
    rng = np.random.default_rng(7)
    u = rng.standard_normal(150)
    columns = {"a": u, "b": 0.15 * u + rng.standard_normal(150)}
    values = {p_value(columns, "a", "b", seed=seed) for seed in range(4)}
    assert len(values) > 1


def test_rescaling_a_number_changes_nothing() -> None:
    columns = confounded(np.random.default_rng(7), 150)
    scaled = columns | {"number": 1e6 * columns["number"] - 5}
    assert p_value(scaled, "number", "x", "z") == pytest.approx(
        p_value(columns, "number", "x", "z")
    )


def test_columns_of_a_block_that_say_nothing_new_change_nothing() -> None:
    columns = confounded(np.random.default_rng(8), 150)
    block = columns["block"]
    padded = np.column_stack([block, block[:, 0], np.ones(150), 2 * block[:, 1] - block[:, 2]])
    assert p_value(columns | {"block": padded}, "x", "block", "z") == pytest.approx(
        p_value(columns, "x", "block", "z")
    )


def test_permutations_stay_inside_their_strata() -> None:
    strata = np.array([1, 0, 1, 2, 0, 1])
    for order in _permutations(strata, 50, np.random.default_rng(9), per_row=1):
        assert (strata[order] == strata).all()
        assert (np.sort(order, axis=1) == np.arange(6)).all()


def test_small_chunks_draw_the_same_number_of_permutations() -> None:
    orders = _permutations(
        np.zeros(1000, dtype=np.int64), 30, np.random.default_rng(10), per_row=999
    )
    assert sum(len(order) for order in orders) == 30
    assert len(orders) > 1


def test_drawn_tables_follow_the_law_of_permuted_rows() -> None:
    rng = np.random.default_rng(13)
    x, y, strata = rng.integers(0, 3, 40), rng.integers(0, 2, 40), np.arange(40) // 25
    table = _cross_table(x, y, strata)
    drawn = _permuted_tables(table, 4000, rng)
    moved = np.array(
        [
            _cross_table(x[order], y, strata)
            for order in _permutations(strata, 4000, rng, per_row=1)[0]
        ]
    )
    assert (drawn.sum(axis=2) == table.sum(axis=1)).all()
    assert (drawn.sum(axis=3) == table.sum(axis=2)).all()
    assert drawn.mean(axis=0) == pytest.approx(moved.mean(axis=0), abs=0.15)
    assert drawn.var(axis=0) == pytest.approx(moved.var(axis=0), abs=0.2)


def test_the_screen_is_uniform_enough_under_the_null() -> None:
    rng = np.random.default_rng(11)
    values = [
        _gamma_screen(rng.standard_normal((100, 2)), rng.standard_normal((100, 3)))
        for _ in range(400)
    ]
    assert np.mean(np.array(values) < 0.5) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(values) < 0.05) == pytest.approx(0.05, abs=0.04)


def test_a_node_that_its_condition_determines_is_independent_of_the_rest() -> None:
    rng = np.random.default_rng(12)
    tool = rng.integers(0, 6, 300)
    columns = {
        "tool": tool.astype(np.str_),
        "format": (tool // 2).astype(np.str_),
        "risk": tool + rng.standard_normal(300),
    }
    assert p_value(columns, "format", "risk", "tool") == 1


def computed(seed: int, noise: float) -> Columns:
    """y moves a block; risk is a steep function of one direction of the block."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 600)
    rows = rng.standard_normal((600, 24)) / np.sqrt(np.arange(1, 25))
    rows[:, 1] += y
    risk = 1 / (1 + np.exp(-4 * rows[:, 1])) + noise * rng.standard_normal(600)
    return {"y": y.astype(np.str_), "block": rows, "risk": risk}


def test_a_risk_computed_from_a_block_depends_on_nothing_else_given_the_block() -> None:
    columns = computed(14, 0.0)
    found = MixedTest(make_variables(columns))("risk", "y", frozenset(["block"]))
    assert found.p_value == 1
    assert "function of the block" in found.method
    assert p_value(columns, "risk", "y") < 1e-6
    assert p_value(columns, "block", "risk", "y") < 1e-6


def test_a_noisy_score_is_screened_off_by_its_block() -> None:
    below = sum(p_value(computed(s, 0.3), "risk", "y", "block") <= 0.01 for s in range(30))
    assert below <= 3


def test_near_copies_do_not_explain_each_others_edges_away() -> None:
    rng = np.random.default_rng(15)
    a = rng.standard_normal(400)
    columns = {"a": a, "b": a + 0.05 * rng.standard_normal(400)}
    columns["c"] = columns["b"] + 0.05 * rng.standard_normal(400)
    assert p_value(columns, "b", "c", "a") < 1e-6
