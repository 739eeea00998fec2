"""A checkpoint says of which configuration it is: a run goes on from its own alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from causalguard.errors import ConfigError
from causalguard.train.config import TrainConfig

CONFIG = "training.yaml"
"""What a checkpoint holds of its run's configuration: all of it, resolved."""
MAY_DIFFER = frozenset({"batch", "accumulation", "watch.keep", "report_to", "data.workers"})
"""What a resumed run may change: micro-batches, which also change when memory runs out
(train/recover.py), and what no weight depends on."""


def check_resumed(config: TrainConfig, checkpoint: Path) -> None:
    """Refuse to go on from a checkpoint of another run.

    Args:
        config: of the run that is to go on.
        checkpoint: its directory.

    Raises:
        ConfigError: with every key that differs, or the checkpoint does not say whose it is.
    """
    before = _configuration(checkpoint / CONFIG).model_dump(mode="json")
    changes = [
        f"{checkpoint} was trained with {key}: {old!r}, and the run now says {new!r}; "
        f"set {key} back, or train from the start, without --resume"
        for key, old, new in _changes(before, config.model_dump(mode="json"))
        if key not in MAY_DIFFER
    ]
    if changes:
        raise ConfigError(changes)


def _configuration(path: Path) -> TrainConfig:
    if not path.is_file():
        # Of an earlier version.  Nothing but this file would show that the configuration changed.
        raise ConfigError(
            f"{path}: no such file, so nobody can tell whether the checkpoint is of this run; "
            "train from the start, or, if you know its configuration, write it there "
            "(--print-config)"
        )
    try:
        return TrainConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        raise ConfigError(f"{path}: not a configuration of this version: {error}") from None


def _changes(
    before: Mapping[str, Any], now: Mapping[str, Any], within: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Dotted keys of the values that differ, with both values."""
    for name, new in now.items():
        key, old = f"{within}{name}", before[name]
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _changes(old, new, f"{key}.")
        elif old != new:
            yield key, old, new
