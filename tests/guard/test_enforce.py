"""Carrying the policy out: one ruling each, nothing twice, nothing open, whatever goes wrong."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.errors import ConfigError, ScanError
from causalguard.guard.enforce import (
    FAILED,
    NOTICES,
    WITHHELD,
    Enforcer,
    release_key,
    released,
    remove,
)
from causalguard.guard.policy import Incoming, Policy, Ruling
from causalguard.guard.review import Review, Reviews
from causalguard.records import Span, ToolOutput, Verdict

BAD = "EVIL"


class WordGuard:
    """Flags every text with the word EVIL, and marks where it stands; counts what it reads."""

    threshold = 0.5

    def __init__(self, identity: str = "word") -> None:
        self.identity = identity
        self.batches: list[list[ToolOutput]] = []

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        self.batches.append(list(outputs))
        return [self.verdict(output) for output in outputs]

    def verdict(self, output: ToolOutput) -> Verdict:
        start = output.text.find(BAD)
        if start < 0:
            return Verdict(risk=0.1, threshold=0.5, flagged=False, certificate_id="c")
        span = Span(start=start, end=start + len(BAD))
        return Verdict(risk=0.9, threshold=0.5, flagged=True, spans=(span,), certificate_id="c")

    @property
    def read(self) -> list[str]:
        return [output.text for batch in self.batches for output in batch]


class Answering(WordGuard):
    """Answers with whatever a function gives."""

    def __init__(self, answer: Callable[[Sequence[ToolOutput]], Any]) -> None:
        super().__init__("answering")
        self.answer = answer

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        self.batches.append(list(outputs))
        answer: list[Verdict] = self.answer(outputs)
        return answer


def item(text: str, *, task: str = "task", tool: str = "mail", blocks: tuple[str, ...] = ()) -> Any:
    return Incoming(output=ToolOutput(text=text, task=task, tool=tool, id="7"), unscannable=blocks)


def one(enforcer: Enforcer, text: str, **options: Any) -> Ruling:
    return enforcer.decide([item(text, **options)])[0]


def test_clean_text_passes_unchanged_and_flagged_text_is_withheld() -> None:
    enforcer = Enforcer(WordGuard())
    clean, flagged = enforcer.decide([item("good"), item("so EVIL")])
    assert clean.replacement is None
    assert clean.decision.action == "pass"
    assert flagged.replacement == WITHHELD
    assert flagged.decision.action == "withhold"
    assert flagged.decision.certificate_id == "c"
    assert flagged.decision.spans == (Span(start=3, end=7),)


def test_a_batch_is_scanned_once_and_never_again() -> None:
    guard = WordGuard()
    enforcer = Enforcer(guard)
    batch = [item("a"), item("b"), item("a")]
    first = enforcer.decide(batch)
    second = enforcer.decide(batch)
    assert [o.text for o in guard.batches[0]] == ["a", "b"]
    assert len(guard.batches) == 1
    assert [r.replacement for r in first] == [r.replacement for r in second]
    assert all(r.decision.remembered for r in second)


def test_another_task_guard_or_policy_gets_its_own_verdict() -> None:
    guard = WordGuard()
    enforcer = Enforcer(guard)
    one(enforcer, "a", task="first")
    one(enforcer, "a", task="second")
    guard.identity = "other weights"
    one(enforcer, "a", task="first")
    assert len(guard.read) == 3


def test_a_tool_with_its_own_threshold_does_not_share_a_verdict() -> None:
    guard = WordGuard()
    enforcer = Enforcer(guard, Policy(thresholds={"strict": 0.05}))
    assert one(enforcer, "a", tool="mail").replacement is None
    strict = one(enforcer, "a", tool="strict")
    assert strict.replacement == WITHHELD
    assert strict.decision.threshold == 0.05
    assert "policy" in strict.decision.reason


def test_a_raised_threshold_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="voids the certificate"):
        Enforcer(WordGuard(), Policy(thresholds={"mail": 0.9}))


def _fail(_: Sequence[ToolOutput]) -> list[Verdict]:
    message = "out of memory while reading SECRET"
    raise RuntimeError(message)


def _verdict(**values: Any) -> Verdict:
    return Verdict(**{"risk": 0.0, "threshold": 0.5, "flagged": False, **values})


def _in_turn(*answers: Callable[[Sequence[ToolOutput]], Any]) -> Callable[..., Any]:
    left = list(answers)

    def answer(outputs: Sequence[ToolOutput]) -> Any:
        return left.pop(0)(outputs)

    return answer


NONSENSE: dict[str, Callable[[Sequence[ToolOutput]], Any]] = {
    "exception": _fail,
    "exit": lambda _: sys.exit(0),
    "too few": lambda _: [],
    "too many": lambda o: [_verdict()] * (len(o) + 1),
    "none": lambda _: None,
    "not a number": lambda o: [_verdict(risk=float("nan")) for _ in o],
    "negative": lambda o: [_verdict(risk=-1.0) for _ in o],
    "coverage": lambda o: [_verdict(coverage=float("inf")) for _ in o],
    "span": lambda o: [_verdict(spans=(Span(start=0, end=999),)) for _ in o],
    "type": lambda o: ["clean" for _ in o],
}


@pytest.mark.parametrize("name", NONSENSE)
@pytest.mark.parametrize("action", ["withhold", "flag"])
def test_whatever_goes_wrong_in_a_scan_closes(name: str, action: Any) -> None:
    enforcer = Enforcer(Answering(NONSENSE[name]), Policy(action=action))
    rulings = enforcer.decide([item("a"), item("b")])
    assert [r.replacement for r in rulings] == [FAILED, FAILED]
    assert all(r.decision.flagged and r.decision.outcome == "error" for r in rulings)
    assert all("SECRET" not in r.decision.reason for r in rulings)


@pytest.mark.parametrize("name", NONSENSE)
def test_on_error_raise_raises(name: str) -> None:
    enforcer = Enforcer(Answering(NONSENSE[name]), Policy(on_error="raise"))
    with pytest.raises(ScanError):
        one(enforcer, "a")


def test_a_failure_is_not_remembered() -> None:
    enforcer = Enforcer(Answering(_in_turn(_fail, lambda o: [_verdict() for _ in o])))
    assert one(enforcer, "a").replacement == FAILED
    assert one(enforcer, "a").replacement is None


def test_a_scan_that_takes_too_long_closes() -> None:
    release = threading.Event()

    def hang(outputs: Sequence[ToolOutput]) -> list[Verdict]:
        release.wait(60)
        return [_verdict() for _ in outputs]

    enforcer = Enforcer(Answering(hang), Policy(time_budget_s=0.05))
    ruling = one(enforcer, "a")
    release.set()
    assert ruling.replacement == FAILED
    assert ruling.decision.outcome == "error"


def test_a_text_scanned_in_part_is_flagged_whatever_its_risk() -> None:
    enforcer = Enforcer(Answering(lambda o: [_verdict(coverage=0.9) for _ in o]))
    assert one(enforcer, "a").replacement == WITHHELD


def test_a_risk_at_the_threshold_is_flagged_even_if_the_guard_forgot() -> None:
    enforcer = Enforcer(Answering(lambda o: [_verdict(risk=0.5) for _ in o]))
    assert one(enforcer, "a").decision.flagged


def test_shadow_mode_shows_the_text_and_records_the_flag() -> None:
    ruling = one(Enforcer(WordGuard(), Policy(action="flag")), "EVIL")
    assert ruling.replacement is None
    assert ruling.decision.flagged
    assert ruling.decision.action == "flag"


def test_a_trusted_tool_is_not_scanned_and_not_called_clean() -> None:
    guard = WordGuard()
    ruling = one(Enforcer(guard, Policy(trusted_tools=frozenset({"clock"}))), "EVIL", tool="clock")
    assert ruling.replacement is None
    assert guard.read == []
    assert ruling.decision.outcome == "trusted"
    assert ruling.decision.risk is None
    assert ruling.decision.coverage == 0


def test_sanitise_cuts_the_span_and_scans_the_rest() -> None:
    guard = WordGuard()
    enforcer = Enforcer(guard, Policy(action="sanitise"))
    ruling = one(enforcer, "before EVIL after")
    assert ruling.replacement == "before  after"
    assert guard.read == ["before EVIL after", "before  after"]
    assert one(enforcer, "before  after").decision.remembered


def test_sanitise_withholds_when_the_rest_is_still_risky() -> None:
    ruling = one(Enforcer(WordGuard(), Policy(action="sanitise")), "EVIL and EVIL")
    assert ruling.replacement == WITHHELD
    assert ruling.decision.action == "withhold"


@pytest.mark.parametrize("text", ["EVIL", " EVIL\n"])
def test_sanitise_withholds_when_nothing_is_left(text: str) -> None:
    assert one(Enforcer(WordGuard(), Policy(action="sanitise")), text).replacement == WITHHELD


def test_sanitise_withholds_what_was_scanned_in_part() -> None:
    def partly(outputs: Sequence[ToolOutput]) -> list[Verdict]:
        span = (Span(start=0, end=1),)
        return [_verdict(risk=0.9, flagged=True, coverage=0.5, spans=span) for _ in outputs]

    guard = Answering(partly)
    ruling = one(Enforcer(guard, Policy(action="sanitise")), "abc")
    assert ruling.replacement == WITHHELD
    assert len(guard.batches) == 1


def test_sanitise_withholds_when_the_second_scan_fails() -> None:
    answers = _in_turn(WordGuard().scan, _fail)
    enforcer = Enforcer(Answering(answers), Policy(action="sanitise"))
    assert one(enforcer, "a EVIL b").replacement == WITHHELD


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(0, 39), st.integers(1, 20))))
def test_removing_spans_keeps_all_other_characters_in_order(
    text: str, pairs: list[tuple[int, int]]
) -> None:
    spans = [Span(start=start, end=start + length) for start, length in pairs]
    outside = [
        character
        for index, character in enumerate(text)
        if not any(span.start <= index < span.end for span in spans)
    ]
    assert remove(text, spans) == "".join(outside)


def test_our_own_notices_and_empty_text_need_no_scan() -> None:
    guard = WordGuard()
    rulings = Enforcer(guard).decide([item(text) for text in [*sorted(NOTICES), ""]])
    assert guard.read == []
    assert all(ruling.replacement is None for ruling in rulings)
    assert rulings[-1].decision.outcome == "empty"
    assert rulings[-1].decision.risk == 0


@pytest.mark.parametrize("text", [WITHHELD, "caption"])
def test_a_block_beside_a_known_text_is_logged_once(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    enforcer = Enforcer(WordGuard())
    one(enforcer, text)
    before = len(caplog.records)
    for _ in range(3):
        one(enforcer, text, blocks=("image",))
    assert len(caplog.records) == before + 1
    assert json.loads(caplog.records[-1].message)["unscanned"] == ["image"]


@pytest.mark.parametrize("choice", ["allow", "flag", "withhold"])
def test_unreadable_blocks_are_declared_under_every_choice(choice: Any) -> None:
    enforcer = Enforcer(WordGuard(), Policy(on_unscannable=choice))
    ruling = one(enforcer, "caption", blocks=("image",))
    assert ruling.decision.unscanned == ("image",)
    assert ruling.drops_blocks is (choice == "withhold")
    assert ruling.decision.flagged is (choice != "allow")


def test_a_release_holds_for_its_text_and_task_only() -> None:
    enforcer = Enforcer(WordGuard())
    assert one(enforcer, "EVIL").replacement == WITHHELD
    enforcer.release(item("EVIL").output)
    assert one(enforcer, "EVIL").decision.outcome == "released"
    assert one(enforcer, "EVIL", task="other").replacement == WITHHELD
    assert one(enforcer, "EVIL!").replacement == WITHHELD


def test_a_release_for_a_conversation_holds_inside_it_only() -> None:
    enforcer = Enforcer(WordGuard())
    for _ in range(2):
        with released([release_key(item("EVIL").output)]):
            assert one(enforcer, "EVIL").decision.outcome == "released"
            assert one(enforcer, "EVIL").decision.remembered
            assert one(enforcer, "EVIL", task="other").replacement == WITHHELD
        assert one(enforcer, "EVIL").replacement == WITHHELD


@pytest.mark.parametrize("before", [True, False])
def test_what_is_left_of_a_sanitised_text_is_not_shown_if_denied(
    before: bool, tmp_path: Path
) -> None:
    reviews = Reviews(tmp_path / "reviews.json")
    enforcer = Enforcer(WordGuard(), Policy(action="sanitise"), reviews=reviews)
    if not before:
        assert one(enforcer, "pay eve nowEVIL").replacement == "pay eve now"
    name = one(enforcer, "pay eve now").decision.text_sha256
    at = "2026-01-01T00:00:00+00:00"
    reviews.add([Review(text_sha256=name, choice="deny", by="ana", at=at)])
    ruling = one(enforcer, "pay eve nowEVIL")
    assert (ruling.replacement, ruling.decision.action) == (WITHHELD, "withhold")


def test_memory_is_bounded_and_forgets_the_least_used() -> None:
    guard = WordGuard()
    enforcer = Enforcer(guard, memory=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        one(enforcer, text)
    assert guard.read == ["a", "b", "c", "b"]


def test_the_log_is_json_without_content(caplog: pytest.LogCaptureFixture) -> None:
    enforcer = Enforcer(WordGuard())
    with caplog.at_level(logging.INFO, "causalguard.decisions"):
        enforcer.decide([item("fine"), item("EVIL secret")])
        enforcer.decide([item("EVIL secret")])
    records = [json.loads(record.getMessage()) for record in caplog.records]
    assert [record["flagged"] for record in records] == [False, True]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert "secret" not in caplog.text
    assert records[1]["text_sha256"]
    assert records[1]["policy_sha256"]


def test_content_is_logged_only_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "causalguard.decisions"):
        Enforcer(WordGuard(), Policy(log_content=True)).decide([item("fine"), item("EVIL secret")])
    records = [json.loads(record.getMessage()) for record in caplog.records]
    assert "text" not in records[0]
    assert records[1]["text"] == "EVIL secret"


def test_a_failed_scan_is_logged_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    def fail(outputs: Sequence[ToolOutput]) -> list[Verdict]:
        raise RuntimeError(f"cannot read {outputs[0].text!r}")

    ruling = one(Enforcer(Answering(fail)), "my secret")
    [line] = [m for m in caplog.messages if m.startswith("a scan failed: RuntimeError at fail:")]
    assert ruling.decision.text_sha256[:16] in line
    assert "secret" not in caplog.text  # tracebacks included
    one(Enforcer(Answering(fail), Policy(log_content=True)), "my secret")
    assert "cannot read 'my secret'" in caplog.text


def test_many_threads_get_the_serial_rulings() -> None:
    enforcer = Enforcer(WordGuard(), memory=20)
    texts = [f"text {n % 40}" + (" EVIL" if n % 3 == 0 else "") for n in range(400)]

    def rule(text: str) -> bool:
        return one(enforcer, text).replacement is None

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(rule, texts)) == [BAD not in text for text in texts]


def test_a_lone_surrogate_is_text_like_any_other() -> None:
    assert one(Enforcer(WordGuard()), "\ud800 EVIL").replacement == WITHHELD


def test_a_fault_of_one_guard_does_not_leave_its_threads_blocked() -> None:
    for _ in range(100):
        one(Enforcer(Answering(_fail)), "a")
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("causalguard-scan") < 20
