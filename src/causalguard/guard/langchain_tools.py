"""Guarding what a tool returns, at the tool: for ``create_agent`` and for LangGraph's ``ToolNode``.

A tool returns a message, a ``Command`` with messages in its update, or a list of either.  All new
messages among them are tool output, whatever their type: a tool that adds a *human* message to
the chat would otherwise write into the trusted context.  They are found wherever an update holds
them, and plain dicts with ``role`` and ``content`` count as messages.  Those that the chat already
holds, as in a hand-off to another agent, stay as the chat has them, whatever the tool made of them.
What a tool writes into the chat in place, past its result, is its own words too.
"""

import asyncio
import copy
import dataclasses
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage, RemoveMessage, ToolMessage
from langgraph.prebuilt.tool_node import ToolCallRequest

from causalguard.errors import InjectionBlockedError
from causalguard.guard.context import TrustedContext, make_context
from causalguard.guard.enforce import Enforcer
from causalguard.guard.langchain import CausalGuardLLM, make_enforcer
from causalguard.guard.langchain_answers import blocked_message
from causalguard.guard.langchain_content import read
from causalguard.guard.langchain_events import aemit, emit
from causalguard.guard.langchain_messages import MADE_BY_TOOL, METADATA, apply, turns
from causalguard.guard.langchain_walk import Result, Visit, Walker
from causalguard.guard.policy import Incoming, Policy, Ruling, Scanner
from causalguard.records import ToolOutput


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The chat as it stood before a tool ran: only what it said then is known."""

    messages: tuple[BaseMessage, ...]
    """Its messages, which the tool may have changed since."""
    said: tuple[BaseMessage, ...]
    """Copies of them."""

    def find(self, message: BaseMessage) -> BaseMessage | None:
        """What stands for a message that the chat held already; None: it is new."""
        for old, said in zip(self.messages, self.said, strict=True):
            if _same(message, old, said):
                # A copy may lack the mark of a tool's message.  That does not matter to an
                # assistant's, from which a hand-off may have cut calls.
                return message if isinstance(message, AIMessage) else old
        return None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GuardedResult:
    """What a tool may hand to the graph."""

    result: Result
    """The tool's result with every new message ruled on; a copy."""
    rulings: tuple[Ruling, ...]
    """In the order of the messages."""
    originals: tuple[BaseMessage, ...]
    """The messages as the tool made them, in the same order."""
    shown: tuple[BaseMessage, ...]
    """The copies in ``result``; those that await a person have an id."""
    outputs: tuple[ToolOutput, ...]
    """What was scanned of them."""


def guard_tool_call(
    guard: Scanner | Enforcer | CausalGuardLLM | None = None,
    policy: Policy | None = None,
    *,
    system: str = "",
    messages_key: str = "messages",
) -> Callable[[ToolCallRequest, Callable[[ToolCallRequest], Result]], Result]:
    """Make the ``wrap_tool_call`` of a ``ToolNode``.

    Args:
        guard: a guard, an enforcer, or a guarded model to share one with.
        policy: what to do; ``block`` and ``interrupt`` withhold here, for a lone node cannot
            stop its graph: look at the message's ``response_metadata["causalguard"]``.
        system: the system prompt, where the graph's messages hold none.
        messages_key: the key of the messages in the graph's state.
    """
    enforcer = make_enforcer(guard, policy)

    def wrap(request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]) -> Result:
        with watching(request.state, messages_key) as before:
            result = handler(request)
        guarded = guard_result(
            enforcer, request, result, before=before, system=system, messages_key=messages_key
        )
        emit(ruling.decision for ruling in guarded.rulings)
        raise_if_asked(guarded.rulings)
        return guarded.result

    return wrap


