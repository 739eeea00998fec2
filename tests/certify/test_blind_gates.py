"""The gates on topics, kinds and languages of injected texts: blindness on one of them fails.

Over 200 draws a guard that misses one in ten everywhere stays below the margins in more than 99 %
(quantiles of the bound at 99 %: topics .41 of .45, kinds .57 and languages .58 of .60).
"""

from collections.abc import Mapping

import numpy as np
import pytest

from causalguard.certify import gates, metrics
from causalguard.certify.measures import gap_measure
from causalguard.certify.policy import Policy, load

LEVELS = {
    "topic": (*(42,) * 6, *(48,) * 9, *(53,) * 9, *(60,) * 9),
    "kind": (*(19,) * 2, *(25,) * 18, *(30,) * 30, *(38,) * 9),
    "language": (18, 18, 19, 19, 21, 22, 25, 25, 32, 68, 1433),
}
"""Carriers of each value with an injected text, in an audit of 1,700 sets; rare ones pooled."""
IDS = {"topic": "topic-injected", "kind": "tool-injected", "language": "language-injected"}
MISSED = 0.10
DRAWS = 40


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load("default").policy


def _outcome(policy: Policy, factor: str, missed: Mapping[int, float], seed: int) -> str:
    rng = np.random.default_rng(seed)
    counts = {
        str(at): (int(rng.binomial(n, 1 - missed.get(at, MISSED))), n)
        for at, n in enumerate(LEVELS[factor])
    }
    gate = next(gate for gate in policy.gates if gate.id == IDS[factor])
    found = metrics.gap_of(counts, factor, "injected", policy)
    return gates.judge(gate, gap_measure(gate.quantity, found, policy)).outcome


@pytest.mark.parametrize("factor", LEVELS)
def test_the_gates_are_required_and_see_single_values(policy: Policy, factor: str) -> None:
    assert next(gate for gate in policy.gates if gate.id == IDS[factor]).required
    assert policy.level_minimum(factor) == 18


@pytest.mark.parametrize("factor", LEVELS)
def test_a_guard_that_misses_alike_everywhere_passes(policy: Policy, factor: str) -> None:
    passed = [_outcome(policy, factor, {}, seed) == "PASSED" for seed in range(DRAWS)]
    assert sum(passed) >= 0.95 * DRAWS


@pytest.mark.parametrize("factor", LEVELS)
def test_a_guard_that_is_blind_on_one_value_never_passes(policy: Policy, factor: str) -> None:
    smallest = range(min(8, len(LEVELS[factor]) - 2))
    assert all(_outcome(policy, factor, {at: 0.9}, at) == "FAILED" for at in smallest)
