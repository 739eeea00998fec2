"""One form of JSON for everything that is hashed or signed.

Laws (property-tested): ``parse_canonical(canonical_json(x)) == x`` for every accepted value,
and ``canonical_json(parse_canonical(b)) == b`` for every accepted byte string.  So a value has
one digest, and two parsers cannot be shown two readings of one signed text.

The form: UTF-8 without a byte order mark; no white space; keys sorted by code point; text
escaped only where JSON demands it; floats in their shortest round-trip form (``repr``).
"""

import json
import math
from typing import Any

from causalguard.errors import InputError

MAX_DEPTH = 100
"""Deepest nesting accepted.  Reports have about ten levels; deeper input is hostile or a cycle."""

MAX_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader keeps exactly (RFC 7493, section 2.2)."""


def canonical_json(value: Any) -> bytes:
    """Write a value in the one form that is hashed and signed.

    Args:
        value: None, bool, int within +-MAX_INTEGER, finite float, str, and lists and dicts
            (keys: str) of these.  Tuples and other types are refused, for they would come
            back as something else.

    Returns:
        UTF-8 bytes without a final newline.

    Raises:
        InputError: The value cannot be written so; the message gives the place in it.
    """
    _check(value, "$", 0)
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )
    return text.encode("utf-8")


def parse_canonical(data: bytes) -> Any:
    """Read bytes that :func:`canonical_json` could have written, and no others.

    Args:
        data: The whole document.

    Returns:
        The value.

    Raises:
        InputError: Not UTF-8, not JSON, a key twice, NaN or infinity, or any byte that differs
            from the canonical form of what it says.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 at byte {error.start}; give the file as written") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error}); give the file as written") from None
    again = canonical_json(value)
    if again != data:
        place = next((i for i, (a, b) in enumerate(zip(data, again, strict=False)) if a != b), None)
        where = f"byte {min(len(data), len(again)) if place is None else place}"
        raise InputError(
            f"not in canonical form from {where} on (white space, order of keys, or the writing "
            "of a number or text); use the file as written, do not re-format it"
        )
    return value


def _check(value: Any, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InputError(f"nested deeper than {MAX_DEPTH} levels (a cycle?); flatten the value")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"{place}: the key {key!r} is not a string; convert it")
            _check_text(key, f"a key of {place}")
            _check(item, f"{place}.{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{place}[{index}]", depth + 1)
    elif isinstance(value, str):
        _check_text(value, place)
    elif value is not None and not isinstance(value, bool):
        _check_number(value, place)


def _check_number(value: object, place: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{place}: {value} is not a JSON number; use null or a string")
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise InputError(f"{place}: an integer beyond 2**53 - 1; write it as a string")
    else:
        kind = type(value).__name__
        raise InputError(f"{place}: a {kind} has no canonical JSON; convert it to dict, list, ...")


def _check_text(text: str, place: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{place}: lone surrogate in the text; replace it first") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [key for key, _ in pairs]
        twice = sorted({key for key in names if names.count(key) > 1})
        raise ValueError(f"key {twice[0]!r} is there twice")
    return result


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
