"""Guarding what a tool returns, at the tool: for ``create_agent`` and for LangGraph's ``ToolNode``.

A tool returns a message, a ``Command`` with messages in its update, or a list of either.  All new
messages among them are tool output, whatever their type: a tool that adds a *human* message to
the chat would otherwise write into the trusted context.  Messages that the chat already holds,
as in a hand-off to another agent, are left alone.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.messages import (
    BaseMessage,
    RemoveMessage,
    ToolMessage,
    convert_to_messages,
)
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command, Send
from pydantic import BaseModel

from causalguard.errors import InjectionBlockedError, ScanError
from causalguard.guard.context import TrustedContext, make_context
from causalguard.guard.enforce import Enforcer
from causalguard.guard.langchain import CausalGuardLLM, make_enforcer
from causalguard.guard.langchain_answers import blocked_message
from causalguard.guard.langchain_content import read
from causalguard.guard.langchain_events import aemit, emit
from causalguard.guard.langchain_messages import MADE_BY_TOOL, METADATA, apply, turns
from causalguard.guard.policy import Incoming, Policy, Ruling, Scanner
from causalguard.records import ToolOutput

Result = Any
"""ToolMessage, Command, or a list of them."""
Visit = Callable[[BaseMessage], BaseMessage]


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
        guarded = guard_result(
            enforcer, request, handler(request), system=system, messages_key=messages_key
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
        result = await handler(request)
        guarded = await asyncio.to_thread(
            guard_result, enforcer, request, result, system=system, messages_key=messages_key
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
    system: str = "",
    messages_key: str = "messages",
) -> GuardedResult:
    """Rule on everything new in a tool's result, in one batch.

    Args:
        enforcer: policy and guard.
        request: the call; its state gives S, its tool call the tool's true name.
        result: what the handler returned; not changed.
        system: the system prompt, where the state's messages hold none.
        messages_key: the key of the messages in the state and in updates.

    Raises:
        ScanError: a scan failed and the policy says ``on_error: raise``.
    """
    history = state_messages(request.state, messages_key)
    context = make_context([("system", system), *turns(history)])
    walker = _Walker(messages_key)
    originals: list[BaseMessage] = []

    def collect(message: BaseMessage) -> BaseMessage:
        if _is_new(message, history):
            originals.append(message)
        return message

    walker.walk(result, collect)
    items = [_incoming(message, request, context) for message in originals]
    rulings = enforcer.decide(items)
    shown = [_shown(message, ruling) for message, ruling in zip(originals, rulings, strict=True)]
    remaining = iter(shown)

    def replace(message: BaseMessage) -> BaseMessage:
        return next(remaining) if _is_new(message, history) else message

    return GuardedResult(
        result=walker.walk(result, replace),
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


def _is_new(message: BaseMessage, history: Sequence[BaseMessage]) -> bool:
    if isinstance(message, RemoveMessage):
        return False
    return not any(
        message is old
        or (
            message.id is not None
            and message.id == old.id
            and type(message) is type(old)
            and message.content == old.content
        )
        for old in history
    )


def _plain(message: BaseMessage) -> BaseMessage:
    """Without a record that the tool may have forged, and marked if it is no tool message."""
    metadata = {k: v for k, v in message.response_metadata.items() if k != METADATA}
    update: dict[str, Any] = {"response_metadata": metadata}
    if not isinstance(message, ToolMessage):
        update["additional_kwargs"] = {**message.additional_kwargs, MADE_BY_TOOL: True}
    return message.model_copy(update=update)


class _Walker:
    """Applies a function to every message in a tool's result, rebuilding what holds them."""

    def __init__(self, messages_key: str) -> None:
        self._key = messages_key

    def walk(self, result: Result, visit: Visit) -> Result:
        if isinstance(result, BaseMessage):
            return visit(result)
        if isinstance(result, list | tuple):
            return [self.walk(item, visit) for item in result]
        if isinstance(result, Command):
            update = self._update(result.update, visit)
            return dataclasses.replace(result, update=update, goto=self._goto(result.goto, visit))
        return result

    def _goto(self, goto: Any, visit: Visit) -> Any:
        if isinstance(goto, list | tuple):
            return [self._goto(one, visit) for one in goto]
        return Send(goto.node, self._update(goto.arg, visit)) if isinstance(goto, Send) else goto

    def _update(self, update: Any, visit: Visit) -> Any:
        if isinstance(update, BaseMessage):
            return visit(update)
        if isinstance(update, Mapping):
            return {key: self._value(key, value, visit) for key, value in update.items()}
        if isinstance(update, list | tuple):
            return [self._entry(entry, visit) for entry in update]
        inner = getattr(update, self._key, None)
        return update if inner is None else self._typed(update, inner, visit)

    def _typed(self, update: Any, inner: Any, visit: Visit) -> Any:
        changed = {self._key: self._value(self._key, inner, visit)}
        if isinstance(update, BaseModel):
            return update.model_copy(update=changed)
        if dataclasses.is_dataclass(update) and not isinstance(update, type):
            return dataclasses.replace(update, **changed)
        message = (
            f"a tool returned an update of type {type(update).__name__}, in which messages cannot "
            "be replaced; return a dict, a dataclass or a pydantic model"
        )
        raise ScanError(message)

    def _entry(self, entry: Any, visit: Visit) -> Any:
        pair = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)
        if pair and entry[0] == self._key:
            return (entry[0], self._value(entry[0], entry[1], visit))
        return visit(entry) if isinstance(entry, BaseMessage) else entry

    def _value(self, key: str, value: Any, visit: Visit) -> Any:
        if type(value).__name__ == "Overwrite":  # LangGraph's way around a reducer
            return dataclasses.replace(value, value=self._value(key, value.value, visit))
        if key == self._key:
            many = value if isinstance(value, list) else [value]
            return [visit(message) for message in convert_to_messages(many)]
        if isinstance(value, BaseMessage):
            return visit(value)
        if isinstance(value, list):
            return [visit(item) if isinstance(item, BaseMessage) else item for item in value]
        return value
