"""What any detector has to beat: length alone, and the presence of words."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causalguard.evaluate.rows import Labelled

Floats = NDArray[np.float64]
_WORD = re.compile(r"[a-z']+")


def length_risk(rows: Sequence[Labelled]) -> Floats:
    """Length of the text in characters, mapped to [0, 1): longer is riskier."""
    lengths = np.array([len(row.output.text) for row in rows], dtype=float)
    return lengths / (lengths + 1000.0)


class NaiveBayes:
    """Word-presence naive Bayes with add-one smoothing (Bernoulli on words that occur)."""

    def __init__(self, rows: Sequence[Labelled]) -> None:
        """Fit on labelled rows of both classes; ValueError when one is missing."""
        totals = Counter(row.y for row in rows)
        if len(totals) < 2:
            raise ValueError("naive Bayes needs rows of both classes")
        counts = (Counter[str](), Counter[str]())
        for row in rows:
            counts[row.y].update(words(row.output.text))
        self._weight = {
            word: float(
                np.log((counts[1][word] + 1) / (totals[1] + 2))
                - np.log((counts[0][word] + 1) / (totals[0] + 2))
            )
            for word in counts[0] | counts[1]
        }

    def risk(self, rows: Sequence[Labelled]) -> Floats:
        """Sum of log-odds over the distinct words of each text, through a sigmoid; [0, 1]."""
        odds = [sum(self._weight.get(word, 0.0) for word in words(row.output.text)) for row in rows]
        return 1.0 / (1.0 + np.exp(-np.clip(np.array(odds) / 10.0, -500, 500)))


def words(text: str) -> set[str]:
    """Distinct lower-case words of a text."""
    return set(_WORD.findall(text.lower()))
