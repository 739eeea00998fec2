"""Small pieces of the wrapper: what it passes on to the inner model, what it adds to answers."""

import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from causalguard.guard.langchain_messages import METADATA, Guarded

REFUSAL = (
    "I stopped: a tool returned text that was flagged as carrying an instruction that you did "
    "not give. It was withheld."
)
"""The answer given instead of calling the model, under ``action: block``."""


def blocked_message(tool: str) -> str:
    """The text of InjectionBlockedError; it holds nothing that the tool returned."""
    return (
        f"an output of the tool {tool or '(unknown)'} was flagged as carrying an instruction that "
        "the user did not give; it was not shown to the model. Look at the decision in the log"
    )


def managed(method: Any, run_manager: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Add the run manager where there is one and the method takes it, as LangChain does."""
    if run_manager is None or not _takes_run_manager(getattr(method, "__func__", method)):
        return kwargs
    return {**kwargs, "run_manager": run_manager}


@lru_cache(maxsize=256)
def _takes_run_manager(function: Any) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == "run_manager" or p.kind is p.VAR_KEYWORD for p in parameters)


def forced(kwargs: Mapping[str, Any]) -> bool:
    """Whether the call demands a tool call or a schema, so that words would not be taken."""
    choice = kwargs.get("tool_choice")
    if isinstance(choice, Mapping):
        choice = choice.get("type")
    return choice not in (None, "auto", "none") or bool(kwargs.get("response_format"))


def records(guarded: Guarded) -> dict[str, Any]:
    """Response metadata for the answer: the records of the open turn, if there are any."""
    records = [site.ruling.decision.to_record() for site in guarded.sites if site.recent]
    return {METADATA: records} if records else {}


def annotate_result(result: ChatResult, guarded: Guarded) -> ChatResult:
    """A copy of the result whose messages carry the records."""
    extra = records(guarded)
    if not extra:
        return result
    generations = [
        generation.model_copy(update={"message": _annotated(generation.message, extra)})
        for generation in result.generations
    ]
    return result.model_copy(update={"generations": generations})


def annotate_chunk(chunk: ChatGenerationChunk, guarded: Guarded) -> ChatGenerationChunk:
    """A copy of the first chunk with the records; merging chunks keeps them once."""
    extra = records(guarded)
    if not extra:
        return chunk
    return chunk.model_copy(update={"message": _annotated(chunk.message, extra)})


def _annotated(message: BaseMessage, extra: dict[str, Any]) -> BaseMessage:
    return message.model_copy(update={"response_metadata": {**message.response_metadata, **extra}})


def refusal_chunk(refusal: AIMessage) -> ChatGenerationChunk:
    """The refusal as the only chunk of a stream."""
    return ChatGenerationChunk(
        message=AIMessageChunk(
            content=refusal.content,
            response_metadata=refusal.response_metadata,
            chunk_position="last",
        )
    )
