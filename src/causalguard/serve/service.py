"""The guard under load: bounded, off the event loop, closed when anything goes wrong.

Two bounds.  Requests are admitted before their body is read, so that a crowd costs no memory; what
does not fit into slots and queue is turned away.  Scans are counted where they run, in the guard's
own thread, so that a scan abandoned at its deadline still holds its slot until it truly ends.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from causalguard.errors import ScanError
from causalguard.guard.enforce import FAILED, Enforcer
from causalguard.guard.policy import Decision, Incoming, Policy, Ruling, Scanner
from causalguard.guard.quarantine import Quarantine
from causalguard.records import ToolOutput, Verdict
from causalguard.serve.counters import Counters
from causalguard.serve.limits import Limits

log = logging.getLogger("causalguard.serve")

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character of UTF-16: JSON can carry it, no tokenizer takes it."""


class BoundedScanner:
    """A scanner of which at most so many calls run at once, abandoned ones included."""

    def __init__(self, scanner: Scanner, slots: int, *, wait_s: float) -> None:
        """Wrap a scanner.

        Args:
            scanner: the guard.
            slots: calls that may run at once, >= 1.
            wait_s: seconds that a call waits for a slot, > 0.
        """
        self._scanner = scanner
        self._slots = threading.BoundedSemaphore(slots)
        self._wait_s = wait_s
        self.threshold = getattr(scanner, "threshold", None)

    @property
    def identity(self) -> str:
        """The scanner's own."""
        return self._scanner.identity

    def scan(self, outputs: Sequence[ToolOutput], /) -> list[Verdict]:
        """Scan when a slot is free; ScanError when none is in time."""
        if not self._slots.acquire(timeout=self._wait_s):
            raise ScanError("earlier scans still hold all slots; raise --concurrency or wait")
        try:
            return self._scanner.scan(outputs)
        finally:
            self._slots.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one request's scans."""

    rulings: tuple[Ruling, ...]
    """One per tool output, in order."""
    failed: bool
    """True: at least one output could not be scanned; all such are withheld."""


class Service:
    """One guard and one policy for all requests.  Holds digests and verdicts."""

    def __init__(
        self,
        scanner: Scanner,
        policy: Policy | None = None,
        limits: Limits | None = None,
        *,
        quarantine: Quarantine | None = None,
    ) -> None:
        """Put the guard to work.

        Args:
            scanner: the guard.
            policy: what to do; withhold when flagged, by default.
            limits: bounds; the defaults when None.
            quarantine: where withheld texts are kept for review; None: nowhere.

        Raises:
            ConfigError: the policy raises a threshold above the certified one.
        """
        policy = policy if policy is not None else Policy()
        self.limits = limits if limits is not None else Limits()
        bounded = BoundedScanner(scanner, self.limits.concurrency, wait_s=policy.time_budget_s)
        self.enforcer = Enforcer(bounded, policy, quarantine=quarantine)
        self.counters = Counters()
        self._slots = asyncio.Semaphore(self.limits.concurrency)
        self._admitted = 0

    @contextmanager
    def admit(self) -> Iterator[bool]:
        """Yield whether there is room for one more request; holds its place until left."""
        room = self._admitted < self.limits.concurrency + self.limits.queue
        if not room:
            yield False
            return
        self._admitted += 1
        self.counters.add("causalguard_in_flight", 1)
        try:
            yield True
        finally:
            self._admitted -= 1
            self.counters.add("causalguard_in_flight", -1)

    async def decide(self, incoming: Sequence[Incoming]) -> Outcome:
        """Rule on tool outputs, in a thread, when it is this request's turn.

        Args:
            incoming: outputs with their S.

        Returns:
            One ruling each; a failure of any kind withholds, and is said.
        """
        whole = [_whole(item) for item in incoming]
        async with self._slots:
            started = time.monotonic()
            rulings = await asyncio.to_thread(self._decide, whole)
            self.counters.add("causalguard_scan_seconds_total", time.monotonic() - started)
        decisions = [ruling.decision for ruling in rulings]
        self.counters.count(decisions)
        failed = any(decision.outcome == "error" for decision in decisions)
        return Outcome(rulings=tuple(rulings), failed=failed)

    def _decide(self, incoming: Sequence[Incoming]) -> list[Ruling]:
        try:
            return self.enforcer.decide(incoming)
        except Exception as error:  # noqa: BLE001  # fail-closed edge: also on_error: raise
            # By its type only: the message may quote a tool output.
            log.error("a scan failed: %s", type(error).__name__)  # noqa: TRY400
            return [_failed(item, error) for item in incoming]


def _whole(item: Incoming) -> Incoming:
    """Every lone surrogate becomes U+FFFD, one for one: offsets stay as they are."""
    output = item.output
    if all(map(str.isascii, (output.text, output.task, output.system, output.tool, output.id))):
        return item
    fixed = ToolOutput(
        text=LONE_SURROGATE.sub("\ufffd", output.text),
        task=LONE_SURROGATE.sub("\ufffd", output.task),
        system=LONE_SURROGATE.sub("\ufffd", output.system),
        tool=LONE_SURROGATE.sub("\ufffd", output.tool),
        id=LONE_SURROGATE.sub("\ufffd", output.id),
    )
    return replace(item, output=fixed)


def _failed(item: Incoming, error: Exception) -> Ruling:
    decision = Decision(
        id=item.output.id,
        tool=item.output.tool,
        outcome="error",
        action="withhold",
        flagged=True,
        risk=None,
        threshold=None,
        coverage=0.0,
        reason=f"could not be scanned: {type(error).__name__}",
    )
    return Ruling(decision=decision, replacement=FAILED)
