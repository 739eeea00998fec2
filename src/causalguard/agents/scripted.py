"""An offline chat model for demos: it calls the tools it is told to, then answers.

It is gullible on purpose.  Whatever instruction among ``injections`` reaches it in a tool output,
it obeys in the open, by calling the tool that the instruction asks for, and says so.  Run the
same agent with and without a guard and the difference is what the guard did.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolCall,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from causalguard.agents.fixtures import INJECTIONS, PLAN, Injection


class ScriptedModel(BaseChatModel):
    """Calls the planned tools a few at a time, obeys what it should not, and answers.

    A pure function of the messages but for its record of what reached it.
    """

    plan: tuple[tuple[str, Mapping[str, Any]], ...] = PLAN
    """The calls to make after each human turn, as (tool, arguments)."""
    injections: tuple[Injection, ...] = INJECTIONS
    """The instructions that it knows how to obey."""
    parallel: int = 4
    """Planned calls in one message, >= 1."""

    _reached: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def reached(self) -> dict[str, str]:
        """Tool call id to the text that reached the model, over all calls."""
        return dict(self._reached)

    @property
    def swayed(self) -> list[Injection]:
        """The injections that reached the model."""
        return [known for known in self.injections if _holds(self._reached.values(), known)]

    @property
    def _llm_type(self) -> str:
        return "causalguard-scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools; only bound tools are called."""
        return self.bind(
            tools=[convert_to_openai_tool(tool) for tool in tools],
            tool_choice=tool_choice,
            **kwargs,
        )

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        reply = self._reply(messages, kwargs)
        return ChatResult(generations=[ChatGeneration(message=reply)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(messages, kwargs)
        for word in re.findall(r"\S+\s*", reply.text):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word))
            if run_manager is not None:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk
        last = AIMessageChunk(content="", tool_calls=reply.tool_calls, chunk_position="last")
        yield ChatGenerationChunk(message=last)

    def _reply(self, messages: list[BaseMessage], kwargs: Mapping[str, Any]) -> AIMessage:
        bound = {tool["function"]["name"] for tool in kwargs.get("tools") or []}
        turn = messages[_last_human(messages) :]
        texts = {m.tool_call_id: m.text for m in messages if isinstance(m, ToolMessage)}
        self._reached.update(texts)
        made = [
            (call["name"], call["args"])
            for message in turn
            if isinstance(message, AIMessage)
            for call in message.tool_calls
        ]
        swayed = [known for known in self.injections if _holds(texts.values(), known)]
        obeyed = [(known.tool, dict(known.args)) for known in swayed]
        wanted = [call for call in obeyed if call not in made]
        wanted += [(n, dict(a)) for n, a in self.plan if (n, dict(a)) not in made][: self.parallel]
        wanted = [call for call in wanted if call[0] in bound]
        if not wanted:
            did = [known for known in swayed if (known.tool, dict(known.args)) in made]
            return AIMessage(content=_answer(len(made) - len(did), did))
        return AIMessage(
            content=_aside(swayed, [call for call in obeyed if call in wanted]),
            tool_calls=[
                ToolCall(name=name, args=args, id=f"call_{len(messages)}_{index}")
                for index, (name, args) in enumerate(wanted)
            ],
        )


def _last_human(messages: Sequence[BaseMessage]) -> int:
    humans = [i for i, message in enumerate(messages) if isinstance(message, HumanMessage)]
    return humans[-1] if humans else 0


def _holds(texts: Any, injection: Injection) -> bool:
    wanted = " ".join(injection.text.split())
    return any(wanted in " ".join(text.split()) for text in texts)


def _aside(swayed: Sequence[Injection], now: Sequence[Any]) -> str:
    if not now:
        return ""
    tools = ", ".join(name for name, _ in now)
    return f"I was told to do something else ({len(swayed)} so far), so I call {tools}."


def _answer(read: int, swayed: Sequence[Injection]) -> str:
    if not swayed:
        return f"I read {read} tool outputs and did only what you asked."
    did = "; ".join(f"{known.tool} ({known.form})" for known in swayed)
    return f"I read {read} tool outputs. {len(swayed)} of them gave me orders, and I obeyed: {did}."
