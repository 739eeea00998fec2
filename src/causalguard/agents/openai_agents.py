"""OpenAI Agents SDK: a guard as a tool output guardrail.

The SDK hands every output of a *function* tool (MCP servers' tools and agents used as tools among
them) to its guardrails before the model sees it.  Hosted tools (web search, file search, code
interpreter) run at the provider: no guardrail sees what they return, so they are refused here.

Needs ``pip install 'causalguard[openai-agents]'``.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from agents import (
    FunctionTool,
    ItemHelpers,
    Tool,
    ToolGuardrailFunctionOutput,
    ToolOutputGuardrail,
    ToolOutputGuardrailData,
)
from agents.tool_context import ToolContext
from openai.types.responses import ResponseFunctionToolCall

from causalguard.errors import ConfigError
from causalguard.guard.context import HUMAN_ROLES, SYSTEM_ROLES, Turn, make_context
from causalguard.guard.enforce import UNREADABLE, Enforcer
from causalguard.guard.langchain_content import read
from causalguard.guard.policy import Incoming, Policy, Ruling, Scanner
from causalguard.records import ToolOutput

NAME = "causalguard"
"""The guardrail's name, in the SDK's traces and results."""
_Invoke = Callable[[ToolContext[Any], str], Awaitable[Any]]
HALTING = frozenset({"block", "raise"})
"""Actions that end the run with the SDK's ``ToolOutputGuardrailTripwireTriggered``."""

_asked: ContextVar[tuple[Turn, ...] | None] = ContextVar("causalguard_asked", default=None)
"""What the user asked for, while an agent works as another agent's tool; else None."""


