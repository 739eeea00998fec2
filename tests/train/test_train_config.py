from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from causalguard.errors import ConfigError
from causalguard.train.cli import packaged_config, train_command
from causalguard.train.config import load_config, parse_config


def write(path: Path, raw: Any) -> Path:
    path.write_text(yaml.safe_dump(raw))
    return path


def test_all_faults_are_reported_at_once(raw_config: dict[str, Any]) -> None:
    raw_config["steps"] = -1
    raw_config["stepz"] = 3
    raw_config["lora"] = {"r": -1, "rank": 3}
    with pytest.raises(ConfigError) as caught:
        parse_config(raw_config, where="x.yaml")
    text = str(caught.value)
    assert len(caught.value.faults) == 4
    assert all(word in text for word in ("steps", "stepz", "lora.r", "lora.rank", "unknown key"))


def test_overrides_reach_sections_and_list_items(
    raw_config: dict[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path / "c.yaml", raw_config)
    overrides = ["lora.r=8", "optimiser.lr=4e-4", "exits.0.layer=2", "watch.every=5"]
    config = load_config(path, overrides)
    assert (config.lora.r, config.optimiser.lr) == (8, 4e-4)
    assert (config.exits[0].layer, config.watch.every) == (2, 5)


@pytest.mark.parametrize("override", ["lora.r", "steps.a.b=1", "exits.9.layer=1", "=3"])
def test_a_malformed_override_is_refused(
    override: str, raw_config: dict[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path / "c.yaml", raw_config)
    with pytest.raises(ConfigError, match="--set"):
        load_config(path, [override])


def test_missing_data_files_are_reported_before_any_model(raw_config: dict[str, Any]) -> None:
    raw_config["data"] = {"files": [{"path": "/nowhere/a.jsonl"}], "extra": [{"path": "/no/b"}]}
    with pytest.raises(ConfigError) as caught:
        parse_config(raw_config, where="x.yaml")
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    "data",
    [
        {"extra": [{"path": "a/rows.jsonl"}, {"path": "b/rows.jsonl"}]},
        {"files": [{"path": "sets.jsonl"}, {"path": "a/../sets.jsonl"}]},
        {"files": [{"path": "rows.jsonl"}], "extra": [{"path": "a/rows.jsonl"}]},
    ],
)
def test_two_sources_of_one_name_are_refused(
    data: dict[str, Any], raw_config: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="rename one"):
        parse_config(raw_config | {"data": data}, where="x.yaml")


def test_the_resolved_copy_reads_back_as_the_same_configuration(
    raw_config: dict[str, Any], tmp_path: Path
) -> None:
    config = parse_config(raw_config, where="x")
    path = tmp_path / "training.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config


@pytest.mark.parametrize("text", ["- a\n", "a: [", ""])
def test_a_file_that_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_config(path)


@pytest.mark.parametrize(
    "change",
    [
        {"exits": [{"layer": 3}, {"layer": 2}]},
        {"lora": {"first_layer": 4}},
        {"windows": {"tokens": 16, "stride": 17}},
        {"loss": {"token": 0, "document": 0}},
        {"loss": {"temperature": 0.001}},
        {"calibration": {"kinds": ["injected"]}},
        {"data": {}},
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    change: dict[str, Any], raw_config: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        parse_config(raw_config | change, where="x")


@pytest.mark.parametrize("name", ["tiny", "default", "debug"])
def test_the_packaged_configurations_are_valid(name: str) -> None:
    assert load_config(packaged_config(name)).name == name


def test_an_unknown_configuration_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="tiny"):
        packaged_config("tinny")


def test_the_flag_for_determinism_is_the_configurations_own() -> None:
    done = CliRunner().invoke(
        train_command, ["--config", "debug", "--deterministic", "--print-config"]
    )
    assert "deterministic: true" in done.stdout
    plain = CliRunner().invoke(train_command, ["--config", "debug", "--print-config"])
    assert "deterministic: false" in plain.stdout
