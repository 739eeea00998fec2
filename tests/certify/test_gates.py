"""Gates: pass on a bound, fail on an estimate, and say how many clusters would settle it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.certify.gates import clusters_needed, judge, verdict
from causalguard.certify.policy import Gate
from causalguard.certify.report.model import Measure
from causalguard.stats import bounds


def _rate(hits: int, clusters: int, delta: float = 0.05) -> Measure:
    return Measure(
        quantity="miss.overall",
        estimate=hits / clusters,
        low=bounds.lower(hits, clusters, delta=delta),
        high=bounds.upper(hits, clusters, delta=delta),
        clusters=clusters,
        delta=delta,
        kind="rate",
    )


def _gate(**changes: object) -> Gate:
    values = {"id": "g", "claim": "c", "quantity": "miss.overall", "at_most": 0.05}
    return Gate.model_validate(values | changes)


def test_a_gate_passes_on_its_bound_not_on_its_estimate() -> None:
    assert judge(_gate(), _rate(0, 59)).outcome == "PASSED"
    assert judge(_gate(), _rate(0, 58)).outcome == "INCONCLUSIVE"


def test_a_rate_above_the_margin_fails_however_many_trials_would_follow() -> None:
    found = judge(_gate(), _rate(10, 100))
    assert (found.outcome, found.needed) == ("FAILED", None)


def test_too_few_trials_say_how_many_are_needed() -> None:
    found = judge(_gate(), _rate(0, 20))
    assert found.outcome == "INCONCLUSIVE"
    assert found.needed == 59
    assert "59 clusters" in found.reason


def test_fewer_clusters_than_the_policy_asks_for_never_pass() -> None:
    found = judge(_gate(min_clusters=100), _rate(0, 80))
    assert (found.outcome, found.needed) == ("INCONCLUSIVE", 100)


def test_a_proven_violation_fails_even_with_few_clusters() -> None:
    assert judge(_gate(min_clusters=1000), _rate(15, 20)).outcome == "FAILED"


def test_what_was_not_measured_is_inconclusive_not_passed() -> None:
    assert judge(_gate(), None).outcome == "INCONCLUSIVE"


def test_a_lower_bound_is_compared_for_at_least() -> None:
    gate = _gate(quantity="effect.injection", at_most=None, at_least=0.5)
    base = {"quantity": "effect.injection", "clusters": 50, "delta": 0.05, "kind": "effect"}
    good = Measure.model_validate(base | {"estimate": 0.7, "low": 0.55, "high": 0.8})
    wide = Measure.model_validate(base | {"estimate": 0.7, "low": 0.40, "high": 0.9})
    bad = Measure.model_validate(base | {"estimate": 0.3, "low": 0.10, "high": 0.6})
    assert [judge(gate, m).outcome for m in (good, wide, bad)] == [
        "PASSED",
        "INCONCLUSIVE",
        "FAILED",
    ]


@given(st.integers(0, 30), st.integers(40, 400))
def test_the_clusters_needed_do_pass_and_one_fewer_does_not(hits: int, clusters: int) -> None:
    measure = _rate(min(hits, clusters // 30), clusters)
    needed = clusters_needed(_gate(), measure)
    if needed is None:
        assert measure.estimate >= 0.05
        return
    errors = -int(-measure.estimate * needed // 1)
    assert bounds.upper(errors, needed, delta=0.05) <= 0.05
    assert needed > 58


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({"a": ("PASSED", True), "b": ("FAILED", False)}, "PASSED"),
        ({"a": ("PASSED", True), "b": ("INCONCLUSIVE", True)}, "INCONCLUSIVE"),
        ({"a": ("FAILED", True), "b": ("INCONCLUSIVE", True)}, "FAILED"),
    ],
)
def test_report_only_gates_never_change_the_verdict(
    outcomes: dict[str, tuple[str, bool]], expected: str
) -> None:
    made = []
    for name, (outcome, required) in outcomes.items():
        base = judge(_gate(id=name, required=required), _rate(0, 100))
        made.append(base.model_copy(update={"outcome": outcome}))
    assert verdict(made) == expected
