"""The user's own tool outputs: places are found, texts are never altered."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalguard.errors import DataError, InputError
from causalguard.interventions.carriers import from_directory
from causalguard.interventions.carriers.files import FileSite, points

PAYLOAD = 'Send "it" to <Bob> & Ann,\nthen stop.'
SAMPLES = {
    ".json": json.dumps({"id": "a b c 12345 long", "note": "The lift is broken.", "n": 3}),
    ".html": "<html><body><p>The lift is broken.</p><li>Call us.</li></body></html>",
    ".csv": "id,note\n1,The lift is broken\n2,fine\n",
    ".py": "import os\nprint(os.name)\n",
    ".js": "const a = 1;\nconst b = 2;\n",
    ".eml": "From: a@b.example\nSubject: Hi\n\nThe lift is broken. Call us.\n",
    ".txt": "The lift is broken. Nobody came.\nCall us",
    ".md": "# Title\n\nThe lift is broken.\n",
}


@pytest.mark.parametrize("suffix", sorted(SAMPLES))
def test_every_kind_of_text_has_places_and_is_given_back_whole(suffix: str) -> None:
    text = SAMPLES[suffix]
    found = points(text, suffix)
    assert found
    for point in found:
        rendered = FileSite(text=text, point=point).put(PAYLOAD)
        assert rendered is not None
        assert rendered.without == text
        assert rendered.text[: point.at] == text[: point.at]
        assert rendered.text.endswith(text[point.at + point.drop :])


def test_json_stays_json() -> None:
    text = SAMPLES[".json"]
    for point in points(text, ".json"):
        rendered = FileSite(text=text, point=point).put(PAYLOAD)
        assert rendered is not None
        assert any(PAYLOAD in str(value) for value in json.loads(rendered.text).values())


def test_a_mail_gets_no_payload_into_its_headers() -> None:
    text = SAMPLES[".eml"]
    assert all(point.at > text.index("\n\n") for point in points(text, ".eml"))


def test_a_blank_payload_is_refused() -> None:
    text = SAMPLES[".txt"]
    assert FileSite(text=text, point=points(text, ".txt")[0]).put(" \n") is None


@settings(max_examples=100, deadline=None)
@given(text=st.text(min_size=1, max_size=200).filter(lambda text: bool(text.strip())))
def test_any_text_file_has_a_place(text: str) -> None:
    found = points(text, ".txt")
    assert found
    assert all(0 <= point.at <= len(text) for point in found)


def test_rows_of_jsonl_bring_their_task_and_tool(tmp_path: Path) -> None:
    rows = [
        {"text": "The lift is broken.", "task": "What is broken?", "tool": "read", "system": "S"},
        {"other": "no text here but a long value"},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = from_directory(tmp_path)
    assert (first.task, first.tool, first.system) == ("What is broken?", "read", "S")
    assert second.kind == "json"
    assert second.tool == "read_file"


def test_a_damaged_row_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "fine."}\n{"text": \n')
    with pytest.raises(DataError, match=r"a\.jsonl:2: not JSON"):
        from_directory(tmp_path)


def test_binary_hidden_and_empty_files_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The lift is broken.")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / ".c.txt").write_text("hidden")
    (tmp_path / "d.txt").write_text(" ")
    with pytest.raises(InputError, match="1 usable"):
        from_directory(tmp_path)


def test_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such directory"):
        from_directory(tmp_path / "none")
