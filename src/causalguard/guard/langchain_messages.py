"""LangChain messages in, guarded copies out.  The caller's messages are never changed.

What counts as untrusted: tool and function messages, tool results among the blocks of a message
that is not the model's (Anthropic's form and others'), chat messages of an unknown role, human
messages that the harness put there, and whatever a tool did.  What counts as trusted context:
system messages and what the user typed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from causalguard.guard.context import (
    HUMAN_ROLES,
    SYSTEM_ROLES,
    TrustedContext,
    Turn,
    make_context,
)
from causalguard.guard.enforce import Enforcer
from causalguard.guard.langchain_content import (
    is_result,
    read,
    result_call,
    result_content,
    rewrite,
    rewrite_result,
)
from causalguard.guard.policy import Incoming, Ruling
from causalguard.records import ToolOutput

METADATA = "causalguard"
"""Key of ``response_metadata`` under which a decision's record stands."""
MADE_BY_TOOL = "causalguard_made_by_tool"
"""Key of ``additional_kwargs`` on a message that a tool added to the chat."""

ROLES: Mapping[type[BaseMessage], str] = {
    SystemMessage: "system",
    HumanMessage: "human",
    RemoveMessage: "remove",
}
"""Everything else is a tool's."""
CHAT_ROLES: Mapping[str, str] = {
    **dict.fromkeys(SYSTEM_ROLES, "system"),
    **dict.fromkeys(HUMAN_ROLES, "human"),
    **dict.fromkeys(("assistant", "ai", "model"), "assistant"),
}
"""Of a ``ChatMessage``, by the role it names; any other role is a tool's."""
SUMMARY = "summarization"
"""``lc_source`` of a summary: the assistant's text, so neither S nor a tool output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where in a chat one ruling applies."""

    message: int
    """Index of the message."""
    block: int | None
    """Index of the block within its content; None: the whole content."""
    recent: bool
    """Whether neither the model nor the user has spoken since: the turn is still open."""
    ruling: Ruling
    """What was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A chat that the model may see."""

    messages: list[BaseMessage]
    """The chat; what was ruled on is a copy, everything else the caller's own object."""
    sites: tuple[Site, ...]
    """All rulings, in the order of the chat."""

    def taken(self, action: str) -> list[Site]:
        """Sites of the open turn on which this action was taken."""
        return [s for s in self.sites if s.recent and s.ruling.decision.action == action]


def role_of(message: BaseMessage) -> str:
    """The role that counts for the guard: system, human, assistant, tool or remove."""
    if isinstance(message, ToolMessage | FunctionMessage):
        return "tool"
    if MADE_BY_TOOL in message.additional_kwargs:
        return "tool"
    if isinstance(message, AIMessage):
        return "assistant"
    source = message.additional_kwargs.get("lc_source")
    if source is not None:
        # Whoever set it, the user did not type this.  It is only ever used to distrust.
        summary = source == SUMMARY and isinstance(message, HumanMessage)
        return "assistant" if summary else "tool"
    if isinstance(message, ChatMessage):
        return CHAT_ROLES.get(message.role.lower(), "tool")
    return next((role for kind, role in ROLES.items() if isinstance(message, kind)), "tool")


def turns(messages: Iterable[BaseMessage]) -> list[Turn]:
    """The turns of a chat as ``(role, text)``, with typed text only.

    Args:
        messages: the chat in order.

    Returns:
        One turn per message; files and tool results inside a human message give no text.
    """
    return [(role_of(message), _typed(message.content)) for message in messages]


