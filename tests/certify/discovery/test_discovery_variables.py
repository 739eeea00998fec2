"""Columns that no test could make sense of are refused by name."""

import numpy as np
import pytest

from causalguard.certify.discovery import make_variables
from causalguard.certify.discovery.variables import independent_columns
from causalguard.errors import InputError

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal(50), RNG.standard_normal(50)
CODES = RNG.integers(0, 3, 50)
BLOCK = RNG.standard_normal((50, 4))


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"a": A, "b": np.ones(50)}, "b never varies"),
        ({"a": A, "b": np.array(["x"] * 50)}, "b never varies"),
        ({"a": A, "b": np.ones((50, 3))}, "b never varies"),
        ({"a": A, "b": A}, "a and b say the same"),
        ({"a": A, "b": -3 * A + 1}, "a and b say the same"),
        ({"a": A, "b": np.exp(A)}, "a and b say the same"),
        ({"a": CODES.astype(str), "b": np.array(["u", "v", "w"])[CODES]}, "a and b say the same"),
        ({"a": CODES.astype(str), "b": 10.0 * CODES}, "a and b say the same"),
        ({"a": BLOCK, "b": BLOCK @ RNG.standard_normal((4, 4))}, "a and b say the same"),
        ({"a": A, "b": B, "c": A - 2 * B}, "linear combination"),
        ({"a": A, "b": np.where(np.arange(50) == 7, np.nan, B)}, "b: row 7 is not finite"),
        ({"a": A, "b": B[:40]}, "different lengths"),
        ({"a": A, "b": BLOCK.astype(str)}, "b: a block must be numeric"),
        ({"a": A[:1]}, "a: shape"),
    ],
)
def test_unusable_columns_are_refused(columns: dict[str, np.ndarray], name: str) -> None:
    with pytest.raises(InputError, match=name):
        make_variables(columns)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["x", "y", "x"], "category"),
        ([True, False, True], "category"),
        ([0, 1, 0], "category"),
        ([0, 1, 2], "number"),
        ([0.5, 0.25, 0.1], "number"),
        ([[1.0, 2.0], [2.0, 3.0], [0.0, 1.0]], "block"),
        ([[1.0], [2.0], [3.0]], "number"),
    ],
)
def test_the_kind_follows_from_the_values(values: list[object], kind: str) -> None:
    assert make_variables({"a": np.array(values)})["a"].kind == kind


def test_a_category_that_another_one_determines_is_allowed() -> None:
    tool = RNG.integers(0, 6, 50)
    assert len(make_variables({"tool": tool.astype(str), "format": (tool // 2).astype(str)})) == 2


def test_a_score_computed_from_a_block_is_allowed() -> None:
    assert len(make_variables({"R": BLOCK, "score": BLOCK @ np.ones(4)})) == 2


def test_columns_of_a_block_without_news_are_dropped() -> None:
    padded = np.column_stack([np.full(50, 1e6), BLOCK, BLOCK[:, 1], BLOCK @ np.ones(4)])
    kept = independent_columns(padded)
    assert kept == pytest.approx(BLOCK - BLOCK.mean(axis=0))


def test_rows_of_a_category_get_dense_codes() -> None:
    node = make_variables({"a": np.array(["x", "y", "z", "x"])})["a"]
    assert node.rows(np.array([0, 2])).values.tolist() == [0, 1]
