"""Random choices, buffered: a carrier takes hundreds, and a call into numpy costs microseconds."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_BUFFER = 512

T = TypeVar("T")


class Draw:
    """Choices from one generator, the same for the same generator state."""

    __slots__ = ("_at", "_values", "rng")

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._values: list[float] = []
        self._at = 0

    def unit(self) -> float:
        """Return a number in [0, 1)."""
        if self._at == len(self._values):
            self._values = self.rng.random(_BUFFER).tolist()
            self._at = 0
        self._at += 1
        return self._values[self._at - 1]

    def below(self, n: int) -> int:
        """Return an integer in [0, n)."""
        return int(self.unit() * n)

    def between(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return low + int(self.unit() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """Return True with probability ``share``."""
        return self.unit() < share

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options (non-empty), uniformly."""
        return options[int(self.unit() * len(options))]

    def weighted(self, options: Sequence[tuple[T, float]]) -> T:
        """Return one of the options with probability proportional to its weight."""
        left = self.unit() * sum(weight for _, weight in options)
        for option, weight in options:
            left -= weight
            if left < 0:
                return option
        return options[-1][0]

    def log_between(self, low: float, high: float) -> float:
        """Return a number in [low, high), uniform on the logarithm."""
        return float(low * (high / low) ** self.unit())

    def digits(self, count: int) -> str:
        """Return ``count`` decimal digits."""
        return f"{int(self.unit() * 10**count):0{count}d}"
