"""MCP: a guard between MCP servers and a LangChain agent, as langchain-mcp-adapters' interceptor.

Text, resources given as text, and structured content are read; images, audio, binary resources and
links are named as unreadable and follow the policy.  What no interceptor sees: tool names and
descriptions, prompts, resources that the client loads itself, and the text of protocol errors.

Needs ``pip install 'causalguard[mcp]'``.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_mcp_adapters.interceptors import MCPToolCallRequest
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command
from mcp.types import (
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    TextContent,
    TextResourceContents,
)

from causalguard.guard.context import TrustedContext, make_context
from causalguard.guard.enforce import UNREADABLE, WITHHELD, Enforcer
from causalguard.guard.langchain import CausalGuardLLM, make_enforcer
from causalguard.guard.langchain_events import aemit
from causalguard.guard.langchain_messages import turns
from causalguard.guard.langchain_tools import guard_result, raise_if_asked, state_messages
from causalguard.guard.policy import Incoming, Policy, Ruling, Scanner
from causalguard.records import ToolOutput

Result = CallToolResult | ToolMessage | Command[Any]
Handler = Callable[[MCPToolCallRequest], Awaitable[Result]]


class GuardInterceptor:
    """Give it to ``MultiServerMCPClient(..., tool_interceptors=[...])``, as the first in the list.

    Inside an agent S comes from the graph's messages and ``system``; a tool called outside of one
    is scanned under ``task`` and ``system`` alone.
    """

    def __init__(
        self,
        guard: Scanner | Enforcer | CausalGuardLLM,
        policy: Policy | None = None,
        *,
        task: str = "",
        system: str = "",
        messages_key: str = "messages",
    ) -> None:
        """Put guard and policy together.

        Args:
            guard: a guard, an enforcer, or a guarded model to share one with.
            policy: what to do; ``block`` and ``interrupt`` withhold here, as in a lone tool node.
            task: what the user asked for, for calls outside a graph.
            system: the agent's system prompt, which the graph's messages do not hold.
            messages_key: the key of the messages in the graph's state.

        Raises:
            ValueError: arguments that contradict each other.
            ConfigError: the policy raises a threshold above the certified one.
        """
        self.enforcer = make_enforcer(guard, policy)
        self._task = task
        self._system = system
        self._key = messages_key

    async def __call__(self, request: MCPToolCallRequest, handler: Handler) -> Result:
        """Call the tool and hand on what may be read of its result.

        Raises:
            InjectionBlockedError: flagged, and the policy says ``raise``.
            ScanError: a scan failed and the policy says ``on_error: raise``.
        """
        result = await handler(request)
        if isinstance(result, CallToolResult):
            items = list(self._incoming(request, result))
            rulings: Sequence[Ruling] = await asyncio.to_thread(self.enforcer.decide, items)
            shown: Result = _shown(result, rulings)
        else:  # another interceptor made it into a message already
            guarded = await asyncio.to_thread(
                guard_result,
                self.enforcer,
                self._as_tool_call(request),
                result,
                system=self._system,
                messages_key=self._key,
            )
            rulings, shown = guarded.rulings, guarded.result
        await aemit(ruling.decision for ruling in rulings)
        raise_if_asked(rulings)
        return shown

    def _incoming(self, request: MCPToolCallRequest, result: CallToolResult) -> Iterator[Incoming]:
        """The content, and the structured content unless it says the same."""
        context = self._context(request)
        readable = [_text(block) for block in result.content]
        texts = [text for text in readable if text is not None]
        opaque = {block.type for block in result.content if _text(block) is None}
        parts = [("\n".join(texts), tuple(sorted(opaque)))]
        if result.structuredContent and not _same(result.structuredContent, texts):
            parts.append((json.dumps(result.structuredContent, ensure_ascii=False), ()))
        for text, unscannable in parts:
            output = ToolOutput(
                text=text,
                tool=self._tool(request),
                task=context.task,
                system=context.system,
                id=str(getattr(request.runtime, "tool_call_id", None) or ""),
            )
            yield Incoming(output=output, unscannable=unscannable)

    def _context(self, request: MCPToolCallRequest) -> TrustedContext:
        messages = state_messages(getattr(request.runtime, "state", None) or {}, self._key)
        said = turns(messages) or [("human", self._task)]
        return make_context([("system", self._system), *said])

    def _tool(self, request: MCPToolCallRequest) -> str:
        """SERVER/TOOL: a server chooses its tools' names, and must not choose a trusted one."""
        policy = self.enforcer.policy
        if request.name in policy.thresholds and request.name not in policy.trusted_tools:
            return request.name  # stricter, so it may go by the bare name
        return f"{request.server_name}/{request.name}"

    def _as_tool_call(self, request: MCPToolCallRequest) -> ToolCallRequest:
        runtime: Any = request.runtime
        state = getattr(runtime, "state", None) or {}
        if not state_messages(state, self._key):
            state = {self._key: [HumanMessage(self._task)]}
        call_id = str(getattr(runtime, "tool_call_id", None) or "")
        called = {"name": self._tool(request), "args": request.args, "id": call_id}
        return ToolCallRequest(
            tool_call={**called, "type": "tool_call"},  # type: ignore[typeddict-item]
            tool=None,
            state=state,
            runtime=runtime,
        )


def _text(block: ContentBlock) -> str | None:
    """A block's text; None: it has none that can be read."""
    if isinstance(block, TextContent):
        return block.text
    if isinstance(block, EmbeddedResource) and isinstance(block.resource, TextResourceContents):
        return block.resource.text
    return None


def _same(structured: dict[str, Any], texts: Sequence[str]) -> bool:
    """Whether the structured content is what the texts say, as servers usually send it."""
    said: list[Any] = [_parsed(text) for text in texts]
    forms: list[Any] = [{"result": said}, {"result": list(texts)}]
    if len(texts) == 1:
        forms += [said[0], {"result": said[0]}, {"result": texts[0]}]
    return structured in forms


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _shown(result: CallToolResult, rulings: Sequence[Ruling]) -> CallToolResult:
    """A copy that may be read: a flagged part takes the structured content with it."""
    content, rest = rulings[0], rulings[1:]
    hidden = any(ruling.replacement is not None for ruling in rulings)
    if any(ruling.replacement is not None for ruling in rest):
        text: str | None = WITHHELD
    else:
        text = content.replacement
    blocks: list[ContentBlock]
    if text is not None:
        blocks = [TextContent(type="text", text=text)]
    elif content.drops_blocks:
        notice = TextContent(type="text", text=UNREADABLE)
        blocks = [notice if _text(block) is None else block for block in result.content]
    else:
        return result
    kept = None if hidden else result.structuredContent
    return result.model_copy(update={"content": blocks, "structuredContent": kept})
