"""Simple counters in Prometheus' text format.  Labels come from fixed sets, never from content."""

import threading
from collections.abc import Iterable, Mapping

from causalguard.guard.policy import Decision

HELP: Mapping[str, tuple[str, str]] = {
    "causalguard_requests_total": ("counter", "Requests answered, by route and HTTP status."),
    "causalguard_decisions_total": ("counter", "Decisions, by outcome and action."),
    "causalguard_flagged_total": ("counter", "Decisions that were flagged, failures included."),
    "causalguard_scan_seconds_total": ("counter", "Seconds that requests spent being scanned."),
    "causalguard_in_flight": ("gauge", "Requests admitted and not yet answered."),
}
"""Name -> kind and meaning of everything that is counted."""

Labels = tuple[tuple[str, str], ...]


class Counters:
    """Numbers that only grow, and one gauge; safe to use from any thread."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, Labels], float] = {
            ("causalguard_flagged_total", ()): 0,
            ("causalguard_scan_seconds_total", ()): 0,
            ("causalguard_in_flight", ()): 0,
        }
        self._lock = threading.Lock()

    def add(self, name: str, amount: float = 1, /, **labels: str) -> None:
        """Add to a number.

        Args:
            name: one of :data:`HELP`.
            amount: what to add; negative for the gauge only.
            **labels: from fixed sets.
        """
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def count(self, decisions: Iterable[Decision]) -> None:
        """Count decisions."""
        for decision in decisions:
            self.add(
                "causalguard_decisions_total", outcome=decision.outcome, action=decision.action
            )
            if decision.flagged:
                self.add("causalguard_flagged_total")

    def render(self) -> str:
        """All numbers, as Prometheus reads them."""
        with self._lock:
            values = sorted(self._values.items())
        lines: list[str] = []
        for name, (kind, meaning) in HELP.items():
            rows = [(labels, value) for (found, labels), value in values if found == name]
            if rows:
                lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{_labels(labels)} {value:.12g}" for labels, value in rows]
        return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}"
