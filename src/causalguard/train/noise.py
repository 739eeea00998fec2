"""Careless spelling as one more nuisance: do(N) on the letters of a matched set.

Attackers misspell on purpose, people by accident.  A set's members are worn alike, in the carrier
or in what was put into it (an instruction, or the harmless imperative in its place), so bad
spelling says nothing about Y.  Only letters inside words change: figures, addresses, markup and
escapes stay what they are.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from causalguard.records import Span, Triplet

WHOLE_SHARE = 0.4
"""Share of the worn sets in which the carrier is worn as well."""
RATES = (0.05, 0.5)
"""Share of the words that are worn: drawn evenly between these, for each set."""
_WORD = re.compile(r"""(?<![\w@./\\&%<#:'"-])[A-Za-z]{3,}(?![\w@/\\:='">-])""")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEAR = {
    letter: "".join(row[max(0, k - 1) : k] + row[k + 1 : k + 2])
    for row in _ROWS
    for k, letter in enumerate(row)
}

Change = Callable[[str, int, np.random.Generator], str]


def _swap(word: str, k: int, _: np.random.Generator) -> str:
    k = min(k, len(word) - 2)
    return word[:k] + word[k + 1] + word[k] + word[k + 2 :]


def _drop(word: str, k: int, _: np.random.Generator) -> str:
    return word[:k] + word[k + 1 :]


def _double(word: str, k: int, _: np.random.Generator) -> str:
    return word[: k + 1] + word[k:]


def _slip(word: str, k: int, rng: np.random.Generator) -> str:
    near = _NEAR[word[k].lower()]
    other = near[int(rng.integers(len(near)))]
    return word[:k] + (other.upper() if word[k].isupper() else other) + word[k + 1 :]


def _shout(word: str, _: int, __: np.random.Generator) -> str:
    return word.swapcase() if word.islower() else word.lower()


def _split(word: str, k: int, rng: np.random.Generator) -> str:
    k = min(max(k, 1), len(word) - 1)
    return word[:k] + (" ", "-", ".", "_")[int(rng.integers(4))] + word[k:]


def _space(word: str, _: int, rng: np.random.Generator) -> str:
    return (" ", ".", "-")[int(rng.integers(3))].join(word)


_CHANGES: tuple[tuple[float, Change], ...] = (
    (0.22, _swap), (0.2, _drop), (0.13, _double), (0.17, _slip), (0.14, _shout), (0.1, _split),
    (0.04, _space),
)  # fmt: skip


def worn(text: str, rng: np.random.Generator, rate: float) -> str:
    """Change a share of the words, one place each.

    Args:
        text: any text.
        rng: source of every choice.
        rate: share of the words, [0, 1].
    """
    shares = [share for share, _ in _CHANGES]

    def change(match: re.Match[str]) -> str:
        word = match.group()
        if rng.random() >= rate:
            return word
        what = _CHANGES[int(rng.choice(len(shares), p=shares))][1]
        return what(word, int(rng.integers(len(word))), rng)

    return _WORD.sub(change, text)


def wear(triplet: Triplet, rng: np.random.Generator) -> Triplet:
    """A matched set with careless spelling, the same in all members that share a text."""
    rate = float(rng.uniform(*RATES))
    whole = rng.random() < WHOLE_SHARE
    cache: dict[str, str] = {}

    def around(text: str) -> str:
        if not whole:
            return text
        if text not in cache:
            cache[text] = worn(text, rng, rate)
        return cache[text]

    def put(text: str, span: Span) -> tuple[str, Span]:
        before, after = around(text[: span.start]), around(text[span.end :])
        inside = worn(text[span.start : span.end], rng, rate)
        new = Span(start=len(before), end=len(before) + len(inside))
        return before + inside + after, new

    injected, span = put(triplet.injected, triplet.span)
    changes: dict[str, object] = {"injected": injected, "span": span}
    if triplet.imperative and triplet.imperative_span is not None:
        text, place = put(triplet.imperative, triplet.imperative_span)
        changes |= {"imperative": text, "imperative_span": place}
    changes["benign"] = _benign(triplet, around)
    changes["counterfactual"] = around(triplet.counterfactual)
    return replace(triplet, **changes)  # type: ignore[arg-type]


def _benign(triplet: Triplet, around: Callable[[str], str]) -> str:
    """The benign text, worn where the injected one is: it is that text without the span."""
    before = triplet.injected[: triplet.span.start]
    after = triplet.injected[triplet.span.end :]
    text = triplet.benign
    head = len(before) if text.startswith(before) else 0
    # What stands behind may differ otherwise too, in the number of a list's item, say.
    tail = len(after) if text.endswith(after) and head + len(after) <= len(text) else 0
    end = len(text) - tail
    return around(text[:head]) + around(text[head:end]) + around(text[end:])


def noisy(sets: Iterable[Triplet], share: float, *, seed: int) -> Iterator[Triplet]:
    """Wear a share of the sets, the same ones in the same way whatever stands beside them.

    Args:
        sets: matched sets.
        share: how many, [0, 1].
        seed: of the choice.
    """
    for one in sets:
        digest = hashlib.sha256(f"{seed}|{one.id}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        yield wear(one, rng) if rng.random() < share else one
