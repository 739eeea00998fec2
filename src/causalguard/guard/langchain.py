"""``CausalGuardLLM``: a drop-in around any LangChain chat model.

Every tool output in a call is scored before the inner model sees it.  The wrapper hands over to
the inner model's ``_generate``, ``_agenerate``, ``_stream`` and ``_astream`` and never to
``invoke``, which would count usage twice; callbacks, cache, rate limit and tags of the inner model
therefore become the wrapper's own.

Rulings come before LangChain's cache, which then looks answers up by what the model would be shown
now: a review, its end or a healed failure counts at once.  Answers that a failed scan led to are
not kept, and in native mode, where ruling and answering are one, none are.

What it cannot do alone: clean an agent's state and streams, or guard a model that something else
calls in its place.  Use it together with ``CausalGuardMiddleware``.
"""
# ruff: noqa: SLF001  # a wrapper of a BaseChatModel calls the same hooks of the inner one

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from pathlib import Path
from typing import Any, Self, cast

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import ConfigDict, Field, InstanceOf, PrivateAttr, field_validator, model_validator

from causalguard.errors import InjectionBlockedError
from causalguard.guard.enforce import Enforcer
from causalguard.guard.langchain_answers import (
    REFUSAL,
    annotate_chunk,
    annotate_result,
    blocked_message,
    forced,
    managed,
    records,
    refusal_chunk,
)
from causalguard.guard.langchain_events import aemit, emit, listening
from causalguard.guard.langchain_messages import METADATA, Guarded, guard_messages
from causalguard.guard.langchain_rebind import rebind, unwrap
from causalguard.guard.native_enforce import NativeEnforcer
from causalguard.guard.policy import Policy, Scanner

INHERITED = (
    "cache",
    "callbacks",
    "custom_get_token_ids",
    "disable_streaming",
    "metadata",
    "output_version",
    "rate_limiter",
    "tags",
    "verbose",
)
"""Fields that LangChain reads on the outermost model, taken over from the inner one."""


def make_enforcer(
    guard: "Scanner | Enforcer | CausalGuardLLM | None",
    policy: Policy | None,
    *,
    model_dir: Path | str | None = None,
    trust: Any = None,
) -> Enforcer:
    """Put together guard and policy, loading the guard when none is given.

    Args:
        guard: a guard, an enforcer to share, or a guarded model whose enforcer to share; None
            loads ``model_dir``, or the default guard.
        policy: what to do; None: an enforcer's own, or withhold when flagged.
        model_dir: directory of a certified model.
        trust: public key that its certificate must verify with.

    Raises:
        ValueError: arguments that contradict each other.
        CertificateError, ModelDirError: the model may not be used.
    """
    if guard is not None and (model_dir is not None or trust is not None):
        message = "give either guard, or model_dir and trust, not both"
        raise ValueError(message)
    if isinstance(guard, CausalGuardLLM):
        guard = guard.enforcer
    if isinstance(guard, Enforcer):
        if policy is not None and policy != guard.policy:
            message = "the shared enforcer has another policy; leave policy out"
            raise ValueError(message)
        return guard
    if guard is None:
        from causalguard.guard import Guard

        guard = cast(
            "Scanner",
            Guard.load(model_dir, trust=trust) if model_dir is not None else Guard.load("default"),
        )
    return Enforcer(guard, policy)


class _Ruled(list[BaseMessage]):
    """A ruled chat on its way through LangChain's cache, which looks answers up by its messages.

    The messages are what the inner model sees, less the records: those name times, and who
    decided.  An answer is thus found again only for what would be shown now.
    """

    def __init__(self, guarded: Guarded) -> None:
        super().__init__(_without_record(message) for message in guarded.messages)
        self.guarded = guarded

    @property
    def lasting(self) -> bool:
        """Whether the answer may be kept: not one that a failure or the policy's end gave."""
        failed = any(site.ruling.decision.outcome == "error" for site in self.guarded.sites)
        return not (failed or self.guarded.taken("raise") or self.guarded.taken("block"))


def _without_record(message: BaseMessage) -> BaseMessage:
    if METADATA not in message.response_metadata:
        return message
    kept = {key: value for key, value in message.response_metadata.items() if key != METADATA}
    return message.model_copy(update={"response_metadata": kept})


