"""The graph of a report: found where it should be, and honest where it cannot be."""

from collections.abc import Callable

import numpy as np

from causalguard.certify.graphs import learn
from causalguard.certify.policy import LoadedPolicy, Policy
from causalguard.certify.trials import TrialSet
from support import planted

Scores = Callable[[planted.FakeGuard, int, int], TrialSet]


def _policy(loaded: LoadedPolicy) -> Policy:
    return loaded.policy.model_copy(update={"discovery": True, "half_samples": 2})


def test_y_reaches_risk_and_no_nuisance_does(
    score_world: Scores, planted_policy: LoadedPolicy
) -> None:
    trial_set = score_world(planted.FakeGuard(planted.sound), 400, 0)
    found = learn(trial_set, _policy(planted_policy))
    ends = {frozenset((edge.source, edge.target)) for edge in found.edges}
    assert frozenset(("Y", "R")) in ends
    assert not any(frozenset((n, "risk")) in ends for n in ("topic", "tool", "format"))
    assert found.state == "INCONCLUSIVE"
    assert "1000 are needed" in found.note


def test_a_tool_shortcut_shows_as_an_edge(
    score_world: Scores, planted_policy: LoadedPolicy
) -> None:
    trial_set = score_world(planted.FakeGuard(planted.flag_by_tool), 400, 0)
    found = learn(trial_set, _policy(planted_policy))
    ends = {frozenset((edge.source, edge.target)) for edge in found.edges}
    assert ends & {frozenset(("tool", "R")), frozenset(("tool", "risk"))}


def test_a_constant_representation_leaves_a_note_instead_of_a_graph(
    score_world: Scores, planted_policy: LoadedPolicy
) -> None:
    trial_set = score_world(planted.FakeGuard(planted.sound, vector="collapsed"), 120, 0)
    assert np.ptp(trial_set.representations, axis=0).max() == 0
    found = learn(trial_set, _policy(planted_policy))
    assert (found.state, found.edges) == ("NOT RUN", ())
    assert "R" in found.note


def test_a_policy_without_discovery_says_so(
    score_world: Scores, planted_policy: LoadedPolicy
) -> None:
    found = learn(score_world(planted.FakeGuard(planted.sound), 5, 0), planted_policy.policy)
    assert "does not ask for it" in found.note
