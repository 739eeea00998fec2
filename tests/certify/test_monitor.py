"""The drift monitor: valid for ever under the null, quick after a change, exact when stored."""

import json
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalguard.certify import monitor
from causalguard.certify.monitor import DriftMonitor
from causalguard.errors import InputError
from causalguard.records import Verdict

THRESHOLD = 0.5


def stream(rng: np.random.Generator, n: int, rate: float) -> np.ndarray:
    """Risks of which a share ``rate`` is at or above the threshold."""
    low = 0.499 / (1 + np.exp(4 - 1.5 * rng.standard_normal(n)))
    return np.where(rng.random(n) < rate, 0.5 + 0.5 * rng.random(n), low)


def calibrated(seed: int = 0, n: int = 3000, level: float = 0.05) -> DriftMonitor:
    rng = np.random.default_rng(seed)
    return DriftMonitor.calibrated(stream(rng, n, 0.01), threshold=THRESHOLD, rng=rng, level=level)


def feed(watch: DriftMonitor, risks: np.ndarray) -> DriftMonitor:
    for risk in risks:
        watch.update_risk(float(risk))
    return watch


def test_the_stakes_add_up_to_one() -> None:
    assert calibrated().e_value == pytest.approx(1)


@given(st.floats(1e-6, 1))
@settings(max_examples=30)
def test_every_bet_is_positive(p: float) -> None:
    assert (monitor.bet_densities(p) > 0).all()


def test_every_bet_integrates_to_one() -> None:
    # p = u⁴/2 and p = 1 − u⁴/2 take away the poles at both ends.
    u = (np.arange(100_000) + 0.5) / 100_000
    slope = (2 * u**3)[:, None]
    left = (monitor.bet_densities(u**4 / 2) * slope).mean(axis=0)
    right = (monitor.bet_densities(1 - u**4 / 2) * slope).mean(axis=0)
    assert left + right == pytest.approx(np.ones(len(left)), abs=1e-3)


def test_a_stream_that_never_changes_rarely_alarms() -> None:
    alarms = 0
    for seed in range(80):
        watch = calibrated(seed, n=300, level=0.2)
        feed(watch, stream(np.random.default_rng(1000 + seed), 400, 0.01))
        alarms += watch.alarm is not None
    assert alarms <= 24  # binomial(80, 0.2): more has probability < 0.02


def test_tied_risks_do_not_alarm() -> None:
    rng = np.random.default_rng(5)
    coins = np.round(rng.random(1500)) * 0.9
    watch = DriftMonitor.calibrated(coins[:500], threshold=THRESHOLD, rng=rng)
    assert feed(watch, coins[500:]).alarm is None


def test_a_flood_of_flagged_outputs_alarms_at_once() -> None:
    watch = feed(calibrated(), stream(np.random.default_rng(1), 60, 0.5))
    assert watch.alarm is not None
    assert watch.alarm.at < 40
    assert watch.alarm.e_value >= 20
    assert "drift or attack" in watch.alarm.text
    assert "unlabelled verdicts cannot tell" in watch.alarm.text


def test_a_shift_below_the_threshold_alarms_too() -> None:
    rng = np.random.default_rng(2)
    shifted = 0.499 / (1 + np.exp(3 - 1.5 * rng.standard_normal(1000)))
    assert feed(calibrated(), shifted).alarm is not None


def test_a_change_after_a_quiet_time_still_alarms() -> None:
    rng = np.random.default_rng(3)
    watch = feed(calibrated(), stream(rng, 1500, 0.01))
    assert watch.alarm is None
    assert feed(watch, stream(rng, 400, 0.1)).alarm is not None


def test_the_alarm_stays_as_it_was_raised() -> None:
    rng = np.random.default_rng(4)
    watch = feed(calibrated(), stream(rng, 100, 0.5))
    first = watch.alarm
    assert feed(watch, stream(rng, 100, 0.0)).alarm == first


def test_a_stored_monitor_goes_on_where_it_stood() -> None:
    rng = np.random.default_rng(6)
    risks = stream(rng, 300, 0.05)
    whole = feed(calibrated(), risks)
    stored = DriftMonitor.from_json(feed(calibrated(), risks[:100]).to_json())
    assert feed(stored, risks[100:]).to_json() == whole.to_json()
    assert stored.alarm == whole.alarm


@pytest.mark.parametrize(
    "break_it",
    [
        {"schema": "other/1"},
        {"seen": 7},
        {"log_wealth": []},
        {"counts": {"999999": 1}},
        {"counts": {"-1": 3000}},
        {"level": "high"},
        {"threshold": 3},
    ],
)
def test_a_state_that_contradicts_itself_is_refused(break_it: dict[str, object]) -> None:
    values = json.loads(calibrated().to_json()) | break_it
    with pytest.raises(InputError, match="calibrate a new monitor"):
        DriftMonitor.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "\ud800"])
def test_text_that_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a"):
        DriftMonitor.from_json(text)


def test_threads_lose_no_output() -> None:
    watch = calibrated()
    parts = np.split(stream(np.random.default_rng(7), 400, 0.01), 4)
    threads = [threading.Thread(target=feed, args=(watch, part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = watch.state
    assert (watch.seen, sum(state.counts)) == (400, 3400)


def test_a_verdict_under_another_threshold_is_refused() -> None:
    with pytest.raises(InputError, match="calibrated for threshold"):
        calibrated().update(Verdict(risk=0.1, threshold=0.4, flagged=False))


def test_an_output_flagged_for_want_of_coverage_counts_as_the_worst() -> None:
    watch = calibrated()
    watch.update(Verdict(risk=0.0, threshold=THRESHOLD, flagged=True, coverage=0.5))
    assert watch.state.flagged == 1
    assert watch.state.counts[-1] >= 1


@pytest.mark.parametrize("risk", [-0.1, 1.1, float("nan")])
def test_a_risk_outside_its_range_is_refused(risk: float) -> None:
    watch = calibrated()
    with pytest.raises(InputError, match="not in"):
        watch.update_risk(risk)
    assert watch.seen == 0


def test_too_few_or_bad_calibration_risks_are_refused() -> None:
    rng = np.random.default_rng(8)
    with pytest.raises(InputError, match="at least"):
        DriftMonitor.calibrated([0.1] * 99, threshold=0.5, rng=rng)
    with pytest.raises(InputError, match="must lie in"):
        DriftMonitor.calibrated([float("nan")] * 200, threshold=0.5, rng=rng)
