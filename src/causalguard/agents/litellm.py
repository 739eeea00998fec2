"""LiteLLM's Generic Guardrail API: its request in, tool outputs to scan, its answer out.

No LiteLLM, no web framework: ``guard-serve`` answers it with these two functions.  The contract of
``POST /beta/litellm_basic_guardrail_api``, as LiteLLM 1.109 sends and reads it:

* request: ``texts`` (every text of the call, flat), ``structured_messages`` (the chat in OpenAI's
  form, chat endpoints only), ``images``, ``input_type``, ``additional_provider_specific_params``;
* answer: ``action`` (``NONE``, ``BLOCKED`` or ``GUARDRAIL_INTERVENED``), ``blocked_reason``, and
  ``texts``, which replaces the request's one by one and so must have as many entries.

The chat gives each tool output its S.  A call without a chat (an MCP result, for one) is scanned
as a single tool output under ``task`` and ``system`` of the parameters.  Without them it is weaker.
Whatever must not pass and cannot be replaced in ``texts`` is ``BLOCKED``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causalguard.errors import InputError
from causalguard.guard.context import (
    HUMAN_ROLES,
    SYSTEM_ROLES,
    TrustedContext,
    Turn,
    make_context,
)
from causalguard.guard.enforce import WITHHELD
from causalguard.guard.langchain_content import (
    OPAQUE,
    is_result,
    read,
    result_call,
    result_content,
)
from causalguard.guard.policy import Incoming, Ruling
from causalguard.records import ToolOutput

PATH = "/beta/litellm_basic_guardrail_api"
"""Where LiteLLM posts; it appends this to ``api_base``."""

MAX_MESSAGES = 10_000
"""Messages of one chat; more are refused, for the work grows with messages times tool outputs."""
STOPPING = frozenset({"block", "raise", "interrupt"})
"""Actions for which the whole call is refused: an HTTP guardrail can neither halt nor ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One tool output of a call."""

    incoming: Incoming
    """What is ruled on."""
    places: tuple[int, ...]
    """Indices of its strings in ``texts``."""
    complete: bool
    """Whether every string of it stands in ``texts``, so that it can be replaced there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A guardrail request that was read."""

    texts: tuple[str, ...]
    """The request's texts, in order."""
    parts: tuple[Part, ...]
    """Its tool outputs; what the user, the system or the assistant wrote is not among them."""


def read_call(body: Any) -> Call:
    """Find the tool outputs in a request of LiteLLM.

    Args:
        body: the request, as JSON gives it; keys that are not used here are ignored.

    Returns:
        The call, each tool output with the S of the messages before it.

    Raises:
        InputError: the request is not of the contract's form.
    """
    if not isinstance(body, Mapping):
        raise InputError("the body must be a JSON object; see docs/serve.md for the contract")
    texts = tuple(_strings(body, "texts"))
    params = body.get("additional_provider_specific_params")
    params = params if isinstance(params, Mapping) else {}
    given: list[Turn] = [
        ("system", _string(params, "system")),
        ("user", _string(params, "task")),
    ]
    messages = body.get("structured_messages")
    if not messages:
        return Call(texts=texts, parts=_bare(texts, given, images=bool(body.get("images"))))
    if not isinstance(messages, list) or not all(isinstance(m, Mapping) for m in messages):
        raise InputError("structured_messages must be a list of messages in OpenAI's form")
    if len(messages) > MAX_MESSAGES:
        raise InputError(f"more than {MAX_MESSAGES} structured_messages; send fewer")
    return Call(texts=texts, parts=tuple(_parts(texts, messages, given)))


def answer(call: Call, rulings: Sequence[Ruling]) -> dict[str, Any]:
    """Answer LiteLLM.

    Args:
        call: what :func:`read_call` gave.
        rulings: one per part, in order.

    Returns:
        The answer, with the decisions' records (no content) under ``causalguard``, a key that
        LiteLLM ignores.
    """
    texts = list(call.texts)
    changed = False
    said: dict[str, Any] = {"causalguard": [ruling.decision.to_record() for ruling in rulings]}
    for part, ruling in zip(call.parts, rulings, strict=True):
        reason = _refusal(part, ruling)
        if reason:
            return {"action": "BLOCKED", "blocked_reason": reason, **said}
        if ruling.replacement is not None:
            changed = True
            one = len(part.places) == 1
            for place in part.places:
                # A sanitised text of several blocks cannot be cut up again.
                texts[place] = ruling.replacement if one else WITHHELD
    if changed:
        return {"action": "GUARDRAIL_INTERVENED", "texts": texts, **said}
    return {"action": "NONE", **said}


