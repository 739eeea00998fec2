"""The demo agent: what reaches the model, and what it does, with and without a guard."""

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from causalguard.agents.fixtures import FIXTURES, INJECTIONS, PLAN, TASK
from causalguard.agents.langgraph_agent import Desk, build_agent
from causalguard.agents.scripted import ScriptedModel
from causalguard.guard.enforce import WITHHELD
from causalguard.guard.policy import Policy
from causalguard.records import Span, ToolOutput, Verdict

ASK: Any = {"messages": [("user", TASK)]}


class Knowing:
    """A scanner that knows the fixtures' injections."""

    identity = "knowing"
    threshold = 0.5

    def __init__(self) -> None:
        self.outputs: list[ToolOutput] = []

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        self.outputs += outputs
        return [self._verdict(output.text) for output in outputs]

    def _verdict(self, text: str) -> Verdict:
        for injection in INJECTIONS:
            start = text.find(injection.text)
            if start >= 0:
                spans = (Span(start=start, end=start + len(injection.text)),)
                return Verdict(risk=0.9, threshold=0.5, flagged=True, spans=spans)
        return Verdict(risk=0.1, threshold=0.5, flagged=False)


def test_the_fixtures_are_what_they_say() -> None:
    assert len(FIXTURES) >= 12
    assert len(INJECTIONS) == 6
    assert len({injection.form for injection in INJECTIONS}) == 6
    assert {fixture.tool for fixture in FIXTURES} == {
        "read_mail",
        "read_file",
        "fetch_page",
        "read_calendar",
    }
    assert all(f.injection is None or f.injection.text in f.text for f in FIXTURES)
    assert not any("<<INJECTION>>" in fixture.text for fixture in FIXTURES)


def _run(**options: Any) -> tuple[Any, ScriptedModel, Desk]:
    model, desk = ScriptedModel(), Desk()
    state = build_agent(model, desk.tools(), **options).invoke(ASK)
    return state, model, desk


def test_without_a_guard_the_model_obeys_every_injection() -> None:
    state, model, desk = _run()
    assert model.swayed == list(INJECTIONS)
    # Calls of one message run side by side: their order is nobody's promise.
    wanted = [(known.tool, dict(known.args)) for known in INJECTIONS]
    assert sorted(desk.done, key=repr) == sorted(wanted, key=repr)
    assert "I obeyed" in state["messages"][-1].content


@pytest.mark.parametrize("middleware", [True, False])
def test_with_a_guard_nothing_injected_reaches_the_model(middleware: bool) -> None:
    state, model, desk = _run(guard=Knowing(), middleware=middleware)
    assert model.swayed == []
    assert desk.done == []
    assert list(model.reached.values()).count(WITHHELD) == 6
    assert "only what you asked" in state["messages"][-1].content
    assert (INJECTIONS[0].text in str(state)) is not middleware


def test_every_output_is_scanned_once_under_the_users_task() -> None:
    guard = Knowing()
    _run(guard=guard)
    assert sorted(o.text for o in guard.outputs) == sorted(f.text for f in FIXTURES)
    assert {output.task for output in guard.outputs} == {TASK}
    assert len({output.system for output in guard.outputs}) == 1


def test_sanitised_outputs_keep_what_the_user_needs() -> None:
    _, model, desk = _run(guard=Knowing(), policy=Policy(action="sanitise"))
    assert desk.done == []
    texts = "\n".join(model.reached.values())
    assert "1,284.50 EUR" in texts
    assert "538 EUR" in texts


async def test_streaming_shows_the_difference() -> None:
    streams = []
    for guard in (None, Knowing()):
        graph = build_agent(ScriptedModel(), guard=guard)
        parts = [m async for m, _ in graph.astream(ASK, stream_mode="messages")]
        streams.append("".join(part.text for part in parts))
    assert all(injection.text in streams[0] for injection in INJECTIONS)
    assert not any(injection.text in streams[1] for injection in INJECTIONS)
    assert "only what you asked" in streams[1]


def test_the_model_calls_only_tools_it_was_given() -> None:
    model, desk = ScriptedModel(), Desk()
    reading = [tool for tool in desk.tools() if tool.name.startswith(("read", "fetch"))]
    build_agent(model, reading).invoke(ASK)
    assert len(model.reached) == len(PLAN)
    assert desk.done == []


def test_the_model_streams_what_it_generates() -> None:
    model = ScriptedModel(plan=())
    messages = [HumanMessage("hi"), AIMessage(""), ToolMessage("fine", tool_call_id="1")]
    streamed = "".join(chunk.text for chunk in model.stream(messages))
    assert streamed == model.invoke(messages).text


def test_an_unknown_call_finds_nothing() -> None:
    assert Desk().read_file("no/such/file") == "Nothing found."


def test_the_model_claims_only_what_it_did() -> None:
    desk = Desk()
    end = build_agent(ScriptedModel(), desk.tools()[:4]).invoke(ASK, {"recursion_limit": 60})
    assert desk.done == []
    assert end["messages"][-1].text.startswith(f"I read {len(PLAN)} tool outputs and did only")
