"""A small template language: alternation, typed slots and verb forms.

``[[a|b]]`` picks one alternative (they nest), ``«name»`` is filled from the caller's values or,
failing that, from the vocabulary, ``«name:1»`` is drawn once per expansion, and ``^verb`` marks
a verb that can be conjugated.  Everything is a function of the generator that is passed in.
"""

import re
from collections.abc import Callable, Mapping

import numpy as np

from causalguard.interventions.vocabulary import choose, word

_ALTERNATION = re.compile(r"\[\[((?:(?!\[\[(?!\[)|\]\](?!\])).)*)\]\]", re.DOTALL)
_SLOT = re.compile(r"«([a-z_]+)(:\d)?»")
_VERB = re.compile(r"\^([A-Za-z-]+)")

_PAST = {
    "send": "sent", "tell": "told", "make": "made", "pay": "paid", "put": "put", "set": "set",
    "buy": "bought", "write": "wrote", "say": "said", "give": "gave", "take": "took", "get": "got",
    "go": "went", "run": "ran", "read": "read", "find": "found", "hide": "hid", "keep": "kept",
    "leave": "left", "let": "let", "begin": "began", "build": "built", "draw": "drew",
    "show": "showed", "think": "thought", "withdraw": "withdrew", "rewrite": "rewrote",
    "speak": "spoke", "reset": "reset", "cut": "cut", "lend": "lent", "reply": "replied",
    "copy": "copied", "deny": "denied", "apply": "applied", "sell": "sold", "hold": "held",
    "teach": "taught", "unsubscribe": "unsubscribed", "choose": "chose", "withhold": "withheld",
    "bring": "brought", "ring": "rang", "sing": "sang", "spell": "spelled", "do": "did",
    "translate": "translated", "end": "ended", "lead": "led", "quit": "quit", "feed": "fed",
}  # fmt: skip
_DOUBLED = frozenset(
    {
        "put", "set", "get", "run", "let", "cut", "begin", "reset", "stop", "plan", "skip",
        "swap", "drop", "ship", "plug", "submit", "permit", "chat", "quit", "log", "pin",
        "flag", "admit", "grab", "spot", "zip", "ping", "tag", "commit", "transfer", "refer",
    }
)  # fmt: skip


def lines(text: str) -> tuple[str, ...]:
    r"""Split a block of templates, one a line; ``\n`` and ``\t`` in a line become real ones."""
    found = (line.strip() for line in text.strip().splitlines())
    return tuple(_unescaped(line) for line in found if line)


def _unescaped(line: str) -> str:
    for mark, sign in (("\\n", "\n"), ("\\t", "\t"), ('\\"', '"'), ("\\\\", "\\")):
        line = line.replace(mark, sign)
    return line


def alternate(template: str, rng: np.random.Generator) -> str:
    """Resolve every ``[[a|b]]`` of a template, innermost first."""
    while (match := _ALTERNATION.search(template)) is not None:
        picked = choose(rng, match[1].split("|"))
        template = template[: match.start()] + picked + template[match.end() :]
    return template


def fill(
    template: str, rng: np.random.Generator, *, split: str, values: Mapping[str, str] | None = None
) -> tuple[str, dict[str, str]]:
    """Fill the slots of a template without alternations; slots in fillers are left alone.

    Args:
        template: text with ``«slot»`` marks.
        rng: source of the fillers.
        split: whose part of the vocabulary the fillers come from.
        values: fillers that the caller fixes, by slot name.

    Returns:
        The text, and the drawn filler of each slot by its key in the template.
    """
    drawn: dict[str, str] = {}

    def one(match: re.Match[str]) -> str:
        name, key = match[1], match[0][1:-1]
        if values is not None and name in values:
            return values[name]
        if match[2] and key in drawn:
            return drawn[key]
        filler = word(name, rng, split)
        drawn[key if match[2] or key not in drawn else f"{key}{len(drawn)}"] = filler
        return filler

    return _SLOT.sub(one, template), drawn


def expand(
    template: str, rng: np.random.Generator, *, split: str, values: Mapping[str, str] | None = None
) -> str:
    """Resolve alternations, then fill slots: see :func:`alternate` and :func:`fill`."""
    return fill(alternate(template, rng), rng, split=split, values=values)[0]


def _gerund(verb: str) -> str:
    if verb in _DOUBLED:
        return verb + verb[-1] + "ing"
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return verb + "ing"


def _past(verb: str) -> str:
    if verb in _PAST:
        return _PAST[verb]
    if verb in _DOUBLED:
        return verb + verb[-1] + "ed"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + ("d" if verb.endswith("e") else "ed")


def _third(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")


_FORMS: dict[str, Callable[[str], str]] = {
    "base": str,
    "gerund": _gerund,
    "past": _past,
    "third": _third,
}


def conjugate(phrase: str, form: str) -> str:
    """Put every ``^verb`` of a phrase in one form: ``base``, ``gerund``, ``past`` or ``third``."""
    # A verb after "to" stays an infinitive in every form.
    phrase = phrase.replace(" to ^", " to ")
    return _VERB.sub(lambda match: _FORMS[form](match[1]), phrase)


def capital(text: str) -> str:
    """Return the text with its first letter in upper case, unless it opens with an address."""
    opening = text.split(" ", 1)[0]
    if "@" in opening or "/" in opening:
        return text
    return text[:1].upper() + text[1:]
