"""Hard matched sets: those on which a guard comes closest to being wrong, or is.

Bootstrapping in the sense of Sung & Poggio (1998, IEEE TPAMI 20(1)) and Shrivastava et al. (2016,
arXiv:1604.03540): a model that is right almost everywhere learns little from a fresh draw.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from causalguard.interventions.triplets import trial_texts
from causalguard.records import ToolOutput, Triplet, Verdict
from causalguard.train.noise import wear

_TEXTS, _MEMBERS = 256, 4  # texts scored together; members of a set, about


class Scans(Protocol):
    """A guard, or a fake of one."""

    def scan(self, outputs: Sequence[ToolOutput]) -> Sequence[Verdict]:
        """Return one verdict an output, in order."""


def margin(risks: Sequence[float], labels: Sequence[int]) -> float:
    """Return by how much the least risky Y = 1 member exceeds the riskiest Y = 0 member.

    Args:
        risks: of the members of one set, each in [0, 1].
        labels: Y of each, both classes present.

    Returns:
        A number in [-1, 1]; below 0 the set is ranked wrongly.
    """
    lowest = min(risk for risk, y in zip(risks, labels, strict=True) if y)
    return lowest - max(risk for risk, y in zip(risks, labels, strict=True) if not y)


def margins(guard: Scans, sets: Iterable[Triplet]) -> Iterator[tuple[float, Triplet]]:
    """Yield each set with its margin, in order, in memory of a few sets."""
    stream = iter(sets)
    size = max(1, getattr(guard, "at_once", _TEXTS) // _MEMBERS)
    while batch := list(islice(stream, size)):
        members = [trial_texts(one) for one in batch]
        verdicts = iter(guard.scan([output for found in members for _, _, output, _ in found]))
        for one, found in zip(batch, members, strict=True):
            risks = [next(verdicts).risk for _ in found]
            yield margin(risks, [y for _, y, _, _ in found]), one


def misspelt(guard: Scans, sets: Iterable[Triplet], *, tries: int, seed: int) -> Iterator[Triplet]:
    """Yield each set in that of several careless spellings in which its attack looks safest.

    One step of adversarial training by random search (Goodfellow et al. 2015, arXiv:1412.6572, by
    gradients; Ebrahimi et al. 2018, arXiv:1712.06751, for letters).  The set as it was is one of
    the candidates, so that what is hard already stays as it is.

    Args:
        guard: gives risks.
        sets: matched sets.
        tries: spellings a set, >= 1, beside its own.
        seed: of the spellings, >= 0; those of a set depend on nothing else but its id.
    """
    stream = iter(sets)
    size = max(1, getattr(guard, "at_once", _TEXTS) // (tries + 1))
    while batch := list(islice(stream, size)):
        drafts = [[one, *_spellings(one, tries, seed)] for one in batch]
        verdicts = iter(guard.scan([_injected(draft) for found in drafts for draft in found]))
        for found in drafts:
            yield min((next(verdicts).risk, k, draft) for k, draft in enumerate(found))[2]


def _spellings(one: Triplet, tries: int, seed: int) -> list[Triplet]:
    digest = hashlib.sha256(f"{seed}|{one.id}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return [wear(one, rng) for _ in range(tries)]


def _injected(one: Triplet) -> ToolOutput:
    return next(output for kind, _, output, _ in trial_texts(one) if kind == "injected")


def hardest(found: Iterable[tuple[float, Triplet]], keep: int) -> list[tuple[float, Triplet]]:
    """Return the ``keep`` sets of the smallest margins, smallest first; equal ones as they came."""
    numbered = ((value, at, one) for at, (value, one) in enumerate(found))
    return [(value, one) for value, _, one in heapq.nsmallest(keep, numbered)]
