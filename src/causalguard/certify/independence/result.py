"""One result type for every test of this package."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Guarantee = Literal["exact", "asymptotic"]
"""``exact``: P(p <= a) <= a at every n.  ``asymptotic``: print the simulated level beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """What a test of independence found; a large p-value never shows independence."""

    __test__ = False  # not a pytest class

    statistic: float
    """The fused statistic on the observed data; larger is stronger, no unit."""
    p_value: float
    """In (0, 1]; never below 1 / (permutations + 1)."""
    n: int
    """Independent units: rows, or clusters where rows share one, or matched sets."""
    n_informative: int
    """Units in strata where x varies; the others carry no information."""
    permutations: int
    """Drawn permutations or wild-bootstrap draws; 0 for a closed form or an enumeration."""
    strata: int
    """Strata within which x was permuted; 1 without a condition."""
    method: str
    """Name of the test."""
    guarantee: Guarantee
    """What the p-value promises."""
    details: Mapping[str, float | int | str] = field(default_factory=dict)
    """Per-kernel figures and settings, by name."""
