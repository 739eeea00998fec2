import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from causalguard.errors import DataError, InputError, OutputExistsError, UnsignedError
from causalguard.guard.cli import command
from causalguard.guard.rows import read_rows, table


def scan(*arguments: object, stdin: str | None = None) -> Result:
    given = [str(a) for a in arguments]
    return CliRunner().invoke(command, given, input=stdin, standalone_mode=False)


def rows_file(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_in_rows_out(tiny_model: Path, tmp_path: Path) -> None:
    source = rows_file(tmp_path / "in.jsonl", {"text": "hello", "id": "a"}, {"text": ""})
    out = tmp_path / "out.jsonl"
    result = scan("--model", tiny_model, "--uncertified", "--input", source, "--output", out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in rows] == ["a", "in.jsonl:2"]
    assert set(rows[0]) >= {"id", "risk", "threshold", "flagged", "spans", "coverage"}
    assert result.return_value == (1 if any(row["flagged"] for row in rows) else 0)


def test_the_result_follows_the_flags(tmp_path: Path, tiny_base: Path) -> None:
    from support.tiny import tiny_model_dir

    low = tiny_model_dir(tmp_path / "low", tiny_base, threshold=1e-6)
    high = tiny_model_dir(tmp_path / "high", tiny_base, threshold=1.0)
    for model, code in ((low, 1), (high, 0)):
        assert scan("--model", model, "--uncertified", stdin="hello").return_value == code


def test_text_on_stdin_and_files_need_no_json(tiny_model: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(b"<p>hello \xff</p>")
    result = scan("--model", tiny_model, "--uncertified", page)
    assert json.loads(result.stdout)["id"] == str(page)
    result = scan("--model", tiny_model, "--uncertified", stdin="hello")
    assert json.loads(result.stdout)["id"] == "stdin"


def test_without_a_key_a_model_is_not_used(tiny_model: Path) -> None:
    result = scan("--model", tiny_model, stdin="hello")
    assert isinstance(result.exception, UnsignedError)


def test_an_existing_output_is_never_overwritten(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    result = scan("--model", tiny_model, "--uncertified", "--output", tmp_path / "out", stdin="x")
    assert isinstance(result.exception, OutputExistsError)
    assert (tmp_path / "out").read_text() == "mine"


def test_input_and_files_together_are_a_usage_error(tiny_model: Path, tmp_path: Path) -> None:
    result = scan("--model", tiny_model, "--input", "a", "b")
    assert isinstance(result.exception, InputError)


def test_every_faulty_row_is_named_with_its_line(tmp_path: Path) -> None:
    source = rows_file(tmp_path / "in.jsonl", {"text": "a"}, {"txt": "b"}, {"text": 3})
    with pytest.raises(DataError) as caught:
        read_rows(source)
    assert [fault.split(":")[1] for fault in caught.value.faults] == ["2", "3"]


@pytest.mark.parametrize("line", [b"{", b'{"text": "\xff"}', b"[1]"])
def test_lines_that_are_no_objects_are_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"text": "fine"}\n' + line + b"\n")
    with pytest.raises(DataError, match=r"in\.jsonl:2"):
        read_rows(path)


def test_gzipped_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a", "label": 1}\n'))
    assert read_rows(path)[0].text == "a"


def test_the_table_shows_flags_and_spans() -> None:
    row = {"id": "x", "risk": 0.9, "threshold": 0.5, "flagged": True, "coverage": 1.0}
    lines = list(table([row | {"spans": [[3, 9]]}]))
    assert "FLAGGED" in lines[1]
    assert "[3:9]" in lines[1]


def test_a_dash_reads_rows_on_stdin_each_under_its_own_task(tiny_model: Path) -> None:
    rows = '{"text": "hello", "id": "a"}\r\n\n{"text": "there"}\n'
    result = scan("--model", tiny_model, "--uncertified", "--input", "-", stdin=rows)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["a", "stdin:3"]
    result = scan("--model", tiny_model, "--input", "-", stdin="no rows\n")
    assert isinstance(result.exception, DataError)
    assert "stdin:1" in str(result.exception)


@pytest.mark.parametrize("to_file", [True, False])
def test_half_a_character_in_an_id_is_written_as_jsons_escape(
    tiny_model: Path, tmp_path: Path, to_file: bool
) -> None:
    source = rows_file(tmp_path / "in.jsonl", {"text": "hello", "id": "x\ud800"})
    out = tmp_path / "out.jsonl"
    options = ["--output", out] if to_file else []
    result = scan("--model", tiny_model, "--uncertified", "--input", source, *options)
    written = out.read_text() if to_file else result.stdout
    assert json.loads(written)["id"] == "x\ud800"


def test_a_name_cannot_rewrite_its_line_on_a_terminal(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("causalguard.guard.cli._terminal", lambda: True)
    source = rows_file(tmp_path / "in.jsonl", {"text": "hello", "id": "a\x1b[2K\rclean \ud800"})
    result = scan("--model", tiny_model, "--uncertified", "--input", source)
    assert result.exception is None
    assert r"a\x1b[2K\rclean \ud800" in result.stdout
