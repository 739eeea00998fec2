"""The policy carried out: tool outputs in, rulings out.  No LangChain here.

Invariants.  Every output gets exactly one ruling, in order.  Nothing passes unless a scan under
the same text, S, guard and policy said so, the policy trusts the tool, or a person released it
(in this conversation: :func:`released`) or allowed it (by review, until a date).  Whatever goes
wrong in a scan (an exception, too much time, an answer that makes no sense) closes.  What is
remembered is keyed by all of text, S, guard and policy, so that no verdict serves another task,
guard or policy; failures are not remembered, so that a passing fault heals.  Callers who ask for
the same at once share one scan.
"""

import json
import logging
import math
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from causalguard.errors import ScanError
from causalguard.guard import telemetry
from causalguard.guard.context import TrustedContext
from causalguard.guard.deadline import within
from causalguard.guard.explain import explain, remove
from causalguard.guard.flights import Flights
from causalguard.guard.policy import Decision, Incoming, Outcome, Policy, Ruling, Scanner, Taken
from causalguard.guard.quarantine import Quarantine
from causalguard.guard.quarantine import digest as _digest
from causalguard.guard.review import Reviews
from causalguard.records import ToolOutput, Verdict

__all__ = [
    "FAILED",
    "NOTICES",
    "UNREADABLE",
    "WITHHELD",
    "Enforcer",
    "release_key",
    "released",
    "remove",
]

log = logging.getLogger("causalguard.decisions")

MEMORY = 4096
"""Rulings remembered; the least recently used goes first."""

WITHHELD = (
    "[CausalGuard: this tool output was withheld. It was flagged as carrying an instruction "
    "that the user did not give.]"
)
FAILED = "[CausalGuard: this tool output was withheld, for it could not be scanned.]"
UNREADABLE = "[CausalGuard: a block that cannot be scanned was withheld.]"
NOTICES = frozenset({WITHHELD, FAILED, UNREADABLE})
"""Texts of our own.  They hold nothing that came from outside, so they pass without a scan."""

Key = tuple[str, str, str, str, str]

_released_here: ContextVar[frozenset[str]] = ContextVar("causalguard_released", default=frozenset())


@contextmanager
def released(keys: Iterable[str]) -> Iterator[None]:
    """Let a conversation's releases hold inside, for every enforcer, and nowhere else.

    Args:
        keys: of :func:`release_key`, from storage that tools cannot write.
    """
    token = _released_here.set(frozenset(keys))
    try:
        yield
    finally:
        _released_here.reset(token)