def tool_output_guardrail(
    guard: Scanner | Enforcer, policy: Policy | None = None
) -> ToolOutputGuardrail[Any]:
    """Make the guardrail.

    Give it to ``function_tool(tool_output_guardrails=[...])`` or to an MCP server of the SDK
    (``MCPServerStdio(..., tool_output_guardrails=[...])``), or let :func:`guard_tools` do it.

    Args:
        guard: a guard, or an enforcer to share.
        policy: what to do; ``block`` and ``raise`` end the run, ``interrupt`` withholds, for a
            guardrail can wait for nobody.

    Raises:
        ValueError: a policy beside an enforcer, which has its own.
        ConfigError: the policy raises a threshold above the certified one.
    """
    if isinstance(guard, Enforcer) and policy is not None:
        raise ValueError("an enforcer has its own policy: give either one or the other")
    enforcer = guard if isinstance(guard, Enforcer) else Enforcer(guard, policy)

    async def check(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        item = await incoming(data)
        ruling = (await asyncio.to_thread(enforcer.decide, [item]))[0]
        return _behaviour(ruling, item)

    return ToolOutputGuardrail(guardrail_function=check, name=NAME)


def guard_tools(
    tools: Iterable[Tool],
    guard: Scanner | Enforcer,
    policy: Policy | None = None,
    *,
    hosted: bool = False,
) -> list[Tool]:
    """Copies of tools with the guardrail in front of their others.

    Args:
        tools: an agent's tools; not changed.
        guard: a guard, or an enforcer to share.
        policy: what to do, as :func:`tool_output_guardrail` takes it.
        hosted: let tools through whose outputs no guardrail sees; the guard does not cover them.

    Raises:
        ConfigError: such a tool is there and ``hosted`` is not set.
    """
    guardrail = tool_output_guardrail(guard, policy)
    guarded: list[Tool] = []
    for tool in tools:
        if isinstance(tool, FunctionTool):
            one = copy.copy(tool)
            one.tool_output_guardrails = [guardrail, *(tool.tool_output_guardrails or [])]
            if getattr(tool, "_is_agent_tool", False):  # the SDK's own mark; it has no public one
                one.on_invoke_tool = _under_the_users_task(one.on_invoke_tool)
            guarded.append(one)
        elif hosted:
            guarded.append(tool)
        else:
            message = (
                f"the output of {tool.name} cannot be guarded: the provider runs it, and the model "
                "reads it before any guardrail; leave it out, or pass hosted=True and know it"
            )
            raise ConfigError(message)
    return guarded


async def incoming(data: ToolOutputGuardrailData) -> Incoming:
    """A tool's output as the model would get it, with S from the run.

    Args:
        data: what the SDK gives a guardrail.  S is the agent's instructions and the human turns of
            the run's input; in a conversation that the provider keeps, earlier ones are missing.
            The input of an agent that is used as a tool was written by a model: if that tool went
            through :func:`guard_tools` the human turns are those of the outermost run, else they
            are that input.
    """
    context = make_context(await _turns(data))
    readable = read(_shown(data))
    output = ToolOutput(
        text=readable.text,
        tool=data.context.tool_name,
        task=context.task,
        system=context.system,
        id=data.context.tool_call_id,
    )
    return Incoming(output=output, unscannable=readable.unscannable)


async def _turns(data: ToolOutputGuardrailData) -> list[Turn]:
    prompt = await data.agent.get_system_prompt(data.context)
    turns: list[Turn] = [("system", prompt or "")]
    asked = _asked.get()
    if asked is not None:
        return [*turns, *asked]
    return [*turns, *_said(data.context.turn_input, SYSTEM_ROLES | HUMAN_ROLES)]


def _said(items: Sequence[Any], roles: frozenset[str]) -> list[Turn]:
    turns: list[Turn] = []
    for item in items:
        role = item.get("role") if isinstance(item, Mapping) else None
        if isinstance(role, str) and role in roles:
            turns.append((role, _typed(item.get("content"))))
    return turns


def _under_the_users_task(invoke: _Invoke) -> _Invoke:
    """Of an agent's tool: its run is guarded under what the user asked, not what a model wrote."""

    async def invoked(context: ToolContext[Any], arguments: str) -> Any:
        asked = _asked.get()
        if asked is None:
            asked = tuple(_said(context.turn_input, HUMAN_ROLES))
        token = _asked.set(asked)
        try:
            return await invoke(context, arguments)
        finally:
            _asked.reset(token)

    return invoked


def _typed(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, Sequence) else ()
    texts = [block.get("text") for block in blocks if isinstance(block, Mapping)]
    return "\n".join(text for text in texts if isinstance(text, str) and text)


def _shown(data: ToolOutputGuardrailData) -> str | list[Any]:
    """What the SDK would send: text, or blocks of text, images and files."""
    named = (t for t in data.agent.tools if t.name == data.context.tool_name)
    tool = next((t for t in named if isinstance(t, FunctionTool)), None)
    call = data.context.tool_call or ResponseFunctionToolCall(
        arguments=data.context.tool_arguments,
        call_id=data.context.tool_call_id,
        name=data.context.tool_name,
        type="function_call",
    )
    # A declared type is sent as JSON, which may hold fields that str() leaves out.
    shown = ItemHelpers.tool_call_output_item(
        call,
        data.output,
        output_json_schema=tool.output_json_schema if tool else None,
    )["output"]
    return shown if isinstance(shown, str) else list(shown)


def _behaviour(ruling: Ruling, item: Incoming) -> ToolGuardrailFunctionOutput:
    record = ruling.decision.to_record()
    if ruling.decision.action in HALTING:
        return ToolGuardrailFunctionOutput.raise_exception(record)
    if ruling.replacement is not None:
        return ToolGuardrailFunctionOutput.reject_content(ruling.replacement, record)
    if ruling.drops_blocks:
        # A guardrail can only replace the whole output: its clean text stays, the rest is named.
        parts = [text for text in (item.output.text, UNREADABLE) if text]
        return ToolGuardrailFunctionOutput.reject_content("\n".join(parts), record)
    return ToolGuardrailFunctionOutput.allow(record)
