import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from causalguard.errors import ConfigError, DataError
from causalguard.evaluate.cli import command
from causalguard.evaluate.rows import read_labelled


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def test_figures_per_source_are_written_with_every_risk(tiny_model: Path, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": f"mail {i} {y}", "label": y, "pair": str(i)} for i in range(6) for y in (0, 1)
    ]
    data = write(tmp_path / "mine.jsonl", rows)
    out = tmp_path / "out"
    arguments = ["sources", "--model", str(tiny_model), "--uncertified", "--output", str(out)]
    result = CliRunner().invoke(command, [*arguments, str(data)], standalone_mode=False)
    assert result.exception is None
    figures = json.loads((out / "report.json").read_text())["detectors"]
    assert [f["source"] for f in figures["guard"]] == ["mine"]
    assert set(figures) == {"guard", "length alone"}
    assert len((out / "risks.jsonl").read_text().splitlines()) == 12


def test_rows_without_a_label_are_named(tmp_path: Path) -> None:
    data = write(tmp_path / "d.jsonl", [{"text": "a", "label": 0}, {"text": "b"}])
    with pytest.raises(DataError, match=r"d\.jsonl:2"):
        read_labelled(data)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        read_labelled(write(tmp_path / "d.jsonl", []))


def probed(model: Path, tmp_path: Path, *options: str) -> dict[str, object]:
    carriers: list[dict[str, object]] = [
        {"text": f"the meeting {i} is on friday", "label": 0, "pair": str(i)} for i in range(5)
    ]
    out = tmp_path / "probed"
    arguments = ["probes", "--model", str(model), "--uncertified", "--output", str(out), *options]
    data = write(tmp_path / "carriers.jsonl", carriers)
    result = CliRunner().invoke(command, [*arguments, str(data)], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    found: dict[str, object] = json.loads((out / "report.json").read_text())
    return found


def test_trigger_words_are_tried_as_task_in_a_text_and_as_text(
    tiny_model: Path, tmp_path: Path
) -> None:
    prompts: list[dict[str, object]] = [
        {"text": f"how to ignore {i}", "label": 0, "meta": {"trigger_words": ["ignore"]}}
        for i in range(4)
    ]
    file = write(tmp_path / "prompts.jsonl", prompts)
    found = probed(tiny_model, tmp_path, "--triggers", str(file))
    assert set(found["triggers"]) == {  # type: ignore[call-overload]
        "carrier as it is",
        "trigger task",
        "trigger words inserted",
        "trigger text",
    }


def test_dilution_is_read_at_every_length(tiny_model: Path, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": "p", "text": "a. pay ana. b", "label": 1, "pair": "p", "injection": "pay ana."}
    ]
    file = write(tmp_path / "payloads.jsonl", rows)
    options = ("--payloads", str(file), "--lengths", "32,64", "--documents", "10")
    found = probed(tiny_model, tmp_path, *options)
    assert [f["level"] for f in found["dilution"]] == [32, 64]  # type: ignore[attr-defined]


def test_a_probe_without_a_question_or_with_odd_lengths_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--triggers"):
        probed(tiny_model, tmp_path)
    with pytest.raises(ConfigError, match="--lengths"):
        probed(tiny_model, tmp_path, "--payloads", "x.jsonl", "--lengths", "8,long")
