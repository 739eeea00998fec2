from pathlib import Path

import pytest

from causalguard.guard.api import Guard
from causalguard.guard.base import embedded_directory
from causalguard.records import ToolOutput
from causalguard.train.cli import packaged_config
from causalguard.train.config import load_config
from causalguard.train.run import train


@pytest.fixture
def own_cache() -> None:
    """The real base lives in the user's own folder, so that is not moved away here."""


@pytest.mark.model
def test_the_debug_configuration_trains_a_guard_on_the_embedded_base(tmp_path: Path) -> None:
    assert embedded_directory().is_dir(), "run: causalguard base install"
    config = load_config(packaged_config("debug"), ["steps=2", "data.generate.dev_sets=4"])
    train(config, tmp_path / "model", device="cpu")
    guard = Guard.load(tmp_path / "model", require_certified=False)
    verdict = guard.scan([ToolOutput(text="The room is booked.", task="Is the room booked?")])[0]
    assert 0.0 <= verdict.risk <= 1.0
    assert verdict.coverage == 1.0
