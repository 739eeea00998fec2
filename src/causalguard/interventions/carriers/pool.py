"""A pool of carriers without near-duplicates: what the engine draws from, made countable."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from causalguard.interventions.carriers.draw import Draw
from causalguard.interventions.carriers.generate import Carrier, generate
from causalguard.interventions.minhash import Index, signature

_SIZES = (30, 6000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Distinct carriers, and how many were made to get them."""

    carriers: tuple[Carrier, ...]
    """No two are near-duplicates."""
    made: int
    """How many were generated, >= len(carriers)."""


def content(carrier: Carrier) -> str:
    """Return the words of a carrier, without the markup of any format."""
    document = carrier.document
    values = [str(field.value) for row in (document.head, *document.rows) for field in row]
    return "\n".join([*values, *(block.text for block in document.blocks)])


def candidates(n: int, *, seed: int, split: str) -> Iterator[Carrier]:
    """Yield ``n`` carriers of log-uniform size, near-duplicates among them.

    Args:
        n: how many, >= 1.
        seed: >= 0.
        split: as for :func:`generate.generate`.

    """
    for index in range(n):
        rng = np.random.default_rng([seed, index, *split.encode()])
        yield generate(rng, split=split, size=int(Draw(rng).log_between(*_SIZES)))


def distinct(n: int, *, seed: int, split: str, index: Index | None = None) -> Pool:
    """Make ``n`` carriers and keep those that are no near-duplicate of one kept before.

    Args:
        n: how many to make, >= 1.
        seed: >= 0.
        split: as for :func:`generate.generate`.
        index: what was kept before, e.g. of other splits; the kept ones are added to it.

    """
    seen = Index() if index is None else index
    kept = []
    for carrier in candidates(n, seed=seed, split=split):
        probe = signature(content(carrier))
        if not seen.near(probe):
            seen.add(probe)
            kept.append(carrier)
    return Pool(carriers=tuple(kept), made=n)
