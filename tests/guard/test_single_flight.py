"""Callers who want the same at once share one scan, and no caller's end is another's."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from causalguard.errors import ScanError
from causalguard.guard.enforce import FAILED, WITHHELD, Enforcer
from causalguard.guard.explain import Effect, effects, variants
from causalguard.guard.policy import Incoming, Policy, Ruling
from causalguard.records import Span, ToolOutput, Verdict


class Gate:
    """Flags EVIL; scans only while its gate is open, and counts."""

    threshold = 0.5
    identity = "gate"

    def __init__(self) -> None:
        self.open = threading.Event()
        self.started = threading.Event()
        self.read: list[str] = []
        self.fail: Callable[[], None] = lambda: None

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        self.read += [output.text for output in outputs]
        self.started.set()
        assert self.open.wait(30)
        self.fail()
        return [verdict(output.text) for output in outputs]


def verdict(text: str) -> Verdict:
    spans = tuple(Span(start=i, end=i + 4) for i in range(len(text)) if text[i:].startswith("EVIL"))
    risk = 0.9 if spans else 0.1
    return Verdict(risk=risk, threshold=0.5, flagged=bool(spans), spans=spans)


def decide(enforcer: Enforcer, *texts: str, task: str = "t") -> list[Ruling]:
    return enforcer.decide([Incoming(output=ToolOutput(text=x, task=task)) for x in texts])


def waiting(enforcer: Enforcer, pool: ThreadPoolExecutor, guard: Gate, *texts: str) -> Any:
    """A leader in the middle of its scan."""
    leader = pool.submit(decide, enforcer, *texts)
    assert guard.started.wait(30)
    return leader


def test_concurrent_callers_share_one_scan() -> None:
    guard = Gate()
    enforcer = Enforcer(guard)
    with ThreadPoolExecutor(8) as pool:
        leader = waiting(enforcer, pool, guard, "EVIL")
        others = [pool.submit(decide, enforcer, "EVIL") for _ in range(6)]
        guard.open.set()
        rulings = [leader.result()[0], *(other.result()[0] for other in others)]
    assert guard.read == ["EVIL"]
    assert [r.replacement for r in rulings] == [WITHHELD] * 7
    assert [r.decision.remembered for r in rulings] == [False] + [True] * 6


def test_another_task_is_scanned_by_itself() -> None:
    guard = Gate()
    guard.open.set()
    enforcer = Enforcer(guard)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda task: decide(enforcer, "x", task=task), ("a", "b")))
    assert guard.read == ["x", "x"]


def test_batches_that_overlap_wait_for_each_other_without_deadlock() -> None:
    guard = Gate()
    enforcer = Enforcer(guard)
    with ThreadPoolExecutor(4) as pool:
        first = waiting(enforcer, pool, guard, "a", "b")
        second = pool.submit(decide, enforcer, "c", "b", "a")
        third = pool.submit(decide, enforcer, "a", "c", "d")
        guard.open.set()
        assert [len(f.result(30)) for f in (first, second, third)] == [2, 3, 3]
    assert sorted(guard.read) == ["a", "b", "c", "d"]


async def test_a_cancelled_caller_cancels_nobody_else() -> None:
    guard = Gate()
    enforcer = Enforcer(guard)
    leader = asyncio.create_task(asyncio.to_thread(decide, enforcer, "EVIL"))
    await asyncio.to_thread(guard.started.wait, 30)
    other = asyncio.create_task(asyncio.to_thread(decide, enforcer, "EVIL"))
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    guard.open.set()
    assert (await other)[0].replacement == WITHHELD
    assert guard.read == ["EVIL"]


def test_a_failed_scan_closes_for_all_who_waited_and_is_tried_again_later() -> None:
    guard = Gate()
    enforcer = Enforcer(guard)

    def fail() -> None:
        raise RuntimeError

    guard.fail = fail
    with ThreadPoolExecutor(2) as pool:
        leader = waiting(enforcer, pool, guard, "x")
        other = pool.submit(decide, enforcer, "x")
        guard.open.set()
        assert leader.result()[0].replacement == FAILED
        assert other.result()[0].replacement == FAILED
    guard.fail = lambda: None
    assert decide(enforcer, "x")[0].replacement is None


def test_on_error_raise_raises_in_all_who_waited() -> None:
    guard = Gate()
    enforcer = Enforcer(guard, Policy(on_error="raise", time_budget_s=0.2))
    with ThreadPoolExecutor(2) as pool:
        leader = waiting(enforcer, pool, guard, "x")
        other = pool.submit(decide, enforcer, "x")
        for future in (leader, other):
            with pytest.raises(ScanError):
                future.result(30)
        guard.open.set()


class Stopped(BaseException):
    """What an interrupt is to a thread."""


def test_when_the_one_who_scans_is_interrupted_the_next_takes_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard = Gate()
    enforcer = Enforcer(guard)
    scan, calls, reached = enforcer._scan, [0], threading.Event()
    go = threading.Event()

    def interrupted(*arguments: Any) -> list[Verdict]:
        calls[0] += 1
        if calls[0] == 1:
            reached.set()
            go.wait(30)
            raise Stopped
        return scan(*arguments)

    monkeypatch.setattr(enforcer, "_scan", interrupted)
    guard.open.set()
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(decide, enforcer, "x")
        reached.wait(30)
        other = pool.submit(decide, enforcer, "x")
        go.set()
        with pytest.raises(Stopped):
            leader.result(30)
        assert other.result(30)[0].replacement is None


def test_waiting_longer_than_the_budget_closes() -> None:
    guard = Gate()
    patient, hasty = Policy(time_budget_s=30), Policy(time_budget_s=0.05)
    enforcer = Enforcer(guard, patient)
    with ThreadPoolExecutor(2) as pool:
        leader = waiting(enforcer, pool, guard, "x")
        enforcer.policy = hasty  # the key stays: only the patience differs
        assert decide(enforcer, "x")[0].replacement == FAILED
        guard.open.set()
        assert leader.result()[0].replacement is None


# --- spans confirmed by taking them out ------------------------------------------------------


def confirmed(text: str) -> tuple[Effect, ...]:
    guard = Gate()
    guard.open.set()
    return decide(Enforcer(guard, Policy(confirm_spans=True)), text)[0].decision.effects


def test_a_span_that_causes_the_verdict_is_confirmed() -> None:
    (effect,) = confirmed("so EVIL")
    assert effect.span == Span(start=3, end=7)
    assert effect.change == pytest.approx(0.8)
    assert effect.confirmed


def test_two_spans_that_each_suffice_are_both_confirmed() -> None:
    assert [e.confirmed for e in confirmed("EVIL and EVIL")] == [True, True]


def test_a_span_that_changes_nothing_is_not_confirmed() -> None:
    spans = (Span(start=0, end=1), Span(start=2, end=3))
    found = effects(spans, 0.9, [0.9, 0.2, 0.2, 0.2, 0.9], 0.5)
    assert [e.confirmed for e in found] == [False, True]
    assert [e.change for e in found] == pytest.approx([0.0, 0.7])


def test_variants_are_the_text_without_each_without_all_and_with_each_alone() -> None:
    spans = (Span(start=0, end=1), Span(start=2, end=3))
    assert variants("abcd", spans[:1]) == ["bcd"]
    assert variants("abcd", spans) == ["bcd", "abd", "bd", "abd", "bcd"]


def test_confirming_changes_no_verdict_and_costs_nothing_on_clean_text() -> None:
    guard = Gate()
    guard.open.set()
    enforcer = Enforcer(guard, Policy(confirm_spans=True))
    assert [r.replacement for r in decide(enforcer, "fine", "EVIL")] == [None, WITHHELD]
    assert guard.read == ["fine", "EVIL", ""]


def test_a_failed_confirmation_leaves_the_verdict(caplog: pytest.LogCaptureFixture) -> None:
    guard = Gate()
    guard.open.set()

    def fail_later() -> None:
        if len(guard.read) > 1:
            raise RuntimeError

    guard.fail = fail_later
    ruling = decide(Enforcer(guard, Policy(confirm_spans=True)), "EVIL")[0]
    assert (ruling.replacement, ruling.decision.effects) == (WITHHELD, ())
    assert "could not be confirmed" in caplog.text


def test_effects_are_recorded_without_content() -> None:
    guard = Gate()
    guard.open.set()
    record = decide(Enforcer(guard, Policy(confirm_spans=True)), "EVIL")[0].decision.to_record()
    assert record["effects"] == [
        {"span": [0, 4], "change": pytest.approx(0.8), "confirmed": True},
    ]