def _refusal(part: Part, ruling: Ruling) -> str:
    decision = ruling.decision
    what = f"a tool output ({decision.tool})" if decision.tool else "a tool output"
    if decision.outcome == "error":
        return f"CausalGuard: {what} could not be scanned"
    if decision.action in STOPPING:
        return f"CausalGuard: {what} was flagged as carrying an instruction the user did not give"
    if ruling.drops_blocks:
        return f"CausalGuard: {what} holds a part that cannot be scanned"
    if ruling.replacement is not None and not part.complete:
        return f"CausalGuard: {what} was flagged and cannot be replaced in texts"
    return ""


def _bare(texts: Sequence[str], given: Sequence[Turn], *, images: bool) -> tuple[Part, ...]:
    if not any(texts) and not images:
        return ()
    return (_part(texts, range(len(texts)), given, unscannable=("image",) if images else ()),)


def _parts(
    texts: Sequence[str], messages: Sequence[Mapping[str, Any]], given: Sequence[Turn]
) -> Iterator[Part]:
    """One part per tool message, and one of all texts that no message accounts for.

    A text that a user, the system or the assistant wrote accounts for one text of its wording: one
    more of the same is a tool's, and as nothing tells them apart, all of them are its places.
    """
    turns = list(given)
    context: TrustedContext | None = None
    called: dict[str, str] = {}
    known: Counter[str] = Counter()
    found: set[int] = set()
    standing: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        standing.setdefault(text, []).append(index)
    for message in messages:
        role = str(message.get("role") or "").lower()
        content = message.get("content")
        if role in SYSTEM_ROLES | HUMAN_ROLES:
            # What stands in a file beside the request was not typed: it is left over, and scanned.
            results = _typed(content)[1]
            typed = _typed(_without_files(content))[0]
            turns.append((role, "\n".join(typed)))
            context = None
            known.update(typed)
        elif role in {"assistant", "model"}:
            known.update(_typed(content)[0])
            called.update(_calls(message))
            results = []
        else:
            results = [message]
        for result in results:
            context = context or make_context(turns)
            part = _of_message(standing, result, context, called)
            found.update(part.places)
            yield part
    left = sorted(
        place
        for text, places in standing.items()
        if text and places[0] not in found and len(places) > known[text]
        for place in places
    )
    if left:
        yield _part([texts[i] for i in left], left, turns)


def _of_message(
    standing: Mapping[str, Sequence[int]],
    message: Mapping[str, Any],
    context: TrustedContext,
    called: Mapping[str, str],
) -> Part:
    content = result_content(message)
    readable = read(content)
    strings = _typed(content)[0]
    call_id = result_call(message)
    output = ToolOutput(
        text=readable.text,
        tool=called.get(call_id, ""),
        task=context.task,
        system=context.system,
        id=call_id,
    )
    places = {place for text in strings if text for place in standing.get(text, ())}
    return Part(
        incoming=Incoming(output=output, unscannable=readable.unscannable),
        places=tuple(sorted(places)),
        complete="\n".join(filter(None, strings)) == readable.text
        and all(text in standing for text in strings),
    )


def _part(
    strings: Sequence[str],
    places: Iterable[int],
    turns: Sequence[Turn],
    *,
    unscannable: tuple[str, ...] = (),
) -> Part:
    context = make_context(turns)
    output = ToolOutput(text="\n".join(strings), task=context.task, system=context.system)
    return Part(
        incoming=Incoming(output=output, unscannable=unscannable),
        places=tuple(places),
        complete=True,
    )


def _typed(content: Any) -> tuple[list[str], list[Mapping[str, Any]]]:
    """The strings that LiteLLM takes into ``texts``, and tool results among the blocks."""
    if isinstance(content, str):
        return [content], []
    strings: list[str] = []
    results: list[Mapping[str, Any]] = []
    for block in content if isinstance(content, list) else ():
        if isinstance(block, str):
            strings.append(block)
        elif isinstance(block, Mapping):
            if is_result(block):
                results.append(block)
            elif isinstance(block.get("text"), str):
                strings.append(block["text"])
    return [text for text in strings if text], results


def _without_files(content: Any) -> Any:
    """A content without blocks whose payload is a file, an image or the like."""
    if not isinstance(content, list):
        return content
    return [b for b in content if not (isinstance(b, Mapping) and str(b.get("type")) in OPAQUE)]


def _calls(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping) and call.get("id"):
            yield str(call["id"]), str(function.get("name") or "")


def _strings(body: Mapping[str, Any], key: str) -> list[str]:
    values = body.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f"{key} must be a list of strings")
    return values


def _string(params: Mapping[str, Any], key: str) -> str:
    value = params.get(key) or ""
    if not isinstance(value, str):
        raise InputError(f"additional_provider_specific_params.{key} must be a string")
    return value
