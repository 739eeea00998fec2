"""The policy carried out: tool outputs in, rulings out.  No LangChain here.

Invariants.  Every output gets exactly one ruling, in order.  Nothing passes unless a scan under
the same text, S, guard and policy said so, the policy trusts the tool, or a person released it.
Whatever goes wrong in a scan (an exception, too much time, an answer that makes no sense) closes.
What is remembered is keyed by all of text, S, guard and policy, so that no verdict serves another
task, guard or policy; failures are not remembered, so that a passing fault heals.
"""

import hashlib
import json
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from causalguard.errors import ScanError
from causalguard.guard.context import TrustedContext
from causalguard.guard.deadline import within
from causalguard.guard.policy import Decision, Incoming, Outcome, Policy, Ruling, Scanner, Taken
from causalguard.records import Span, ToolOutput, Verdict

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


class Enforcer:
    """Carries out one policy with one scanner; shared freely between threads and adapters.

    Give the same enforcer to ``CausalGuardLLM`` and ``CausalGuardMiddleware`` and nothing is
    scanned twice.
    """

    def __init__(
        self, scanner: Scanner, policy: Policy | None = None, *, memory: int = MEMORY
    ) -> None:
        """Check the policy against the scanner.

        Args:
            scanner: the guard.
            policy: what to do; withhold when flagged, by default.
            memory: rulings remembered, >= 0.

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
        keys = [self._key(item) for item in incoming]
        rulings: dict[Key, Ruling] = {}
        new: dict[Key, Incoming] = {}
        for key, item in zip(keys, incoming, strict=True):
            if key in rulings or key in new:
                continue
            known = self._recall(key)
            if known is None and (known := self._unscanned(key, item)) is not None:
                self._remember(key, known)
            if known is None:
                new[key] = item
            else:
                rulings[key] = known
        rulings.update(self._scan_new(new))
        return [self._finish(rulings[key], item) for key, item in zip(keys, incoming, strict=True)]

    def release(self, output: ToolOutput) -> str:
        """Let a person's decision stand: this text passes under this S from now on.

        Returns:
            The release's key, for :meth:`restore` in another process.
        """
        key = release_key(output)
        self.restore([key])
        return key

    def restore(self, keys: Sequence[str]) -> None:
        """Take over releases made earlier.

        Args:
            keys: what :meth:`release` returned, from storage that tools cannot write.
        """
        with self._lock:
            fresh = set(keys) - self._released
            self._released |= fresh
            for key in [k for k in self._memory if f"{k[0]}:{k[1]}" in fresh]:
                del self._memory[key]

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

    def _recall(self, key: Key) -> Ruling | None:
        with self._lock:
            ruling = self._memory.get(key)
            if ruling is None:
                return None
            self._memory.move_to_end(key)
        decision = replace(ruling.decision, remembered=True, latency_s=0.0)
        return replace(ruling, decision=decision)

    def _remember(self, key: Key, ruling: Ruling) -> None:
        with self._lock:
            self._memory[key] = ruling
            self._memory.move_to_end(key)
            while len(self._memory) > self._size:
                self._memory.popitem(last=False)

    def _unscanned(self, key: Key, item: Incoming) -> Ruling | None:
        text = item.output.text
        with self._lock:
            released = f"{key[0]}:{key[1]}" in self._released
        outcome: Outcome
        if text in NOTICES:
            outcome, reason = "notice", "our own notice"
        elif item.output.tool in self.policy.trusted_tools:
            outcome, reason = "trusted", "the policy trusts this tool: not scanned"
        elif released:
            outcome, reason = "released", "released by a person"
        elif not text:
            outcome, reason = "empty", "there is no text"
        else:
            return None
        decision = self._decision(key, outcome=outcome, action="pass", reason=reason)
        return Ruling(decision=decision)

    def _scan_new(self, new: dict[Key, Incoming]) -> dict[Key, Ruling]:
        if not new:
            return {}
        started = time.monotonic()
        try:
            verdicts = self._scan([item.output for item in new.values()], started)
        except Exception as error:  # noqa: BLE001  # fail-closed edge: whatever a scanner throws
            return self._failed(new, error, started)
        rulings = {
            key: self._rule(key, item, verdict)
            for (key, item), verdict in zip(new.items(), verdicts, strict=True)
        }
        rulings.update(self._sanitise(new, rulings, started))
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
        log.warning("a scan failed; the outputs are withheld", exc_info=error)
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
        """Carry out do(I = none): cut the spans, scan the rest, keep it only if it is clean."""
        wanted = {k: r for k, r in rulings.items() if r.decision.action == "sanitise"}
        cut = {
            key: replace(new[key].output, text=remove(new[key].output.text, r.decision.spans))
            for key, r in wanted.items()
            if r.decision.spans and r.decision.coverage >= 1
        }
        cut = {key: output for key, output in cut.items() if output.text.strip()}
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
        if not decision.remembered and decision.outcome != "notice":
            self._log(decision, item.output.text)
        return replace(ruling, decision=decision)

    def _log(self, decision: Decision, text: str) -> None:
        level = logging.WARNING if decision.flagged else logging.INFO
        if not log.isEnabledFor(level):
            return
        record = {"event": "causalguard.decision", **decision.to_record()}
        if self.policy.log_content and decision.flagged:
            record["text"] = text
        log.log(level, "%s", json.dumps(record, ensure_ascii=False, sort_keys=True))


def remove(text: str, spans: Sequence[Span]) -> str:
    """Cut spans out of a text.

    Args:
        text: the original.
        spans: character ranges in it, in any order; they may overlap.

    Returns:
        What is left, in order, nothing put in its place.
    """
    parts = []
    position = 0
    for span in sorted(spans, key=lambda span: span.start):
        parts.append(text[position : max(position, span.start)])
        position = max(position, span.end)
    return "".join([*parts, text[position:]])


def _check(verdict: Verdict, length: int) -> None:
    for name in ("risk", "threshold", "coverage"):
        value = getattr(verdict, name)
        if not (math.isfinite(value) and 0 <= value <= 1):
            message = f"the guard gave {name} {value!r}, outside [0, 1]"
            raise ScanError(message)
    if any(span.end > length for span in verdict.spans):
        message = f"the guard gave a span outside a text of {length} characters"
        raise ScanError(message)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _context(output: ToolOutput) -> TrustedContext:
    return TrustedContext(output.system, output.task)


def release_key(output: ToolOutput) -> str:
    """Name a text under its S: what :meth:`Enforcer.restore` takes."""
    return f"{_digest(output.text)}:{_context(output).digest}"
