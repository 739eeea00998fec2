"""From measured quantities to a verdict: PASSED, FAILED or INCONCLUSIVE.

A gate passes on its confidence bound, never on an estimate.  It fails when the estimate itself is
on the wrong side of the margin (more trials at this rate would not help), or when the other bound
proves it.  Between the two it is inconclusive, and says how many clusters would settle it.
"Every required gate passes" is an intersection-union test: each gate at its own level, no
correction (Berger 1982).
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from causalguard.certify.policy import Gate, Policy
from causalguard.certify.report.model import GateOutcome, Measure, Outcome
from causalguard.stats import bounds

MAX_CLUSTERS = 10_000_000
_ORDER: Mapping[str, int] = {"FAILED": 0, "INCONCLUSIVE": 1, "PASSED": 2}


def judge(gate: Gate, measure: Measure | None) -> GateOutcome:
    """Compare one quantity with its margin.

    Args:
        gate: the requirement.
        measure: what was measured; None when the audit set has nothing to measure it on.
    """
    if measure is None:
        return _outcome(
            gate, None, "INCONCLUSIVE", None, "the audit set has nothing to measure this on"
        )
    if measure.kind == "p-value":
        return _judge_p_value(gate, measure)
    margin = _margin(gate)
    wrong = (margin < measure.estimate) if gate.at_most is not None else (measure.estimate < margin)
    proven_wrong = (margin < measure.low) if gate.at_most is not None else (measure.high < margin)
    bound = measure.high if gate.at_most is not None else measure.low
    holds = bound <= margin if gate.at_most is not None else bound >= margin
    enough = measure.clusters >= gate.min_clusters
    if proven_wrong or (wrong and enough):
        return _outcome(gate, measure, "FAILED", None, _explain(gate, measure, bound))
    if holds and enough:
        return _outcome(gate, measure, "PASSED", None, _explain(gate, measure, bound))
    needed = None if wrong else clusters_needed(gate, measure)
    return _outcome(gate, measure, "INCONCLUSIVE", needed, _too_few(gate, measure, bound, needed))


def _judge_p_value(gate: Gate, measure: Measure) -> GateOutcome:
    holds = gate.at_most is not None and measure.estimate <= gate.at_most
    text = f"p = {measure.estimate:.4g}, {_wanted(gate)}"
    if measure.clusters < gate.min_clusters:
        few = f"{text}; {measure.clusters} clusters, {gate.min_clusters} are needed"
        return _outcome(gate, measure, "INCONCLUSIVE", gate.min_clusters, few)
    return _outcome(gate, measure, "PASSED" if holds else "FAILED", None, text)


def _margin(gate: Gate) -> float:
    value = gate.at_most if gate.at_most is not None else gate.at_least
    assert value is not None  # the policy refuses a gate without a margin
    return value


def _wanted(gate: Gate) -> str:
    words = "at most" if gate.at_most is not None else "at least"
    return f"{words} {_margin(gate):g} is asked for"


def _explain(gate: Gate, measure: Measure, bound: float) -> str:
    return (
        f"{measure.estimate:.4g}, bound {bound:.4g} over {measure.clusters} clusters; "
        f"{_wanted(gate)}"
    )


def _too_few(gate: Gate, measure: Measure, bound: float, needed: int | None) -> str:
    text = f"too few trials: {_explain(gate, measure, bound)}"
    if needed is not None:
        return f"{text}; about {needed} clusters are needed at this rate"
    return f"{text}; the estimate itself is on the wrong side"


def clusters_needed(gate: Gate, measure: Measure) -> int | None:
    """Independent clusters at which the gate would pass at the observed rate; None: none would.

    Exact for rates; for the others the width of the interval is taken to shrink as 1/sqrt(n).
    """
    margin = _margin(gate)
    if measure.kind == "rate" and gate.at_most is not None:
        found = _rate_needed(measure.estimate, margin, measure.delta)
    else:
        bound = measure.high if gate.at_most is not None else measure.low
        room = abs(margin - measure.estimate)
        width = abs(bound - measure.estimate)
        if room == 0:
            return None
        found = math.ceil(measure.clusters * max(1.0, (width / room) ** 2))
    if found is None or found > MAX_CLUSTERS:
        return None
    return max(found, gate.min_clusters)


def _rate_needed(estimate: float, margin: float, delta: float) -> int | None:
    if not 0 < margin < 1 or estimate >= margin:
        return None

    def enough(n: int) -> bool:
        errors = min(n, math.ceil(estimate * n))
        return bounds.upper(errors, n, delta=delta) <= margin

    high = 1
    while not enough(high):
        high *= 2
        if high > MAX_CLUSTERS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _outcome(
    gate: Gate, measure: Measure | None, outcome: Outcome, needed: int | None, reason: str
) -> GateOutcome:
    bound = None
    if measure is not None:
        bound = measure.high if gate.at_most is not None else measure.low
    return GateOutcome(
        id=gate.id,
        claim=gate.claim,
        quantity=gate.quantity,
        comparator="at most" if gate.at_most is not None else "at least",
        margin=_margin(gate),
        required=gate.required,
        min_clusters=gate.min_clusters,
        outcome=outcome,
        estimate=None if measure is None else measure.estimate,
        bound=bound,
        clusters=0 if measure is None else measure.clusters,
        needed=needed,
        reason=reason,
    )


def judge_all(policy: Policy, measures: Iterable[Measure]) -> tuple[GateOutcome, ...]:
    """Every gate of the policy: required before report-only, failed before inconclusive."""
    by_name = {measure.quantity: measure for measure in measures}
    found = [judge(gate, by_name.get(gate.quantity)) for gate in policy.gates]
    return tuple(sorted(found, key=lambda gate: (not gate.required, _ORDER[gate.outcome])))


def verdict(gates: Sequence[GateOutcome]) -> Outcome:
    """FAILED if a required gate failed, else INCONCLUSIVE if one is, else PASSED."""
    required = [gate.outcome for gate in gates if gate.required]
    if "FAILED" in required:
        return "FAILED"
    if "INCONCLUSIVE" in required or not required:
        return "INCONCLUSIVE"
    return "PASSED"
