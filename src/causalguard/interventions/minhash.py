"""MinHash (Broder 1997) with banding: near-duplicates among tens of thousands of texts.

The share of equal places of two signatures estimates the Jaccard similarity of the two sets of
word 3-grams.  Banding (Leskovec, Rajaraman & Ullman, ch. 3.4) finds candidates without comparing
all pairs.
"""

import re
import zlib
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

N_HASHES = 128
BANDS = 32
NEAR = 0.7
"""Estimated Jaccard similarity from which two texts count as near-duplicates."""

_PRIME = np.uint64((1 << 31) - 1)
_WORD = re.compile(r"\w+")
_GENERATOR = np.random.default_rng(1729)
_A = _GENERATOR.integers(1, int(_PRIME), N_HASHES, dtype=np.uint64)[:, None]
_B = _GENERATOR.integers(0, int(_PRIME), N_HASHES, dtype=np.uint64)[:, None]

Signature = NDArray[np.uint32]


def shingles(text: str) -> NDArray[np.uint64]:
    """Return the hashes of a text's distinct word 3-grams, case folded, digits as one.

    Args:
        text: any text; one of fewer than three words counts as one shingle.

    Returns:
        (n,) with n >= 1.

    """
    words = _WORD.findall(re.sub(r"\d+", "0", text.lower()))
    grams = {" ".join(words[at : at + 3]) for at in range(max(len(words) - 2, 1))}
    hashes = [zlib.crc32(gram.encode()) for gram in grams]
    return np.array(hashes, dtype=np.uint64) % _PRIME


def signature(text: str) -> Signature:
    """Return the MinHash signature of a text: (N_HASHES,)."""
    # (N_HASHES, n): values stay below 2**62, so the product does not overflow.
    hashed: NDArray[np.uint64] = (_A * shingles(text)[None, :] + _B) % _PRIME
    smallest: Signature = hashed.min(axis=1).astype(np.uint32)
    return smallest


def similarity(first: Signature, second: Signature) -> float:
    """Return the estimated Jaccard similarity, in [0, 1]."""
    return float(np.mean(first == second))


class Index:
    """Signatures seen so far, with look-up of near-duplicates."""

    def __init__(self, near: float = NEAR) -> None:
        """Start empty; ``near`` in (0, 1] is the similarity that counts."""
        self._near = near
        self._signatures: list[Signature] = []
        self._bands: list[dict[bytes, list[int]]] = [defaultdict(list) for _ in range(BANDS)]

    def __len__(self) -> int:
        return len(self._signatures)

    def near(self, probe: Signature) -> list[int]:
        """Return the numbers of all near-duplicates of a signature, ascending."""
        rows = N_HASHES // BANDS
        candidates: set[int] = set()
        for band, table in enumerate(self._bands):
            candidates.update(table.get(probe[band * rows : (band + 1) * rows].tobytes(), ()))
        return sorted(
            number
            for number in candidates
            if similarity(self._signatures[number], probe) >= self._near
        )

    def add(self, new: Signature) -> int:
        """Remember a signature and return its number."""
        rows = N_HASHES // BANDS
        number = len(self._signatures)
        self._signatures.append(new)
        for band, table in enumerate(self._bands):
            table[new[band * rows : (band + 1) * rows].tobytes()].append(number)
        return number


def distinct(texts: list[str], near: float = NEAR) -> list[int]:
    """Return the numbers of texts that are no near-duplicate of an earlier one kept."""
    index = Index(near)
    kept = []
    for number, text in enumerate(texts):
        probe = signature(text)
        if not index.near(probe):
            index.add(probe)
            kept.append(number)
    return kept
