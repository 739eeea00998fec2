"""What two answers of one guard to one text may differ by: rounding, and nothing else."""

from collections.abc import Sequence

import numpy as np

from causalguard.certify.trials import Vectors
from causalguard.errors import NotCertifiedError
from causalguard.records import Trial

Row = tuple[Trial, Vectors, Vectors]
"""One scored text: its trial, R at the token of highest risk and the mean of R, shape (d,) each."""

NOISE_CAPS = {"float32": 1e-3, "bfloat16": 0.05, "float16": 0.05}
"""Largest change of a risk that rounding explains, by dtype."""
VECTOR_CAPS = {"float32": 2e-3, "bfloat16": 0.05, "float16": 0.05}
"""Largest distance that rounding moves R or its mean, by dtype; R is on the unit sphere."""
REPLAY_FLOOR = 1e-4
"""Difference of a risk that other hardware may make, whatever noise was measured."""
TIES = 50
"""One text in so many, and one more, may have its R at another token: where two tokens have nearly
the same risk, rounding decides which of them is the highest."""


def noise_cap(backend: str) -> float:
    """Largest change of a risk that rounding explains on a backend, ``...-DTYPE``."""
    return _of_dtype(NOISE_CAPS, backend)


def vector_cap(backend: str) -> float:
    """Largest distance by which rounding moves R at one and the same token, same form."""
    return _of_dtype(VECTOR_CAPS, backend)


def _of_dtype(caps: dict[str, float], backend: str) -> float:
    return caps.get(backend.rsplit("-", 1)[-1], min(caps.values()))


def replay_allowance(backend: str, noise: float) -> float:
    """How far a replayed risk may be from the reported one, given the reported noise.

    Raises:
        NotCertifiedError: the noise is more than rounding makes: nothing could be told by it.
    """
    cap = noise_cap(backend)
    if not 0 <= noise <= cap:
        raise NotCertifiedError(
            f"the report states a noise of {noise:.3g} on {backend}, where rounding makes {cap:g} "
            "at most: its trials cannot be checked by replay"
        )
    return min(cap, max(REPLAY_FLOOR, 10 * noise))


def contradiction(said: Trial, again: Trial, threshold: float, allowed: float) -> str:
    """What of a second answer rounding does not explain; empty when it explains all."""
    for name in ("coverage", "n_tokens"):
        one, two = getattr(said, name), getattr(again, name)
        if one != two:
            return f"{said.id}: {name} is {one} and {two}"
    if abs(again.risk - said.risk) > allowed:
        return f"{said.id}: risks differ by {abs(again.risk - said.risk):.3g}"
    if said.flagged != again.flagged and abs(said.risk - threshold) > allowed:
        return f"{said.id}: flagged is {said.flagged} and {again.flagged} at risk {said.risk:.3g}"
    return ""


def distance(said: Row, again: Row) -> float:
    """How far apart two answers' vectors are: the larger of R's and the mean's distance.

    Infinite where they are not of one width.
    """
    if any(one.shape != two.shape for one, two in zip(said[1:], again[1:], strict=True)):
        return float("inf")
    pairs = zip(said[1:], again[1:], strict=True)
    return max(float(np.linalg.norm(one.astype(np.float64) - two)) for one, two in pairs)


def ties_allowed(texts: int) -> int:
    """How many of so many texts may have R at another token: never all of them."""
    return min(texts - 1, 1 + texts // TIES)


def moved(said: Sequence[Row], again: Sequence[Row], backend: str) -> list[str]:
    """Texts whose vectors rounding does not explain, when they are more than ties explain."""
    cap = vector_cap(backend)
    apart = [distance(one, two) for one, two in zip(said, again, strict=True)]
    lines = [
        f"{row[0].id}: R or its mean is {far:.3g} away ({cap:g} is rounding)"
        for row, far in zip(said, apart, strict=True)
        if far > cap
    ]
    return lines if len(lines) > ties_allowed(len(said)) else []
