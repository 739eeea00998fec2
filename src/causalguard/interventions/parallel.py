"""Matched sets made by several processes: the same sets in the same order as by one."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from functools import partial

from causalguard.interventions import engine
from causalguard.records import Triplet

CHUNK = 50
"""Sets that a process makes at a time."""
WORTH_IT = 500
"""Fewer sets than this are made by the calling process."""


def generate(
    n_sets: int,
    *,
    seed: int,
    split: str,
    families: str | Sequence[str] | None = None,
    processes: int | None = None,
) -> Iterator[Triplet]:
    """Yield what :func:`engine.generate` yields, made by several processes.

    Args:
        n_sets: how many, >= 1.
        seed: >= 0.
        split: one of ``engine.SPLITS``.
        families: as for :func:`engine.generate`.
        processes: how many; None: one per processor.  One, or few sets: no process is started.
    """
    count = processes or os.cpu_count() or 1
    if count == 1 or n_sets < WORTH_IT:
        yield from engine.generate(n_sets, seed=seed, split=split, families=families)
        return
    make = partial(_make, seed=seed, split=split, families=families)
    # spawn: the caller may hold threads (tokenizers, torch) that do not survive a fork
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        for part in pool.imap(make, _chunks(n_sets)):
            yield from part


def _chunks(n_sets: int) -> list[tuple[int, int]]:
    return [(start, min(start + CHUNK, n_sets)) for start in range(0, n_sets, CHUNK)]


def _make(
    chunk: tuple[int, int], *, seed: int, split: str, families: str | Sequence[str] | None
) -> list[Triplet]:
    plan = engine.make_plan(seed, split, families, None, None)
    return [engine.nth(index, plan) for index in range(*chunk)]
