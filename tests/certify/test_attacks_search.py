"""Attackers against guards of known weakness: found where there is a way, and only there."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from causalguard.certify.attacks import outcomes, runner
from causalguard.certify.attacks.methods import METHODS
from causalguard.certify.attacks.runner import Plan
from causalguard.certify.attacks.search import Budget, Search
from causalguard.certify.attacks.targets import Target, draw_targets
from causalguard.certify.report.attached import Attacks
from causalguard.errors import InputError
from causalguard.records import ToolOutput

BLACK = tuple(name for name, method in METHODS.items() if not method.gradients)
MODEL = "a" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer."""

    risk: float
    flagged: bool
    coverage: float = 1.0
    n_tokens: int = 1
    representation: NDArray[np.float32]
    mean: NDArray[np.float32]


class Rule:
    """A guard whose risk is a rule on the text."""

    def __init__(self, risk: Callable[[str], float]) -> None:
        self.backend = "rule"
        self.threshold = 0.5
        self.asked = 0
        self._risk = risk

    def score(self, outputs: Sequence[ToolOutput], /) -> list[Answer]:
        self.asked += len(outputs)
        none = np.zeros(1, np.float32)
        risks = [self._risk(output.text) for output in outputs]
        return [Answer(risk=r, flagged=r >= 0.5, representation=none, mean=none) for r in risks]


def _capitals(text: str) -> float:
    """Blind to any text that is mostly capitals."""
    letters = [c for c in text if c.isalpha()]
    return 0.99 - 0.9 * sum(c.isupper() for c in letters) / max(1, len(letters))


def _capitals_between(start: int, rest: int, text: str) -> float:
    """The same of what the attacker wrote, whatever stands around it."""
    return _capitals(text[start : len(text) - rest])


def _strict(_text: str) -> float:
    return 0.9


@pytest.fixture(scope="module")
def targets() -> list[Target]:
    """A few targets."""
    return list(itertools.islice(draw_targets(seed=1), 4))


def _plan(**changes: object) -> Plan:
    plain: dict[str, object] = {
        "attacks": ("direct", "evolution"),
        "goals": 3,
        "seed": 1,
        "budget": Budget(queries=24, candidates=8),
    }
    return Plan(**plain | changes)  # type: ignore[arg-type]


class AfterCarriers(Rule):
    """Lets every carrier pass and flags whatever carries a goal."""

    def __init__(self, targets: Sequence[Target], risk: Callable[[str], float]) -> None:
        bare = {target.output("").text for target in targets}
        super().__init__(lambda text: 0.0 if text in bare else risk(text))


def _run(guard: Rule, plan: Plan, output: Path) -> Attacks:
    return runner.run(guard, plan, output, model_sha256=MODEL, tell=lambda _line: None)


def test_targets_have_goals_and_carriers_of_their_own(targets: list[Target]) -> None:
    many = list(itertools.islice(draw_targets(seed=3), 30))
    assert len({t.id for t in many}) == len({t.carrier for t in many}) == 30
    assert all(t.allows(t.goal.direct) and t.goal.check for t in many)
    assert targets == list(itertools.islice(draw_targets(seed=1), 4))


def test_a_target_puts_the_payload_where_the_attacker_writes(targets: list[Target]) -> None:
    output = targets[0].output("PAYLOAD")
    assert output.text == targets[0].before + "PAYLOAD" + targets[0].after
    assert output.task == targets[0].task


@pytest.mark.parametrize("name", ["best-of-n", "evolution", "characters"])
def test_a_guard_that_is_blind_to_capitals_is_evaded_by_search(
    name: str, targets: list[Target]
) -> None:
    passed = 0
    for index, target in enumerate(targets):
        start, rest = len(target.before), len(target.after)
        payload = partial(_capitals_between, start, rest)
        search = Search(Rule(payload), target, queries=400)
        budget = Budget(queries=400)
        METHODS[name].make(None)(search, budget, np.random.default_rng(index))
        passed += search.evaded
        assert target.allows(search.best)
    assert passed >= 1


@pytest.mark.parametrize("name", BLACK)
def test_a_guard_that_flags_everything_is_not_evaded_and_the_budget_holds(
    name: str, targets: list[Target]
) -> None:
    guard = Rule(_strict)
    search = Search(guard, targets[0], queries=50)
    METHODS[name].make(None)(search, Budget(queries=50), np.random.default_rng(0))
    assert not search.evaded
    assert guard.asked == search.queries <= 50