def _typed(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    texts = [
        block if isinstance(block, str) else str(block.get("text", ""))
        for block in content
        if isinstance(block, str) or (block.get("type") == "text" and not is_result(block))
    ]
    return "\n".join(text for text in texts if text)


def incoming(
    messages: Sequence[BaseMessage], *, system: str = ""
) -> Iterator[tuple[int, int | None, Incoming]]:
    """Yield every untrusted part of a chat with the S of the turns before it.

    Args:
        messages: the chat in order.
        system: the system prompt, where the chat itself holds none.
    """
    so_far: list[Turn] = [("system", system)]
    called: dict[str, str] = {}
    context: TrustedContext | None = None
    for index, message in enumerate(messages):
        role = role_of(message)
        parts = list(_parts(message, role))
        if parts and context is None:
            context = make_context(so_far)
        for block, call_id, content in parts:
            assert context is not None
            yield index, block, incoming_of(content, context, call_id=call_id, called=called)
        if isinstance(message, AIMessage):
            called.update(calls_of(message))
        if role in {"system", "human"}:
            so_far.extend(turns([message]))
            context = None


def incoming_of(
    content: str | Sequence[Any],
    context: TrustedContext,
    *,
    call_id: str,
    called: Mapping[str, str],
) -> Incoming:
    """One content with its S, named by the tool that was called, not by its own claim."""
    readable = read(content)
    output = ToolOutput(
        text=readable.text,
        tool=called.get(call_id, ""),
        task=context.task,
        system=context.system,
        id=call_id,
    )
    return Incoming(output=output, unscannable=readable.unscannable)


def calls_of(message: AIMessage) -> dict[str, str]:
    """Tool call id to tool name."""
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    return {str(call["id"]): str(call["name"]) for call in calls if call.get("id")}


def _parts(
    message: BaseMessage, role: str
) -> Iterator[tuple[int | None, str, str | Sequence[Any]]]:
    if role == "tool":
        yield None, str(getattr(message, "tool_call_id", None) or ""), message.content
    elif not isinstance(message, AIMessage) and isinstance(message.content, list):
        for index, block in enumerate(message.content):
            if isinstance(block, dict) and is_result(block):
                yield index, result_call(block), result_content(block)


def guard_messages(
    enforcer: Enforcer, messages: Sequence[BaseMessage], *, system: str = ""
) -> Guarded:
    """Rule on every untrusted part of a chat, in one batch, and apply the rulings to copies.

    Args:
        enforcer: policy and guard.
        messages: the chat in order; not changed.
        system: the system prompt, where the chat itself holds none.

    Returns:
        The chat that may be shown and what was decided.

    Raises:
        ScanError: a scan failed and the policy says ``on_error: raise``.
    """
    places = list(incoming(messages, system=system))
    rulings = enforcer.decide([item for _, _, item in places])
    first = open_turn(messages)
    sites = tuple(
        Site(message=index, block=block, recent=index >= first, ruling=ruling)
        for (index, block, _), ruling in zip(places, rulings, strict=True)
    )
    guarded = list(messages)
    for site in sites:
        guarded[site.message] = apply(guarded[site.message], site.ruling, block=site.block)
    return Guarded(messages=guarded, sites=sites)


def open_turn(messages: Sequence[BaseMessage]) -> int:
    """Index of the first message that neither the model nor the user has answered yet."""
    for index in range(len(messages) - 1, -1, -1):
        role = role_of(messages[index])
        if role == "assistant":
            return index + 1
        if role == "human":
            return index  # it may itself carry tool results
    return 0


def apply(message: BaseMessage, ruling: Ruling, *, block: int | None = None) -> BaseMessage:
    """A copy of a message as ruled: content replaced where needed, the record in its metadata.

    Args:
        message: not changed; a tool message's artifact stays as it is.
        ruling: what was decided on it.
        block: index of the block ruled on; None for the whole content.
    """
    changes = ruling.replacement is not None or ruling.drops_blocks
    known = ruling.decision.remembered and METADATA in message.response_metadata
    # A notice may be a quotation, with a block beside it that must not pass.
    if not changes and (known or ruling.decision.outcome == "notice"):
        return message  # it carries the record of what was done to it
    record = ruling.decision.to_record()
    metadata = {**message.response_metadata, METADATA: record}
    update: dict[str, Any] = {"response_metadata": metadata}
    if block is None:
        update["content"] = rewrite(
            message.content, ruling.replacement, drop_blocks=ruling.drops_blocks
        )
    elif isinstance(message.content, list):
        old: Any = message.content[block]
        new = rewrite_result(old, ruling.replacement, drop_blocks=ruling.drops_blocks)
        update["content"] = [*message.content[:block], new, *message.content[block + 1 :]]
    if isinstance(message, ToolMessage) and ruling.replacement is not None:
        update["status"] = message.status if ruling.decision.action == "sanitise" else "error"
    return message.model_copy(update=update)
