"""``POST /scan``: its request in, tool outputs out; rulings in, its answer out.

Strict on purpose: an unknown key is refused, for a mistyped ``task`` would weaken the scan unseen.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from causalguard.errors import InputError
from causalguard.guard.context import make_context
from causalguard.guard.policy import Incoming, Ruling
from causalguard.records import ToolOutput

FIELDS = ("text", "task", "system", "tool", "id")
"""Keys of one tool output; ``text`` is needed."""
SHARED = ("task", "system", "tool")
"""Keys that may also stand beside ``outputs``, for outputs without one of their own."""
MAX_FAULTS = 20
"""Faults listed in an answer."""


def parse_json(body: bytes) -> Any:
    """Read JSON; InputError when it is none, or nested beyond reason."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = "nested too deeply" if isinstance(error, RecursionError) else "not JSON in UTF-8"
        raise InputError(f"the body is {kind}") from None


def read_scan(body: Any) -> list[Incoming]:
    """Read a request of one or many tool outputs.

    Args:
        body: ``{"outputs": [...], "task": ...}`` or a single tool output ``{"text": ...}``.

    Returns:
        The tool outputs, in order.

    Raises:
        InputError: with every fault found; none repeats the request's text.
    """
    if not isinstance(body, Mapping):
        raise InputError('the body must be a JSON object such as {"text": "...", "task": "..."}')
    many = "outputs" in body
    outputs = body["outputs"] if many else [body]
    if not isinstance(outputs, list):
        raise InputError("outputs must be a list of objects with a text")
    faults = _unknown(body, ("outputs", *SHARED), "") if many else []
    shared = {key: body[key] for key in SHARED if many and body.get(key) is not None}
    faults += [f"{key} must be a string" for key, value in shared.items() if not _text(value)]
    for index, row in enumerate(outputs):
        faults += _row_faults(row, f"outputs[{index}]: " if many else "")
        if len(faults) > MAX_FAULTS:
            break
    if faults:
        raise InputError("; ".join(faults[:MAX_FAULTS]))
    return [_incoming(row, shared) for row in outputs]


def _row_faults(row: Any, where: str) -> list[str]:
    if not isinstance(row, Mapping):
        return [f"{where}must be an object"]
    faults = _unknown(row, FIELDS, where)
    if "text" not in row:
        faults.append(f"{where}text is missing")
    return faults + [
        f"{where}{key} must be a string"
        for key in FIELDS
        if key in row and not (_text(row[key]) or (row[key] is None and key != "text"))
    ]


def _unknown(row: Mapping[str, Any], known: Sequence[str], where: str) -> list[str]:
    # The key itself is not repeated: it is the caller's content.
    count = len(row.keys() - set(known))
    return [f"{where}{count} unknown key(s); known are {', '.join(known)}"] if count else []


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _incoming(row: Mapping[str, Any], shared: Mapping[str, str]) -> Incoming:
    values = {key: row.get(key) or shared.get(key, "") for key in FIELDS}
    # As every adapter makes S: a task of megabytes keeps its beginning and its end.
    context = make_context([("system", values["system"]), ("user", values["task"])])
    return Incoming(output=ToolOutput(**{**values, **context._asdict()}))


def answer_scan(rulings: Sequence[Ruling]) -> dict[str, Any]:
    """The answer: one decision an output, in order, with what may be shown instead of its text.

    Args:
        rulings: one per output.

    Returns:
        ``decisions`` (each a record without content, ``blocked`` and ``replacement``; a null
        replacement means that the text may be shown as it is), ``flagged`` (how many) and
        ``blocked`` (whether any text must not be shown).
    """
    decisions = [
        {
            **ruling.decision.to_record(),
            "blocked": ruling.replacement is not None,
            "replacement": ruling.replacement,
        }
        for ruling in rulings
    ]
    return {
        "decisions": decisions,
        "flagged": sum(ruling.decision.flagged for ruling in rulings),
        "blocked": any(row["blocked"] for row in decisions),
    }
