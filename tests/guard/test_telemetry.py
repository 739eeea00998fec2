"""One OpenTelemetry span a decision, under the caller's span, without content."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from causalguard.guard import telemetry
from causalguard.guard.enforce import WITHHELD, Enforcer
from causalguard.guard.policy import Incoming, Policy
from causalguard.records import ToolOutput
from causalguard.serve.limits import Limits
from causalguard.serve.service import Service
from support.words import DoingGuard, WordGuard, failing


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """One for the process: the provider can be set once."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


def item(text: str, **keys: Any) -> Incoming:
    output = ToolOutput(text=text, task="SECRET task", tool="mail", id="c1")
    return Incoming(output=output, **keys)


def facts(span: ReadableSpan) -> dict[str, Any]:
    return {k.removeprefix("causalguard."): v for k, v in (span.attributes or {}).items()}


def test_each_new_decision_is_one_span_with_what_was_decided(spans: InMemorySpanExporter) -> None:
    enforcer = Enforcer(WordGuard())
    with trace.get_tracer("app").start_as_current_span("turn") as turn:
        enforcer.decide([item("so EVIL"), item("fine")])
        enforcer.decide([item("so EVIL")])
    flagged, clean = (s for s in spans.get_finished_spans() if s.name == telemetry.SPAN)
    known = facts(flagged)
    assert (known["action"], known["flagged"], known["risk"]) == ("withhold", True, 0.9)
    assert (known["threshold"], known["coverage"]) == (0.5, 1.0)
    assert (known["certificate_id"], known["certified"]) == ("cafe", True)
    assert known["span_offsets"] == (3, 7)
    assert (known["tool"], known["call_id"]) == ("mail", "c1")
    assert facts(clean)["outcome"] == "clean"
    assert flagged.parent is not None
    assert flagged.parent.span_id == turn.get_span_context().span_id


def test_a_span_lasts_as_long_as_the_scan(spans: InMemorySpanExporter) -> None:
    ruling = Enforcer(WordGuard()).decide([item("fine")])[0]
    span = spans.get_finished_spans()[0]
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == int(ruling.decision.latency_s * 1e9)
    assert facts(span)["latency_s"] == ruling.decision.latency_s


@pytest.mark.parametrize("log_content", [False, True])
def test_no_span_carries_content(spans: InMemorySpanExporter, log_content: bool) -> None:
    policy = Policy(log_content=log_content, action="sanitise")
    Enforcer(WordGuard(), policy).decide([item("a EVIL b"), item("unseen words")])
    written = str([span.to_json() for span in spans.get_finished_spans()])
    assert len(spans.get_finished_spans()) == 2
    for content in ("EVIL", "unseen", "SECRET"):
        assert content not in written


def test_a_failed_scan_is_an_error_span_without_the_message(spans: InMemorySpanExporter) -> None:
    Enforcer(DoingGuard(failing)).decide([item("hidden words")])
    span = spans.get_finished_spans()[0]
    assert span.status.status_code is StatusCode.ERROR
    assert facts(span)["outcome"] == "error"
    assert "risk" not in facts(span)
    assert "hidden" not in span.to_json()


def test_what_was_not_read_is_named(spans: InMemorySpanExporter) -> None:
    Enforcer(WordGuard()).decide([item("fine", unscannable=("image",))])
    known = facts(spans.get_finished_spans()[0])
    assert (known["unscanned"], known["unscanned_action"]) == (("image",), "withhold")


def test_a_notice_of_our_own_is_no_decision(spans: InMemorySpanExporter) -> None:
    Enforcer(WordGuard()).decide([item(WITHHELD)])
    assert spans.get_finished_spans() == ()


async def test_a_servers_decisions_stand_under_the_requests_span(
    spans: InMemorySpanExporter,
) -> None:
    service = Service(WordGuard(), limits=Limits(concurrency=2))

    async def ask(name: str) -> str:
        with trace.get_tracer("app").start_as_current_span(name) as span:
            await service.decide([item(name)])
            return format(span.get_span_context().span_id, "x")

    parents = set(await asyncio.gather(ask("one"), ask("two")))
    found = [s.parent for s in spans.get_finished_spans() if s.name == telemetry.SPAN]
    assert {format(p.span_id, "x") for p in found if p is not None} == parents


def test_a_broken_tracer_does_not_touch_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no tracer")

    monkeypatch.setattr(trace, "get_tracer", broken)
    assert Enforcer(WordGuard()).decide([item("so EVIL")])[0].replacement == WITHHELD


def test_without_the_package_nothing_is_imported_and_nothing_breaks() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from support.words import WordGuard\n"
        "from causalguard.guard.enforce import Enforcer\n"
        "from causalguard.guard.policy import Incoming\n"
        "from causalguard.records import ToolOutput\n"
        "item = Incoming(output=ToolOutput(text='EVIL'))\n"
        "sys.exit(Enforcer(WordGuard()).decide([item])[0].replacement is None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.returncode == 0
