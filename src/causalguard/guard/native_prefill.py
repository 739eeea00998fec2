"""One prefill of a chat, ruled on as it is read.

The invariant: when it is done, every untrusted token in the cache has been read in the context it
stands in, and its text passed.  A text that does not pass is replaced; its keys and values and
those of all that follows are discarded, and the prefill goes on from there.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from causalguard.errors import ScanError
from causalguard.guard.native_chat import ChatTurn, Piece, Place, RenderedChat, untrusted
from causalguard.guard.native_enforce import NativeEnforcer
from causalguard.guard.native_model import ChatModel, NativeModel, Reading, crop, positions
from causalguard.guard.policy import Incoming, Ruling

MAX_REPEATS = 8
"""Prefills repeated for one text each; after that all that has not passed is withheld."""
LONGER = "longer than what the model can take in one conversation"
TOO_MANY = "too many texts of one conversation were flagged to read the rest"

Judge = Callable[[Incoming, Place, Reading], Ruling]
"""Rules on one text as it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefilled:
    """A conversation in the cache, ready to be answered."""

    logits: Tensor
    """Of the answer's first token, shape (vocabulary,)."""
    cache: Any
    """Keys and values of ``n_tokens`` tokens."""
    n_tokens: int
    """Tokens of the conversation as the model reads it."""
    rulings: tuple[Ruling, ...]
    """On the untrusted texts, in the order of the chat; empty when nothing was read."""
    repeats: int
    """Times the prefill was taken up again because a text was replaced, >= 0."""
    computed_tokens: int
    """Tokens put through the model in all, >= n_tokens."""
    started: float
    """``time.monotonic()`` when it began: time limits count from here."""
    latency_s: float
    """Seconds it took."""

    @property
    def discarded_tokens(self) -> int:
        """Tokens whose keys and values were computed and discarded: what withholding cost."""
        return self.computed_tokens - self.n_tokens

    def to_record(self) -> dict[str, Any]:
        """Plain values for records; no content."""
        return {
            "prompt_tokens": self.n_tokens,
            "repeats": self.repeats,
            "discarded_tokens": self.discarded_tokens,
            "prefill_s": self.latency_s,
        }


def prefill_unread(model: ChatModel, turns: Sequence[ChatTurn]) -> Prefilled:
    """The chat in a fresh cache, read by nobody: the model without a guard."""
    started = time.monotonic()
    chat = model.renderer.render(turns)
    _check_length(model, chat)
    cache = model.new_cache()
    logits, _ = model.forward(chat.ids, cache)
    n = len(chat.ids)
    return Prefilled(
        logits=logits,
        cache=cache,
        n_tokens=n,
        rulings=(),
        repeats=0,
        computed_tokens=n,
        started=started,
        latency_s=time.monotonic() - started,
    )


def _check_length(model: ChatModel, chat: RenderedChat) -> None:
    if len(chat.ids) >= model.max_tokens:
        raise ScanError(
            f"the conversation has {len(chat.ids)} tokens, the model takes {model.max_tokens}; "
            "shorten it (trim old turns)"
        )


