"""Canonical JSON: one value, one byte string, and nothing else is read."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.attestation.canonical import (
    MAX_DEPTH,
    MAX_INTEGER,
    canonical_json,
    parse_canonical,
)
from causalguard.errors import InputError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20
)


@given(VALUES)
def test_parsing_gives_back_every_value(value: Any) -> None:
    again = parse_canonical(canonical_json(value))
    assert again == value
    assert repr(again) == repr(value) or isinstance(value, (dict, list))


@given(VALUES)
def test_writing_gives_back_every_canonical_byte(value: Any) -> None:
    data = canonical_json(value)
    assert canonical_json(parse_canonical(data)) == data


@given(VALUES)
def test_any_other_json_writing_of_the_value_is_refused(value: Any) -> None:
    data = canonical_json(value)
    for other in (json.dumps(value, indent=1), json.dumps(value, ensure_ascii=True), " null"):
        if other.encode() != data:
            with pytest.raises(InputError):
                parse_canonical(other.encode())


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        value = parse_canonical(data)
    except InputError:
        return
    assert canonical_json(value) == data


def test_the_form_is_sorted_compact_utf8_with_shortest_floats() -> None:
    value = {"b": [1, 1.0, 1e-7, -0.0, 0.1], "a": "é\n\x7f/", "\U0001f642": None, "\uffff": True}
    expected = '{"a":"é\\n\x7f/","b":[1,1.0,1e-07,-0.0,0.1],"\uffff":true,"\U0001f642":null}'
    assert canonical_json(value) == expected.encode()


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        {1: 2},
        {None: 2},
        (1, 2),
        {"a": {1, 2}},
        b"bytes",
        MAX_INTEGER + 1,
        10**5000,
        "\ud800",
        {"\udfff": 1},
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_without_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(InputError):
        canonical_json(value)


def test_the_message_gives_the_place_in_the_value() -> None:
    with pytest.raises(InputError, match=r"\$\.tests\[1\]\.p: nan"):
        canonical_json({"tests": [{"p": 0.5}, {"p": math.nan}]})


def test_a_cycle_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(InputError, match=f"deeper than {MAX_DEPTH}"):
        canonical_json(cycle)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a":1,"a":1}', "'a' is there twice"),
        (b'{"a":1,"a":2}', "'a' is there twice"),
        (b"NaN", "NaN is not JSON"),
        (b"-Infinity", "Infinity is not JSON"),
        (b"1e999", "not a JSON number"),
        (b"1.10", "canonical form from byte 3"),
        (b"1E5", "canonical form"),
        (b"-0", "canonical form"),
        (b"1" * 5000, "not JSON"),
        (b'{"b":1,"a":2}', "canonical form from byte 2"),
        (b'"\\u0061"', "canonical form"),
        (b'"\\ud800"', "lone surrogate"),
        (b"null\n", "canonical form from byte 4"),
        (b"", "not JSON"),
        (b"\xef\xbb\xbfnull", "not JSON"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b"[" * 100_000, "not JSON"),
        (b"[" * 500 + b"]" * 500, "deeper than"),
    ],
    ids=range(18),
)
def test_bytes_that_nobody_wrote_canonically_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_canonical(data)
