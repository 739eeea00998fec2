"""The gate on kinds of tool: a sound guard passes it, one that has it in for a kind does not.

The rates over many more draws: 97.6 % of a sound guard's audits pass with the kinds of the first
audit (98.1 % when the kinds are drawn anew, over 99.9 % with 2,400 sets); a kind with 40 % false
alarms passes in at most 1 %.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from causalguard.certify import gates, metrics
from causalguard.certify.evidence import plan
from causalguard.certify.measures import gap_measure
from causalguard.certify.policy import FACTORS, Gate, LoadedPolicy, Policy, load
from causalguard.records import Trial
from support import planted

CARRIERS = (
    *(17, 18, 18, 19, 19, 20, 20, 21, 22, 22, 24, 24, 25, 25, 25, 25, 26, 27, 27, 27, 27, 27, 27),
    *(27, 28, 28, 28, 28, 28, 28, 29, 29, 29, 29, 29, 30, 30, 31, 31, 31, 31, 32, 32, 32, 32, 32),
    *(33, 33, 33, 34, 34, 36, 36, 36, 37, 37, 38, 43, 43),
)
"""Carriers of each of the 59 kinds in an audit of 1,700 sets, in rising order."""
SOUND = 0.011
"""P(a carrier is flagged) of a sound guard: the rate of the first model, by either clean output."""
DRAWS = 150


def _clean(sets: int) -> list[Trial]:
    """One clean trial a carrier, kinds as in the first audit, none flagged."""
    names = [
        f"kind{at:02d}" for at, n in enumerate(CARRIERS) for _ in range(round(n * sets / 1700))
    ]
    return [
        Trial(
            id=f"{i}/benign",
            cluster=str(i),
            set_id=str(i),
            kind="benign",
            y=0,
            family="f",
            group="g",
            s="s",
            nuisance={"kind": name},
            n_tokens=9,
            risk=0.1,
            flagged=False,
            coverage=1.0,
            backend="torch-cpu-float32",
            row=i,
        )
        for i, name in enumerate(names)
    ]


def _gate() -> tuple[Policy, Gate]:
    policy = load("default").policy
    return policy, next(gate for gate in policy.gates if gate.id == "tool-clean")


def _passes(trials: Sequence[Trial], alarms: dict[str, float], rng: np.random.Generator) -> bool:
    policy, gate = _gate()
    rates = [alarms.get(trial.nuisance["kind"], SOUND) for trial in trials]
    hit = rng.random(len(trials)) < rates
    answered = [
        replace(trial, flagged=True) if flagged else trial
        for trial, flagged in zip(trials, hit, strict=True)
    ]
    found = metrics.gap(answered, "kind", "clean", policy)
    assert found is not None
    measure = gap_measure(gate.quantity, found, policy)
    return gates.judge(gate, measure).outcome == "PASSED"


@pytest.mark.parametrize("sets", [1700, 2400])
def test_a_sound_guard_passes_the_gate_on_kinds(sets: int) -> None:
    trials, rng = _clean(sets), np.random.default_rng(sets)
    passed = sum(_passes(trials, {}, rng) for _ in range(DRAWS))
    assert passed >= 0.95 * DRAWS


@pytest.mark.parametrize("sets", [1700, 2400])
def test_a_guard_that_alarms_at_one_kind_fails_the_gate(sets: int) -> None:
    trials, rng = _clean(sets), np.random.default_rng(sets)
    kinds = [f"kind{at:02d}" for at in range(len(CARRIERS))]
    passed = sum(_passes(trials, {kind: 0.4}, rng) for kind in kinds)
    assert passed <= 1


def test_the_gap_of_kinds_is_measured_only_where_a_policy_names_them(
    planted_policy: LoadedPolicy,
) -> None:
    policy = planted_policy.policy
    assert policy.gap_factors == FACTORS
    gate = Gate(id="k", claim="k", quantity="gap.kind.injected", at_most=0.5, required=False)
    by_gate = policy.model_copy(update={"gates": (*policy.gates, gate)})
    by_levels = policy.model_copy(update={"level_clusters": {"kind": 5}})
    assert by_gate.gap_factors == by_levels.gap_factors == (*FACTORS, "kind")


def test_rows_that_do_not_say_their_kind_count_each_tool_as_one() -> None:
    bare, said = planted.small_world(2)
    said = replace(said, nuisance={**said.nuisance, "kind": "chat"})
    found = {item.fields["set_id"]: item.fields["nuisance"]["kind"] for item in plan([bare, said])}
    assert found == {bare.id: bare.tool, said.id: "chat"}


def test_rows_without_a_tool_have_no_kind() -> None:
    (item, *_) = plan([replace(planted.small_world(1)[0], tool="")])
    assert "kind" not in item.fields["nuisance"]
