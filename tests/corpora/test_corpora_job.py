"""Corpora without Ray: plans, bad rows, resumes and counts, over a pool that is this process."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalguard.errors import (
    ConfigError,
    DataError,
    InputError,
    OutputExistsError,
    ScanError,
)
from causalguard.guard.corpora.index import index_file
from causalguard.guard.corpora.job import scan_corpus
from causalguard.guard.corpora.lines import Place, walk
from causalguard.guard.corpora.plan import Block, Limits, Piece, SourceFile, pack
from causalguard.guard.corpora.scoring import read_block, score_rows
from causalguard.guard.corpora.sources import list_files
from causalguard.guard.corpora.store import Summary
from causalguard.records import ToolOutput, Verdict
from support import corpora
from support.corpora import FakeLoad, SerialPool, found

SMALL = Limits(block_rows=4)
FACTS = {"model": "a" * 64, "threshold": 0.5}


def scan(source: Path | str, output: Path, **given: Any) -> Summary:
    load = FakeLoad(output.parent / "log")
    pool = given.pop("pool", None) or SerialPool(load)
    options: dict[str, Any] = {"facts": FACTS, "limits": SMALL} | given
    return scan_corpus([str(source)], output, pool, **options)


def reasons(output: Path) -> dict[int, str]:
    return {row["row"]: row["reason"] for row in found(output, "set-aside")}


def test_folder_jsonl_and_parquet_give_equal_verdicts(tmp_path: Path) -> None:
    texts = corpora.texts(23)
    sources = [
        corpora.write_folder(tmp_path / "folder", texts),
        corpora.write_jsonl(tmp_path / "rows.jsonl", [{"text": t} for t in texts]),
        corpora.write_parquet(tmp_path / "rows.parquet", {"text": texts}),
    ]
    risks = []
    for n, source in enumerate(sources):
        assert scan(source, tmp_path / f"out{n}").rows == 23
        risks.append([row["risk"] for row in found(tmp_path / f"out{n}")])
    assert risks[0] == risks[1] == risks[2]
    assert risks[0] == [corpora.verdict_of(ToolOutput(text=t)).risk for t in texts]


def test_bad_lines_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    long = b'{"text": "' + b"x" * 200 + b'"}'
    lines = [b'{"text": "fine"}', b'{"txt": 1}', b"{", b'{"text": "\xff"}', b"[1]", b"",
             b'{"text": null}', long, b'{"text": "last"}']  # fmt: skip
    path.write_bytes(b"\n".join(lines))
    summary = scan(path, tmp_path / "out", limits=Limits(block_rows=3, max_chars=100))
    assert (summary.rows, summary.verdicts, summary.set_aside) == (8, 2, 6)
    said = reasons(tmp_path / "out")
    words = {2: "missing", 3: "not JSON", 4: "UTF-8", 5: "object", 7: "string", 8: "200 char"}
    assert said.keys() == words.keys()
    assert all(words[row] in said[row] for row in words)


def test_a_line_without_end_is_passed_over_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "' + b"x" * (2 << 20) + b'"}\n{"text": "next"}\n')
    assert scan(path, tmp_path / "out", limits=Limits(max_chars=10)).verdicts == 1
    assert "longer than" in reasons(tmp_path / "out")[1]


def test_parquet_values_that_are_no_text_are_set_aside(tmp_path: Path) -> None:
    columns = {"text": [b"fine", b"\xff", None], "id": [7, 8, 9], "task": [1, 2, 3]}
    path = corpora.write_parquet(tmp_path / "rows.parquet", columns)
    assert scan(path, tmp_path / "out").set_aside == 3  # a column of numbers is no task
    path = corpora.write_parquet(tmp_path / "more.parquet", {**columns, "task": ["a"] * 3})
    assert scan(path, tmp_path / "out2").set_aside == 2
    assert "UTF-8" in reasons(tmp_path / "out2")[2]
    assert [row["id"] for row in found(tmp_path / "out2")] == ["7"]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl.gz"])
def test_a_damaged_file_is_set_aside_whole(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    good = gzip.compress(b'{"text": "a"}\n' * 999)
    (tmp_path / "in" / name).write_bytes(good[: len(good) // 2])
    (tmp_path / "in" / "page.txt").write_text("fine")
    assert scan(tmp_path / "in", tmp_path / "out").verdicts == 1
    assert "damaged" in reasons(tmp_path / "out")[1]


def test_binary_and_over_long_files_are_set_aside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "image").write_bytes(bytes(range(256)))
    (tmp_path / "in" / "long").write_text("x" * 999)
    (tmp_path / "in" / "longer").write_text("é" * 300)
    scan(tmp_path / "in", tmp_path / "out", limits=Limits(max_chars=290))
    said = [row["reason"] for row in found(tmp_path / "out", "set-aside")]
    assert [s.split(" (")[0] for s in said[:1]] == ["not valid UTF-8"]
    assert "300 characters" in said[2]
    assert len(said) == 3


def test_gzip_and_uris_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a"}\n{"text": "b"}\n' * 5))
    assert scan(path.as_uri(), tmp_path / "out").verdicts == 10
    rows = [(row["source"], row["row"]) for row in found(tmp_path / "out")]
    assert rows == [(str(path), n) for n in range(1, 11)]


def test_ids_given_twice_are_refused_before_any_work(tmp_path: Path) -> None:
    rows = [{"text": "a", "id": "x"}, {"text": "b"}, {"text": "c", "id": "x"}]
    path = corpora.write_jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(DataError, match=r"rows\.jsonl:3: its id is also that of .*rows\.jsonl:1"):
        scan(path, tmp_path / "out")
    assert not (tmp_path / "log").exists()


def test_a_resume_scores_nothing_that_was_written(tmp_path: Path) -> None:
    path = corpora.write_jsonl(tmp_path / "rows.jsonl", [{"text": t} for t in corpora.texts(30)])
    load = FakeLoad(tmp_path / "log")
    with pytest.raises(KeyboardInterrupt):
        scan(path, tmp_path / "out", pool=SerialPool(load, stop_after=3))
    written = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out" / "verdicts").iterdir()}
    assert len(written) == 3
    assert scan(path, tmp_path / "out", resume=True).verdicts == 30
    scored = [line.split()[1] for line in (tmp_path / "log").read_text().splitlines()]
    assert len(scored) == len(set(scored)) == 30
    for name, time in written.items():
        assert (tmp_path / "out" / "verdicts" / name).stat().st_mtime_ns == time


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A scan of ten rows that was interrupted after one block."""
    path = corpora.write_jsonl(tmp_path / "rows.jsonl", [{"text": t} for t in corpora.texts(10)])
    with pytest.raises(KeyboardInterrupt):
        scan(path, tmp_path / "out", pool=SerialPool(FakeLoad(tmp_path / "log"), stop_after=1))
    return path


