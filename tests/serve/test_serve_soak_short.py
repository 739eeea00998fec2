"""benchmarks/serve_soak.py in short: callers who hang up, a scorer that fails, nothing open."""

import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def soak() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("serve_soak", BENCHMARKS / "serve_soak.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["serve_soak"] = module  # its dataclasses look themselves up
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    loggers = [logging.getLogger(f"causalguard.{name}") for name in ("decisions", "serve")]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    yield
    for logger in loggers:
        logger.setLevel(logging.NOTSET)


async def test_nothing_is_open_when_callers_leave_and_scans_fail(soak: ModuleType) -> None:
    found = await soak.soak(2, callers=60, seed=1)
    assert found["answers"] > 50
    assert found["hung_up"] > 0
    assert (found["opened"], found["wrong"]) == (0, 0)
    assert found["nothing_left_in_flight"]
