from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from causalguard.guard.api import Guard
from causalguard.guard.scorer import Scored
from causalguard.records import ToolOutput, Verdict
from support import hostile

SEED = 7


@pytest.fixture
def checker(tiny_model: Path) -> hostile.Checker:
    guard = Guard.load(tiny_model, require_certified=False, dtype="float32")
    return hostile.Checker(hostile.centred(guard, np.random.default_rng(SEED)))


def test_three_hundred_hostile_texts_neither_crash_nor_pass_unread(
    checker: hostile.Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostile, "LONG", 0.0)
    kinds = set()
    for number in range(300):
        text, kind = hostile.hostile(np.random.default_rng([SEED, number]))
        kinds.add(kind)
        checker.check(text)
        assert checker.faults == [], f"text {number} of kind {kind}"
    assert len(kinds) == len(hostile.KINDS) + 1
    assert 50 < checker.flagged < 295


def test_a_hundred_thousand_characters_of_one_kind_are_flagged_as_not_read(
    checker: hostile.Checker,
) -> None:
    for character in "a\u200b\U0001d41a[":
        checker.check(character * 100_000)
    assert checker.faults == []
    assert checker.flagged == 4


def test_the_checker_sees_an_open_failure(checker: hostile.Checker) -> None:
    checker.guard._scorer.threshold = checker.guard.threshold = 1.0
    finish = checker.guard._verdict

    def open_failure(output: ToolOutput, scored: Scored) -> Verdict:
        return replace(finish(output, scored), flagged=False, coverage=1.0)

    checker.guard._verdict = open_failure  # type: ignore[method-assign]
    checker.check("a b " * 5000)
    assert "what was not read in full is flagged" in checker.faults
