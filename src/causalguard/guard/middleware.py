"""``CausalGuardMiddleware`` for LangChain's ``create_agent``.

What the wrapped model cannot do is done here: tool outputs are replaced in the agent's *state*
and *stream*, the moment the tool returns, so that no summariser, fallback model or second agent
reads the original.  ``before_agent``, ``before_model`` and ``wrap_model_call`` catch what came in
another way; the first two carry out ``block`` and ``interrupt``, where neither a tool runs twice
nor a parallel call keeps the agent going.
Callbacks on tools (``on_tool_end``, tracing) still see the original.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Annotated, Any, NotRequired, cast

from langchain.agents.middleware.types import (
    AgentMiddleware,
    AgentState,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    PrivateStateAttr,
    hook_config,
)
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from causalguard.errors import InjectionBlockedError
from causalguard.guard.enforce import Enforcer, release_key, released
from causalguard.guard.langchain import CausalGuardLLM, make_enforcer
from causalguard.guard.langchain_answers import REFUSAL, blocked_message
from causalguard.guard.langchain_content import rewrite
from causalguard.guard.langchain_events import aemit, emit
from causalguard.guard.langchain_messages import (
    METADATA,
    Guarded,
    guard_messages,
    incoming,
    open_turn,
    turns,
)
from causalguard.guard.langchain_tools import (
    Before,
    GuardedResult,
    aguard_tool_call,
    guard_result,
    guard_tool_call,
    raise_if_asked,
    watching,
)
from causalguard.guard.policy import Policy, Scanner
from causalguard.records import ToolOutput

__all__ = ["CausalGuardMiddleware", "aguard_tool_call", "guard_tool_call"]

MESSAGES = "messages"
"""Key of an agent's chat."""
RELEASE = "release"
"""The answer to an interrupt that shows the text to the model; anything else withholds it."""

Pending = dict[str, dict[str, Any]]
"""Message id to what a person needs to decide on it, and to what the release needs."""


def _merge(old: Pending | None, new: Pending | None) -> Pending:
    return {} if new is None else {**(old or {}), **new}


def _union(old: list[str] | None, new: list[str] | None) -> list[str]:
    return list(dict.fromkeys([*(old or []), *(new or [])]))


class CausalGuardState(AgentState[Any]):
    """What the middleware keeps in the agent's state; neither input nor output can name it."""

    causalguard_system: NotRequired[Annotated[str, PrivateStateAttr]]
    causalguard_pending: NotRequired[Annotated[Pending, PrivateStateAttr, _merge]]
    causalguard_released: NotRequired[Annotated[list[str], PrivateStateAttr, _union]]


