"""Windows by tokens: a fixed grid from the start of the text, so that appending moves nothing."""

from dataclasses import dataclass

from causalguard.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec:
    """Window grid; both in tokens of the tool output."""

    tokens: int = 320
    """Length of a window, >= 8."""
    stride: int = 256
    """Distance between window starts, 1 <= stride <= tokens."""
    max_tokens: int = 524_288
    """Longest text that is scanned in full; more lowers coverage below 1 and fails closed."""

    def __post_init__(self) -> None:
        faults = []
        if self.tokens < 8:
            faults.append(f"windows.tokens must be at least 8, got {self.tokens}")
        if not 1 <= self.stride <= self.tokens:
            faults.append(f"windows.stride must lie in [1, tokens], got {self.stride}")
        if self.max_tokens < self.tokens:
            faults.append("windows.max_tokens must be at least windows.tokens")
        if faults:
            raise ConfigError(faults)


def windows(n_tokens: int, spec: WindowSpec) -> list[tuple[int, int]]:
    """Half-open token ranges that cover ``n_tokens`` tokens.

    Window k starts at ``k * stride``; the last one ends at ``n_tokens``.  The ranges of a text
    are, but for the last one, the ranges of every longer text: what the suffix certificate needs.
    """
    if n_tokens <= 0:
        return []
    starts = range(0, max(1, n_tokens - spec.tokens + spec.stride), spec.stride)
    return [(start, min(start + spec.tokens, n_tokens)) for start in starts]
