"""The interceptor between langchain-mcp-adapters and a real MCP server over stdio."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.interceptors import MCPToolCallRequest
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.types import Command
from mcp.types import (
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    TextContent,
    TextResourceContents,
)
from pydantic import AnyUrl

from causalguard.agents.mcp import GuardInterceptor
from causalguard.errors import InjectionBlockedError
from causalguard.guard.enforce import FAILED, UNREADABLE, WITHHELD, Enforcer
from causalguard.guard.middleware import CausalGuardMiddleware
from causalguard.guard.policy import Policy
from support.mcp_chat import CallingModel
from support.snippets import run_snippet
from support.words import DoingGuard, WordGuard, failing

ROOT = Path(__file__).parents[2]
SERVER = str(ROOT / "tests" / "support" / "mcp_server.py")
CONNECTION: Any = {"command": sys.executable, "args": [SERVER], "transport": "stdio"}
REQUEST = MCPToolCallRequest(name="read_mail", args={}, server_name="desk")


@asynccontextmanager
async def tools(*interceptors: Any) -> AsyncIterator[dict[str, BaseTool]]:
    client = MultiServerMCPClient({"desk": CONNECTION})
    async with client.session("desk") as session:
        found = await load_mcp_tools(
            session, tool_interceptors=list(interceptors), server_name="desk"
        )
        yield {tool.name: tool for tool in found}


async def test_a_real_servers_outputs_are_guarded_in_every_form() -> None:
    guard = WordGuard()
    async with tools(GuardInterceptor(guard, task="Read.", system="S")) as desk:
        mail = await desk["read_mail"].ainvoke({})
        old = await desk["read_mail"].ainvoke({"newest": False})
        calendar = await desk["calendar"].ainvoke({})
        hidden = await desk["hidden"].ainvoke(_call("hidden"))
        photo = await desk["photo"].ainvoke({})
        broken = await desk["broken"].ainvoke(_call("broken"))
    assert _texts(mail) == [WITHHELD]
    assert _texts(old) == ["Lunch at one?"]
    assert "Room 4" in str(calendar)
    assert (_texts(hidden.content), hidden.artifact) == ([WITHHELD], None)
    assert _texts(photo) == ["The photo:", UNREADABLE]
    assert (_texts(broken.content), broken.status) == ([WITHHELD], "error")
    assert {(o.task, o.system) for o in guard.outputs} == {("Read.", "S")}
    assert {o.tool for o in guard.outputs} >= {"desk/read_mail", "desk/broken"}
    # what structured content repeats is scanned once
    assert len([text for text in guard.texts if "Room 4" in text]) == 1


def _call(name: str) -> dict[str, Any]:
    return {"name": name, "args": {}, "id": "c", "type": "tool_call"}


def _texts(content: Any) -> list[str]:
    return [block["text"] for block in content]


async def test_in_an_agent_s_is_the_chat_and_the_middleware_scans_nothing_twice() -> None:
    guard = WordGuard()
    enforcer = Enforcer(guard)
    interceptor = GuardInterceptor(enforcer, system="You help.")
    model = CallingModel(calls=["read_mail", "calendar"])
    async with tools(interceptor) as desk:
        agent: Any = create_agent(
            model,
            [desk["read_mail"], desk["calendar"]],
            system_prompt="You help.",
            middleware=[CausalGuardMiddleware(enforcer)],
        )
        state = await agent.ainvoke({"messages": [("user", "Read my mail")]})
    assert "EVIL" not in str(state)
    assert WITHHELD in str(model.seen)
    assert {(o.task, o.system) for o in guard.outputs} == {("Read my mail", "You help.")}
    assert len(guard.outputs) == 2


async def intercept(result: Any, guard: Any = None, **options: Any) -> Any:
    async def handler(_: MCPToolCallRequest) -> Any:
        return result

    guard = guard if guard is not None else WordGuard()
    return await GuardInterceptor(guard, **options)(REQUEST, handler)


def mcp(*texts: str, **keys: Any) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text) for text in texts], **keys)


async def test_a_payload_over_several_blocks_is_scanned_as_one() -> None:
    guard = WordGuard()
    shown = await intercept(mcp("one", "EVIL"), guard)
    assert guard.texts == ["one\nEVIL"]
    assert [block.text for block in shown.content] == [WITHHELD]


@pytest.mark.parametrize(
    ("texts", "structured", "scans"),
    [
        (["a"], {"result": "a"}, 1),
        (['{"k": "v"}'], {"k": "v"}, 1),
        (["a", "b"], {"result": ["a", "b"]}, 1),
        (["a"], {"result": "a", "more": "b"}, 2),
        ([], {"k": "v"}, 1),
    ],
)
async def test_structured_content_is_scanned_unless_the_text_says_the_same(
    texts: list[str], structured: dict[str, Any], scans: int
) -> None:
    guard = WordGuard()
    result = mcp(*texts, structuredContent=structured)
    assert await intercept(result, guard) is result
    assert len(guard.texts) == scans


async def test_a_resource_is_read_when_it_is_text_and_named_when_it_is_not() -> None:
    uri = AnyUrl("file:///a")
    text = EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, text="EVIL", mimeType="text/plain")
    )
    blob = EmbeddedResource(type="resource", resource=BlobResourceContents(uri=uri, blob="AAAA"))
    read = await intercept(CallToolResult(content=[text]))
    named = await intercept(CallToolResult(content=[blob]))
    allowed = await intercept(CallToolResult(content=[blob]), policy=Policy(on_unscannable="allow"))
    assert [block.text for block in read.content] == [WITHHELD]
    assert [block.text for block in named.content] == [UNREADABLE]
    assert allowed.content == [blob]


async def test_what_another_interceptor_made_of_it_is_guarded_too() -> None:
    message = ToolMessage("so EVIL", tool_call_id="c")
    shown = await intercept(message)
    command = await intercept(Command(update={"messages": [message]}))
    assert shown.content == WITHHELD
    assert "EVIL" not in str(command.update)


async def test_outside_a_graph_every_form_of_result_is_scanned_under_the_task() -> None:
    guard = WordGuard()
    for result in (mcp("one"), ToolMessage("two", tool_call_id="c")):
        await intercept(result, guard, task="Read.", system="S")
    assert [(o.text, o.task, o.system) for o in guard.outputs] == [
        ("one", "Read.", "S"),
        ("two", "Read.", "S"),
    ]


async def test_each_policy_does_what_it_says() -> None:
    result = mcp("a EVIL b", structuredContent={"result": "a EVIL b"})
    cut = await intercept(result, policy=Policy(action="sanitise"))
    assert (cut.content[0].text, cut.structuredContent) == ("a  b", None)
    assert await intercept(result, policy=Policy(action="flag")) is result
    with pytest.raises(InjectionBlockedError):
        await intercept(result, policy=Policy(action="raise"))


async def test_a_failing_guard_withholds() -> None:
    assert (await intercept(mcp("fine"), DoingGuard(failing))).content[0].text == FAILED


async def test_a_server_cannot_name_its_tool_into_trust() -> None:
    trusting = Policy(trusted_tools=frozenset({"read_mail"}))
    mine = Policy(trusted_tools=frozenset({"desk/read_mail"}))
    assert (await intercept(mcp("EVIL"), policy=trusting)).content[0].text == WITHHELD
    assert (await intercept(mcp("EVIL"), policy=mine)).content[0].text == "EVIL"


async def test_a_stricter_threshold_counts_under_the_bare_name_too() -> None:
    for name in ("read_mail", "desk/read_mail"):
        policy = Policy(thresholds={name: 0.05})
        assert (await intercept(mcp("fine"), policy=policy)).content[0].text == WITHHELD


async def test_the_snippet_of_the_docs_runs() -> None:
    model = CallingModel(calls=["read_mail"])
    names = await run_snippet(
        ROOT / "docs" / "adapters.md",
        "MCP servers in LangChain",
        guard=WordGuard(),
        model=model,
        sys=sys,
        SERVER=SERVER,
    )
    messages = names["state"]["messages"]
    assert [type(m) for m in messages] == [HumanMessage, AIMessage, ToolMessage, AIMessage]
    assert WITHHELD in str(messages)
    assert "EVIL" not in str(messages)
