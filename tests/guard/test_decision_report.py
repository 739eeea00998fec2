"""guard-report: figures of a decision log, whatever else stands in it."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from causalguard.errors import DataError, InputError, OutputExistsError
from causalguard.guard.enforce import Enforcer
from causalguard.guard.policy import Incoming, Policy
from causalguard.guard.report_cli import command
from causalguard.guard.report_log import read_log, summarise
from causalguard.guard.report_page import to_html, to_text
from causalguard.records import Span, ToolOutput, Verdict


class Word:
    """Flags EVIL with what follows it."""

    identity = "word"
    threshold = 0.5

    def scan(self, outputs: Any) -> list[Verdict]:
        return [self._one(output.text) for output in outputs]

    def _one(self, text: str) -> Verdict:
        start = text.upper().find("EVIL")
        if start < 0:
            return Verdict(risk=0.2, threshold=0.5, flagged=False)
        spans = (Span(start=start, end=len(text)),)
        return Verdict(risk=0.9, threshold=0.5, flagged=True, spans=spans)


def logged(path: Path, texts: list[tuple[str, str]], policy: Policy | None = None) -> Path:
    """A log written by the enforcer itself, with an ordinary formatter in front."""
    logger = logging.getLogger("causalguard.decisions")
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        enforcer = Enforcer(Word(), policy)
        enforcer.decide([Incoming(output=ToolOutput(text=x, tool=t, task="a")) for t, x in texts])
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        handler.close()
    return path


TEXTS = [("mail", "one EVIL deed"), ("mail", "two evil  DEED"), ("mail", "fine"), ("web", "good")]


def report(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], standalone_mode=False)


def test_rates_are_counted_by_tool_with_an_interval(tmp_path: Path) -> None:
    records, _ = read_log(logged(tmp_path / "log", TEXTS))
    mail, web = summarise(records).tools
    assert (mail.tool, mail.scanned, mail.flagged, mail.hidden) == ("mail", 3, 2, 2)
    assert mail.rate is not None
    assert mail.rate[0] == pytest.approx(2 / 3)
    assert mail.rate[1] < mail.rate[0] < mail.rate[2]
    assert (web.flagged, web.hidden) == (0, 0)


def test_one_passage_in_two_texts_is_one_row_and_stays_unread(tmp_path: Path) -> None:
    path = logged(tmp_path / "log", TEXTS)
    (row,) = summarise(read_log(path)[0]).spans
    assert (row.count, row.texts, row.tools) == (2, 2, ("mail",))
    assert row.name.startswith("sha256:")
    assert "deed" not in path.read_text().lower()


def test_a_log_with_content_shows_the_passage(tmp_path: Path) -> None:
    path = logged(tmp_path / "log", TEXTS[:1], Policy(log_content=True))
    assert summarise(read_log(path)[0]).spans[0].name == "EVIL deed"


def test_shadow_mode_says_what_would_have_been_hidden(tmp_path: Path) -> None:
    summary = summarise(read_log(logged(tmp_path / "log", TEXTS, Policy(action="flag")))[0])
    assert summary.would_hide == 2
    assert summary.tools[0].hidden == 0
    assert "shadow mode" in to_text(summary)


def test_other_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    path = logged(tmp_path / "log", TEXTS)
    path.write_text("Traceback\n\n" + path.read_text() + '{"event": "other"}\n')
    records, skipped = read_log(path)
    assert (len(records), skipped) == (4, 2)


def test_a_decision_cut_short_is_named_by_its_line(tmp_path: Path) -> None:
    path = logged(tmp_path / "log", TEXTS)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DataError, match=r"log:4: a decision cut short"):
        read_log(path)


def test_a_record_of_another_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"event": "causalguard.decision", "outcome": "clean"}\n')
    with pytest.raises(DataError, match="without a usable action, tool"):
        read_log(tmp_path / "log")


def test_a_missing_log_is_an_input_error(tmp_path: Path) -> None:
    assert isinstance(report(tmp_path / "none").exception, InputError)


def test_latency_and_coverage_are_of_scans_only(tmp_path: Path) -> None:
    path = logged(tmp_path / "log", [*TEXTS, ("clock", "12:00")], Policy(
        trusted_tools=frozenset({"clock"})))  # fmt: skip
    summary = summarise(read_log(path)[0])
    assert summary.covered == (4, 4)
    assert summary.latency_s is not None
    assert summary.outcomes == {"flagged": 2, "clean": 2, "trusted": 1}


def test_an_empty_log_gives_a_report_without_figures(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    result = report(tmp_path / "log")
    assert result.return_value == 0
    assert "By tool\nnone" in result.stdout


def test_the_page_escapes_what_tools_are_called(tmp_path: Path) -> None:
    path = logged(tmp_path / "log", [("<script>alert(1)</script>\x1b[2J", "EVIL")])
    summary = summarise(read_log(path)[0])
    assert "<script" not in to_html(summary)
    assert "\x1b" not in to_html(summary) + to_text(summary)


def test_the_command_prints_json_and_writes_a_page_once(tmp_path: Path) -> None:
    path = logged(tmp_path / "log", TEXTS)
    result = report(path, "--json", "--html", tmp_path / "page.html")
    assert json.loads(result.stdout)["decisions"] == 4
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert isinstance(report(path, "--html", tmp_path / "page.html").exception, OutputExistsError)
