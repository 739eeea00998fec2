"""Single flight: of several callers who want the same at once, one works and the others wait.

A caller that goes away (a cancelled task, an interrupt) takes nobody with it: its thread goes on,
or, where that thread itself was stopped, the next one waiting takes over.
"""

import threading
from collections.abc import Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """Work under way, by key.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[K, Future[V | None]] = {}

    def join(self, key: K) -> tuple[Future[V | None], bool]:
        """Join the work on a key.

        Returns:
            What it will give (None: it was given up, join again), and whether it is the caller's
            own: then the caller must :meth:`land` it, whatever happens.
        """
        with self._lock:
            found = self._open.get(key)
            if found is not None:
                return found, False
            future: Future[V | None] = Future()
            self._open[key] = future
            return future, True

    def land(self, key: K, value: V | None, error: Exception | None = None) -> None:
        """End the work on a key for everybody who waits.

        Args:
            key: as joined.
            value: the outcome; None gives up, and one of those waiting takes over.
            error: raised in those who wait, in place of a value.
        """
        with self._lock:
            future = self._open.pop(key)
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)

    def __len__(self) -> int:
        with self._lock:
            return len(self._open)
