"""The trusted context S of a tool output: the system prompt and the human turns up to the call.

Written once and used everywhere.  Assistant and tool text never enters S: either may repeat what
an attacker wrote, and S decides what counts as authorised.  All earlier human turns stay in S, so
that a bare "yes, do it" keeps the request that it answers; under a budget the oldest go first.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from causalguard.records import TURN_SEPARATOR

Turn = tuple[str, str]
"""``(role, text)`` of one message of a chat, in order."""

SYSTEM_ROLES = frozenset({"system", "developer"})
HUMAN_ROLES = frozenset({"human", "user"})

CHARACTER_BUDGET = 32_768
"""Characters kept of the human turns, and as many of the system prompt.

Generous on purpose: the token budget that counts is applied by the prompt template.  This one
only bounds the work done before it (32,768 characters are at least 8,000 tokens of English).
"""

CUT = "\n[...]\n"
"""Stands where the middle of one over-long turn was left out."""


class TrustedContext(NamedTuple):
    """S = (system, task); both may be empty."""

    system: str
    """System prompt(s), in order, blank line between them."""
    task: str
    """Human turns up to the call, oldest first, blank line between them."""

    @property
    def digest(self) -> str:
        """sha256 (hex) of S; equal if and only if system and task are equal."""
        parts = (part.encode("utf-8", "surrogatepass") for part in self)
        return hashlib.sha256(b"".join(len(p).to_bytes(8, "big") + p for p in parts)).hexdigest()


def make_context(turns: Sequence[Turn], *, budget: int = CHARACTER_BUDGET) -> TrustedContext:
    """Make S from the turns of a chat up to a tool call.

    Args:
        turns: ``(role, text)`` in the order of the chat.  Roles ``system`` and ``developer``
            give the system prompt, ``human`` and ``user`` the task; every other role is left out.
        budget: characters kept for the task, and as many for the system prompt; > 0.

    Returns:
        The trusted context.  The newest human turns are kept; a turn that alone exceeds the
        budget keeps its beginning and its end.

    Raises:
        ValueError: the budget is too small to hold anything.
    """
    if budget <= len(CUT) + 1:
        message = f"the budget must be more than {len(CUT) + 1} characters, got {budget}"
        raise ValueError(message)
    system = "\n\n".join(_texts(turns, SYSTEM_ROLES))
    return TrustedContext(_shorten(system, budget), _newest(_texts(turns, HUMAN_ROLES), budget))


def _texts(turns: Iterable[Turn], roles: frozenset[str]) -> list[str]:
    return [text for role, text in turns if role in roles and text.strip()]


def _newest(texts: list[str], budget: int) -> str:
    kept: list[str] = []
    left = budget
    for text in reversed(texts):
        if kept and len(text) + len(TURN_SEPARATOR) > left:
            break
        kept.append(_shorten(text, budget))
        left -= len(kept[-1]) + len(TURN_SEPARATOR)
    return TURN_SEPARATOR.join(reversed(kept))


def _shorten(text: str, budget: int) -> str:
    if len(text) <= budget:
        return text
    room = budget - len(CUT)
    head = (room + 1) // 2
    return text[:head] + CUT + text[len(text) - (room - head) :]
