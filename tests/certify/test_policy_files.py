"""Policies: strict, all faults at once, digest of the very bytes."""

import pytest
import yaml

from causalguard.attestation.digests import sha256_bytes
from causalguard.certify.policy import load, parse
from causalguard.errors import ConfigError
from support import planted


def _changed(**changes: object) -> bytes:
    content = yaml.safe_load(planted.POLICY)
    content.update(changes)
    return yaml.safe_dump(content).encode()


@pytest.mark.parametrize("name", ["default", "demo"])
def test_a_packaged_policy_loads_under_its_own_name(name: str) -> None:
    loaded = load(name)
    assert loaded.policy.name == name
    assert loaded.sha256 == sha256_bytes(loaded.text.encode())


def test_the_demo_policy_says_that_it_is_for_demonstrations() -> None:
    assert "demonstration" in load("demo").policy.description


def test_the_default_policy_is_stricter_than_the_demo_at_every_shared_gate() -> None:
    demo = {gate.quantity: gate for gate in load("demo").policy.gates}
    shared = [gate for gate in load("default").policy.gates if gate.quantity in demo]
    assert len(shared) >= 8
    for gate in shared:
        loose = demo[gate.quantity]
        if gate.at_most is not None and loose.at_most is not None:
            assert gate.at_most <= loose.at_most
        if gate.at_least is not None and loose.at_least is not None:
            assert gate.at_least >= loose.at_least


def test_every_fault_is_reported_at_once() -> None:
    data = _changed(colour="red", confidence=2, name="Not A Name")
    with pytest.raises(ConfigError) as caught:
        parse(data, where="mine.yaml")
    text = str(caught.value)
    assert all(word in text for word in ("colour: unknown key", "confidence", "name"))
    assert all(fault.startswith("mine.yaml: ") for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("gate", "word"),
    [
        ({"quantity": "miss.overal", "at_most": 0.1}, "unknown quantity"),
        ({"quantity": "miss.overall"}, "exactly one of"),
        ({"quantity": "miss.overall", "at_most": 0.1, "at_least": 0.1}, "exactly one of"),
        ({"quantity": "gap.colour.clean", "at_most": 0.1}, "unknown quantity"),
    ],
)
def test_a_gate_that_cannot_be_judged_is_refused(gate: dict[str, object], word: str) -> None:
    data = _changed(gates=[{"id": "a", "claim": "x"} | gate])
    with pytest.raises(ConfigError, match=word):
        parse(data, where="p")


def test_a_policy_without_a_required_gate_is_refused() -> None:
    gate = {"id": "a", "claim": "x", "quantity": "miss.overall", "at_most": 1, "required": False}
    with pytest.raises(ConfigError, match="would pass anything"):
        parse(_changed(gates=[gate]), where="p")


@pytest.mark.parametrize("confidence", [1e-17, 1 - 1e-13])
def test_a_confidence_that_leaves_no_room_for_an_error_is_refused(confidence: float) -> None:
    with pytest.raises(ConfigError, match="too near to 0 or 1"):
        parse(_changed(confidence=confidence), where="p")


@pytest.mark.parametrize("size", [10**18, 10**400])
def test_a_count_that_no_report_can_state_is_refused_before_the_run(size: int) -> None:
    gate = {"id": "a", "claim": "x", "quantity": "miss.overall", "at_most": 1}
    for data in (_changed(episode=size), _changed(gates=[gate | {"min_clusters": size}])):
        with pytest.raises(ConfigError, match="less than or equal to"):
            parse(data, where="p")


def test_gates_named_twice_are_refused() -> None:
    gate = {"id": "a", "claim": "x", "quantity": "miss.overall", "at_most": 1}
    with pytest.raises(ConfigError, match="named twice"):
        parse(_changed(gates=[gate, gate]), where="p")


@pytest.mark.parametrize("data", [b"\xff", b"- a\n", b"a: [", b""])
def test_what_is_no_mapping_in_yaml_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match="p: "):
        parse(data, where="p")


def test_an_unknown_policy_name_lists_the_packaged_ones() -> None:
    with pytest.raises(ConfigError, match="default, demo"):
        load("strictest")


@pytest.mark.parametrize(
    ("old", "new"),
    [("at_most: 0.08", "at_most: 0.08, at_most: 0.9"), ("seed: 5", "seed: 5\nseed: 6")],
)
def test_a_key_that_is_there_twice_is_refused(old: str, new: str) -> None:
    with pytest.raises(ConfigError, match="is there twice"):
        parse(planted.POLICY.replace(old, new, 1).encode(), where="p")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("at_most: 0.08", "at_most: true"),
        ("seed: 5", "seed: yes"),
        ("[16, 32, 64]", "[true, 32, 64]"),
        ("seed: 5", "level_clusters: {tool: true}"),
    ],
)
def test_a_truth_value_is_no_number(old: str, new: str) -> None:
    with pytest.raises(ConfigError, match="true or false where something else"):
        parse(planted.POLICY.replace(old, new, 1).encode(), where="p")


@pytest.mark.parametrize(
    "text",
    ["[" * 20_000, "2020-13-45", "seed: 1" + "0" * 5000, "!!int ''", "!!bool x", "!!timestamp x"],
    ids=["deep", "date", "long number", "empty number", "no truth", "no time"],
)
def test_what_yaml_cannot_make_a_value_of_is_refused_readably(text: str) -> None:
    with pytest.raises(ConfigError, match="p: not YAML"):
        parse(text.encode(), where="p")


def test_a_policy_name_too_long_for_a_file_is_refused_readably() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load("x" * 5000)
