"""Finding the messages in what a tool returns, wherever they stand, and replacing them.

A message is a message object, a dict in one of the forms that LangChain makes one of, and, under a
key of which LangGraph makes messages, a string or a pair of role and text.
"""

import copy
import dataclasses
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command, Send
from pydantic import BaseModel, ValidationError

from causalguard.errors import ScanError
from causalguard.guard.langchain_messages import CHAT_ROLES, MADE_BY_TOOL

Result = Any
"""ToolMessage, Command, or a list of them."""
Visit = Callable[[BaseMessage], BaseMessage]

DEPTH = 64
"""Mappings, lists and objects inside each other in which messages are looked for."""
TRUSTED_ROLES = frozenset(role for role, kind in CHAT_ROLES.items() if kind != "assistant")
"""Roles that would enter S."""
PLAIN_ROLES = frozenset({*CHAT_ROLES, "tool", "function"})
"""Roles by which a plain dict is known as a message."""
PRIVATE = frozenset({"causalguard_system", "causalguard_pending", "causalguard_released"})
"""Keys of the middleware in the agent's state, which no tool may write."""
OVERWRITE = "__overwrite__"
"""The only key of LangGraph's way around a reducer, where it is a dict."""
REDUCERS = frozenset({"langgraph.graph.message", "langgraph.pregel._messages"})
"""Modules of the reducers that make messages of what is written to a key."""


class Walker:
    """Applies a function to every message in a tool's result, rebuilding what holds them."""

    def __init__(self, request: ToolCallRequest, messages_key: str) -> None:
        """Take the call, whose state and channels tell what is a chat, and the chat's key."""
        self._key = messages_key
        self._state = request.state
        self._chats = {messages_key, *_channels_of_messages(request)}

    def walk(self, result: Result, visit: Visit) -> Result:
        """Rebuild a result with every message in it as ``visit`` gives it.

        Raises:
            ScanError: messages in it cannot be found or replaced.
        """
        if isinstance(result, BaseMessage):
            return visit(result)
        if isinstance(result, list | tuple):
            return [self.walk(item, visit) for item in result]
        if isinstance(result, Command):
            # where the whole state is the chat, so is an update without keys
            plain = isinstance(result.update, str | list | tuple) and not _keyed(result.update)
            if plain and isinstance(self._state, list):
                update: Any = _chat(result.update, visit)
            else:
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
            kept = {key: value for key, value in update.items() if self._may_write(key, value)}
            return {key: self._value(key, value, visit) for key, value in kept.items()}
        if isinstance(update, list | tuple):
            return [
                self._entry(entry, visit)
                for entry in update
                if not _is_pair(entry) or self._may_write(*entry)
            ]
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

    def _may_write(self, key: Any, value: Any) -> bool:
        """Whether a tool may write this: of the middleware's own, only what stands there already.

        A hand-off passes the whole state on.
        """
        if key not in PRIVATE:
            return True
        known = self._state.get(key) if isinstance(self._state, Mapping) else None
        return bool(value == known)

    def _entry(self, entry: Any, visit: Visit) -> Any:
        if _is_pair(entry):
            return (entry[0], self._value(entry[0], entry[1], visit))
        return _inside(entry, visit)

    def _value(self, key: str, value: Any, visit: Visit) -> Any:
        if type(value).__name__ == "Overwrite":  # LangGraph's way around a reducer
            return dataclasses.replace(value, value=self._value(key, value.value, visit))
        if isinstance(value, Mapping) and value.keys() == {OVERWRITE}:
            return {OVERWRITE: self._value(key, value[OVERWRITE], visit)}
        return _chat(value, visit) if key in self._chats else _inside(value, visit)


def _channels_of_messages(request: ToolCallRequest) -> list[str]:
    """Keys of the graph's state whose reducer makes messages of strings, pairs and dicts.

    LangGraph puts its channels into the run's configuration, from where ``ToolNode`` takes them
    too; without them none is known.
    """
    config = getattr(request.runtime, "config", None) or {}
    read = config.get("configurable", {}).get("__pregel_read")
    channels = next((one for one in getattr(read, "args", ()) if isinstance(one, Mapping)), {})
    found = []
    for name, channel in channels.items():
        reducer = getattr(channel, "operator", None) or getattr(channel, "reducer", None)
        if getattr(getattr(reducer, "func", reducer), "__module__", None) in REDUCERS:
            found.append(str(name))
    return found


def _chat(value: Any, visit: Visit) -> list[BaseMessage]:
    """What LangGraph makes of a value that it adds to a chat, visited."""
    many = value if isinstance(value, list) else [value]
    return [visit(message) for message in convert_to_messages(many)]


def _is_pair(entry: Any) -> bool:
    return isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)


def _keyed(update: Any) -> bool:
    """Whether LangGraph reads an update as pairs of key and value."""
    return isinstance(update, list | tuple) and all(_is_pair(entry) for entry in update)


def _inside(value: Any, visit: Visit, depth: int = DEPTH) -> Any:
    """A value with every message in it visited: itself where none was replaced.

    Raises:
        ScanError: it is nested deeper than ``depth``, or holds itself.
    """
    if isinstance(value, BaseMessage):
        return visit(value)
    if not isinstance(value, Mapping | list | tuple | deque | BaseModel) and not _is_record(value):
        return value
    if depth == 0:
        message = (
            f"a tool returned an update nested deeper than {DEPTH}, in which messages cannot be "
            "found; return a flatter one"
        )
        raise ScanError(message)
    parts = {key: _inside(part, visit, depth - 1) for key, part in _parts(value).items()}
    if _is_plain(value):
        return _shown_plain(parts, visit)
    packed = _unpacked(value)
    if packed is not None and _is_plain(packed):
        return {**value, "kwargs": _shown_plain({**packed, **parts["kwargs"]}, visit)}
    return _changed(value, parts)


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _parts(value: Any) -> dict[Any, Any]:
    """What a container holds, by key, index or field."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple | deque):
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
    if isinstance(value, list | deque):
        changed = copy.copy(value)
        for index, part in new.items():
            changed[index] = part
        return changed
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
    role = value.get("role", value.get("type"))
    if not isinstance(role, str) or role not in PLAIN_ROLES or "content" not in value:
        return False
    try:
        HumanMessage(value["content"] or "")
    except ValidationError:
        return False
    return True


def _unpacked(value: Any) -> dict[str, Any] | None:
    """The message that LangChain makes of a serialised one without loading it, as a plain dict."""
    if not isinstance(value, Mapping) or value.get("lc") != 1 or value.get("type") != "constructor":
        return None
    path, fields = value.get("id"), value.get("kwargs")
    if not isinstance(path, list) or not path or not isinstance(fields, dict):
        return None
    kind = str(path[-1]).removesuffix("Chunk").removesuffix("Message").lower()
    return {"type": kind, **fields}


def _shown_plain(message: Mapping[str, Any], visit: Visit) -> dict[str, Any]:
    """A message in the form of a dict as ruled; the form stays, for the graph may count on it."""
    shown = {**message, "content": visit(HumanMessage(message["content"] or "")).content}
    shown.pop("response_metadata", None)  # a record in it could be forged
    if message.get("role", message.get("type")) in TRUSTED_ROLES:
        more = message.get("additional_kwargs")
        shown["additional_kwargs"] = {
            **(more if isinstance(more, Mapping) else {}),
            MADE_BY_TOOL: True,
        }
    return shown