class Enforcer:
    """Carries out one policy with one scanner; shared freely between threads and adapters.

    Give the same enforcer to ``CausalGuardLLM`` and ``CausalGuardMiddleware`` and nothing is
    scanned twice.
    """

    def __init__(
        self,
        scanner: Scanner,
        policy: Policy | None = None,
        *,
        memory: int = MEMORY,
        quarantine: Quarantine | None = None,
        reviews: Reviews | None = None,
    ) -> None:
        """Check the policy against the scanner.

        Args:
            scanner: the guard.
            policy: what to do; withhold when flagged, by default.
            memory: rulings remembered, >= 0.
            quarantine: where withheld texts are kept for a person to look at; None: nowhere.
            reviews: people's decisions on single texts; by default those of the quarantine.

        Raises:
            ConfigError: the policy raises a threshold above the scanner's certified one.
        """
        self.scanner = scanner
        self.policy = policy if policy is not None else Policy()
        threshold = getattr(scanner, "threshold", None)
        if isinstance(threshold, float):
            self.policy.check_thresholds(threshold)
        self._policy_sha256 = self.policy.digest
        self._memory: OrderedDict[Key, Ruling] = OrderedDict()
        self._size = memory
        self._released: set[str] = set()
        self.quarantine = quarantine
        self.reviews = reviews or (quarantine.reviews if quarantine is not None else None)
        self._flights: Flights[Key, Ruling] = Flights()
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Enforcer":
        return self  # copies of a model share the guard and what it remembers

    def decide(self, incoming: Sequence[Incoming]) -> list[Ruling]:
        """Rule on tool outputs, scanning in one batch those that are new.

        Args:
            incoming: outputs with their S; texts are never changed.

        Returns:
            One ruling each, in order.

        Raises:
            ScanError: a scan failed and the policy says ``on_error: raise``.
        """
        started = time.monotonic()
        keys = [self._key(item) for item in incoming]
        rulings: dict[Key, Ruling] = {}
        ahead: dict[Key, Incoming] = {}
        for key, item in zip(keys, incoming, strict=True):
            if key in rulings or key in ahead:
                continue
            known = self._known(key, item)
            if known is None:
                ahead[key] = item
            else:
                rulings[key] = known
        while ahead:
            rulings.update(self._settle(ahead, started))
            ahead = {key: item for key, item in ahead.items() if key not in rulings}
        return [self._finish(rulings[key], item) for key, item in zip(keys, incoming, strict=True)]

    def release(self, output: ToolOutput) -> str:
        """Let this text pass under this S from now on, in every conversation of this process.

        For one conversation use :func:`released`.

        Returns:
            The release's key, for :meth:`restore` in another process.
        """
        key = release_key(output)
        self.restore([key])
        return key

    def restore(self, keys: Sequence[str]) -> None:
        """Take over releases made earlier, for every conversation of this process.

        Args:
            keys: what :meth:`release` returned, from storage that tools cannot write.
        """
        with self._lock:
            self._released |= set(keys)

    def _key(self, item: Incoming) -> Key:
        # The tool is part of the key only where the policy treats it by name.
        named = item.output.tool in self.policy.trusted_tools | self.policy.thresholds.keys()
        return (
            _digest(item.output.text),
            _context(item.output).digest,
            self.scanner.identity,
            self._policy_sha256,
            item.output.tool if named else "",
        )

    def _known(self, key: Key, item: Incoming) -> Ruling | None:
        # a review comes first, and is never remembered as a verdict: it ends, or is taken back
        place = self._place(key)
        known = self._reviewed(key, item) or self._recall(place)
        if known is None and (known := self._exempt(key, item)) is not None:
            self._remember(place, known)
        return known

    def _place(self, key: Key) -> Key:
        """Where a ruling is remembered: where the text is released, apart from all others'."""
        if not self._is_released(key):
            return key
        scope = _digest(" ".join(sorted(_released_here.get())))
        return (key[0], key[1], f"released in {scope}", key[3], key[4])

    def _is_released(self, key: Key) -> bool:
        name = f"{key[0]}:{key[1]}"
        with self._lock:
            return name in self._released or name in _released_here.get()

    def _settle(self, ahead: Mapping[Key, Incoming], started: float) -> dict[Key, Ruling]:
        """Scan what nobody is scanning, then wait for the rest; gives what came of it."""
        mine: dict[Key, Incoming] = {}
        others: dict[Key, Future[Ruling | None]] = {}
        for key, item in ahead.items():
            future, own = self._flights.join(key)
            if own:
                mine[key] = item
            else:
                others[key] = future
        found = self._lead(mine, started)
        for key, future in others.items():
            left = self.policy.time_budget_s - (time.monotonic() - started)
            try:
                ruling = future.result(timeout=max(left, 0.0))
            except TimeoutError as error:
                found.update(self._failed({key: ahead[key]}, error, started))
                continue
            if ruling is not None:  # else it was given up: the next round takes it over
                found[key] = _again(ruling)
        return found

    def _lead(self, mine: Mapping[Key, Incoming], started: float) -> dict[Key, Ruling]:
        """Scan for oneself and for all who wait."""
        found: dict[Key, Ruling] = {}
        error: ScanError | None = None
        try:
            # whoever scanned it a moment ago may have landed since the memory was asked
            found = {key: ruling for key in mine if (ruling := self._recall(key)) is not None}
            new = {key: item for key, item in mine.items() if key not in found}
            found.update(self._scan_new(new, started))
        except ScanError as caught:
            error = caught
            raise
        finally:
            for key in mine:
                self._flights.land(key, found.get(key), error)
        return found

    def _recall(self, key: Key) -> Ruling | None:
        with self._lock:
            ruling = self._memory.get(key)
            if ruling is None:
                return None
            self._memory.move_to_end(key)
        # what was left of a sanitised text may have been denied since
        return None if self._denied(ruling.replacement, key) else _again(ruling)

    def _denied(self, shown: str | None, key: Key) -> bool:
        """Whether a person denied what would be shown instead of a text, under the text's S."""
        if self.reviews is None or shown is None or shown in NOTICES:
            return False
        review = self.reviews.find(_digest(shown), key[1])
        return review is not None and review.choice == "deny"

    def _remember(self, key: Key, ruling: Ruling) -> None:
        with self._lock:
            self._memory[key] = ruling
            self._memory.move_to_end(key)
            while len(self._memory) > self._size:
                self._memory.popitem(last=False)

    def _unscanned(self, key: Key, item: Incoming) -> Ruling | None:
        return self._reviewed(key, item) or self._exempt(key, item)

    def _reviewed(self, key: Key, item: Incoming) -> Ruling | None:
        """What a person decided on this text, looked up every time."""
        if self.reviews is None or item.output.text in NOTICES:
            return None
        review = self.reviews.find(key[0], key[1])
        if review is None:
            return None
        # in the memory only so that each use in a conversation is recorded once
        place = (key[0], key[1], f"review {review}", key[3], item.output.tool)
        known = self._recall(place)
        if known is not None:
            return known
        action: Taken = "pass"
        if review.choice == "deny":
            stops = self.policy.action in {"block", "raise"}
            action = self.policy.action if stops else "withhold"
        decision = replace(
            self._decision(key, outcome="allowed", action=action),
            outcome="denied" if review.choice == "deny" else "allowed",
            flagged=review.choice == "deny",
            reason=review.reason,
            reviewed_by=review.by,
            reviewed_until=review.until,
        )
        hidden = WITHHELD if review.choice == "deny" else None
        ruling = Ruling(decision=decision, replacement=hidden)
        self._remember(place, ruling)
        return ruling

    def _exempt(self, key: Key, item: Incoming) -> Ruling | None:
        text = item.output.text
        outcome: Outcome
        if text in NOTICES:
            outcome, reason = "notice", "our own notice"
        elif item.output.tool in self.policy.trusted_tools:
            outcome, reason = "trusted", "the policy trusts this tool: not scanned"
        elif self._is_released(key):
            outcome, reason = "released", "released by a person"
        elif not text:
            outcome, reason = "empty", "there is no text"
        else:
            return None
        decision = self._decision(key, outcome=outcome, action="pass", reason=reason)
        return Ruling(decision=decision)

    def _scan_new(self, new: dict[Key, Incoming], started: float) -> dict[Key, Ruling]:
        if not new:
            return {}
        try:
            verdicts = self._scan([item.output for item in new.values()], started)
        except Exception as error:  # noqa: BLE001  # fail-closed edge: whatever a scanner throws
            return self._failed(new, error, started)
        rulings = {
            key: self._rule(key, item, verdict)
            for (key, item), verdict in zip(new.items(), verdicts, strict=True)
        }
        rulings.update(self._sanitise(new, rulings, started))
        if self.policy.confirm_spans:
            rulings = {
                key: self._explain(new[key].output, ruling, started)
                for key, ruling in rulings.items()
            }
        elapsed = time.monotonic() - started
        for key, ruling in rulings.items():
            timed = replace(ruling, decision=replace(ruling.decision, latency_s=elapsed))
            rulings[key] = timed
            self._remember(key, timed)
        return rulings

    def _scan(self, outputs: Sequence[ToolOutput], started: float) -> list[Verdict]:
        left = self.policy.time_budget_s - (time.monotonic() - started)
        verdicts = within(left, lambda: list(self.scanner.scan(outputs)))
        if len(verdicts) != len(outputs):
            message = f"the guard gave {len(verdicts)} verdicts for {len(outputs)} outputs"
            raise ScanError(message)
        for verdict, output in zip(verdicts, outputs, strict=True):
            _check(verdict, len(output.text))
        return verdicts

    def _failed(
        self, new: dict[Key, Incoming], error: Exception, started: float
    ) -> dict[Key, Ruling]:
        reason = f"could not be scanned: {type(error).__name__}"
        elapsed = time.monotonic() - started
        rulings = {}
        for key, item in new.items():
            decision = self._decision(key, outcome="error", action="withhold", reason=reason)
            decision = replace(decision, flagged=True, latency_s=elapsed)
            rulings[key] = Ruling(decision=decision, replacement=FAILED)
            if self.policy.on_error == "raise":
                self._finish(rulings[key], item)
        if self.policy.on_error == "raise":
            message = f"a tool output {reason}; see the cause, or set on_error: withhold"
            raise ScanError(message) from error
        # an exception's message may quote the text: its type, its place and digests do not
        log.warning(
            "a scan failed: %s at %s; withheld: %s",
            type(error).__name__,
            _place(error),
            ", ".join(key[0][:16] for key in new),
            exc_info=error if self.policy.log_content else None,
        )
        return rulings

    def _rule(self, key: Key, item: Incoming, verdict: Verdict) -> Ruling:
        lowered = self.policy.thresholds.get(item.output.tool, 1.0)
        threshold = min(verdict.threshold, lowered)
        flagged = verdict.flagged or verdict.risk >= threshold or verdict.coverage < 1
        reason = verdict.reason
        if flagged and not verdict.flagged and verdict.coverage >= 1:
            reason = f"risk {verdict.risk:.3f} reaches the policy's threshold for this tool"
        decision = replace(
            self._decision(key, outcome="flagged" if flagged else "clean", action="pass"),
            action=self.policy.action if flagged else "pass",
            flagged=flagged,
            risk=verdict.risk,
            threshold=threshold,
            coverage=verdict.coverage,
            spans=verdict.spans,
            certificate_id=verdict.certificate_id,
            reason=reason,
        )
        hidden = flagged and self.policy.action != "flag"
        return Ruling(decision=decision, replacement=WITHHELD if hidden else None)

    def _sanitise(
        self, new: dict[Key, Incoming], rulings: dict[Key, Ruling], started: float
    ) -> dict[Key, Ruling]:
        """Carry out do(I = none): cut the spans, scan the rest, keep it only if it is clean.

        A rest that a person denied is not shown, clean or not.
        """
        wanted = {k: r for k, r in rulings.items() if r.decision.action == "sanitise"}
        cut = {
            key: replace(new[key].output, text=remove(new[key].output.text, r.decision.spans))
            for key, r in wanted.items()
            if r.decision.spans and r.decision.coverage >= 1
        }
        cut = {
            key: output
            for key, output in cut.items()
            if output.text.strip() and not self._denied(output.text, key)
        }
        try:
            verdicts = self._scan(list(cut.values()), started) if cut else []
        except Exception as error:  # noqa: BLE001  # fail-closed edge: the rest stays unread
            log.warning("the sanitised text could not be scanned: %s", type(error).__name__)
            verdicts, cut = [], {}
        done = {}
        for (key, output), verdict in zip(cut.items(), verdicts, strict=True):
            item = Incoming(output=output)
            again = self._rule(self._key(item), item, verdict)
            if not again.decision.flagged:
                self._remember(self._key(item), again)
                done[key] = replace(wanted[key], replacement=output.text)
        for key in wanted.keys() - done.keys():
            reason = "nothing clean was left without the flagged spans"
            decision = replace(wanted[key].decision, action="withhold", reason=reason)
            done[key] = Ruling(decision=decision, replacement=WITHHELD)
        return done

    def _explain(self, output: ToolOutput, ruling: Ruling, started: float) -> Ruling:
        """Add what each flagged span does to the risk; a failure leaves that out, no more."""
        decision = ruling.decision
        risk, threshold = decision.risk, decision.threshold
        if not decision.spans or risk is None or threshold is None or decision.coverage < 1:
            return ruling

        def score(texts: list[str]) -> list[float]:
            verdicts = self._scan([replace(output, text=text) for text in texts], started)
            return [verdict.risk for verdict in verdicts]

        try:
            effects = explain(
                output.text, decision.spans, risk=risk, threshold=threshold, score=score
            )
        except Exception as error:  # noqa: BLE001  # the verdict stands without an explanation
            log.warning("the spans could not be confirmed: %s", type(error).__name__)
            return ruling
        return replace(ruling, decision=replace(decision, effects=effects))

    def _decision(self, key: Key, *, outcome: Outcome, action: Taken, reason: str = "") -> Decision:
        return Decision(
            id="",
            tool="",
            outcome=outcome,
            action=action,
            flagged=False,
            risk=0.0 if outcome == "empty" else None,
            threshold=None,
            coverage=1.0 if outcome == "empty" else 0.0,
            reason=reason,
            text_sha256=key[0],
            context_sha256=key[1],
            guard=key[2],
            policy_sha256=key[3],
        )

    def _finish(self, ruling: Ruling, item: Incoming) -> Ruling:
        """Add what belongs to this message, not to its text, and log what is new."""
        decision = replace(ruling.decision, id=item.output.id, tool=item.output.tool)
        if item.unscannable and decision.outcome != "trusted":
            chosen = self.policy.on_unscannable
            decision = replace(
                decision,
                unscanned=item.unscannable,
                unscanned_action="pass" if chosen == "allow" else chosen,
                flagged=decision.flagged or chosen != "allow",
            )
            decision = self._news_of_blocks(decision)
        if decision.told:
            self._log(decision, item.output.text)
            telemetry.record(decision)
            withheld = ruling.replacement is not None and decision.outcome != "denied"
            if self.quarantine is not None and withheld:
                self.quarantine.put(item.output.text, decision.to_record())
        return replace(ruling, decision=decision)

    def _news_of_blocks(self, decision: Decision) -> Decision:
        """New once more where such blocks stand beside a known text for the first time."""
        place = (
            decision.text_sha256,
            decision.context_sha256,
            f"beside {' '.join(decision.unscanned)}",
            decision.policy_sha256,
            decision.tool,
        )
        if self._recall(place) is not None:
            return decision
        self._remember(place, Ruling(decision=decision))
        return replace(decision, remembered=False)

    def _log(self, decision: Decision, text: str) -> None:
        level = logging.WARNING if decision.flagged else logging.INFO
        if not log.isEnabledFor(level):
            return
        record = {
            "event": "causalguard.decision",
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **decision.to_record(),
            "span_sha256": [_same_words(text[s.start : s.end]) for s in decision.spans],
        }
        if self.policy.log_content and decision.flagged:
            record["text"] = text
        log.log(level, "%s", json.dumps(record, ensure_ascii=False, sort_keys=True))


def _again(ruling: Ruling) -> Ruling:
    """A ruling that somebody else's scan, or an earlier one, gave."""
    return replace(ruling, decision=replace(ruling.decision, remembered=True, latency_s=0.0))


def _place(error: Exception) -> str:
    """Where an exception was raised: function and line."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}:{frames[-1].lineno}" if frames else "an unknown place"


def _same_words(text: str) -> str:
    """Digest of a passage, the same for other case and spacing: names it across texts."""
    return _digest(" ".join(text.split()).casefold())


def _check(verdict: Verdict, length: int) -> None:
    for name in ("risk", "threshold", "coverage"):
        value = getattr(verdict, name)
        if not (math.isfinite(value) and 0 <= value <= 1):
            message = f"the guard gave {name} {value!r}, outside [0, 1]"
            raise ScanError(message)
    if any(span.end > length for span in verdict.spans):
        message = f"the guard gave a span outside a text of {length} characters"
        raise ScanError(message)


def _context(output: ToolOutput) -> TrustedContext:
    return TrustedContext(output.system, output.task)


def release_key(output: ToolOutput) -> str:
    """Name a text under its S: what :meth:`Enforcer.restore` takes."""
    return f"{_digest(output.text)}:{_context(output).digest}"
