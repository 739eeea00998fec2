"""Several processes that score: each loads the model and computes with its share of the cores.

Small batches leave cores idle: several processes of few threads score faster than one of many.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from causalguard.errors import ScanError
from causalguard.records import ToolOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a worker sends back of one scored text."""

    risk: float
    """[0, 1], higher is worse."""
    flagged: bool
    """risk >= threshold, or coverage < 1."""
    coverage: float
    """Share of tokens scored, [0, 1]."""
    n_tokens: int
    """Tokens of the text, >= 0."""
    representation: NDArray[np.float32]
    """R at the token of highest risk, shape (d,)."""
    mean: NDArray[np.float32]
    """Mean of R over that token's window, shape (d,)."""


class Crew:
    """A pool of processes with one guard each; use it as a context."""

    def __init__(self, load: Callable[[], Any], workers: int) -> None:
        """Take what loads the guard; it must survive pickling.

        Args:
            load: called once in every process.
            workers: processes, >= 1; each gets its share of the cores as threads.
        """
        threads = max(1, (os.cpu_count() or 1) // workers)
        self._pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(load, threads),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def answers(self, parts: Sequence[Sequence[ToolOutput]]) -> Iterator[list[Answer]]:
        """Score parts in their order.

        Raises:
            ScanError: a process died, for lack of memory most likely.
        """
        try:
            yield from self._pool.map(_answer, [list(part) for part in parts])
        except BrokenProcessPool:
            raise ScanError(
                "a worker died, most likely for lack of memory; try fewer --workers: what is "
                "scored is kept"
            ) from None


_GUARDS: list[Any] = []


def _begin(load: Callable[[], Any], threads: int) -> None:
    # read when torch is first imported, which happens in load
    os.environ["OMP_NUM_THREADS"] = str(threads)
    _GUARDS.append(load())


def _answer(outputs: list[ToolOutput]) -> list[Answer]:
    return [
        Answer(
            risk=float(s.risk),
            flagged=bool(s.flagged),
            coverage=float(s.coverage),
            n_tokens=int(s.n_tokens),
            representation=np.asarray(s.representation, dtype=np.float32),
            mean=np.asarray(s.mean, dtype=np.float32),
        )
        for s in _GUARDS[0].score(outputs)
    ]
