"""The custom event ``causalguard.verdict``, sent wherever the run that caused it can be found.

LangChain calls ``_stream`` without a run manager, and ``dispatch_custom_event`` needs a parent
run, which a bare ``model.stream(...)`` has not.  The wrapper therefore notes who is listening
before it hands over, in a context variable of its own.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.callbacks.manager import (
    adispatch_custom_event,
    ahandle_event,
    dispatch_custom_event,
    handle_event,
)

from causalguard.guard.policy import Decision

EVENT = "causalguard.verdict"
"""Name of the event; its data is the decision's record, without content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who hears of a run."""

    handlers: list[BaseCallbackHandler]
    """Callback handlers."""
    run_id: UUID
    """The run."""


_listeners: ContextVar[Listeners | None] = ContextVar("causalguard_listeners", default=None)


@contextmanager
def listening(manager: Any) -> Iterator[None]:
    """Note the listeners of a run, or of the callbacks of a call that has no run yet.

    Args:
        manager: a LangChain run manager or callback manager; None changes nothing.
    """
    if manager is None:
        yield
        return
    run_id = getattr(manager, "run_id", None) or manager.parent_run_id or uuid4()
    token = _listeners.set(Listeners(handlers=list(manager.handlers), run_id=run_id))
    try:
        yield
    finally:
        _listeners.reset(token)


def emit(decisions: Iterable[Decision]) -> None:
    """Send one event per decision that was not sent before."""
    for decision in _fresh(decisions):
        heard = _listeners.get()
        if heard is not None:
            handle_event(
                heard.handlers,
                "on_custom_event",
                "ignore_custom_event",
                EVENT,
                decision.to_record(),
                run_id=heard.run_id,
            )
        else:
            with suppress(RuntimeError):  # outside any run nobody listens
                dispatch_custom_event(EVENT, decision.to_record())


async def aemit(decisions: Iterable[Decision]) -> None:
    """Send one event per decision that was not sent before, on the event loop."""
    for decision in _fresh(decisions):
        heard = _listeners.get()
        if heard is not None:
            await ahandle_event(
                heard.handlers,
                "on_custom_event",
                "ignore_custom_event",
                EVENT,
                decision.to_record(),
                run_id=heard.run_id,
            )
        else:
            with suppress(RuntimeError):  # outside any run nobody listens
                await adispatch_custom_event(EVENT, decision.to_record())


def _fresh(decisions: Iterable[Decision]) -> list[Decision]:
    return [d for d in decisions if d.told]