def test_another_model_or_option_is_refused(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model: the scan was begun with 'aaa"):
        scan(begun, tmp_path / "out", resume=True, facts=FACTS | {"model": "b" * 64})
    with pytest.raises(ConfigError, match="limits"):
        scan(begun, tmp_path / "out", resume=True, limits=replace(SMALL, max_chars=9))


def test_changed_input_is_refused(begun: Path, tmp_path: Path) -> None:
    begun.write_bytes(begun.read_bytes().replace(b"mail 9", b"mail 8"))
    with pytest.raises(DataError, match="has changed since the scan began"):
        scan(begun, tmp_path / "out", resume=True)


def test_an_output_is_taken_over_only_by_resume(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="--resume"):
        scan(begun, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(OutputExistsError, match="no output of a scan"):
        scan(begun, tmp_path / "mine", resume=True)


def test_an_output_inside_the_input_is_refused(tmp_path: Path) -> None:
    corpora.write_folder(tmp_path / "in", ["a"])
    with pytest.raises(InputError, match="lies in"):
        scan(tmp_path / "in", tmp_path / "in" / "out")


@pytest.mark.parametrize("change", ["drop", "twice", "other"])
def test_a_part_that_lost_or_doubled_a_row_is_found(
    begun: Path, tmp_path: Path, change: str
) -> None:
    part = tmp_path / "out" / "verdicts" / "part-00000000.jsonl"
    lines = part.read_text().splitlines(keepends=True)
    other = json.dumps(json.loads(lines[0]) | {"row": 9}) + "\n"
    new = {"drop": lines[1:], "twice": [*lines[1:], lines[1]], "other": [*lines[1:], other]}
    part.write_text("".join(new[change]))
    with pytest.raises(ScanError, match="remove this part"):
        scan(begun, tmp_path / "out", resume=True)


def test_a_block_that_no_worker_did_fails_the_scan(begun: Path, tmp_path: Path) -> None:
    class Forgetful(SerialPool):
        def outcomes(self, blocks: Any, limits: Limits) -> Any:
            return super().outcomes(blocks[1:], limits)

    pool = Forgetful(FakeLoad(tmp_path / "log"))
    with pytest.raises(ScanError, match="1 of 3 blocks have no verdicts"):
        scan(begun, tmp_path / "out", resume=True, pool=pool)
    assert not (tmp_path / "out" / "summary.json").exists()


def test_bytes_that_change_under_the_scan_are_noticed(tmp_path: Path) -> None:
    path = corpora.write_jsonl(tmp_path / "rows.jsonl", [{"text": "abc"}])
    (file,) = list_files([str(path)])
    (piece,) = index_file(file, SMALL).pieces
    forged = replace(piece, sha256="0" * 64)
    with pytest.raises(InputError, match="has changed"):
        read_block(Block(number=0, pieces=(forged,)), SMALL)


class Choosy:
    """Cannot score one word, or anything."""

    def __init__(self, word: str) -> None:
        self.word = word

    def scan(self, outputs: Any) -> list[Verdict]:
        if any(self.word in output.text for output in outputs):
            raise ScanError("the scan failed (out of memory)")
        return [corpora.verdict_of(output) for output in outputs]


def test_a_row_that_breaks_the_guard_is_set_aside_alone(tmp_path: Path) -> None:
    path = corpora.write_jsonl(tmp_path / "rows.jsonl", [{"text": t} for t in ("a", "bad", "c")])
    scan(path, tmp_path / "out", pool=SerialPool(lambda: Choosy("bad")))
    assert reasons(tmp_path / "out") == {2: "the scan failed (out of memory)"}
    with pytest.raises(ScanError):  # it fails on anything: the machine is at fault
        score_rows(Choosy(""), 0, read_block(_only_block(path), SMALL))


def _only_block(path: Path) -> Block:
    (file,) = list_files([str(path)])
    (block,) = pack(index_file(file, SMALL).pieces, SMALL)
    return block


def test_keys_in_uris_and_sources_given_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="through the environment"):
        list_files(["s3://key:secret@bucket/rows"])
    corpora.write_folder(tmp_path / "in", ["a"])
    with pytest.raises(InputError, match="twice"):
        list_files([str(tmp_path / "in"), str(tmp_path / "in" / "000.txt")])


@given(st.lists(st.integers(1, 9)), st.integers(1, 12))
def test_packing_keeps_every_piece_once_and_in_order(sizes: list[int], most: int) -> None:
    file = SourceFile(root="/", path="/x", kind="jsonl", size=0, mtime_ns=0)
    pieces = [
        Piece(file=file, start=n, end=n + 1, first_row=n, last_row=n, rows=rows)
        for n, rows in enumerate(sizes)
    ]
    blocks = list(pack(pieces, Limits(block_rows=most)))
    assert [piece for block in blocks for piece in block.pieces] == pieces
    assert [block.number for block in blocks] == list(range(len(blocks)))
    assert all(block.rows <= most or len(block.pieces) == 1 for block in blocks)
    assert [Block.from_json(block.to_json()) for block in blocks] == blocks


@settings(max_examples=200)
@given(st.binary(max_size=60).map(lambda b: b.replace(b"x", b"\n")), st.integers(1, 8))
def test_walking_takes_every_byte_and_splits_as_lines_do(data: bytes, limit: int) -> None:
    import io

    place = Place(0)
    lines = list(walk(io.BytesIO(data), place, limit, None))
    assert place.offset == len(data)
    plain = data.split(b"\n")
    assert len(lines) == len(plain) - (plain[-1] == b"")
    for line, true in zip(lines, plain, strict=False):
        assert line is None or line.rstrip(b"\n") == true
        assert len(true) <= limit or line is None
