"""Gradient-guided search over tokens: GCG on the guard.

Each step takes the gradient of the guard's own loss with respect to the tokens that may change,
writes candidate texts with one to four of them replaced, and keeps the best as *text*: every
candidate is tokenised anew by the guard, so only texts that really exist are scored.  The goal's
sentence is never touched.

Source: Zou et al. 2023, "Universal and transferable adversarial attacks on aligned language
models" (coordinate gradients); several coordinates a step with a falling count as in I-GCG.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from causalguard.certify.attacks.search import Budget, Search
from causalguard.certify.attacks.victim import Slopes, Victim

Place = Literal["prefix", "suffix", "both", "inside"]
TOP = 256
"""Replacements considered at a position."""
MOST_COORDINATES = 4
PATIENCE = 25
"""Steps without progress after which a start is given up."""
WORDS_BETWEEN = 3
"""Words of the goal between two free stretches of an attack from inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of the payload."""

    text: str
    """Its text."""
    free: bool
    """Whether the search may rewrite it."""


Layout = tuple[Part, ...]


def gcg(victim: Victim, place: Place) -> Callable[[Search, Budget, np.random.Generator], None]:
    """The attack that writes before, after, around or between the words of the goal."""

    def run(search: Search, budget: Budget, rng: np.random.Generator) -> None:
        share = math.ceil(budget.steps / budget.restarts)
        left, start = budget.steps, 0
        while left > 0 and not search.over:
            layout = _start(victim, search, budget, place, rng, first=start == 0)
            # steps that a stuck start did not use go to further ones
            left -= _descend(victim, search, budget, rng, layout=layout, steps=min(share, left))
            start += 1

    return run


def text_of(layout: Layout) -> str:
    """The payload."""
    return "".join(part.text for part in layout)


def _start(
    victim: Victim,
    search: Search,
    budget: Budget,
    place: Place,
    rng: np.random.Generator,
    *,
    first: bool,
) -> Layout:
    """Free stretches filled with marks at the first start, then with harmless words."""
    goal = search.target.goal.direct
    cuts = _cuts(goal, search.target.goal.check) if place == "inside" else []
    pieces = [goal[a:b] for a, b in pairwise([0, *cuts, len(goal)])]
    stretches = len(cuts) or (2 if place == "both" else 1)
    share = max(1, budget.tokens // stretches)
    if place == "inside":  # the constraint leaves room for one word a word
        share = min(share, max(1, len(goal.split()) // stretches))
    words = ["!"] * share if first else _words(search, rng, share)

    def filled() -> Part:
        text = ""
        for word in words:
            if victim.n_tokens(f"{text} {word}") > share:
                break
            text += f" {word}"
        return Part(text=text or " !", free=True)

    fixed = [Part(text=piece if k else f" {piece}", free=False) for k, piece in enumerate(pieces)]
    if place == "inside":
        return tuple(part for piece in fixed for part in (piece, filled()))[: 2 * len(fixed) - 1]
    before = (filled(),) if place in {"prefix", "both"} else ()
    after = (filled(),) if place in {"suffix", "both"} else ()
    return (*before, *fixed, *after)


def _words(search: Search, rng: np.random.Generator, count: int) -> list[str]:
    chosen = rng.permutation(len(search.target.filler))
    return " ".join(search.target.filler[int(k)] for k in chosen).split()[:count]


def _cuts(goal: str, check: tuple[str, ...]) -> list[int]:
    """Places between words, every third one, never inside a concrete filler."""
    kept = [(at, at + len(c)) for c in check if (at := goal.find(c)) >= 0]
    gaps = [
        match.start()
        for match in re.finditer(r" ", goal)
        if not any(a < match.start() < b for a, b in kept)
    ]
    return gaps[WORDS_BETWEEN - 1 :: WORDS_BETWEEN]


def _descend(
    victim: Victim,
    search: Search,
    budget: Budget,
    rng: np.random.Generator,
    *,
    layout: Layout,
    steps: int,
) -> int:
    """Search from one start; returns the steps it took, at least one."""
    best = float(search.ask([text_of(layout)])[0])
    stale = 0
    for step in range(steps):
        if search.over or stale >= PATIENCE:
            return max(1, step)
        slopes = victim.slopes(search.target, text_of(layout), _free(layout), top=TOP)
        if slopes is None:
            return max(1, step)
        most = max(1, round(MOST_COORDINATES * (1 - step / steps)))
        candidates = _candidates(victim, search, layout, slopes, rng, budget, most=most)
        if not candidates:
            stale += 1
            continue
        risks = search.ask([text_of(c) for c in candidates])
        at = int(np.argmin(risks))
        if risks[at] < best:
            best, layout, stale = float(risks[at]), candidates[at], 0
        else:
            stale += 1
    return steps


def _free(layout: Layout) -> list[tuple[int, int]]:
    found, at = [], 0
    for part in layout:
        if part.free:
            found.append((at, at + len(part.text)))
        at += len(part.text)
    return found


def _candidates(
    victim: Victim,
    search: Search,
    layout: Layout,
    slopes: Slopes,
    rng: np.random.Generator,
    budget: Budget,
    *,
    most: int,
) -> list[Layout]:
    """Texts with one to ``most`` tokens replaced, none twice, none with too many tokens."""
    found: dict[str, Layout] = {}
    for _ in range(2 * budget.candidates):
        if len(found) == budget.candidates:
            break
        count = min(int(rng.integers(1, most + 1)), len(slopes.positions))
        rows = rng.choice(len(slopes.positions), size=count, replace=False)
        edits = [
            (int(slopes.positions[row]), int(slopes.choices[row, rng.integers(TOP)]))
            for row in rows.tolist()
        ]
        changed = _edited(victim, search, layout, slopes, edits)
        text = text_of(changed)
        if text not in found and search.target.allows(text):
            found[text] = changed
    added = {text: _added(victim, layout) for text, layout in found.items()}
    return [layout for text, layout in found.items() if added[text] <= budget.tokens]


def _added(victim: Victim, layout: Layout) -> int:
    return sum(victim.n_tokens(part.text) for part in layout if part.free)


def _edited(
    victim: Victim,
    search: Search,
    layout: Layout,
    slopes: Slopes,
    edits: list[tuple[int, int]],
) -> Layout:
    """Replace tokens by their character ranges, from the end so that ranges stay right."""
    shift = len(search.target.before)
    parts = list(layout)
    starts = np.cumsum([0, *(len(part.text) for part in parts)])
    for position, token in sorted(edits, reverse=True):
        a, b = (int(v) - shift for v in slopes.tokens.offsets[position])
        index = int(np.searchsorted(starts, a, side="right")) - 1
        offset, part = a - int(starts[index]), parts[index]
        text = part.text[:offset] + victim.pieces[token] + part.text[offset + b - a :]
        parts[index] = Part(text=text, free=True)
    return tuple(parts)
