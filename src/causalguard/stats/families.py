"""Bounds over several families at once, with the multiplicity each claim really costs."""

from collections.abc import Mapping
from dataclasses import dataclass

from causalguard.stats.arrays import level
from causalguard.stats.bounds import sample_size, tail, upper
from causalguard.stats.multiplicity import holm


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyBound:
    """One family's line in the certificate."""

    family: str
    """Its name."""
    errors: int
    """Clusters missed."""
    n: int
    """Clusters tried."""
    bound: float
    """Upper bound at delta / m: all m bounds hold together with 1 - delta."""
    bound_alone: float
    """Upper bound at delta: for this family only, and for the claim over every family."""
    p_value: float
    """P(Binomial(n, alpha) <= errors), for "rate > alpha"."""
    p_holm: float
    """The same after Holm."""
    passes: bool
    """p_holm <= delta: this family's rate is at most alpha, the set of passes holding jointly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyTable:
    """All families, and the claim over every one of them."""

    rows: tuple[FamilyBound, ...]
    """In the order given."""
    alpha: float
    """The rate to stay under."""
    delta: float
    """Error probability of each of the three kinds of claim."""
    every: bool
    """Every family is at most alpha: intersection-union, each at delta, no correction."""
    worst: str
    """The family with the largest bound."""
    n_needed: int
    """Clusters a family needs for the claim over every family, without an error."""


def family_table(
    counts: Mapping[str, tuple[int, int]], *, alpha: float, delta: float
) -> FamilyTable:
    """Bound each family's error rate and decide which, and whether all, are at most alpha.

    Args:
        counts: family -> (errors, clusters).
        alpha: rate to stay under, (0, 1).
        delta: error probability, (0, 1).

    Raises:
        ValueError: no families, or a family without clusters (it is named).

    Source: Holm 1979; Berger 1982 (intersection-union).
    """
    level(alpha, "alpha")
    level(delta, "delta")
    if not counts:
        raise ValueError("counts: no families; give at least one")
    for family, (_, n) in counts.items():
        if n < 1:
            raise ValueError(f"family {family!r} has no clusters; add some or leave it out")
    p_values = [tail(k, n, alpha) for k, n in counts.values()]
    rows = tuple(
        FamilyBound(
            family=family,
            errors=k,
            n=n,
            bound=upper(k, n, delta=delta / len(counts), name=family),
            bound_alone=upper(k, n, delta=delta, name=family),
            p_value=p_value,
            p_holm=float(adjusted),
            passes=bool(adjusted <= delta),
        )
        for (family, (k, n)), p_value, adjusted in zip(
            counts.items(), p_values, holm(p_values), strict=True
        )
    )
    return FamilyTable(
        rows=rows,
        alpha=alpha,
        delta=delta,
        every=all(row.p_value <= delta for row in rows),
        worst=max(rows, key=lambda row: row.bound).family,
        n_needed=sample_size(alpha, delta, 0),
    )
