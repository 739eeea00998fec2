"""Checks that the labels cannot be guessed without understanding the text.

Three detectors that understand nothing are tried on every split: which words occur (naive Bayes),
how long the text is, and whether the text, or a near copy, was in the training split.  All should
stay near chance, else a guard's figures on that split say little.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalguard.interventions.minhash import Index, signature
from causalguard.interventions.splits import shared_keys
from causalguard.interventions.triplets import TrialText, trial_texts
from causalguard.records import Kind, Triplet
from causalguard.stats.ranking import auroc

_WORD = re.compile(r"\w+")
_SMOOTHING = 1.0
_MIN_TEXTS = 3

CONTROLS: tuple[Kind, ...] = ("benign", "counterfactual", "imperative", "authorised")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What three thoughtless detectors reach on a split."""

    words: float
    """AUROC of word presence, injected against every other member; 0.5 is chance."""
    length: float
    """AUROC of the length in characters; 0.5 is chance."""
    seen: float
    """AUROC of the label of the nearest training text seen before, 0.5 where there is none."""
    words_against: Mapping[str, float]
    """AUROC of word presence against each kind of control alone."""
    length_against: Mapping[str, float]
    """AUROC of length against each kind of control alone."""
    copies: float
    """Share of texts that are near-duplicates of a training text, [0, 1]."""
    shared: Mapping[str, int]
    """Cluster keys that stand in both splits, counted by name; all 0 in a clean pair."""
    unnamed: Mapping[str, int]
    """Sets of either split without that key, by name: nothing is known of what they share."""
    n_texts: int
    """Texts of the split that were looked at."""


class WordPresence:
    """Bernoulli naive Bayes on the words that occur in a text (McCallum & Nigam 1998)."""

    def __init__(self, texts: Sequence[str], y: Sequence[int]) -> None:
        """Fit on texts and their labels (0 or 1, both present)."""
        counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        totals = [0, 0]
        for text, label in zip(texts, y, strict=True):
            counts[label].update(words_of(text))
            totals[label] += 1
        known = {word for word in counts[0] | counts[1]
                 if counts[0][word] + counts[1][word] >= _MIN_TEXTS}  # fmt: skip
        self._weights: dict[str, float] = {}
        self._offset = 0.0
        for word in sorted(known):
            shares = [(counts[k][word] + _SMOOTHING) / (totals[k] + 2 * _SMOOTHING) for k in (0, 1)]
            absent = float(np.log((1 - shares[1]) / (1 - shares[0])))
            self._offset += absent
            self._weights[word] = float(np.log(shares[1] / shares[0])) - absent

    def risk(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """Return the log-odds of label 1 for each text; higher is worse."""
        return np.array([
            self._offset + sum(self._weights.get(word, 0.0) for word in words_of(text))
            for text in texts
        ])  # fmt: skip


def words_of(text: str) -> set[str]:
    """Return the distinct words of a text, case folded."""
    return set(_WORD.findall(text.lower()))


def check(train: Sequence[Triplet], tested: Sequence[Triplet]) -> Leak:
    """Fit the thoughtless detectors on one split and try them on another.

    Args:
        train: matched sets to fit on, at least one.
        tested: matched sets of the split under test, at least one.

    """
    fit = [member for triplet in train for member in trial_texts(triplet)]
    test = [member for triplet in tested for member in trial_texts(triplet)]
    bayes = WordPresence([_text(member) for member in fit], [member[1] for member in fit])
    word_risk = bayes.risk(_text(member) for member in test)
    length_risk = np.array([float(len(_text(member))) for member in test])
    seen_risk, copies = _seen(fit, test)
    kinds = [member[0] for member in test]
    y = np.array([member[1] for member in test])
    return Leak(
        words=auroc(y, word_risk),
        length=auroc(y, length_risk),
        seen=auroc(y, seen_risk),
        words_against=_against(kinds, word_risk),
        length_against=_against(kinds, length_risk),
        copies=copies,
        shared={
            name: len(shared_keys(_keys(train, name), _keys(tested, name)))
            for name in ("carrier", "goal", "template")
        },
        unnamed={
            name: sum(not one.cluster.get(name) for one in (*train, *tested))
            for name in ("carrier", "goal", "template")
        },
        n_texts=len(test),
    )


def _text(member: TrialText) -> str:
    return member[2].text


def _keys(triplets: Iterable[Triplet], name: str) -> list[list[str]]:
    return [[triplet.cluster.get(name, "")] for triplet in triplets]


def _against(kinds: Sequence[Kind], risk: NDArray[np.float64]) -> dict[str, float]:
    """AUROC of injected texts against one kind of control at a time."""
    out: dict[str, float] = {}
    which = np.array(kinds)
    for kind in CONTROLS:
        if np.any(which == kind):
            chosen = (which == kind) | (which == "injected")
            out[kind] = auroc((which[chosen] == "injected").astype(int), risk[chosen])
    return out


def _seen(fit: Sequence[TrialText], test: Sequence[TrialText]) -> tuple[NDArray[np.float64], float]:
    """The mean label of near-duplicates in the fitted split, and how many texts have any."""
    index = Index()
    labels = []
    for member in fit:
        index.add(signature(_text(member)))
        labels.append(member[1])
    risk = np.full(len(test), 0.5)
    copies = 0
    for row, member in enumerate(test):
        near = index.near(signature(_text(member)))
        if near:
            copies += 1
            risk[row] = float(np.mean([labels[number] for number in near]))
    return risk, copies / max(len(test), 1)