class CausalGuardMiddleware(AgentMiddleware[Any, Any, Any]):
    """Replaces flagged tool outputs in state and stream, and stops the agent where asked.

    Put it last in the list, next to the tools, and share the guard with the model:

        >>> llm = CausalGuardLLM(inner=model, guard=guard)  # doctest: +SKIP
        >>> guard = CausalGuardMiddleware(llm)  # doctest: +SKIP
        >>> agent = create_agent(llm, tools, middleware=[guard])  # doctest: +SKIP
    """

    state_schema = CausalGuardState

    def __init__(
        self,
        guard: Scanner | Enforcer | CausalGuardLLM | None = None,
        policy: Policy | None = None,
        *,
        system_prompt: str = "",
    ) -> None:
        """Share or make an enforcer.

        Args:
            guard: a guard, an enforcer, or a guarded model to share one with (so that nothing
                is scanned twice); None loads the default guard.
            policy: what to do; leave out when sharing.
            system_prompt: the agent's, used until the first model call has shown it.
        """
        super().__init__()
        self.enforcer = make_enforcer(guard, policy)
        self._system_prompt = system_prompt

    # --- the model call: learn the system prompt, which the state does not hold ----------------

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> Any:
        """Note the system prompt of this call, so that tools get the same S as the model.

        What was released in this conversation passes a guarded model in it.  Messages that other
        middleware put into the call alone are guarded here.
        """
        with _releases(request.state):
            if _adds(request):
                guarded = guard_messages(self.enforcer, request.messages, system=_prompt(request))
                emit(site.ruling.decision for site in guarded.sites)
                _stop_if_asked(guarded)
                request = request.override(messages=cast("Any", guarded.messages))
            response = handler(request)
        return self._learn(request, response)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> Any:
        """Asynchronous :meth:`wrap_model_call`."""
        with _releases(request.state):
            if _adds(request):
                guarded = await asyncio.to_thread(
                    guard_messages, self.enforcer, request.messages, system=_prompt(request)
                )
                await aemit(site.ruling.decision for site in guarded.sites)
                _stop_if_asked(guarded)
                request = request.override(messages=cast("Any", guarded.messages))
            response = await handler(request)
        return self._learn(request, response)

    def _learn(self, request: ModelRequest[Any], response: ModelResponse[Any]) -> Any:
        system = _prompt(request)
        if system == self._system(request.state):
            return response
        command: Command[Any] = Command(update={"causalguard_system": system})
        return ExtendedModelResponse(model_response=response, command=command)

    def _system(self, state: Any) -> str:
        known = state.get("causalguard_system") if isinstance(state, Mapping) else None
        return self._system_prompt if known is None else str(known)

    # --- the tool call: state and stream -------------------------------------------------------

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]
    ) -> Any:
        """Run the tool and replace what is flagged in its result."""
        with watching(request.state, MESSAGES) as before:
            result = handler(request)
        guarded = self._guard(request, result, before)
        emit(ruling.decision for ruling in guarded.rulings)
        return _hand_over(guarded)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Asynchronous :meth:`wrap_tool_call`."""
        with watching(request.state, MESSAGES) as before:
            result = await handler(request)
        guarded = await asyncio.to_thread(self._guard, request, result, before)
        await aemit(ruling.decision for ruling in guarded.rulings)
        return _hand_over(guarded)

    def _guard(self, request: ToolCallRequest, result: Any, before: Before) -> GuardedResult:
        state = request.state
        with _releases(state):
            return guard_result(
                self.enforcer, request, result, before=before, system=self._system(state)
            )

    # --- before the model: everything else, halt and interrupt ---------------------------------

    @hook_config(can_jump_to=["end"])
    def before_agent(self, state: Any, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """As :meth:`before_model`, before that of other middleware: a summariser's, say."""
        return self.before_model(state, runtime)

    @hook_config(can_jump_to=["end"])
    async def abefore_agent(self, state: Any, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Asynchronous :meth:`before_agent`."""
        return await self.abefore_model(state, runtime)

    @hook_config(can_jump_to=["end"])
    def before_model(
        self,
        state: Any,
        runtime: Runtime[Any],  # noqa: ARG002  # LangChain's signature
    ) -> dict[str, Any] | None:
        """Guard what did not come through a tool call; then stop or ask, if the policy says so."""
        messages = state["messages"]
        with _releases(state):
            guarded = guard_messages(self.enforcer, messages, system=self._system(state))
        emit(site.ruling.decision for site in guarded.sites)
        return self._act(state, guarded)

    @hook_config(can_jump_to=["end"])
    async def abefore_model(
        self,
        state: Any,
        runtime: Runtime[Any],  # noqa: ARG002  # LangChain's signature
    ) -> dict[str, Any] | None:
        """Asynchronous :meth:`before_model`."""
        with _releases(state):  # a thread of asyncio's sees the caller's context
            guarded = await asyncio.to_thread(
                guard_messages, self.enforcer, state["messages"], system=self._system(state)
            )
        await aemit(site.ruling.decision for site in guarded.sites)
        return self._act(state, guarded)

    def _act(self, state: Any, guarded: Guarded) -> dict[str, Any] | None:
        messages: list[BaseMessage] = state["messages"]
        for site in guarded.taken("raise"):
            raise InjectionBlockedError(blocked_message(site.ruling.decision.tool))
        changed = {
            new.id or str(index): new
            for index, (new, old) in enumerate(zip(guarded.messages, messages, strict=True))
            if new.content != old.content
        }
        if guarded.taken("block") or _blocked(messages):
            end = AIMessage(content=REFUSAL)
            return {"messages": [*changed.values(), end], "jump_to": "end"}
        pending = {**(state.get("causalguard_pending") or {}), **self._found(state, guarded)}
        update: dict[str, Any] = {}
        if pending:
            shown = _ask(pending)
            for message in messages:
                if message.id in shown:
                    changed[message.id] = _restored(message, pending[message.id])
            update["causalguard_pending"] = None
            update["causalguard_released"] = [pending[key]["release"] for key in shown]
        if changed:
            update["messages"] = list(changed.values())
        return update or None

    def _found(self, state: Any, guarded: Guarded) -> Pending:
        """What is to be asked about, of the messages that did not come through a tool call."""
        asked = {site.message: site for site in guarded.taken("interrupt") if site.block is None}
        if not asked:
            return {}
        messages = state["messages"]
        parts = incoming(messages, system=self._system(state))
        return {
            messages[index].id: _question(
                messages[index], item.output, asked[index].ruling.decision
            )
            for index, block, item in parts
            if index in asked and block is None
        }


def _prompt(request: ModelRequest[Any]) -> str:
    message = request.system_message
    return turns([message])[0][1] if message is not None else ""


def _adds(request: ModelRequest[Any]) -> bool:
    """Whether a call has messages that the state has not, for a model that guards nothing."""
    if isinstance(request.model, CausalGuardLLM):
        return False
    known = {id(message) for message in request.state.get("messages", ())}
    return any(id(message) not in known for message in request.messages)


def _stop_if_asked(guarded: Guarded) -> None:
    """End a call whose own messages the policy does not let pass; no node can end the turn here."""
    for site in (*guarded.taken("raise"), *guarded.taken("block")):
        raise InjectionBlockedError(blocked_message(site.ruling.decision.tool))


def _releases(state: Any) -> AbstractContextManager[None]:
    """The releases of the conversation whose state this is."""
    known = state.get("causalguard_released") if isinstance(state, Mapping) else None
    return released(known or ())


def _hand_over(guarded: GuardedResult) -> Any:
    """Raise if asked; put what a person must decide on beside the result."""
    raise_if_asked(guarded.rulings)
    pending: Pending = {
        str(shown.id): _question(message, output, ruling.decision)
        for message, shown, output, ruling in zip(
            guarded.originals, guarded.shown, guarded.outputs, guarded.rulings, strict=True
        )
        if ruling.decision.action == "interrupt"
    }
    return _beside(guarded.result, pending) if pending else guarded.result


def _beside(result: Any, pending: Pending) -> Any:
    extra = {"causalguard_pending": pending}
    if isinstance(result, ToolMessage):
        return Command(update={"messages": [result], **extra})
    here = isinstance(result, Command) and result.graph is None
    if here and isinstance(result.update, Mapping):
        return replace(result, update={**result.update, **extra})
    several = result if isinstance(result, list) else [result]
    return [*several, Command(update=extra)]


def _question(message: BaseMessage, output: ToolOutput, decision: Any) -> dict[str, Any]:
    return {
        "record": decision.to_record(),
        "text": output.text,
        "content": message.content,
        "status": getattr(message, "status", None),
        "release": release_key(output),
    }


def _ask(pending: Pending) -> set[str]:
    """Interrupt the graph; when it is resumed, return the ids that may be shown."""
    flagged = [
        {"id": key, "record": question["record"], "text": question["text"]}
        for key, question in pending.items()
    ]
    question = {"type": "causalguard", "flagged": flagged, "answers": [RELEASE, "withhold"]}
    answer = interrupt(question)
    if isinstance(answer, Mapping):
        return {key for key in pending if answer.get(key) == RELEASE}
    return set(pending) if answer == RELEASE else set()


def _restored(message: BaseMessage, question: Mapping[str, Any]) -> BaseMessage:
    record = {**question["record"], "outcome": "released", "action": "pass"}
    metadata = {**message.response_metadata, METADATA: record}
    # a person was shown the text only: what could not be read stays out if the policy says so
    drop = record.get("unscanned_action") == "withhold"
    content = rewrite(question["content"], None, drop_blocks=drop)
    update: dict[str, Any] = {"content": content, "response_metadata": metadata}
    if isinstance(message, ToolMessage):
        update["status"] = question["status"]
    return message.model_copy(update=update)


def _blocked(messages: list[BaseMessage]) -> bool:
    """Whether a tool's output was blocked in the open turn; the record was written by us."""
    recent = messages[open_turn(messages) :]
    records = (message.response_metadata.get(METADATA) for message in recent)
    return any(isinstance(r, Mapping) and r.get("action") == "block" for r in records)
