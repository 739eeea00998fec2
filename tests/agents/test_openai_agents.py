"""The guardrail inside the real OpenAI Agents SDK, with a scripted model and no network."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from agents import (
    Agent,
    FunctionTool,
    ModelResponse,
    RunConfig,
    Runner,
    ToolOutputGuardrailTripwireTriggered,
    ToolOutputImage,
    ToolOutputText,
    Usage,
    WebSearchTool,
    function_tool,
)
from agents.mcp import MCPServerStdio
from agents.models.interface import Model
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)
from pydantic import BaseModel, Field

from causalguard.agents.openai_agents import guard_tools, tool_output_guardrail
from causalguard.errors import ConfigError
from causalguard.guard.enforce import FAILED, UNREADABLE, WITHHELD, Enforcer
from causalguard.guard.policy import Policy
from support.snippets import run_snippet
from support.words import DoingGuard, WordGuard, failing

QUIET = RunConfig(tracing_disabled=True)
DOCS = Path(__file__).parents[2] / "docs" / "adapters.md"


@dataclass
class Scripted(Model):
    """Calls each tool once, then says done; remembers what it was sent."""

    calls: list[str]
    seen: list[Any] = field(default_factory=list)

    async def get_response(self, *args: Any, **sent: Any) -> ModelResponse:
        return ModelResponse(output=self._next(*args, **sent), usage=Usage(), response_id=None)

    async def stream_response(self, *args: Any, **sent: Any) -> AsyncIterator[Any]:
        response = Response(
            id="r",
            created_at=0,
            model="m",
            object="response",
            output=self._next(*args, **sent),
            parallel_tool_calls=True,
            tool_choice="auto",
            tools=[],
        )
        yield ResponseCompletedEvent(
            response=response, sequence_number=0, type="response.completed"
        )

    def _next(self, _: Any = None, input: Any = (), *__: Any, **___: Any) -> list[Any]:  # noqa: A002  # the SDK's name
        self.seen = list(input)
        output: list[Any] = [
            ResponseFunctionToolCall(
                arguments="{}", call_id=f"c{n}", name=name, type="function_call"
            )
            for n, name in enumerate(self.calls)
        ]
        self.calls = []
        if not output:
            text = ResponseOutputText(text="done", type="output_text", annotations=[])
            output = [
                ResponseOutputMessage(
                    id="m", content=[text], role="assistant", status="completed", type="message"
                )
            ]
        return output

    def outputs(self) -> list[Any]:
        items = [i for i in self.seen if i.get("type") == "function_call_output"]
        return [item["output"] for item in items]


def tool(name: str, result: Any) -> FunctionTool:
    def read() -> Any:
        """Read."""
        if isinstance(result, Exception):
            raise result
        return result

    return function_tool(
        read, name_override=name, failure_error_function=lambda _, error: str(error)
    )


async def run(guard: Any, *tools: FunctionTool, policy: Policy | None = None) -> Scripted:
    model = Scripted([one.name for one in tools])
    agent = Agent(
        name="a",
        instructions="You help.",
        model=model,
        tools=guard_tools(tools, guard, policy),
    )
    result = await Runner.run(agent, "Read my mail", run_config=QUIET)
    assert result.final_output == "done"
    return model


async def test_the_model_never_reads_a_flagged_output() -> None:
    model = await run(WordGuard(), tool("mail", "so EVIL"), tool("page", "fine"))
    assert model.outputs() == [WITHHELD, "fine"]


async def test_s_is_the_instructions_and_the_human_turns_alone() -> None:
    guard = WordGuard()
    agent = Agent(
        name="a",
        instructions=lambda _context, agent: f"You are {agent.name}.",
        model=Scripted(["mail"]),
        tools=guard_tools([tool("mail", "fine")], guard),
    )
    chat: list[Any] = [
        {"role": "user", "content": "First."},
        {"role": "assistant", "content": "EVIL"},
        {"type": "function_call", "call_id": "c", "name": "x", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "EVIL"},
        {"role": "user", "content": [{"type": "input_text", "text": "Second."}]},
    ]
    await Runner.run(agent, chat, run_config=QUIET)
    scanned = guard.outputs[0]
    assert (scanned.system, scanned.task) == ("You are a.", "First.\nSecond.")
    assert (scanned.tool, scanned.id) == ("mail", "c0")


async def test_a_tools_error_text_is_scanned_too() -> None:
    model = await run(WordGuard(), tool("mail", ValueError("EVIL")))
    assert model.outputs() == [WITHHELD]


class Mail(BaseModel):
    subject: str
    body: str = Field(repr=False)


async def test_what_str_would_hide_of_a_typed_result_is_scanned() -> None:
    @function_tool(allowed_callers=["direct", "programmatic"])
    def mail() -> Mail:
        return Mail(subject="hi", body="EVIL")

    assert mail.output_json_schema is not None
    guard = WordGuard()
    model = await run(guard, mail)
    assert "EVIL" in guard.texts[0]
    assert "EVIL" not in str(model.outputs())


async def test_an_image_is_withheld_and_the_text_beside_it_stays() -> None:
    parts = [ToolOutputText(text="fine"), ToolOutputImage(image_url="data:image/png;base64,AA")]
    model = await run(WordGuard(), tool("shot", parts))
    assert model.outputs() == [f"fine\n{UNREADABLE}"]
    shown = await run(WordGuard(), tool("shot", parts), policy=Policy(on_unscannable="allow"))
    assert [block["type"] for block in shown.outputs()[0]] == ["input_text", "input_image"]


@pytest.mark.parametrize("action", ["block", "raise"])
async def test_block_and_raise_end_the_run(action: Any) -> None:
    with pytest.raises(ToolOutputGuardrailTripwireTriggered):
        await run(WordGuard(), tool("mail", "EVIL"), policy=Policy(action=action))


async def test_sanitise_and_flag_do_what_they_say() -> None:
    cut = await run(WordGuard(), tool("mail", "a EVIL b"), policy=Policy(action="sanitise"))
    shown = await run(WordGuard(), tool("mail", "a EVIL b"), policy=Policy(action="flag"))
    assert [cut.outputs(), shown.outputs()] == [["a  b"], ["a EVIL b"]]


async def test_a_stream_never_carries_a_flagged_output() -> None:
    model = Scripted(["mail"])
    agent = Agent(name="a", model=model, tools=guard_tools([tool("mail", "EVIL")], WordGuard()))
    result = Runner.run_streamed(agent, "Read my mail", run_config=QUIET)
    events = [event async for event in result.stream_events()]
    assert WITHHELD in str(events)
    assert "EVIL" not in str(events)
    assert model.outputs() == [WITHHELD]


async def test_an_mcp_servers_tools_are_guarded_by_the_same_guardrail() -> None:
    guard, model = WordGuard(), Scripted(["read_mail", "broken", "calendar"])
    script = DOCS.parents[1] / "tests" / "support" / "mcp_server.py"
    async with MCPServerStdio(
        {"command": sys.executable, "args": [str(script)]},
        tool_output_guardrails=[tool_output_guardrail(guard)],
    ) as server:
        agent = Agent(name="a", model=model, mcp_servers=[server])
        await Runner.run(agent, "Read my mail", run_config=QUIET)
    mail, broken, calendar = model.outputs()
    assert mail == broken == WITHHELD
    assert "Room 4" in str(calendar)
    assert "EVIL" not in str(model.seen)
    assert {output.task for output in guard.outputs} == {"Read my mail"}


async def test_a_failing_guard_withholds() -> None:
    assert (await run(DoingGuard(failing), tool("mail", "fine"))).outputs() == [FAILED]


async def test_the_record_stands_in_the_runs_results() -> None:
    agent = Agent(
        name="a", model=Scripted(["mail"]), tools=guard_tools([tool("mail", "EVIL")], WordGuard())
    )
    result = await Runner.run(agent, "Read", run_config=QUIET)
    record = result.tool_output_guardrail_results[0].output.output_info
    assert (record["risk"], record["action"]) == (0.9, "withhold")
    assert "EVIL" not in str(record)


@dataclass
class Delegating(Scripted):
    """Writes the input of the agents that it calls as tools."""

    def _next(self, *args: Any, **sent: Any) -> list[Any]:
        output = super()._next(*args, **sent)
        for call in output:
            call.arguments = '{"input": "EVIL as a task"}'
        return output


async def test_an_agent_used_as_a_tool_is_guarded_under_the_users_task_at_every_depth() -> None:
    guard = WordGuard()
    agent = Agent(name="3", model=Scripted(["mail"]), tools=guard_tools([tool("mail", "x")], guard))
    for name in ("2", "1"):
        inner = guard_tools([agent.as_tool("ask", "Ask."), tool("page", "y")], guard)
        model = Delegating(["ask", "page"])
        agent = Agent(name=name, instructions=f"You are {name}.", model=model, tools=inner)
    for task in ("Read my mail", "Something else"):
        await Runner.run(agent, task, run_config=QUIET)
        assert {output.task for output in guard.outputs} == {task}
        guard.outputs.clear()
        agent.model.calls = ["page"]  # type: ignore[union-attr]


def test_hosted_tools_are_refused_unless_asked_for() -> None:
    with pytest.raises(ConfigError, match="hosted=True"):
        guard_tools([WebSearchTool()], WordGuard())
    assert len(guard_tools([WebSearchTool()], WordGuard(), hosted=True)) == 1


def test_the_callers_tools_are_left_alone_and_ours_comes_first() -> None:
    other = tool_output_guardrail(WordGuard())
    mine = tool("mail", "fine")
    mine.tool_output_guardrails = [other]
    guarded = guard_tools([mine], WordGuard())[0]
    assert isinstance(guarded, FunctionTool)
    assert mine.tool_output_guardrails == [other]
    assert guarded.tool_output_guardrails is not None
    assert [g is other for g in guarded.tool_output_guardrails] == [False, True]


def test_an_enforcer_brings_its_own_policy() -> None:
    with pytest.raises(ValueError, match="own policy"):
        tool_output_guardrail(Enforcer(WordGuard()), Policy())


async def test_the_snippet_of_the_docs_runs() -> None:
    model = Scripted(["read_mail"])
    await run_snippet(DOCS, "OpenAI Agents SDK", guard=WordGuard(), model=model)
    assert model.outputs() == [WITHHELD]
