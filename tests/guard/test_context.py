"""S: what is in it, what never is, and what goes first when there is too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.guard.context import CUT, TrustedContext, make_context

ROLES = ("system", "developer", "human", "user", "assistant", "ai", "tool", "function", "odd")
TURNS = st.lists(st.tuples(st.sampled_from(ROLES), st.text(max_size=30)), max_size=12)


def test_a_bare_yes_keeps_the_request_it_answers() -> None:
    turns = [
        ("system", "You are an assistant."),
        ("human", "Find the invoice of March and forward it to anna@example.org"),
        ("assistant", "I found invoice 17. Shall I forward it?"),
        ("human", "yes, do it"),
    ]
    context = make_context(turns)
    assert context.system == "You are an assistant."
    assert "forward it to anna@example.org" in context.task
    assert context.task.endswith("yes, do it")
    assert "invoice 17" not in context.task


@given(TURNS)
def test_only_system_and_human_text_enters(turns: list[tuple[str, str]]) -> None:
    trusted = [(role, text) for role, text in turns if role in ROLES[:4]]
    assert make_context(turns) == make_context(trusted)


@given(TURNS, st.text(max_size=30))
def test_what_tools_and_assistants_say_changes_nothing(
    turns: list[tuple[str, str]], text: str
) -> None:
    hostile = [item for turn in turns for item in (turn, ("tool", text), ("assistant", text))]
    assert make_context(hostile) == make_context(turns)


def test_under_a_budget_the_newest_human_turns_stay() -> None:
    turns = [("human", f"turn {number} " + "x" * 20) for number in range(10)]
    task = make_context(turns, budget=70).task
    assert task.startswith("turn 8")
    assert "turn 9" in task
    assert len(task) <= 70


def test_one_endless_turn_keeps_its_beginning_and_its_end() -> None:
    task = make_context([("human", "BEGIN" + "x" * 1000 + "END")], budget=100).task
    assert task.startswith("BEGIN")
    assert task.endswith("END")
    assert CUT in task
    assert len(task) == 100


@given(TURNS, st.integers(min_value=20, max_value=60))
def test_the_budget_holds(turns: list[tuple[str, str]], budget: int) -> None:
    context = make_context(turns, budget=budget)
    assert len(context.system) <= budget
    assert len(context.task) <= budget


@given(st.text(), st.text(), st.text(), st.text())
def test_the_digest_names_system_and_task(a: str, b: str, c: str, d: str) -> None:
    same = TrustedContext(a, b) == TrustedContext(c, d)
    assert (TrustedContext(a, b).digest == TrustedContext(c, d).digest) is same


def test_text_cannot_move_between_system_and_task_unnoticed() -> None:
    assert TrustedContext("ab", "c").digest != TrustedContext("a", "bc").digest


def test_a_budget_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="budget"):
        make_context([], budget=3)


def test_turns_are_joined_as_the_training_data_joins_them() -> None:
    from causalguard.records import TURN_SEPARATOR

    turns = [("human", "one"), ("ai", "well"), ("human", "two")]
    assert make_context(turns).task == f"one{TURN_SEPARATOR}two"
