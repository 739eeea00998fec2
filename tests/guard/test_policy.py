"""The policy as data: all faults at once, only ever stricter than the certificate."""

import copy
import dataclasses
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.errors import ConfigError
from causalguard.guard.policy import Decision, Policy
from causalguard.records import Span

POLICIES = st.builds(
    Policy,
    action=st.sampled_from(["flag", "withhold", "sanitise", "block", "raise", "interrupt"]),
    on_unscannable=st.sampled_from(["allow", "flag", "withhold"]),
    on_error=st.sampled_from(["withhold", "raise"]),
    trusted_tools=st.frozensets(st.text(min_size=1, max_size=5), max_size=3),
    thresholds=st.dictionaries(
        st.text(max_size=5), st.floats(min_value=0, max_value=1, exclude_min=True), max_size=3
    ),
    time_budget_s=st.floats(min_value=0.1, max_value=100),
    log_content=st.booleans(),
)


def test_the_default_fails_closed() -> None:
    policy = Policy()
    assert (policy.action, policy.on_unscannable, policy.on_error) == ("withhold",) * 3
    assert not policy.log_content
    assert not policy.trusted_tools


def test_a_policy_cannot_be_changed() -> None:
    policy = Policy(thresholds={"mail": 0.2})
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.action = "flag"  # type: ignore[misc]
    with pytest.raises(TypeError):
        policy.thresholds["mail"] = 0.9  # type: ignore[index]


def test_later_changes_to_the_given_mapping_have_no_effect() -> None:
    given_thresholds = {"mail": 0.2}
    policy = Policy(thresholds=given_thresholds)
    given_thresholds["mail"] = 0.9
    assert policy.thresholds["mail"] == 0.2


@given(POLICIES)
def test_a_policy_survives_mapping_pickle_and_copy(policy: Policy) -> None:
    assert Policy.from_mapping(policy.to_mapping()) == policy
    assert pickle.loads(pickle.dumps(policy)).digest == policy.digest
    assert copy.deepcopy(policy) == policy


@given(POLICIES, POLICIES)
def test_equal_digests_mean_equal_policies(one: Policy, other: Policy) -> None:
    assert (one.digest == other.digest) is (one == other)


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "action: ignore\ntime_budget_s: -1\nthresholds: {mail: 2}\n"
        "colour: red\ntrusted_tools: mail\n"
    )
    with pytest.raises(ConfigError) as caught:
        Policy.load(path)
    text = "\n".join(caught.value.faults)
    for word in ("action", "time_budget_s", "thresholds.mail", "colour", "trusted_tools"):
        assert word in text
    assert all(fault.startswith(str(path)) for fault in caught.value.faults)


@pytest.mark.parametrize("content", ["[1, 2]", "a: b: c", "- x", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"policy\.yaml"):
        Policy.load(path)


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        Policy.load(tmp_path / "none.yaml")


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("action: sanitise\ntrusted_tools: [clock]\nthresholds: {mail: 0.1}\n")
    policy = Policy.load(path)
    assert policy.action == "sanitise"
    assert policy.trusted_tools == {"clock"}
    assert policy.thresholds == {"mail": 0.1}


def test_a_threshold_may_be_lowered_but_not_raised() -> None:
    policy = Policy(thresholds={"mail": 0.4, "web": 0.6})
    policy.check_thresholds(0.6)
    with pytest.raises(ConfigError, match="voids the certificate") as caught:
        policy.check_thresholds(0.5)
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0, 1.5, True, "0.5"])
def test_a_threshold_that_is_no_probability_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"thresholds\.mail"):
        Policy(thresholds={"mail": value})  # type: ignore[dict-item]


def test_a_decision_is_plain_json() -> None:
    decision = Decision(
        id="1",
        tool="mail",
        outcome="flagged",
        action="withhold",
        flagged=True,
        risk=0.9,
        threshold=0.5,
        coverage=1.0,
        spans=(Span(start=2, end=4),),
        unscanned=("image",),
    )
    record = json.loads(json.dumps(decision.to_record()))
    assert record["spans"] == [[2, 4]]
    assert record["unscanned"] == ["image"]
    assert record["risk"] == 0.9


def test_whole_numbers_and_decimals_are_the_same_policy() -> None:
    one, other = Policy(thresholds={"a": 1}, time_budget_s=3), Policy(thresholds={"a": 1.0})
    assert one.digest == dataclasses.replace(other, time_budget_s=3.0).digest
