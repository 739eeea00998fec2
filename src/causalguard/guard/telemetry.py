"""OpenTelemetry: one span per decision, without content.

Nothing happens unless ``opentelemetry-api`` is installed (``pip install 'causalguard[otel]'``) and
the application has set up a tracer provider.  A span begins when the scan began and stands under
the caller's active span.  Its attributes carry the package's own names: the GenAI conventions have
none for guardrails that are stable.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType

from causalguard.guard.policy import Decision

log = logging.getLogger("causalguard.telemetry")

SCOPE = "causalguard.guard"
"""Name of the instrumentation scope."""
SPAN = "causalguard.decision"
"""Name of the span."""

Value = str | bool | int | float | Sequence[str] | Sequence[int]


def record(decision: Decision) -> None:
    """Emit a decision's span; a fault of the tracing never touches the decision.

    Args:
        decision: a new one.  What is remembered was told when it was new.
    """
    trace = _api()
    if trace is None:
        return
    try:
        _emit(trace, decision)
    except Exception as error:  # noqa: BLE001  # whoever traces must not stop the guard
        log.warning("a span could not be written: %s", type(error).__name__)


def attributes(decision: Decision) -> dict[str, Value]:
    """A decision as span attributes, each name beginning with ``causalguard.``.

    Args:
        decision: any; it holds no content, so neither do these.

    Returns:
        Values of the types that OpenTelemetry takes; what is unknown (the risk of a text that was
        not scored) is left out, as its conventions ask.
    """
    spans = [place for span in decision.spans for place in (span.start, span.end)]
    values: Mapping[str, Value | None] = {
        "outcome": decision.outcome,
        "action": decision.action,
        "flagged": decision.flagged,
        "risk": decision.risk,
        "threshold": decision.threshold,
        "coverage": decision.coverage,
        "span_offsets": spans or None,
        "reason": decision.reason or None,
        "certificate_id": decision.certificate_id or None,
        "certified": bool(decision.certificate_id),
        "unscanned": list(decision.unscanned) or None,
        "unscanned_action": decision.unscanned_action or None,
        "latency_s": decision.latency_s,
        "tool": decision.tool or None,
        "call_id": decision.id or None,
        "text_sha256": decision.text_sha256 or None,
        "context_sha256": decision.context_sha256 or None,
        "guard": decision.guard or None,
        "policy_sha256": decision.policy_sha256 or None,
    }
    return {f"causalguard.{name}": value for name, value in values.items() if value is not None}


def _emit(trace: ModuleType, decision: Decision) -> None:
    end = time.time_ns()
    span = trace.get_tracer(SCOPE).start_span(
        SPAN,
        start_time=end - int(decision.latency_s * 1e9),
        attributes=attributes(decision),
    )
    if decision.outcome == "error":
        span.set_status(trace.StatusCode.ERROR, decision.reason)
    span.end(end)


@cache
def _api() -> ModuleType | None:
    """OpenTelemetry's API; None where it is not installed, which is looked up once."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace
