"""Calls under a deadline, in daemon threads that never hold up the interpreter's exit.

A call that exceeds its deadline cannot be stopped, only abandoned: its answer is thrown away.
Threads are kept, not made per call, for numeric libraries set up a thread team for every new
thread that calls them.
"""

import contextvars
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from causalguard.errors import ScanError

T = TypeVar("T")

MAX_WORKERS = 64
"""Calls that may run at once, abandoned ones included; more wait, and exceed their deadline."""

SCAN_WORKERS = 2
"""Scans of an event loop that run at once: the model takes one at a time, while the next one is
being cut into tokens."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """Run a call in a worker thread and wait for it no longer than allowed.

    Args:
        seconds: wall-clock seconds from now, waiting for a free worker included.
        work: what to run; it sees a copy of the caller's context variables.

    Returns:
        What ``work`` returned.

    Raises:
        ScanError: it took longer, or tried to end the process.
        Exception: whatever ``work`` raised.
    """
    future: Future[T] = Future()
    context = contextvars.copy_context()
    _pool.submit(future, lambda: context.run(work))
    try:
        return future.result(timeout=max(seconds, 0.0))
    except TimeoutError:
        if future.done() and not future.cancelled():  # the call itself raised TimeoutError
            raise
        future.cancel()
        message = "the scan took longer than the policy's time_budget_s; raise it or add workers"
        raise ScanError(message) from None


def start(work: Callable[[], T]) -> Future[T]:
    """Run a call in one of a few worker threads, without a deadline.

    One that is cancelled before its turn never runs; one that runs already is only abandoned.

    Args:
        work: what to run; it sees a copy of the caller's context variables.
    """
    future: Future[T] = Future()
    context = contextvars.copy_context()
    _scans.submit(future, lambda: context.run(work))
    return future


def side_by_side(works: Sequence[Callable[[], T]], width: int) -> list[T]:
    """Run calls in the few threads that do all arithmetic on CPUs, and wait for all of them.

    Every thread that runs a model keeps memory of its own; sixty of them would keep a gigabyte.
    Calls start in order, so one may wait for those before it.

    Args:
        works: what to run; none may call this function again.
        width: threads at a time, >= 1; more than were asked for before are added and kept.

    Returns: what the calls returned, in order.

    Raises:
        Exception: what the first of them that failed raised.
    """
    _singles.widen(width)
    futures: list[Future[T]] = [Future() for _ in works]
    for future, work in zip(futures, works, strict=True):
        _singles.submit(future, work)
    return [future.result() for future in futures]


class _Pool:
    """Threads made on demand up to a bound; one is added only when all are busy."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._pending = 0
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()

    def submit(self, future: Future[Any], work: Callable[[], Any]) -> None:
        with self._lock:
            # counted here, not where a thread takes it: one that is about to take a job is not free
            self._pending += 1
            self._jobs.put((future, work))
            if self._pending > self._count and self._count < self._limit:
                self._count += 1
                threading.Thread(target=self._serve, name="causalguard-scan", daemon=True).start()

    def widen(self, limit: int) -> None:
        with self._lock:
            self._limit = max(self._limit, limit)

    def _serve(self) -> None:
        while True:
            future, work = self._jobs.get()
            running = future.set_running_or_notify_cancel()
            answer = _outcome(future, work) if running else None
            with self._lock:
                self._pending -= 1  # before the caller hears of it, and may ask for more
            if answer is not None:
                answer()
            del future, work, answer  # an idle thread keeps no text alive


def _outcome(future: Future[Any], work: Callable[[], Any]) -> Callable[[], None]:
    """Do the work; gives what hands its outcome to the caller."""
    try:
        return partial(future.set_result, work())
    except Exception as error:  # noqa: BLE001  # handed to the caller as it is
        return partial(future.set_exception, error)
    except BaseException as error:  # noqa: BLE001  # sys.exit in a scan must not end the caller
        ended = ScanError(f"the scan was ended by {type(error).__name__}")
        return partial(future.set_exception, ended)


_pool = _Pool(MAX_WORKERS)
_scans = _Pool(SCAN_WORKERS)
_singles = _Pool(1)


def _renew() -> None:
    global _pool, _scans, _singles  # noqa: PLW0603  # a forked child has none of its parent's threads
    _pool = _Pool(MAX_WORKERS)
    _scans = _Pool(SCAN_WORKERS)
    _singles = _Pool(1)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
