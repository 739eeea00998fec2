"""The policy in native mode: each untrusted text is ruled on as its prefill is read.

A clean verdict belongs to a text in one conversation and is never remembered: it is read again in
every prefill, which costs nothing.  That a text was flagged is remembered, under text, S, guard and
policy, so that a long conversation does not repeat its prefill at every turn.  Everything else is
the :class:`Enforcer`'s; the middleware may share it and then scans with the same head.
"""

import logging
from dataclasses import replace

from causalguard.errors import ScanError
from causalguard.guard.enforce import FAILED, WITHHELD, Enforcer, remove
from causalguard.guard.policy import Incoming, Ruling
from causalguard.records import Verdict

log = logging.getLogger("causalguard.decisions")


class NativeEnforcer(Enforcer):
    """Rules on texts whose verdicts come from the prefill."""

    def without_reading(self, item: Incoming) -> Ruling | None:
        """The ruling on what needs no reading.

        Notices, trusted tools, releases, empty texts, and what was flagged before.
        """
        key = self._key(item)
        known = self._unscanned(key, item)
        if known is not None:
            return known
        before = self._recall(key)
        hidden = before is not None and before.replacement is not None
        return before if before and hidden and before.decision.action != "sanitise" else None

    def rule(self, item: Incoming, verdict: Verdict) -> Ruling:
        """The ruling on a verdict; what is to be shown instead stands in it.

        Under ``sanitise`` that is the text without its flagged spans, which is read again.
        """
        key = self._key(item)
        ruling = self._rule(key, item, verdict)
        if ruling.decision.action != "sanitise":
            return ruling
        left = remove(item.output.text, verdict.spans) if verdict.coverage >= 1 else ""
        if verdict.spans and left.strip() and not self._denied(left, key):
            return replace(ruling, replacement=left)
        return self.withhold(ruling)

    def withhold(self, ruling: Ruling) -> Ruling:
        """A flagged text's ruling made into a withheld one: nothing clean was left of it."""
        if ruling.decision.action != "sanitise":
            return ruling
        reason = "nothing clean was left without the flagged spans"
        decision = replace(ruling.decision, action="withhold", reason=reason)
        return replace(ruling, decision=decision, replacement=WITHHELD)

    def failed(self, item: Incoming, reason: str) -> Ruling:
        """The ruling on a text that could not be read: closed.

        Raises ScanError instead where the policy says ``on_error: raise``.
        """
        if self.policy.on_error == "raise":
            raise ScanError(f"a tool output was not read: {reason}; or set on_error: withhold")
        decision = self._decision(
            self._key(item), outcome="error", action="withhold", reason=reason
        )
        return Ruling(decision=replace(decision, flagged=True), replacement=FAILED)

    def finish(self, ruling: Ruling, item: Incoming, *, latency_s: float) -> Ruling:
        """Add what belongs to the message, and log it."""
        if not ruling.decision.remembered and ruling.decision.outcome in {"clean", "flagged"}:
            timed = replace(ruling.decision, latency_s=latency_s)
            ruling = replace(ruling, decision=timed)
            if ruling.replacement is not None and ruling.decision.action != "sanitise":
                self._remember(self._key(item), ruling)
        return self._finish(ruling, item)