def aguard_tool_call(
    guard: Scanner | Enforcer | CausalGuardLLM | None = None,
    policy: Policy | None = None,
    *,
    system: str = "",
    messages_key: str = "messages",
) -> Callable[[ToolCallRequest, Callable[[ToolCallRequest], Awaitable[Result]]], Awaitable[Result]]:
    """Make the ``awrap_tool_call`` of a ``ToolNode``; arguments as :func:`guard_tool_call`."""
    enforcer = make_enforcer(guard, policy)

    async def wrap(
        request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        with watching(request.state, messages_key) as before:
            result = await handler(request)
        guarded = await asyncio.to_thread(
            guard_result,
            enforcer,
            request,
            result,
            before=before,
            system=system,
            messages_key=messages_key,
        )
        await aemit(ruling.decision for ruling in guarded.rulings)
        raise_if_asked(guarded.rulings)
        return guarded.result

    return wrap


def raise_if_asked(rulings: Sequence[Ruling]) -> None:
    """Raise InjectionBlockedError if a ruling says so; its text holds no tool output."""
    for ruling in rulings:
        if ruling.decision.action == "raise":
            raise InjectionBlockedError(blocked_message(ruling.decision.tool))


def guard_result(
    enforcer: Enforcer,
    request: ToolCallRequest,
    result: Result,
    *,
    before: Before | None = None,
    system: str = "",
    messages_key: str = "messages",
) -> GuardedResult:
    """Rule on everything new in a tool's result, in one batch.

    Args:
        enforcer: policy and guard.
        request: the call; its state gives S, its tool call the tool's true name.
        result: what the handler returned; not changed.
        before: the chat before the tool ran, of :func:`watching`; None: the state's, as it is.
        system: the system prompt, where the state's messages hold none.
        messages_key: the key of the messages in the state and in updates.

    Raises:
        ScanError: a scan failed and the policy says ``on_error: raise``, or messages in the
            result cannot be found or replaced: it is nested too deeply, or of an unknown type.
    """
    known = before or look(request.state, messages_key)
    context = make_context([("system", system), *turns(known.said)])
    walker = Walker(request, messages_key)
    originals: list[BaseMessage] = []

    def visitor(new: Visit) -> Visit:
        def visit(message: BaseMessage) -> BaseMessage:
            if isinstance(message, RemoveMessage):
                return message
            old = known.find(message)
            return new(message) if old is None else old

        return visit

    def collect(message: BaseMessage) -> BaseMessage:
        originals.append(message)
        return message

    walker.walk(result, visitor(collect))
    items = [_incoming(message, request, context) for message in originals]
    rulings = enforcer.decide(items)
    shown = [_shown(message, ruling) for message, ruling in zip(originals, rulings, strict=True)]
    remaining = iter(shown)
    return GuardedResult(
        result=walker.walk(result, visitor(lambda _: next(remaining))),
        rulings=tuple(rulings),
        originals=tuple(originals),
        shown=tuple(shown),
        outputs=tuple(item.output for item in items),
    )


def _incoming(message: BaseMessage, request: ToolCallRequest, context: TrustedContext) -> Incoming:
    readable = read(message.content)
    output = ToolOutput(
        text=readable.text,
        tool=str(request.tool_call["name"]),
        task=context.task,
        system=context.system,
        id=str(request.tool_call.get("id") or ""),
    )
    return Incoming(output=output, unscannable=readable.unscannable)


def _shown(message: BaseMessage, ruling: Ruling) -> BaseMessage:
    shown = apply(_plain(message), ruling)
    if ruling.decision.action == "interrupt" and shown.id is None:
        return shown.model_copy(update={"id": str(uuid4())})
    return shown


def state_messages(state: Any, key: str) -> list[BaseMessage]:
    """The messages of a graph's state: a mapping, a list, or an object with that attribute."""
    if isinstance(state, list):
        found: Any = state
    else:
        found = state.get(key) if isinstance(state, Mapping) else getattr(state, key, None)
    return [message for message in found or [] if isinstance(message, BaseMessage)]


def look(state: Any, key: str) -> Before:
    """The chat of a graph's state as it stands now."""
    messages = state_messages(state, key)
    said = [
        message.model_copy(update={"content": copy.deepcopy(message.content)})
        for message in messages
    ]
    return Before(messages=tuple(messages), said=tuple(said))


@contextmanager
def watching(state: Any, key: str) -> Iterator[Before]:
    """The chat before a tool runs; what it says otherwise afterwards is marked as the tool's.

    A tool that is given the state can change its messages in place, which no result shows.
    """
    before = look(state, key)
    try:
        yield before
    finally:
        said = {id(old): one.content for old, one in zip(before.messages, before.said, strict=True)}
        for message in state_messages(state, key):
            same = id(message) in said and said[id(message)] == message.content
            if not same and not isinstance(message, ToolMessage):
                message.additional_kwargs[MADE_BY_TOOL] = True


def _same(message: BaseMessage, old: BaseMessage, said: BaseMessage) -> bool:
    """Whether a message is one of the chat's, and says what that said."""
    if message is old:
        return message.content == said.content
    if message.id is None:  # a chat without ids, copied
        return message == said
    return message.id == old.id and type(message) is type(old) and message.content == said.content


def _plain(message: BaseMessage) -> BaseMessage:
    """Without a record that the tool may have forged, and marked if it is no tool message."""
    metadata = {k: v for k, v in message.response_metadata.items() if k != METADATA}
    update: dict[str, Any] = {"response_metadata": metadata}
    if not isinstance(message, ToolMessage):
        update["additional_kwargs"] = {**message.additional_kwargs, MADE_BY_TOOL: True}
    return message.model_copy(update=update)