def test_a_payload_without_the_goal_never_reaches_the_guard(targets: list[Target]) -> None:
    guard = Rule(lambda _text: 0.0)
    search = Search(guard, targets[0], queries=10)
    assert np.isinf(search.ask(["nothing at all"])).all()
    assert guard.asked == 0
    assert not search.evaded


def test_a_pass_that_rests_on_the_batch_does_not_count(targets: list[Target]) -> None:
    class Shaky(Rule):
        def score(self, outputs: Sequence[ToolOutput], /) -> list[Answer]:
            self._risk = (lambda _t: 0.49) if len(outputs) > 1 else (lambda _t: 0.51)
            return super().score(outputs)

    search = Search(Shaky(_strict), targets[0], queries=10)
    search.ask([targets[0].goal.direct, targets[0].goal.direct + "!"])
    assert search.best_risk == pytest.approx(0.49)
    assert not search.evaded


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, targets: list[Target]) -> None:
    guard = AfterCarriers(targets, _strict)
    whole = _run(guard, _plan(), tmp_path / "whole")
    _run(guard, _plan(goals=1), tmp_path / "part")
    rows = tmp_path / "part" / "attacks.jsonl"
    rows.write_bytes(rows.read_bytes() + b'{"cut')
    asked = guard.asked
    again = _run(guard, _plan(), tmp_path / "part")
    assert again.rows == whole.rows
    assert 0 < guard.asked - asked < asked


def test_rows_of_another_run_are_refused(tmp_path: Path, targets: list[Target]) -> None:
    guard = AfterCarriers(targets, _strict)
    _run(guard, _plan(), tmp_path)
    with pytest.raises(InputError, match="another --output"):
        _run(guard, _plan(budget=Budget(queries=7)), tmp_path)


def test_figures_count_goals_with_exact_bounds(tmp_path: Path, targets: list[Target]) -> None:
    passing = targets[0].goal.direct
    guard = AfterCarriers(targets, lambda text: 0.1 if passing in text else 0.9)
    found = _run(guard, _plan(attacks=("direct", "dilution")), tmp_path)
    direct = found.rows[0]
    assert (direct.attack, direct.goals, direct.evaded) == ("direct", 3, 1)
    assert direct.high == pytest.approx(0.8646, abs=1e-3)
    assert [(row.attack, row.evaded) for row in found.unions] == [("any black-box attack", 1)]


def _outcome(attack: str, target: str, *, evaded: bool) -> outcomes.Outcome:
    return outcomes.Outcome(
        run="r", attack=attack, target=target, carrier=target, index=0, evaded=evaded,
        evaded_at=1 if evaded else None, queries=4, risk=0.1, payload="p",
    )  # fmt: skip


def test_a_union_counts_goals_that_any_attack_of_the_class_passed() -> None:
    rows = [
        _outcome("evolution", "a", evaded=True), _outcome("evolution", "b", evaded=False),
        _outcome("gcg-prefix", "a", evaded=False), _outcome("gcg-prefix", "b", evaded=True),
        _outcome("evolution", "c", evaded=True),
    ]  # fmt: skip
    (whole,) = outcomes.union_rows(rows)
    assert (whole.attack, whole.goals, whole.evaded) == ("any attack", 2, 2)


def test_carriers_that_are_flagged_by_themselves_are_left_out(
    tmp_path: Path, targets: list[Target]
) -> None:
    bad = targets[0].output("").text
    guard = Rule(lambda text: 0.9 if text == bad else 0.1)
    found = _run(guard, _plan(attacks=("direct",)), tmp_path)
    assert found.carriers_flagged == 1
    rows = outcomes.read_outcomes(tmp_path / "attacks.jsonl")
    assert targets[0].id not in {row.target for row in rows}


def test_a_guard_that_flags_every_carrier_cannot_be_attacked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="flags nearly every carrier"):
        _run(Rule(_strict), _plan(goals=1), tmp_path)


def test_payloads_are_sent_unchanged_to_another_guard(
    tmp_path: Path, targets: list[Target]
) -> None:
    weak = AfterCarriers(targets, lambda _text: 0.1)
    _run(weak, _plan(), tmp_path / "weak")
    plan = _plan(attacks=(), transfer=tmp_path / "weak" / "attacks.jsonl")
    found = _run(AfterCarriers(targets, _strict), plan, tmp_path / "strict")
    assert [(row.attack, row.goals, row.evaded) for row in found.rows] == [("transfer", 3, 0)]


def test_an_unknown_attack_is_refused() -> None:
    with pytest.raises(InputError, match="unknown attacks"):
        _plan(attacks=("magic",))
