import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from causalguard.errors import DataError
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
