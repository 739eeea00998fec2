"""Taking chat models out of what is wrapped around them, and putting the guarded one back in.

``bind_tools`` and ``with_structured_output`` of a provider return structures with the provider's
model deep inside.  They are kept as they are, and every model in them is replaced; a structure in
which a model would stay unguarded is refused.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import (
    Runnable,
    RunnableBinding,
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnableSequence,
    RunnableWithFallbacks,
)
from langchain_core.runnables.passthrough import RunnableAssign

Guarder = Callable[[BaseChatModel], BaseChatModel]

UNWRAPPED_CONFIG = frozenset({"tags", "metadata", "callbacks"})
"""Configuration of a binding that a chat model has fields for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """A chat model and what was bound to it."""

    model: BaseChatModel
    """The model itself."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Bound call arguments; a call's own take precedence."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Bound tags, metadata and callbacks."""


def unwrap(inner: Any) -> Unwrapped:
    """Find the chat model in what a caller gave as ``inner``.

    Args:
        inner: a chat model, or one with arguments bound by ``bind``, ``bind_tools`` or
            ``with_config``.

    Raises:
        TypeError: anything else; the message says what to give instead.
    """
    if isinstance(inner, BaseChatModel):
        return Unwrapped(model=inner)
    # a subclass, such as with_retry's, does more than bind: losing that silently would be wrong
    plain = isinstance(inner, RunnableBinding) and type(inner).__name__ in {
        "RunnableBinding",
        "_ChatModelBinding",
    }
    if not plain:
        raise TypeError(_advice(inner))
    odd = sorted(key for key in inner.config if key not in UNWRAPPED_CONFIG and inner.config[key])
    if odd or inner.config_factories:
        message = (
            f"the configuration {', '.join(odd) or 'factories'} bound to the inner model cannot "
            "be kept; bind it to CausalGuardLLM instead: CausalGuardLLM(...).with_config(...)"
        )
        raise TypeError(message)
    below = unwrap(inner.bound)
    return Unwrapped(
        model=below.model,
        kwargs={**below.kwargs, **inner.kwargs},
        config={**below.config, **inner.config},
    )


def _advice(inner: Any) -> str:
    name = type(inner).__name__
    ways = {
        "_ConfigurableModel": (
            "build the model first, init_chat_model('MODEL') without configurable_fields, and "
            "make the guarded model configurable"
        ),
        "RunnableConfigurableFields": (
            "guard the model first: CausalGuardLLM(inner=model).configurable_fields(...)"
        ),
        "RunnableConfigurableAlternatives": (
            "guard every alternative: CausalGuardLLM(inner=a).configurable_alternatives(..., "
            "other=CausalGuardLLM(inner=b))"
        ),
        "RunnableWithFallbacks": (
            "guard every model: CausalGuardLLM(inner=a).with_fallbacks([CausalGuardLLM(inner=b)])"
        ),
        "RunnableRetry": "guard the model first: CausalGuardLLM(inner=model).with_retry()",
        "RunnableSequence": "guard the model inside it: prompt | CausalGuardLLM(inner=model)",
    }
    way = ways.get(name, "give a LangChain chat model, or one with arguments bound to it")
    return f"inner is a {name}, not a chat model; {way}"


def rebind(runnable: Runnable[Any, Any], guarder: Guarder) -> Runnable[Any, Any]:
    """Replace every chat model in a structure.

    Args:
        runnable: what ``bind_tools`` or ``with_structured_output`` returned; not changed.
        guarder: gives the guarded model for an unguarded one.

    Raises:
        TypeError: no chat model was found, or one is where it cannot be replaced.
    """
    found: list[BaseChatModel] = []

    def note(model: BaseChatModel) -> BaseChatModel:
        found.append(model)
        return guarder(model)

    rebuilt: Runnable[Any, Any] = _rebuild(runnable, note)
    if not found:
        message = (
            f"no chat model was found in the {type(runnable).__name__} of the inner model, so "
            "it cannot be guarded; guard that model itself, or use CausalGuardMiddleware"
        )
        raise TypeError(message)
    return rebuilt


def _rebuild(part: Any, guarder: Guarder) -> Any:  # noqa: PLR0911  # one return per kind
    if isinstance(part, BaseChatModel):
        return guarder(part)
    if isinstance(part, RunnableSequence):
        steps = [_rebuild(step, guarder) for step in part.steps]
        update = {"first": steps[0], "middle": steps[1:-1], "last": steps[-1]}
        return part.model_copy(update=update)
    if isinstance(part, RunnableParallel):
        steps_by_name = {name: _rebuild(step, guarder) for name, step in part.steps__.items()}
        return part.model_copy(update={"steps__": steps_by_name})
    if isinstance(part, RunnableAssign):
        return part.model_copy(update={"mapper": _rebuild(part.mapper, guarder)})
    if isinstance(part, RunnableBranch):  # conditions may ask a model, too
        branches = [tuple(_rebuild(step, guarder) for step in branch) for branch in part.branches]
        update = {"branches": branches, "default": _rebuild(part.default, guarder)}
        return part.model_copy(update=update)
    if isinstance(part, RunnableWithFallbacks):
        fallbacks = [_rebuild(fallback, guarder) for fallback in part.fallbacks]
        main = _rebuild(part.runnable, guarder)
        return part.model_copy(update={"runnable": main, "fallbacks": fallbacks})
    if isinstance(getattr(part, "bound", None), Runnable):  # bindings, retries, each
        return part.model_copy(update={"bound": _rebuild(part.bound, guarder)})
    if _holds_model(part):
        message = (
            f"the inner model's {type(part).__name__} calls a chat model from where it cannot "
            "be replaced, which would stay unguarded; use CausalGuardMiddleware, or guard that "
            "model itself"
        )
        raise TypeError(message)
    return part


def _holds_model(part: Any) -> bool:
    """Whether a chat model is anywhere in what a runnable keeps."""
    seen: set[int] = set()
    ahead = [part]
    while ahead:
        value = ahead.pop()
        if isinstance(value, BaseChatModel):
            return True
        if id(value) not in seen:  # structures may hold themselves
            seen.add(id(value))
            ahead.extend(_kept(value))
    return False


def _kept(value: Any) -> Iterator[Any]:
    if isinstance(value, Runnable):
        yield from getattr(value, "__dict__", {}).values()  # a pydantic model's fields, too
        if isinstance(value, RunnableLambda):
            yield from value.deps
            yield from (getattr(value, name, None) for name in ("func", "afunc"))
    elif isinstance(value, partial):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, MethodType):
        yield from (value.__self__, value.__func__)
        yield from getattr(value.__self__, "__dict__", {}).values()
    elif isinstance(value, FunctionType):
        yield from (value.__defaults__, value.__kwdefaults__)
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # not filled yet
                yield cell.cell_contents
    elif isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
