"""The attacks by name: what each knows, and what it does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from causalguard.certify.attacks import blackbox
from causalguard.certify.attacks.search import Budget, Search

if TYPE_CHECKING:
    from causalguard.certify.attacks.victim import Victim

Attack = Callable[[Search, Budget, np.random.Generator], None]

SCORES = "the risk of every text it sends, and the user's task"
WEIGHTS = "weights, threshold and the user's task (white-box)"
NOTHING = "nothing of this guard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One attack."""

    name: str
    """Name in tables."""
    knowledge: str
    """What the attacker knows, in words."""
    what: str
    """What it does, in words."""
    gradients: bool
    """Whether it needs the weights."""
    make: "Callable[[Victim | None], Attack]"
    """The attack on a victim; black-box attacks take None."""


def _black(name: str, attack: Attack, what: str, knowledge: str = SCORES) -> Method:
    return Method(
        name=name, knowledge=knowledge, what=what, gradients=False, make=lambda _victim: attack
    )


def _white(place: str, what: str) -> Method:
    def make(victim: "Victim | None") -> Attack:
        from causalguard.certify.attacks import whitebox

        if victim is None:
            raise ValueError("a gradient attack needs a loaded model")
        return whitebox.gcg(victim, place)  # type: ignore[arg-type]

    return Method(name=f"gcg-{place}", knowledge=WEIGHTS, what=what, gradients=True, make=make)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        _black("direct", blackbox.direct, "the bare goal, no search", NOTHING),
        _black("best-of-n", blackbox.best_of_n, "independent wordings from a grammar of frames"),
        _black("evolution", blackbox.evolution, "wordings bred by their risk"),
        _black("characters", blackbox.characters, "case, spacing, invisibles, typing errors"),
        _black("dilution", blackbox.dilution, "harmless sentences around the goal"),
        _white("prefix", "tokens before the goal, by gradient"),
        _white("suffix", "tokens after the goal, by gradient"),
        _white("both", "tokens before and after the goal, by gradient"),
        _white("inside", "tokens between the words of the goal, by gradient"),
    )
}
"""Every attack by name, weakest knowledge first."""
