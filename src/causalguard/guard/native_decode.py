"""From logits to text: sampling, stop strings, limits.  One token a step, text as it comes."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from causalguard.guard.native_model import ChatModel

Finish = Literal["", "stop", "length", "timeout", "stopped"]
"""Why a generation ended: its end or a stop string, the token limit, the time limit, a criterion;
empty while it goes on."""
Criterion = Callable[[Tensor, Tensor], Any]
"""A transformers ``StoppingCriteria``: ids (1, n) and logits (1, vocabulary) to true for stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to generate."""

    max_tokens: int = 256
    """Tokens generated at most, >= 1; the model's own context limits it too."""
    temperature: float = 0.0
    """0: the likeliest token; else the softmax's temperature, > 0."""
    top_p: float = 1.0
    """Sample from the likeliest tokens that hold this probability, (0, 1]."""
    seed: int | None = None
    """Of the sampling; None: a fresh one."""
    time_limit_s: float | None = None
    """Seconds from the call on, prefill included; looked at after each token."""
    stop: tuple[str, ...] = ()
    """Strings that end the answer and are not part of it."""

    def __post_init__(self) -> None:
        faults = []
        if self.max_tokens < 1:
            faults.append("max_tokens must be at least 1")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            faults.append("temperature must be 0 or more")
        if not 0 < self.top_p <= 1:
            faults.append("top_p must lie in (0, 1]")
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            faults.append("time_limit_s must be more than 0")
        if any(not text for text in self.stop):
            faults.append("a stop string must not be empty")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step gave."""

    text: str
    """New text, possibly empty."""
    finish: Finish = ""
    """Set on the last step only."""
    tokens: int = 0
    """Tokens generated so far, the end token included."""


def decode(  # a loop and what it needs
    model: ChatModel,
    logits: Tensor,
    cache: Any,
    *,
    n_prompt: int,
    end_ids: frozenset[int],
    settings: Settings,
    criteria: Sequence[Criterion] = (),
    started: float | None = None,
) -> Iterator[Step]:
    """Generate behind a prefilled cache.

    Args:
        model: whose cache it is.
        logits: of the first token to come, shape (vocabulary,).
        cache: prefilled; grows.
        n_prompt: tokens in it.
        end_ids: tokens that end the answer.
        settings: how.
        criteria: further reasons to stop, asked after each token.
        started: ``time.monotonic()`` at which the time limit began; None: now.
    """
    begin = time.monotonic() if started is None else started
    text = TextStream(model.renderer.decode, settings.stop)
    generator = torch.Generator()
    if settings.seed is None:
        generator.seed()
    else:
        generator.manual_seed(settings.seed)
    limit = min(settings.max_tokens, model.max_tokens - n_prompt)
    ids: list[int] = []
    while True:
        finish: Finish = ""
        if len(ids) >= limit:
            finish = "length"
        elif settings.time_limit_s and time.monotonic() - begin >= settings.time_limit_s:
            finish = "timeout"
        if finish:
            yield Step(text=text.rest(), finish=finish, tokens=len(ids))
            return
        token = choose(logits, settings, generator)
        ids.append(token)
        new = "" if token in end_ids else text.add(token)
        stopped = bool(criteria) and any(_asked(c, ids, logits) for c in criteria)
        if token in end_ids or text.stopped or stopped:
            rest = "" if text.stopped else text.rest()
            ended: Finish = "stop" if token in end_ids or text.stopped else "stopped"
            yield Step(text=new + rest, finish=ended, tokens=len(ids))
            return
        yield Step(text=new, tokens=len(ids))
        if len(ids) < limit:
            logits, _ = model.forward(np.asarray([token]), cache)


def _asked(criterion: Criterion, ids: Sequence[int], logits: Tensor) -> bool:
    answer = criterion(torch.tensor([ids]), logits[None])
    return bool(answer.all()) if isinstance(answer, Tensor) else bool(answer)


def choose(logits: Tensor, settings: Settings, generator: torch.Generator) -> int:
    """One token id from logits, shape (vocabulary,)."""
    if settings.temperature == 0:
        return int(logits.argmax())
    share = torch.softmax(logits.float().cpu() / settings.temperature, dim=-1)
    if settings.top_p < 1:
        ordered, index = share.sort(descending=True)
        before = ordered.cumsum(0) - ordered  # the likeliest token always stays
        share = share.scatter(0, index[before >= settings.top_p], 0.0)
    return int(torch.multinomial(share, 1, generator=generator))


class TextStream:
    """Tokens to text as it becomes certain: whole characters, nothing that may begin a stop."""

    def __init__(self, decoder: Callable[[Sequence[int]], str], stop: Sequence[str]) -> None:
        """Take a function from ids to text, and the stop strings."""
        self._decoder = decoder
        self._stop = tuple(stop)
        self._ids: list[int] = []
        self._from = 0
        self._upto = 0
        self._held = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """Take one token; returns the text that is now certain."""
        self._ids.append(token)
        known = self._decoder(self._ids[self._from : self._upto])
        now = self._decoder(self._ids[self._from :])
        if now.endswith("\ufffd") or len(now) <= len(known):
            return ""  # the character is not whole yet
        self._from, self._upto = self._upto, len(self._ids)
        return self._release(now[len(known) :])

    def rest(self) -> str:
        """What is left when no more tokens come."""
        known = self._decoder(self._ids[self._from : self._upto])
        now = self._decoder(self._ids[self._from :])
        self._upto = len(self._ids)
        tail = self._release(now[len(known) :])
        if self.stopped:
            return tail
        held, self._held = self._held, ""
        return tail + held

    def _release(self, new: str) -> str:
        whole = self._held + new
        found = [at for at in (whole.find(s) for s in self._stop) if at >= 0]
        if found:
            self.stopped, self._held = True, ""
            return whole[: min(found)]
        keep = max((_overlap(whole, s) for s in self._stop), default=0)
        self._held = whole[len(whole) - keep :]
        return whole[: len(whole) - keep]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that begins ``stop`` (but is not all of it)."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0
