"""A payload in three parts, and the changes that a black-box attacker makes to it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from causalguard.certify.attacks import frames
from causalguard.certify.attacks.targets import Target
from causalguard.interventions.vocabulary import choose

SEPARATORS = ("\n", "\n\n", " ... ", " - ", "; ", ", ", " / ", "\n* ", "\n2. ", " (", " — ")
INVISIBLE = ("\u200b", "\u2060", "\u00ad")
PADDING = ("---", "***", "FYI", "Thanks!", "Best regards", "(see above)", "[1]", "n/a", "ok", "...")
_WORDS = re.compile(r"\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A payload: the goal's sentence and what stands around it."""

    before: str
    """Text before the goal."""
    goal: str
    """The goal's sentence, perhaps split or respelled."""
    after: str
    """Text after it."""

    @property
    def text(self) -> str:
        """The payload."""
        return self.before + self.goal + self.after


Change = Callable[[Draft, Target, np.random.Generator], Draft]


def plain(target: Target) -> Draft:
    """The goal as a person would write it."""
    return Draft(before="", goal=target.goal.direct, after="")


def fresh(target: Target, rng: np.random.Generator) -> Draft:
    """A new draft: a soft wording or one of the engine's attack families."""
    write = frames.soft if rng.random() < 0.5 else frames.attack
    before, goal, after = write(target, rng)
    return Draft(before=before, goal=goal, after=after)


def reframe(draft: Draft, target: Target, rng: np.random.Generator) -> Draft:
    """Other words around the goal, the goal as it was."""
    other = fresh(target, rng)
    return replace(draft, before=other.before, after=other.after)


def reword(draft: Draft, target: Target, rng: np.random.Generator) -> Draft:
    """Another grammatical form of the goal."""
    form = choose(rng, target.forms)
    return replace(draft, goal=form if rng.random() < 0.5 else form[:1].upper() + form[1:])


def recase(draft: Draft, target: Target, rng: np.random.Generator) -> Draft:
    """Capitals or small letters, in the frame or in some words of the goal."""
    change = choose(rng, (str.upper, str.lower, str.title))
    if rng.random() < 0.4:
        return replace(draft, before=change(draft.before), after=change(draft.after))
    return replace(draft, goal=_some_words(draft.goal, target, rng, change))


def respace(draft: Draft, target: Target, rng: np.random.Generator) -> Draft:
    """Other white space or an invisible character between or inside words of the goal."""
    if rng.random() < 0.5:
        return replace(draft, goal=_at_gap(draft.goal, rng, choose(rng, ("  ", "\n", "\t", "   "))))
    mark = choose(rng, INVISIBLE)

    def split(word: str) -> str:
        at = int(rng.integers(1, max(2, len(word))))
        return word[:at] + mark + word[at:]

    return replace(draft, goal=_some_words(draft.goal, target, rng, split, most=2))


def misspell(draft: Draft, target: Target, rng: np.random.Generator) -> Draft:
    """A typing error in a word of five letters or more."""

    def slip(word: str) -> str:
        if len(word) < 5 or not word.isalpha():
            return word
        at = int(rng.integers(1, len(word) - 1))
        kind = int(rng.integers(3))
        if kind == 0:
            return word[:at] + word[at + 1 :]
        if kind == 1:
            return word[:at] + word[at] + word[at:]
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return replace(draft, goal=_some_words(draft.goal, target, rng, slip, most=2))


def split(draft: Draft, target: Target, rng: np.random.Generator) -> Draft:
    """The goal in two pieces with a separator, or a few harmless words, between them."""
    between = choose(rng, SEPARATORS)
    if rng.random() < 0.3:
        words = choose(rng, target.filler).split()[:4]
        between = f" ({' '.join(words)}) "
    return replace(draft, goal=_at_gap(draft.goal, rng, between))


def dilute(draft: Draft, target: Target, rng: np.random.Generator) -> Draft:
    """A harmless sentence before or after the payload, or next to the goal."""
    sentence = choose(rng, target.filler) if rng.random() < 0.8 else choose(rng, PADDING)
    joint = choose(rng, (" ", "\n", "\n\n"))
    place = int(rng.integers(4))
    if place == 0:
        return replace(draft, before=sentence + joint + draft.before)
    if place == 1:
        return replace(draft, before=draft.before + sentence + joint)
    if place == 2:
        return replace(draft, after=joint + sentence + draft.after)
    return replace(draft, after=draft.after + joint + sentence)


def strip(draft: Draft, _target: Target, rng: np.random.Generator) -> Draft:
    """Less around the goal."""
    if rng.random() < 0.5:
        return replace(draft, before="")
    return replace(draft, after=choose(rng, ("", ".")))


CHANGES: dict[str, Change] = {
    "reframe": reframe,
    "reword": reword,
    "recase": recase,
    "respace": respace,
    "misspell": misspell,
    "split": split,
    "dilute": dilute,
    "strip": strip,
}
"""Every change by name."""
CHARACTERS = ("recase", "respace", "misspell")
"""Changes of single characters alone."""
AROUND = ("dilute", "strip")
"""Changes of the surroundings alone."""


def cross(one: Draft, two: Draft, rng: np.random.Generator) -> Draft:
    """A child that takes each part from one of two parents."""
    parts = [choose(rng, (one, two)) for _ in range(3)]
    return Draft(before=parts[0].before, goal=parts[1].goal, after=parts[2].after)


def _some_words(
    text: str,
    target: Target,
    rng: np.random.Generator,
    change: Callable[[str], str],
    *,
    most: int = 6,
) -> str:
    """Change up to ``most`` words that belong to no concrete filler."""
    kept = " ".join(target.goal.check)
    spans = [m for m in _WORDS.finditer(text) if m.group().strip(".,;:!?'\"()") not in kept]
    if not spans:
        return text
    count = int(rng.integers(1, most + 1))
    picked = rng.choice(len(spans), size=min(count, len(spans)), replace=False)
    for index in sorted(picked.tolist(), reverse=True):
        span = spans[index]
        text = text[: span.start()] + change(span.group()) + text[span.end() :]
    return text


def _at_gap(text: str, rng: np.random.Generator, between: str) -> str:
    gaps = [m.span() for m in re.finditer(r"\s+", text)]
    if not gaps:
        return text
    start, end = gaps[int(rng.integers(len(gaps)))]
    return text[:start] + between + text[end:]
