"""benchmarks/soak.py in short: callers cancelled and failing at random leave nothing open."""

import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from causalguard.guard.api import Guard

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("causalguard.decisions")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


async def test_nothing_unguarded_and_no_wrong_verdict_under_faults(soak: ModuleType) -> None:
    found = await soak.scripted(3, callers=32, seed=1)
    assert found["messages"] > 100
    assert found["outcomes"]["cancelled"] > 0
    assert (found["leaks"], found["wrong"], found["open_flights"]) == (0, 0, 0)


async def test_a_model_under_load_gives_the_verdicts_it_gives_alone(
    soak: ModuleType, tiny_model: Path
) -> None:
    guard = Guard.load(tiny_model, require_certified=False, dtype="float32")
    found = await soak.real(guard, 60, callers=16, seed=2)
    assert (found["leaks"], found["wrong"], found["closed"]) == (0, 0, 0)


async def test_the_check_sees_a_leak(soak: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = soak.Verdict(risk=0.0, threshold=0.5, flagged=False)
    monkeypatch.setattr(soak, "truth", lambda _: blind)
    found = await soak.scripted(1, callers=4, seed=3)
    assert found["leaks"] > 0
    assert found["wrong"] > 0
