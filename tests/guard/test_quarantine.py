"""Withheld texts in a private store, and people's decisions on them that the enforcer honours."""

import json
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from causalguard.console import printable
from causalguard.errors import DataError, InputError
from causalguard.guard.enforce import WITHHELD, Enforcer
from causalguard.guard.policy import Incoming, Policy, Ruling
from causalguard.guard.quarantine import Quarantine, digest
from causalguard.guard.review import Review, Reviews
from causalguard.guard.review_cli import command
from causalguard.records import Span, ToolOutput, Verdict

RECORD = {"context_sha256": "c" * 64, "tool": "mail", "risk": 0.9}


class Clock:
    """A time that the test moves."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_days(self, days: float) -> None:
        self.time += timedelta(days=days)


class Word:
    """Flags EVIL."""

    identity = "word"
    threshold = 0.5

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        bad = ["EVIL" in output.text for output in outputs]
        spans = (Span(start=0, end=1),)
        return [
            Verdict(risk=0.9 if b else 0.1, threshold=0.5, flagged=b, spans=spans if b else ())
            for b in bad
        ]


def one(enforcer: Enforcer, text: str, task: str = "task") -> Ruling:
    output = ToolOutput(text=text, task=task, tool="mail")
    return enforcer.decide([Incoming(output=output)])[0]


def review(*arguments: object, store: Path, **options: Any) -> Result:
    given = [str(a) for a in (*arguments[:1], "--store", store, *arguments[1:])]
    return CliRunner().invoke(command, given, standalone_mode=False, **options)


def test_a_stored_text_comes_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    store = Quarantine(tmp_path / "q")
    assert store.put("EVIL \ud800 text", RECORD)
    entry = store.get(digest("EVIL \ud800 text")[:8])
    assert entry.text == "EVIL \ud800 text"
    modes = {p.suffix: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "q").iterdir()}
    assert modes == {".json": 0o600, ".lock": 0o600}
    assert stat.S_IMODE((tmp_path / "q").stat().st_mode) == 0o700


@given(st.text(st.characters(), max_size=30))
def test_any_text_survives_storage(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    store = Quarantine(tmp_path_factory.mktemp("q"))
    store.put(text, RECORD)
    assert [entry.text for entry in store.entries()] == [text]


def test_the_same_text_is_kept_once_with_its_contexts(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    for context in ("a", "b", "a"):
        store.put("x", {**RECORD, "context_sha256": context * 64})
    (entry,) = store.entries()
    assert (entry.count, entry.contexts) == (3, ("a" * 64, "b" * 64))


def test_texts_expire(tmp_path: Path) -> None:
    clock = Clock()
    store = Quarantine(tmp_path, days=10, clock=clock)
    store.put("old", RECORD)
    clock.pass_days(9)
    store.put("new", RECORD)
    assert len(store.entries()) == 2
    clock.pass_days(2)
    assert [entry.text for entry in store.entries()] == ["new"]


def test_a_full_store_keeps_what_it_has(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Quarantine(tmp_path, max_bytes=1000)
    assert store.put("first", RECORD)
    assert not store.put("x" * 1000, RECORD)
    assert "full" in caplog.text
    assert [entry.text for entry in store.entries()] == ["first"]


def test_a_damaged_file_is_named_and_replaced(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    store.put("text", RECORD)
    path = tmp_path / f"{digest('text')}.json"
    path.write_text(path.read_text().replace('"text": "text"', '"text": "other"'))
    with pytest.raises(DataError, match="not the text it is named for"):
        store.get(digest("text"))
    assert store.put("text", RECORD)
    assert store.get(digest("text")).text == "text"


def test_a_store_that_cannot_be_written_withholds_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    enforcer = Enforcer(Word(), quarantine=Quarantine(tmp_path / "file" / "q"))
    assert one(enforcer, "EVIL").replacement == WITHHELD


def test_only_withheld_texts_are_stored_and_once(tmp_path: Path) -> None:
    store = Quarantine(tmp_path)
    enforcer = Enforcer(Word(), quarantine=store)
    for text in ("fine", "EVIL", "EVIL"):
        one(enforcer, text)
    assert [(entry.text, entry.count) for entry in store.entries()] == [("EVIL", 1)]
    one(Enforcer(Word(), Policy(action="flag"), quarantine=store), "EVIL too")
    assert len(store.entries()) == 1


def allowed(store: Quarantine, text: str, **changes: Any) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    facts = {"choice": "allow", "by": "ana", "at": at.isoformat(), "reason": "known"}
    if changes.get("choice") != "deny":
        facts["until"] = (at + timedelta(days=5)).isoformat()
    store.reviews.add([Review(text_sha256=digest(text), **{**facts, **changes})])


def test_an_allowed_text_passes_until_its_date_and_says_by_whom(tmp_path: Path) -> None:
    clock = Clock()
    store = Quarantine(tmp_path, clock=clock)
    enforcer = Enforcer(Word(), quarantine=store)
    assert one(enforcer, "EVIL").replacement == WITHHELD
    allowed(store, "EVIL")
    ruling = one(enforcer, "EVIL")
    assert ruling.replacement is None
    assert (ruling.decision.outcome, ruling.decision.reviewed_by) == ("allowed", "ana")
    assert ruling.decision.reviewed_until.startswith("2026-01-06")
    assert one(enforcer, "EVIL").decision.remembered
    clock.pass_days(5)
    assert one(enforcer, "EVIL").replacement == WITHHELD


def test_an_allowance_holds_for_its_text_and_context_only(tmp_path: Path) -> None:
    store = Quarantine(tmp_path, clock=Clock())
    enforcer = Enforcer(Word(), quarantine=store)
    seen = one(enforcer, "EVIL").decision.context_sha256
    allowed(store, "EVIL", context_sha256=seen)
    assert one(enforcer, "EVIL").replacement is None
    assert one(enforcer, "EVIL", task="other").replacement == WITHHELD
    assert one(enforcer, "EVIL ").replacement == WITHHELD


def test_a_denied_text_is_withheld_whatever_the_guard_says(tmp_path: Path) -> None:
    store = Quarantine(tmp_path, clock=Clock())
    enforcer = Enforcer(Word(), Policy(action="flag"), quarantine=store)
    assert one(enforcer, "fine").replacement is None
    allowed(store, "fine", context_sha256="c" * 64)
    allowed(store, "fine", choice="deny")
    ruling = one(enforcer, "fine")
    assert ruling.replacement == WITHHELD
    assert (ruling.decision.outcome, ruling.decision.flagged) == ("denied", True)


def test_a_damaged_file_of_decisions_allows_nothing_and_still_denies(tmp_path: Path) -> None:
    store = Quarantine(tmp_path, clock=Clock())
    enforcer = Enforcer(Word(), quarantine=store)
    allowed(store, "EVIL")
    allowed(store, "fine", choice="deny")
    assert one(enforcer, "EVIL").replacement is None
    store.reviews.path.write_text('{"schema": "reviews/1", "reviews": [')
    assert one(enforcer, "EVIL").replacement == WITHHELD
    assert one(enforcer, "fine").decision.outcome == "denied"


def test_a_file_that_others_can_write_allows_nothing(tmp_path: Path) -> None:
    store = Quarantine(tmp_path, clock=Clock())
    allowed(store, "EVIL")
    store.reviews.path.chmod(0o666)
    assert one(Enforcer(Word(), quarantine=store), "EVIL").replacement == WITHHELD
    with pytest.raises(DataError, match="others can write"):
        store.reviews.all()


def test_a_file_closed_to_others_again_counts_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Quarantine(tmp_path, clock=Clock())
    enforcer = Enforcer(Word(), quarantine=store)
    allowed(store, "EVIL")
    store.reviews.path.chmod(0o666)
    for _ in range(2):
        assert one(enforcer, "EVIL").replacement == WITHHELD
    assert caplog.text.count("others can write") == 1
    store.reviews.path.chmod(0o600)
    assert one(enforcer, "EVIL").decision.outcome == "allowed"


def test_decisions_that_could_not_be_read_once_are_read_again(tmp_path: Path) -> None:
    class Unreadable(type(tmp_path)):  # type: ignore[misc]
        faulty = True

        def read_text(self, *arguments: Any, **options: Any) -> Any:
            if self.faulty:
                raise OSError("too many open files")
            return super().read_text(*arguments, **options)

    store = Quarantine(tmp_path, clock=Clock())
    allowed(store, "EVIL")
    store.reviews.path = Unreadable(store.reviews.path)
    assert one(Enforcer(Word(), quarantine=store), "EVIL").replacement == WITHHELD
    Unreadable.faulty = False
    assert one(Enforcer(Word(), quarantine=store), "EVIL").decision.outcome == "allowed"


def test_a_denial_holds_while_the_decisions_cannot_be_looked_at(tmp_path: Path) -> None:
    class Hidden(type(tmp_path)):  # type: ignore[misc]
        def stat(self, **options: Any) -> Any:
            raise PermissionError("not yours")

        read_text = stat

    store = Quarantine(tmp_path, clock=Clock())
    allowed(store, "EVIL")
    allowed(store, "fine", choice="deny")
    assert one(Enforcer(Word(), quarantine=store), "EVIL").replacement is None
    store.reviews.path = Hidden(store.reviews.path)
    assert one(Enforcer(Word(), quarantine=store), "EVIL").replacement == WITHHELD
    assert one(Enforcer(Word(), quarantine=store), "fine").decision.outcome == "denied"


@pytest.mark.parametrize(
    "change",
    [{"until": ""}, {"by": " "}, {"at": "2026-01-01"}, {"text_sha256": "ab"}, {"choice": "maybe"}],
)
def test_an_allowance_needs_an_author_a_text_and_an_end(change: dict[str, str]) -> None:
    sound = {"text_sha256": "a" * 64, "choice": "allow", "by": "ana"}
    times = {"at": "2026-01-01T00:00:00+00:00", "until": "2026-01-02T00:00:00+00:00"}
    with pytest.raises(DataError):
        Review(**{**sound, **times, **change})  # type: ignore[arg-type]


def test_decisions_of_two_processes_are_both_kept(tmp_path: Path) -> None:
    for name in "ab":
        one_time = "2026-01-01T00:00:00+00:00"
        Reviews(tmp_path / "r.json").add(
            [Review(text_sha256=name * 64, choice="deny", by="ana", at=one_time)]
        )
    assert {r.text_sha256[0] for r in Reviews(tmp_path / "r.json").all()} == {"a", "b"}


def test_release_by_command_reaches_a_running_enforcer_and_can_be_taken_back(
    tmp_path: Path,
) -> None:
    enforcer = Enforcer(Word(), quarantine=Quarantine(tmp_path))
    one(enforcer, "EVIL")
    name = digest("EVIL")[:12]
    assert name in review("list", store=tmp_path).stdout
    result = review("release", name, "--by", "ana", "--reason", "ours", store=tmp_path)
    assert result.return_value == 0
    assert one(enforcer, "EVIL").replacement is None
    assert one(enforcer, "EVIL", task="other").replacement == WITHHELD
    assert "ana" in review("list", store=tmp_path).stdout
    review("revoke", name, store=tmp_path)
    assert one(enforcer, "EVIL").replacement == WITHHELD


def test_deny_by_command_deletes_the_text_and_keeps_the_decision(tmp_path: Path) -> None:
    enforcer = Enforcer(Word(), quarantine=Quarantine(tmp_path))
    one(enforcer, "EVIL")
    review("deny", digest("EVIL"), "--by", "ana", "--reason", "attack", store=tmp_path)
    assert one(enforcer, "EVIL").decision.outcome == "denied"
    assert Quarantine(tmp_path).entries() == []
    assert json.loads((tmp_path / "reviews.json").read_text())["reviews"][0]["choice"] == "deny"


def test_a_digest_alone_can_be_allowed_for_every_task(tmp_path: Path) -> None:
    name = digest("EVIL")
    options = ("--by", "ana", "--reason", "r")
    refused = review("release", name, *options, store=tmp_path)
    assert isinstance(refused.exception, InputError)
    review("release", name, *options, "--any-task", store=tmp_path)
    assert one(Enforcer(Word(), quarantine=Quarantine(tmp_path)), "EVIL").replacement is None


def test_nothing_is_released_without_a_reason_or_for_more_than_a_year(tmp_path: Path) -> None:
    name = digest("EVIL")
    assert review("release", name, "--any-task", store=tmp_path).exception is not None
    long = ("--reason", "r", "--days", "366")
    assert review("release", name, "--any-task", *long, store=tmp_path).exception is not None
    assert not (tmp_path / "reviews.json").exists()


def test_show_escapes_what_could_drive_a_terminal(tmp_path: Path) -> None:
    text = "EVIL \x1b[2J \u202e bidi \u200b zero\nnext"
    Quarantine(tmp_path).put(text, {**RECORD, "spans": [[0, 4]]})
    shown = review("show", digest(text)[:8], store=tmp_path).stdout
    assert "\\x1b[2J" in shown
    assert "\\u202e bidi \\u200b zero\nnext" in shown
    raw = review("show", digest(text)[:8], "--raw", store=tmp_path).stdout
    assert raw == text


@given(st.text(st.characters()))
def test_what_is_shown_is_printable(text: str) -> None:
    assert printable(text).isprintable()