class GuardedPrefill:
    """Texts are replaced in ``turns`` until all that stands there has passed.  Use once."""

    def __init__(
        self, model: NativeModel, turns: Sequence[ChatTurn], enforcer: NativeEnforcer, judge: Judge
    ) -> None:
        """Take the model, the chat, the policy, and what turns a reading into a ruling."""
        self.model = model
        self.enforcer = enforcer
        self.judge = judge
        self.turns = list(turns)
        self.sites = [(at, number) for at, number, _ in untrusted(turns)]
        self.items = [p.incoming for _, _, p in untrusted(turns) if p.incoming is not None]
        self.rulings: dict[int, Ruling] = {}
        self.passed: set[int] = set()
        self.cut: set[int] = set()

    def run(self) -> Prefilled:
        """Prefill.

        Raises:
            ScanError: the chat is too long for the model even without untrusted texts.
            BaseModelError: the base's chat template cannot render it.
        """
        started = time.monotonic()
        for number, item in enumerate(self.items):
            known = self.enforcer.without_reading(item)
            if known is not None:
                self._settle(number, known)
        chat = self._fitting()
        cache, done, computed, repeats = self.model.new_cache(), 0, 0, 0
        while True:
            wanted = [n for n in range(len(self.items)) if n not in self.passed]
            places = [chat.places[n] for n in wanted]
            at = positions(places, done) if wanted else None
            logits, reading = self.model.forward(chat.ids[done:], cache, at)
            computed += len(chat.ids) - done
            first = self._rule(wanted, places, reading)
            if first is None:
                break
            repeats += 1
            if repeats > MAX_REPEATS:
                self._give_up()
            keep = chat.places[first].start
            if crop(cache, len(chat.ids) - keep):
                done = keep
            else:  # a cache that cannot give tokens up is made anew
                cache, done = self.model.new_cache(), 0
            chat = self._render()
        seconds = time.monotonic() - started
        return Prefilled(
            logits=logits,
            cache=cache,
            n_tokens=len(chat.ids),
            rulings=tuple(
                self.enforcer.finish(self.rulings[n], item, latency_s=seconds)
                for n, item in enumerate(self.items)
            ),
            repeats=repeats,
            computed_tokens=computed,
            started=started,
            latency_s=seconds,
        )

    def _render(self) -> RenderedChat:
        return self.model.renderer.render(self.turns)

    def _fitting(self) -> RenderedChat:
        """The chat as tokens; untrusted texts too long for the model are withheld unread."""
        chat = self._render()
        while len(chat.ids) >= self.model.max_tokens:
            sizes = {
                n: chat.places[n].end - chat.places[n].start
                for n in range(len(self.items))
                if n not in self.rulings or self.rulings[n].replacement is None
            }
            longest = max(sizes, key=lambda n: sizes[n], default=None)
            if longest is None or not sizes[longest]:
                break
            self._settle(longest, self.enforcer.failed(self.items[longest], LONGER))
            chat = self._render()
        _check_length(self.model, chat)
        return chat

    def _rule(
        self, wanted: Sequence[int], places: Sequence[Place], reading: Reading | None
    ) -> int | None:
        """Rule on texts in the order of the chat, up to the first that is replaced; its number.

        What follows a replaced text was read under its influence, and is read again.
        """
        begin = 0
        for number, place in zip(wanted, places, strict=True):
            if reading is None:
                raise ScanError("the layer that the guard reads was not computed; use another base")
            end = begin + place.end - place.start
            part = Reading(r=reading.r[begin:end], risk=reading.risk[begin:end])
            begin = end
            ruling = self.judge(self._item(number), place, part)
            if number in self.cut and ruling.replacement is not None:
                ruling = self.enforcer.withhold(ruling)  # it was cut once already
            self._settle(number, ruling)
            if ruling.replacement is not None:
                return number
        return None

    def _settle(self, number: int, ruling: Ruling) -> None:
        """Take a ruling over; what is shown instead goes into the chat."""
        if ruling.replacement is None:
            self.passed.add(number)
            if number not in self.cut:  # what was cut keeps the record of why
                self.rulings[number] = ruling
            return
        self.rulings[number] = ruling
        at, place = self.sites[number]
        pieces = list(self.turns[at].pieces)
        pieces[place] = replace(pieces[place], text=ruling.replacement)
        self.turns[at] = replace(self.turns[at], pieces=tuple(pieces))
        if ruling.decision.action == "sanitise":
            self.cut.add(number)
        else:
            self.passed.add(number)  # a notice of our own

    def _give_up(self) -> None:
        for number in range(len(self.items)):
            if number not in self.passed:
                self._settle(number, self.enforcer.failed(self.items[number], TOO_MANY))

    def _item(self, number: int) -> Incoming:
        """The item with the text that stands in the chat: the original, or what was left of it."""
        item = self.items[number]
        at, place = self.sites[number]
        piece: Piece = self.turns[at].pieces[place]
        return replace(item, output=replace(item.output, text=piece.text))
