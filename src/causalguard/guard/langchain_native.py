"""Native mode for LangChain: the MODEL_DIR's own base model answers, guarded in its prefill.

``NativeChatModel`` is the model alone.  ``NativeGuardLLM`` is what
``CausalGuardLLM.from_pretrained`` gives: the same model, with every untrusted text read and ruled
on in the prefill that answers.
"""
# the guarded model calls the hooks of the model inside

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, InstanceOf

from causalguard.guard.langchain import CausalGuardLLM
from causalguard.guard.langchain_answers import annotate_chunk, refusal_chunk
from causalguard.guard.langchain_events import emit, listening
from causalguard.guard.langchain_messages import Guarded, Site, incoming, open_turn, role_of
from causalguard.guard.native import NativeGuard
from causalguard.guard.native_chat import ChatTurn, Piece
from causalguard.guard.native_decode import Settings
from causalguard.guard.native_enforce import NativeEnforcer
from causalguard.guard.native_prefill import Prefilled
from causalguard.guard.policy import Incoming, Policy

NATIVE = "causalguard_native"
"""Key of ``response_metadata`` for what the prefill cost."""
ROLES: Mapping[str, str] = {"system": "system", "human": "user", "assistant": "assistant"}
GENERATION = ("max_tokens", "temperature", "top_p", "seed", "time_limit_s")
"""Settings of :class:`NativeChatModel` that a single call may change."""


