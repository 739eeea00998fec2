"""Online drift alarm over production verdicts: says when a certificate no longer applies.

The null is that the production risks are exchangeable with the calibration risks.  Under it the
smoothed conformal p-values of the stream are independent and uniform (Vovk, Gammerman & Shafer,
*Algorithmic Learning in a Random World*, Theorem 8.1), so a bet on them whose density integrates
to one makes a test martingale, and Ville's inequality bounds the probability that it *ever*
reaches 1/level by ``level``, whenever one looks.  Production risks join the reference as they
come, which is what makes this exact with a finite calibration sample.

The bets look for more mass in the upper tail (a higher flag rate), for a shift of the whole
distribution up or down, and for an odd shape.  They enter one after the other, so that a change
after a long quiet time still finds stake unspent.

The state is counts and log-wealths: constant memory, plain JSON.  Feed one verdict per
independent output: copies of one page are not exchangeable with distinct pages.
"""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalguard.errors import InputError
from causalguard.records import Verdict

Vector = NDArray[np.float64]

SCHEMA = "causalguard-drift-monitor/1"

GRID = 4096
"""Risk levels told apart: a fixed grid in log-odds, so that no level depends on the data."""

GRID_LOGIT = 24.0
"""Log-odds at the ends of the grid; risks beyond share the last level."""

TAILS = ((1.0, 1.5), (1.0, 2.0), (1.0, 4.0), (2.0, 1.5), (2.0, 2.0), (2.0, 4.0))
"""Bets on the flag rate: (upper-tail share in units of the target rate, growth of its mass)."""

SIDE_TAILS = ((0.2, 3.0), (5.0, 2.0))
"""The same far from the target, for a guard whose rate is not what it was meant to be."""

TAIL_STAKE, SIDE_STAKE = 0.65, 0.1
"""Shares of the stake on those; the rest is on shift and shape."""

POWERS = (0.5, 0.75)
"""κ of the bets κ·p^(κ−1) and κ·(1−p)^(κ−1): the whole distribution has moved up or down."""

START_NOW = 0.7
"""Share of the stake bet from the first output on; the rest enters later."""

START_SCALE = 1000.0
"""Outputs over which the entry of the rest slows down: unspent = rest / √(1 + t / scale)."""

MIN_CALIBRATION = 100
"""Fewer calibration outputs say nothing of a tail."""

