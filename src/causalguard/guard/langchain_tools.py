"""Guarding what a tool returns, at the tool: for ``create_agent`` and for LangGraph's ``ToolNode``.

A tool returns a message, a ``Command`` with messages in its update, or a list of either.  All new
messages among them are tool output, whatever their type: a tool that adds a *human* message to
the chat would otherwise write into the trusted context.  They are found wherever an update holds
them, and plain dicts with ``role`` and ``content`` count as messages.  Those that the chat already
holds, as in a hand-off to another agent, stay as the chat has them, whatever the tool made of them.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
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
from causalguard.guard.langchain_messages import (
    CHAT_ROLES,
    MADE_BY_TOOL,
    METADATA,
    apply,
    turns,
)
from causalguard.guard.policy import Incoming, Policy, Ruling, Scanner
from causalguard.records import ToolOutput

Result = Any
"""ToolMessage, Command, or a list of them."""
Visit = Callable[[BaseMessage], BaseMessage]

DEPTH = 64
"""Mappings, lists and objects inside each other in which messages are looked for."""
TRUSTED_ROLES = frozenset(role for role, kind in CHAT_ROLES.items() if kind != "assistant")
"""Roles that would enter S."""
PLAIN_ROLES = frozenset({*CHAT_ROLES, "tool", "function"})
"""Roles by which a plain dict is known as a message."""


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
        ScanError: a scan failed and the policy says ``on_error: raise``, or messages in the
            result cannot be found or replaced: it is nested too deeply, or of an unknown type.
    """
    history = state_messages(request.state, messages_key)
    context = make_context([("system", system), *turns(history)])
    walker = _Walker(messages_key)
    originals: list[BaseMessage] = []

    def visitor(new: Visit) -> Visit:
        def visit(message: BaseMessage) -> BaseMessage:
            if isinstance(message, RemoveMessage):
                return message
            known = _known(message, history)
            return new(message) if known is None else known

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


def _known(message: BaseMessage, history: Sequence[BaseMessage]) -> BaseMessage | None:
    """What stands for a message that the chat already holds; None: it is new."""
    for old in history:
        same = message.id is not None and message.id == old.id and type(message) is type(old)
        if message is old or (same and message.content == old.content):
            # A copy may lack the mark of a tool's message.  That does not matter to an
            # assistant's, from which a hand-off may have cut calls.
            return message if isinstance(message, AIMessage) else old
    return None


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
        if isinstance(update, BaseModel) or _is_record(update):
            parts = {key: part for key, part in _parts(update).items() if part is not None}
            return _changed(update, {k: self._value(k, part, visit) for k, part in parts.items()})
        if getattr(update, self._key, None) is None:
            return update
        message = (
            f"a tool returned an update of type {type(update).__name__}, in which messages cannot "
            "be replaced; return a dict, a dataclass or a pydantic model"
        )
        raise ScanError(message)

    def _entry(self, entry: Any, visit: Visit) -> Any:
        if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str):
            return (entry[0], self._value(entry[0], entry[1], visit))
        return _inside(entry, visit)

    def _value(self, key: str, value: Any, visit: Visit) -> Any:
        if type(value).__name__ == "Overwrite":  # LangGraph's way around a reducer
            return dataclasses.replace(value, value=self._value(key, value.value, visit))
        if key == self._key:
            many = value if isinstance(value, list) else [value]
            return [visit(message) for message in convert_to_messages(many)]
        return _inside(value, visit)


def _inside(value: Any, visit: Visit, depth: int = DEPTH) -> Any:
    """A value with every message in it visited: itself where none was replaced.

    Raises:
        ScanError: it is nested deeper than ``depth``, or holds itself.
    """
    if isinstance(value, BaseMessage):
        return visit(value)
    if not isinstance(value, Mapping | list | tuple | BaseModel) and not _is_record(value):
        return value
    if depth == 0:
        message = (
            f"a tool returned an update nested deeper than {DEPTH}, in which messages cannot be "
            "found; return a flatter one"
        )
        raise ScanError(message)
    parts = {key: _inside(part, visit, depth - 1) for key, part in _parts(value).items()}
    return _shown_plain(parts, visit) if _is_plain(value) else _changed(value, parts)


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _parts(value: Any) -> dict[Any, Any]:
    """What a container holds, by key, index or field."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    if isinstance(value, BaseModel):
        return {**vars(value), **(value.model_extra or {})}
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _changed(value: Any, new: Mapping[Any, Any]) -> Any:
    """A container with these parts; itself where they are its own."""
    old = _parts(value)
    new = {key: part for key, part in new.items() if part is not old[key]}
    if not new:
        return value
    if isinstance(value, Mapping):
        return {**old, **new}
    if isinstance(value, list):
        return list({**old, **new}.values())
    if isinstance(value, tuple):
        items = {**old, **new}.values()
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, BaseModel):
        return value.model_copy(update=new)
    return dataclasses.replace(value, **new)


def _is_plain(value: Any) -> bool:
    """Whether a value is a message in the form of a dict, which LangChain would make one of."""
    if not isinstance(value, Mapping):
        return False
    role, content = value.get("role", value.get("type")), value.get("content")
    listed = isinstance(content, list) and all(isinstance(block, str | dict) for block in content)
    return isinstance(role, str) and role in PLAIN_ROLES and (listed or isinstance(content, str))


def _shown_plain(message: Mapping[str, Any], visit: Visit) -> dict[str, Any]:
    """A message in the form of a dict as ruled; the form stays, for the graph may count on it."""
    shown = {**message, "content": visit(HumanMessage(message["content"])).content}
    shown.pop("response_metadata", None)  # a record in it could be forged
    if message.get("role", message.get("type")) in TRUSTED_ROLES:
        shown[MADE_BY_TOOL] = True  # LangChain puts it among the ``additional_kwargs``
    return shown
