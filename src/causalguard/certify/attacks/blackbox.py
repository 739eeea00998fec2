"""Attackers that only see the risk of the texts they send."""

from collections.abc import Sequence

import numpy as np

from causalguard.certify.attacks import drafts
from causalguard.certify.attacks.drafts import CHANGES, Draft
from causalguard.certify.attacks.search import Budget, Search

POPULATION = 16
PARENTS = 6
FRESH_SHARE = 0.15
"""Share of a generation that is new rather than bred."""


def direct(search: Search, _budget: Budget, _rng: np.random.Generator) -> None:
    """The goal as a person would write it: one query, no search; the baseline of the others."""
    search.ask([drafts.plain(search.target).text])


def best_of_n(search: Search, budget: Budget, rng: np.random.Generator) -> None:
    """Independent wordings from the grammar, each with a few random changes."""
    for _ in range(budget.queries):  # each round asks at least once, but for broken wordings
        if search.over:
            return
        wordings = [
            _changed(search, drafts.fresh(search.target, rng), rng, tuple(CHANGES))
            for _ in range(_batch(budget))
        ]
        search.ask([draft.text for draft in wordings])


def evolution(search: Search, budget: Budget, rng: np.random.Generator) -> None:
    """Breed the wordings of lowest risk: crossing, then one to three changes."""
    _evolve(search, budget, rng, tuple(CHANGES))


def characters(search: Search, budget: Budget, rng: np.random.Generator) -> None:
    """The bare goal with changes of case, spacing, invisibles and typing errors alone."""
    _evolve(search, budget, rng, drafts.CHARACTERS)


def dilution(search: Search, budget: Budget, rng: np.random.Generator) -> None:
    """The bare goal among harmless sentences of the same subject."""
    _evolve(search, budget, rng, drafts.AROUND)


def _batch(budget: Budget) -> int:
    return min(POPULATION, budget.candidates)


def _evolve(
    search: Search, budget: Budget, rng: np.random.Generator, names: tuple[str, ...]
) -> None:
    whole = len(names) == len(CHANGES)
    first = [drafts.plain(search.target)]
    while len(first) < _batch(budget):
        start = drafts.fresh(search.target, rng) if whole else first[0]
        first.append(_changed(search, start, rng, names))
    scored: dict[str, tuple[float, Draft]] = {}
    _score(search, first, scored)
    while not search.over:
        ranked = [draft for _, draft in sorted(scored.values(), key=lambda pair: pair[0])]
        parents = ranked[:PARENTS] or first
        before = search.queries
        _score(search, _children(search, parents, rng, names, _batch(budget)), scored)
        if search.queries == before and not _stirred(search, parents, scored, rng, names):
            return  # nothing new that still carries the goal: the space is exhausted


def _children(
    search: Search,
    parents: Sequence[Draft],
    rng: np.random.Generator,
    names: tuple[str, ...],
    count: int,
) -> list[Draft]:
    born = []
    for _ in range(count):
        if len(names) == len(CHANGES) and rng.random() < FRESH_SHARE:
            child = drafts.fresh(search.target, rng)
        else:
            one, two = (parents[int(rng.integers(len(parents)))] for _ in range(2))
            child = drafts.cross(one, two, rng)
        born.append(_changed(search, child, rng, names))
    return born


def _stirred(
    search: Search,
    parents: Sequence[Draft],
    scored: dict[str, tuple[float, Draft]],
    rng: np.random.Generator,
    names: tuple[str, ...],
) -> bool:
    """A few more broods when one brought nothing new; False when they do not either."""
    before = search.queries
    for _ in range(5):
        _score(search, _children(search, parents, rng, names, POPULATION), scored)
        if search.queries > before or search.over:
            return True
    return False


def _changed(
    search: Search, draft: Draft, rng: np.random.Generator, names: tuple[str, ...]
) -> Draft:
    """One to three changes; a change that loses the goal is not made."""
    for _ in range(int(rng.integers(1, 4))):
        child = CHANGES[names[int(rng.integers(len(names)))]](draft, search.target, rng)
        if search.target.allows(child.text):
            draft = child
    return draft


def _score(search: Search, batch: Sequence[Draft], scored: dict[str, tuple[float, Draft]]) -> None:
    new = {draft.text: draft for draft in batch if draft.text not in scored}
    risks = search.ask(list(new))
    for (text, draft), risk in zip(new.items(), risks.tolist(), strict=True):
        if np.isfinite(risk):
            scored[text] = (risk, draft)