ALARM_TEXT = (
    "The risks of production outputs have left the calibrated distribution: drift or attack, "
    "unlabelled verdicts cannot tell. The certificate's rates no longer apply; look at recent "
    "flagged outputs, then recalibrate and certify again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """The evidence reached 1/level."""

    at: int
    """Production outputs seen when it was raised, >= 1."""
    e_value: float
    """Evidence against "nothing has changed" at that moment, >= 1/level."""
    level: float
    """Probability that a monitor whose stream never changes ever raises an alarm; (0, 1)."""
    flag_rate: float
    """Share of production outputs flagged so far, [0, 1]."""
    calibrated_rate: float
    """Share of calibration outputs at or above the threshold, [0, 1]."""
    text: str
    """For people: what it means and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorState:
    """Everything that the monitor knows; JSON through :meth:`DriftMonitor.to_json`."""

    level: float
    """Lifetime probability of a false alarm, (0, 1)."""
    threshold: float
    """The guard's cut for which the risks were calibrated, (0, 1]."""
    target_fpr: float
    """False-positive rate that the threshold was meant to have, (0, 0.1]; places the bets."""
    seed: int
    """Seed of the tie-breaking numbers, >= 0."""
    calibration: int
    """Calibration outputs, >= MIN_CALIBRATION."""
    calibration_flagged: int
    """Of those, at or above the threshold."""
    seen: int
    """Production outputs so far, >= 0."""
    flagged: int
    """Of those, flagged."""
    counts: tuple[int, ...]
    """Outputs per level of the grid, calibration and production together; GRID numbers."""
    log_wealth: tuple[float, ...]
    """Log of the stake in each bet."""
    peak: float
    """Largest log of the e-value so far, >= 0."""
    alarm: Alarm | None = None
    """The alarm, once raised; it stays."""


class DriftMonitor:
    """Thread-safe monitor: give it every production verdict, and it raises at most one alarm."""

    def __init__(self, state: MonitorState) -> None:
        self._lock = threading.Lock()
        self._state = state
        self._counts = np.array(state.counts, dtype=np.int64)
        self._log_wealth = np.array(state.log_wealth, dtype=np.float64)

    @classmethod
    def calibrated(
        cls,
        risks: Iterable[float],
        *,
        threshold: float,
        rng: np.random.Generator,
        level: float = 0.05,
        target_fpr: float = 0.01,
    ) -> "DriftMonitor":
        """Monitor whose reference is the risks of benign calibration outputs.

        Args:
            risks: One risk in [0, 1] per independent benign output, at least MIN_CALIBRATION;
                not those on which the threshold was chosen.
            threshold: The guard's cut, (0, 1].
            rng: Draws the seed of the tie-breaking numbers.
            level: Probability of ever raising a false alarm, (0, 1).
            target_fpr: The rate that the threshold was meant to have, (0, 0.1]: a number fixed
                before these risks were seen.  A wrong one costs speed, never validity.

        Returns:
            A monitor that has seen no production output.

        Raises:
            InputError: Too few risks, or risks outside [0, 1].
            ValueError: threshold, level or target_fpr out of range.

        """
        _check_settings(threshold, level, target_fpr)
        values = np.asarray(list(risks), dtype=np.float64)
        if len(values) < MIN_CALIBRATION:
            message = f"{len(values)} calibration risks; give at least {MIN_CALIBRATION}"
            raise InputError(message)
        if not ((values >= 0) & (values <= 1)).all():
            message = "calibration risks must lie in [0, 1]; drop failed scans and score again"
            raise InputError(message)
        counts = np.bincount(grid_level(values), minlength=GRID)
        return cls(
            MonitorState(
                level=level,
                threshold=threshold,
                target_fpr=target_fpr,
                seed=int(rng.integers(2**63)),
                calibration=len(values),
                calibration_flagged=int((values >= threshold).sum()),
                seen=0,
                flagged=0,
                counts=tuple(counts.tolist()),
                log_wealth=tuple((np.log(START_NOW) + LOG_PRIOR).tolist()),
                peak=0.0,
            )
        )

    def update(self, verdict: Verdict) -> Alarm | None:
        """Take one production verdict; return the alarm if one stands, else None.

        Raises:
            InputError: The verdict was given under another threshold, or its risk is not in
                [0, 1].

        """
        if verdict.threshold != self._state.threshold:
            message = (
                f"calibrated for threshold {self._state.threshold}, verdict under "
                f"{verdict.threshold}; calibrate a monitor for the guard in use"
            )
            raise InputError(message)
        # Flagged for want of coverage: as bad as can be, whatever the part that was read scored.
        forced = verdict.flagged and verdict.risk < verdict.threshold
        return self.update_risk(1.0 if forced else verdict.risk)

    def update_risk(self, risk: float) -> Alarm | None:
        """As :meth:`update`, for a bare document risk in [0, 1]."""
        if not 0 <= risk <= 1:
            message = f"risk {risk} is not in [0, 1]; a failed scan must be counted by its caller"
            raise InputError(message)
        with self._lock:
            return self._step(risk)

    @property
    def alarm(self) -> Alarm | None:
        """The alarm, once raised."""
        with self._lock:
            return self._state.alarm

    @property
    def seen(self) -> int:
        """Production outputs so far."""
        with self._lock:
            return self._state.seen

    @property
    def e_value(self) -> float:
        """Evidence now against "nothing has changed", >= 0; 1 says nothing."""
        with self._lock:
            return float(np.exp(_log_e_value(self._log_wealth, self._state.seen)))

    @property
    def state(self) -> MonitorState:
        """A consistent copy of everything the monitor knows."""
        with self._lock:
            return replace(
                self._state,
                counts=tuple(self._counts.tolist()),
                log_wealth=tuple(self._log_wealth.tolist()),
            )

    def to_json(self) -> str:
        """The state as JSON; :meth:`from_json` of it goes on exactly where this one stands."""
        state = self.state
        values = {field.name: getattr(state, field.name) for field in fields(state)}
        sparse = {str(level): count for level, count in enumerate(state.counts) if count}
        alarm = state.alarm and {f.name: getattr(state.alarm, f.name) for f in fields(state.alarm)}
        return json.dumps(
            {"schema": SCHEMA, "bets": len(LOG_PRIOR), **values, "counts": sparse, "alarm": alarm},
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> "DriftMonitor":
        """Monitor from :meth:`to_json`.

        Raises:
            InputError: Not a state of this version, or one that contradicts itself.

        """
        try:
            values = json.loads(text)
            return cls(_parse_state(values))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            message = f"not a {SCHEMA} state ({error}); calibrate a new monitor"
            raise InputError(message) from None

    def _step(self, risk: float) -> Alarm | None:
        state = self._state
        level = int(grid_level(np.array([risk]))[0])
        self._counts[level] += 1
        seen = state.seen + 1
        above = int(self._counts[level + 1 :].sum())
        share = np.random.Generator(np.random.Philox(key=state.seed, counter=seen)).random()
        # Rank from the top among all outputs so far, itself included; ties broken at random.
        p_value = (above + (1 - share) * int(self._counts[level])) / (state.calibration + seen)
        entering = np.log(unspent(seen - 1) - unspent(seen)) + LOG_PRIOR if seen > 1 else -np.inf
        self._log_wealth = np.logaddexp(self._log_wealth, entering) + np.log(
            bet_densities(p_value, state.target_fpr)
        )
        log_e = _log_e_value(self._log_wealth, seen)
        flagged = state.flagged + (risk >= state.threshold)
        self._state = replace(state, seen=seen, flagged=int(flagged), peak=max(state.peak, log_e))
        if self._state.alarm is None and log_e >= -np.log(state.level):
            self._state = replace(self._state, alarm=_raise_alarm(self._state, log_e))
        return self._state.alarm


def _check_settings(threshold: float, level: float, target_fpr: float) -> None:
    if not (0 < threshold <= 1 and 0 < level < 1 and 0 < target_fpr <= 0.1):
        message = (
            "threshold in (0, 1], level in (0, 1) and target_fpr in (0, 0.1] needed, "
            f"got {threshold}, {level}, {target_fpr}"
        )
        raise ValueError(message)


def grid_level(risks: Vector) -> NDArray[np.int64]:
    """Level of each risk on the fixed grid, 0 to GRID − 1, shape as given."""
    clipped = np.clip(risks, 1e-12, 1 - 1e-12)
    logit = np.log(clipped) - np.log1p(-clipped)
    level = np.floor((logit + GRID_LOGIT) / (2 * GRID_LOGIT) * GRID)
    return np.asarray(np.clip(level, 0, GRID - 1), dtype=np.int64)


def unspent(seen: int) -> float:
    """Stake not yet bet after so many outputs, in (0, 1 − START_NOW]."""
    return float((1 - START_NOW) / np.sqrt(1 + max(seen - 1, 0) / START_SCALE))


def _log_e_value(log_wealth: Vector, seen: int) -> float:
    return float(np.logaddexp(np.logaddexp.reduce(log_wealth), np.log(unspent(seen))))


def bet_densities(p_values: ArrayLike, target_fpr: float = 0.01) -> Vector:
    """Density of every bet at p-values; each is positive and integrates to one over [0, 1].

    Args:
        p_values: Conformal p-values in (0, 1], shape (...).
        target_fpr: False-positive rate that the threshold was meant to have, (0, 0.1].

    Returns:
        Densities, shape (..., number of bets).

    """
    p = np.asarray(p_values, dtype=np.float64)[..., None]
    share, growth = np.array(TAILS + SIDE_TAILS).T
    share = share * target_fpr
    rest = (1 - growth * share) / (1 - share)
    kappa = np.array(POWERS)
    # Cut off at the poles, where rounding would decide: they then integrate to just under one.
    up = kappa * np.maximum(p, 1e-12) ** (kappa - 1)
    down = kappa * np.maximum(1 - p, 1e-12) ** (kappa - 1)
    outer = np.where(np.abs(p - 0.5) > 0.25, 1.5, 0.5)
    tail = np.where(p <= share, growth, rest)
    return np.concatenate([tail, up, down, outer, 2 - outer], axis=-1)


def _log_prior() -> Vector:
    shapes = 2 * len(POWERS) + 2
    parts = (
        (TAIL_STAKE, len(TAILS)),
        (SIDE_STAKE, len(SIDE_TAILS)),
        (1 - TAIL_STAKE - SIDE_STAKE, shapes),
    )
    stakes = np.concatenate([np.full(n, stake / n) for stake, n in parts])
    return np.asarray(np.log(stakes), dtype=np.float64)


LOG_PRIOR = _log_prior()


def _raise_alarm(state: MonitorState, log_e: float) -> Alarm:
    return Alarm(
        at=state.seen,
        e_value=float(np.exp(min(log_e, 700.0))),
        level=state.level,
        flag_rate=state.flagged / state.seen,
        calibrated_rate=state.calibration_flagged / state.calibration,
        text=ALARM_TEXT,
    )


def _parse_state(values: Mapping[str, Any]) -> MonitorState:
    if values["schema"] != SCHEMA or values["bets"] != len(LOG_PRIOR):
        message = f"schema {values['schema']!r} with {values['bets']} bets"
        raise ValueError(message)
    _check_settings(values["threshold"], values["level"], values["target_fpr"])
    counts = np.zeros(GRID, dtype=np.int64)
    for level, count in values["counts"].items():
        if not 0 <= int(level) < GRID:
            message = f"level {level} is off the grid"
            raise ValueError(message)
        counts[int(level)] = count
    if counts.min() < 0 or counts.sum() != values["calibration"] + values["seen"]:
        message = "the counts do not add up"
        raise ValueError(message)
    stakes = np.array(values["log_wealth"], dtype=np.float64)
    if stakes.shape != LOG_PRIOR.shape or not np.isfinite(stakes).all():
        message = "the stakes are not finite numbers, one a bet"
        raise ValueError(message)
    names = {field.name for field in fields(MonitorState)} - {"counts", "log_wealth", "alarm"}
    return MonitorState(
        **{name: values[name] for name in names},
        counts=tuple(counts.tolist()),
        log_wealth=tuple(values["log_wealth"]),
        alarm=Alarm(**values["alarm"]) if values["alarm"] else None,
    )