class NativeChatModel(BaseChatModel):
    """The generating model of a native MODEL_DIR, as a chat model without a guard."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    native: InstanceOf[NativeGuard] = Field(exclude=True, repr=False)
    """Weights and rendering."""
    max_tokens: int = 256
    """Tokens of an answer at most."""
    temperature: float = 0.0
    """0 is deterministic."""
    top_p: float = 1.0
    """Share of the probability that is sampled from, (0, 1]."""
    seed: int | None = None
    """Of the sampling; None: another one each call."""
    time_limit_s: float | None = None
    """Seconds of a call after which the generation stops where it is."""
    stop: list[str] | None = None
    """Strings that end an answer."""

    @property
    def facts(self) -> dict[str, str]:
        """Base model, what generates (base, or base+adapter), layer, backend, certificate."""
        return self.native.facts

    @property
    def _llm_type(self) -> str:
        return "causalguard-native"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        settings = {name: getattr(self, name) for name in GENERATION}
        return {"model": self.native.identity, **settings, "stop": self.stop}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        found = super()._get_ls_params(stop=stop, **kwargs)
        name = kwargs.get("model") or self.native.files.info.base.name
        return {**found, "ls_provider": "causalguard", "ls_model_name": name}

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """Not in this version: the model's answers are text."""
        message = (
            "native mode answers in text and does not call tools; for an agent with tools put "
            "the guard around its model: CausalGuardLLM(inner=..., model_dir=...)"
        )
        raise NotImplementedError(message)

    def get_token_ids(self, text: str) -> list[int]:
        """Tokens of a text as the model reads it."""
        ids: list[int] = self.native.model.renderer.template.tokens(text).ids.tolist()
        return ids

    def settings(self, stop: list[str] | None, kwargs: Mapping[str, Any]) -> Settings:
        """How a call generates: the fields, changed by the call's own arguments."""
        values = {name: kwargs.get(name, getattr(self, name)) for name in GENERATION}
        return Settings(**values, stop=tuple(stop if stop is not None else self.stop or ()))

    def answer(self, prefilled: Prefilled, settings: Settings) -> Iterator[ChatGenerationChunk]:
        """Chunks of an answer; the last one tells why it ended and what was used."""
        for step in self.native.generate(prefilled, settings):
            if not step.finish:
                if step.text:
                    yield ChatGenerationChunk(message=AIMessageChunk(content=step.text))
                continue
            message = AIMessageChunk(
                content=step.text,
                response_metadata={
                    "finish_reason": step.finish,
                    "model_name": self.native.files.info.base.name,
                    NATIVE: {**self.facts, **prefilled.to_record()},
                },
                usage_metadata=UsageMetadata(
                    input_tokens=prefilled.n_tokens,
                    output_tokens=step.tokens,
                    total_tokens=prefilled.n_tokens + step.tokens,
                ),
                chunk_position="last",
            )
            yield ChatGenerationChunk(
                message=message, generation_info={"finish_reason": step.finish}
            )

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # called upstream
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        settings = self.settings(stop, kwargs)
        turns, _ = chat_turns(messages)
        yield from self.answer(self.native.prefill(turns, None), settings)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in in_threads(self._stream(messages, stop, **kwargs)):
            yield chunk

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        return merged(list(self._stream(messages, stop, **kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        # token by token, so that a cancelled call stops generating
        return merged([chunk async for chunk in self._astream(messages, stop, **kwargs)])


class NativeGuardLLM(CausalGuardLLM):
    """A guarded model that answers by itself; see :meth:`CausalGuardLLM.from_pretrained`."""

    inner: InstanceOf[NativeChatModel]
    """The model; its own calls are not guarded."""

    def _read(self, messages: Sequence[BaseMessage]) -> tuple[Prefilled, Guarded]:
        enforcer = self._enforcer
        if not isinstance(enforcer, NativeEnforcer):
            message = "native mode needs a NativeEnforcer; use CausalGuardLLM.from_pretrained"
            raise TypeError(message)
        turns, places = chat_turns(messages)
        prefilled = self.inner.native.prefill(turns, enforcer)
        first = open_turn(messages)
        sites = tuple(
            Site(message=index, block=block, recent=index >= first, ruling=ruling)
            for (index, block), ruling in zip(places, prefilled.rulings, strict=True)
        )
        return prefilled, Guarded(messages=list(messages), sites=sites)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        stop, kwargs = self._merge(stop, kwargs)
        settings = self.inner.settings(stop, kwargs)
        with listening(run_manager):
            prefilled, guarded = self._read(messages)
            emit(site.ruling.decision for site in guarded.sites)
        if refusal := self._refusal(guarded, kwargs):
            yield _refused(refusal, prefilled, self.inner.facts)
            return
        first = True
        for chunk in self.inner.answer(prefilled, settings):
            yield annotate_chunk(chunk, guarded) if first else chunk
            first = False

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        manager: Any = run_manager.get_sync() if run_manager is not None else None
        async for chunk in in_threads(self._stream(messages, stop, manager, **kwargs)):
            yield chunk

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return merged(list(self._stream(messages, stop, run_manager, **kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        chunks = self._astream(messages, stop, run_manager, **kwargs)
        return merged([chunk async for chunk in chunks])


def load_native(
    model_dir: Path | str,
    *,
    trust: Any = None,
    policy: Policy | None = None,
    loading: Mapping[str, Any] | None = None,
    **settings: Any,
) -> NativeGuardLLM:
    """A guarded chat model from a native MODEL_DIR.

    Args:
        model_dir: written by ``guard-calibrate --native`` and certified.
        trust: public key that its certificate must verify with.
        policy: what to do with flagged texts; None: withhold.
        loading: further arguments of :meth:`NativeGuard.load` (device, dtype, policies ...).
        settings: fields of :class:`NativeChatModel`.
    """
    native = NativeGuard.load(model_dir, trust=trust, **(loading or {}))
    return NativeGuardLLM(
        inner=NativeChatModel(native=native, **settings), guard=NativeEnforcer(native, policy)
    )


def chat_turns(
    messages: Sequence[BaseMessage],
) -> tuple[list[ChatTurn], list[tuple[int, int | None]]]:
    """A chat as turns of texts, and where each untrusted text stands (message, block).

    An assistant turn without words is left out: its calls are not rendered (docs/adr/0005).
    """
    items = {(index, block): item for index, block, item in incoming(messages)}
    turns: list[ChatTurn] = []
    places: list[tuple[int, int | None]] = []
    for index, message in enumerate(messages):
        role = role_of(message)
        if (index, None) in items:
            role, pieces = "tool", [_piece(items[index, None])]
            places.append((index, None))
        else:
            own = {block: item for (at, block), item in items.items() if at == index}
            pieces = _pieces(message, own)
            places += [(index, block) for block in own]
        silent = role == "assistant" and not any(p.text or p.incoming for p in pieces)
        if role == "remove" or silent:
            continue
        turns.append(ChatTurn(role=ROLES.get(role, "tool"), pieces=tuple(pieces)))
    return turns, places


def _pieces(message: BaseMessage, own: Mapping[int | None, Incoming]) -> list[Piece]:
    """Texts of a message that is not a tool's; blocks that hold no text are left out."""
    if isinstance(message.content, str):
        return [Piece(text=message.content)]
    pieces = []
    for number, block in enumerate(message.content):
        if number in own:
            pieces.append(_piece(own[number]))
        elif isinstance(block, str):
            pieces.append(Piece(text=block))
        elif block.get("type") == "text":
            pieces.append(Piece(text=str(block.get("text", ""))))
    return pieces


def _piece(item: Incoming) -> Piece:
    return Piece(text=item.output.text, incoming=item)


def _refused(
    refusal: AIMessage, prefilled: Prefilled, facts: Mapping[str, str]
) -> ChatGenerationChunk:
    metadata = {**refusal.response_metadata, NATIVE: {**facts, **prefilled.to_record()}}
    return refusal_chunk(refusal.model_copy(update={"response_metadata": metadata}))


def merged(chunks: list[ChatGenerationChunk]) -> ChatResult:
    """The chunks of an answer as one."""
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    part = whole.message
    message = AIMessage(
        content=part.content,
        response_metadata=part.response_metadata,
        usage_metadata=part.usage_metadata if isinstance(part, AIMessageChunk) else None,
    )
    generation = ChatGeneration(message=message, generation_info=whole.generation_info)
    return ChatResult(generations=[generation])


async def in_threads(
    chunks: Iterator[ChatGenerationChunk],
) -> AsyncIterator[ChatGenerationChunk]:
    """Iterate with every step in a worker thread; leaving early ends the generation."""
    try:
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk
    finally:
        if isinstance(chunks, Generator):
            with suppress(ValueError):  # a cancelled step is still running and ends by itself
                chunks.close()