class CausalGuardLLM(BaseChatModel):
    """A chat model that never shows its inner model a tool output the guard has not passed.

    Example:
        >>> llm = CausalGuardLLM(inner=model, guard=guard)  # doctest: +SKIP
        >>> agent = create_agent(llm, tools)  # doctest: +SKIP
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    inner: InstanceOf[BaseChatModel]
    """The model that answers.  One with bound arguments is unwrapped, others are refused."""
    guard: Any = Field(default=None, exclude=True, repr=False)
    """A Scanner, or an Enforcer to share; None loads ``model_dir``, or the default guard."""
    policy: InstanceOf[Policy] | None = None
    """What to do; None: withhold when flagged."""
    model_dir: Path | str | None = None
    """Directory of a certified model to load; refuses here when it was tampered with."""
    trust: Any = Field(default=None, exclude=True, repr=False)
    """Public key that the certificate of ``model_dir`` must verify with."""
    inner_kwargs: dict[str, Any] = Field(default_factory=dict, repr=False)
    """Call arguments that were bound to the inner model."""

    _enforcer: Enforcer = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _unwrap_inner(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "inner" not in values:
            return values
        unwrapped = unwrap(values["inner"])
        if isinstance(unwrapped.model, CausalGuardLLM):
            message = "inner is guarded already; give the model inside it: guarded.inner"
            raise TypeError(message)
        bound = {**unwrapped.kwargs, **values.get("inner_kwargs", {})}
        return {**unwrapped.config, **values, "inner": unwrapped.model, "inner_kwargs": bound}

    @field_validator("guard")
    @classmethod
    def _check_guard(cls, guard: Any) -> Any:
        if guard is not None and not isinstance(guard, Enforcer | Scanner):
            message = (
                f"guard is a {type(guard).__name__} without scan() and identity; give a Guard, "
                "e.g. Guard.load(MODEL_DIR, trust=KEY)"
            )
            raise TypeError(message)
        return guard

    @model_validator(mode="after")
    def _set_up(self) -> Self:
        given = self.model_fields_set
        for name in INHERITED:
            if name not in given and name in type(self.inner).model_fields:
                # not through setattr: what is inherited must not read as given
                self.__dict__[name] = getattr(self.inner, name)
        self._enforcer = make_enforcer(
            self.guard, self.policy, model_dir=self.model_dir, trust=self.trust
        )
        return self

    def _resolve_model_profile(self) -> Any:
        # create_agent picks its structured-output strategy by this
        return self.inner.profile

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)  # type: ignore[misc]
        except AttributeError:
            # LangChain looks at plain settings such as model_name.  Methods and clients of the
            # inner model are not handed out: calling them would go around the guard.
            inner = self.__dict__.get("inner")
            value = getattr(inner, name, None) if not name.startswith("_") else None
            if not isinstance(value, str | int | float):
                raise
            return value

    @classmethod
    def from_pretrained(
        cls,
        model_dir: Path | str,
        *,
        trust: Any = None,
        policy: Policy | None = None,
        loading: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> "CausalGuardLLM":
        """Native mode: the base model of a certified MODEL_DIR answers by itself.

        The guard reads its layer in the prefill that answers, so nothing is computed twice while
        nothing is flagged.

        Args:
            model_dir: from ``guard-calibrate --native``; one for the windowed guard is refused.
            trust: public key that its certificate must verify with.
            policy: what to do with flagged texts; None: withhold.
            loading: how to load: ``device, dtype, policies, require_certified`` ...
            settings: ``max_tokens, temperature, top_p, seed, time_limit_s, stop``.

        Raises:
            CertificateError, ModelDirError, BaseModelError: the model may not be used.
        """
        from causalguard.guard.langchain_native import load_native

        return load_native(model_dir, trust=trust, policy=policy, loading=loading, **settings)

    @property
    def enforcer(self) -> Enforcer:
        """Guard, policy and memory; give it to the middleware to share them."""
        return self._enforcer

    # --- the calls -----------------------------------------------------------------------------

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        stop, kwargs = self._merge(stop, kwargs)
        with listening(run_manager):
            guarded = self._guard(messages)
        if refusal := self._refusal(guarded, kwargs):
            return ChatResult(generations=[ChatGeneration(message=refusal)])
        arguments = managed(self.inner._generate, run_manager, kwargs)
        result = self.inner._generate(guarded.messages, stop, **arguments)
        return annotate_result(result, guarded)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        stop, kwargs = self._merge(stop, kwargs)
        with listening(run_manager):
            guarded = await self._aguard(messages)
        if refusal := self._refusal(guarded, kwargs):
            return ChatResult(generations=[ChatGeneration(message=refusal)])
        arguments = managed(self.inner._agenerate, run_manager, kwargs)
        result = await self.inner._agenerate(guarded.messages, stop, **arguments)
        return annotate_result(result, guarded)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        stop, kwargs = self._merge(stop, kwargs)
        with listening(run_manager):
            guarded = self._guard(messages)
        if refusal := self._refusal(guarded, kwargs):
            yield refusal_chunk(refusal)
            return
        arguments = managed(self.inner._stream, run_manager, kwargs)
        first = True
        for chunk in self.inner._stream(guarded.messages, stop, **arguments):
            yield annotate_chunk(chunk, guarded) if first else chunk
            first = False

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        stop, kwargs = self._merge(stop, kwargs)
        with listening(run_manager):
            guarded = await self._aguard(messages)
        if refusal := self._refusal(guarded, kwargs):
            yield refusal_chunk(refusal)
            return
        arguments = managed(self.inner._astream, run_manager, kwargs)
        first = True
        async for chunk in self.inner._astream(guarded.messages, stop, **arguments):
            yield annotate_chunk(chunk, guarded) if first else chunk
            first = False

    def _merge(
        self, stop: list[str] | None, kwargs: Mapping[str, Any]
    ) -> tuple[list[str] | None, dict[str, Any]]:
        merged = {**self.inner_kwargs, **kwargs}
        bound_stop = merged.pop("stop", None)
        for name in ("ls_structured_output_format", "structured_output_format"):
            merged.pop(name, None)  # for tracing only; providers reject them
        return (stop if stop is not None else bound_stop), merged

    def _guard(self, messages: list[BaseMessage]) -> Guarded:
        if isinstance(messages, _Ruled):
            return messages.guarded
        guarded = guard_messages(self._enforcer, messages)
        emit(site.ruling.decision for site in guarded.sites)
        return guarded

    async def _aguard(self, messages: list[BaseMessage]) -> Guarded:
        if isinstance(messages, _Ruled):
            return messages.guarded
        guarded = await asyncio.to_thread(guard_messages, self._enforcer, messages)
        await aemit(site.ruling.decision for site in guarded.sites)
        return guarded

    def _refusal(self, guarded: Guarded, kwargs: Mapping[str, Any]) -> AIMessage | None:
        """The answer that ends the turn, if the policy asks for an end."""
        raised, blocked = guarded.taken("raise"), guarded.taken("block")
        # Where a tool call or a schema is forced, an answer in words would only be asked again.
        if raised or (blocked and forced(kwargs)):
            decision = (raised or blocked)[0].ruling.decision
            raise InjectionBlockedError(blocked_message(decision.tool))
        if blocked:
            return AIMessage(content=REFUSAL, response_metadata=records(guarded))
        return None

    # --- what LangChain asks of a model --------------------------------------------------------

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools as the inner model does; the result stays guarded."""
        if tool_choice is not None:  # some providers' bind_tools do not know the argument
            kwargs["tool_choice"] = tool_choice
        return rebind(self.inner.bind_tools(tools, **kwargs), self._guarded)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Structured output as the inner model does it, by any method; stays guarded."""
        bound = self.inner.with_structured_output(schema, include_raw=include_raw, **kwargs)
        return rebind(bound, self._guarded)

    def _guarded(self, model: BaseChatModel) -> BaseChatModel:
        if model is self.inner:
            return self
        if isinstance(model, CausalGuardLLM):
            return model
        return self.model_copy(update={"inner": model})

    def _should_stream(
        self,
        *,
        async_api: bool,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> bool:
        """Stream exactly when the inner model would, unless switched off here."""
        kwargs = {**self.inner_kwargs, **kwargs}
        if self._streaming_off(kwargs):
            return False
        return self.inner._should_stream(async_api=async_api, run_manager=run_manager, **kwargs)

    def _should_use_protocol_streaming(self, *, async_api: bool, **kwargs: Any) -> bool:
        kwargs = {**self.inner_kwargs, **kwargs}
        if self._streaming_off(kwargs):
            return False
        return self.inner._should_use_protocol_streaming(async_api=async_api, **kwargs)

    def _streaming_off(self, kwargs: Mapping[str, Any]) -> bool:
        off = self.disable_streaming
        return off is True or (off == "tool_calling" and bool(kwargs.get("tools")))

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002  # LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Stream; the input is scanned before the first chunk."""
        chunks = super().stream(input, config, **kwargs)
        with listening(self._callbacks(CallbackManager, config)):
            first = next(chunks, None)
        if first is not None:
            yield first
            yield from chunks

    async def astream(
        self,
        input: LanguageModelInput,  # noqa: A002  # LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Stream; the input is scanned before the first chunk."""
        stream = cast("AsyncGenerator[AIMessageChunk]", super().astream(input, config, **kwargs))
        async with aclosing(stream) as chunks:  # a caller may stop listening at any chunk
            with listening(self._callbacks(AsyncCallbackManager, config)):
                first = await anext(chunks, None)
            if first is not None:
                yield first
                async for chunk in chunks:
                    yield chunk

    def _callbacks(self, kind: Any, config: RunnableConfig | None) -> Any:
        given = (config or {}).get("callbacks")
        return kind.configure(given, self.callbacks) if given or self.callbacks else None

    def _generate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        # below here _stream may be called without the run manager
        with listening(run_manager):
            if self._rules_while_answering:
                return self._uncached(messages, stop, run_manager, **kwargs)
            ruled = _Ruled(self._guard(messages))
            call = super()._generate_with_cache if ruled.lasting else self._uncached
            return annotate_result(call(ruled, stop, run_manager, **kwargs), ruled.guarded)

    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with listening(run_manager):
            if self._rules_while_answering:
                return await self._auncached(messages, stop, run_manager, **kwargs)
            ruled = _Ruled(await self._aguard(messages))
            call = super()._agenerate_with_cache if ruled.lasting else self._auncached
            return annotate_result(await call(ruled, stop, run_manager, **kwargs), ruled.guarded)

    @property
    def _rules_while_answering(self) -> bool:
        # the native guard's verdicts come with the answer: before it there is nothing to look up by
        return isinstance(self._enforcer, NativeEnforcer)

    @property
    def _uncached(self) -> Callable[..., ChatResult]:
        copy = self.model_copy(update={"cache": False})
        return super(CausalGuardLLM, copy)._generate_with_cache

    @property
    def _auncached(self) -> Callable[..., Awaitable[ChatResult]]:
        copy = self.model_copy(update={"cache": False})
        return super(CausalGuardLLM, copy)._agenerate_with_cache

    @property
    def _llm_type(self) -> str:
        return f"causalguard-{self.inner._llm_type}"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {**self.inner._identifying_params, METADATA: self._identity()}

    def _identity(self) -> dict[str, str]:
        enforcer = self._enforcer
        return {
            "guard": enforcer.scanner.identity,
            "policy": enforcer.policy.digest,
            "inner": self.inner._llm_type,
            "bound": str(sorted(self.inner_kwargs.items())),
        }

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # A shared cache must never answer a guarded call with an unguarded answer, nor one
        # guard's or policy's call with another's.
        inner = self.inner._get_llm_string(stop=stop, **kwargs)
        return f"{inner}---{METADATA}{sorted(self._identity().items())}"

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        stop, kwargs = self._merge(stop, kwargs)
        params = self.inner._get_invocation_params(stop=stop, **kwargs)
        return {**params, METADATA: self._identity()}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        stop, kwargs = self._merge(stop, kwargs)
        return self.inner._get_ls_params(stop=stop, **kwargs)

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None], /) -> dict[str, Any]:
        return self.inner._combine_llm_outputs(llm_outputs)

    def get_token_ids(self, text: str) -> list[int]:
        """Tokens as the inner model counts them."""
        return self.inner.get_token_ids(text)

    def get_num_tokens(self, text: str) -> int:
        """Number of tokens as the inner model counts them."""
        return self.inner.get_num_tokens(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Number of tokens of a chat as the inner model counts them."""
        return self.inner.get_num_tokens_from_messages(messages, tools)
