import gzip
import os
from pathlib import Path

import pytest

from causalguard.errors import DataError, InputError, OutputExistsError
from causalguard.files import MAX_FAULTS, new_directory, raise_faults, read_jsonl, write_atomic


def test_blank_lines_are_skipped_and_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert list(read_jsonl(path)) == [(1, {"a": 1}), (3, {"a": 2})]


def test_deep_nesting_is_a_fault_of_its_line_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a":' + "[" * 200_000 + "\n")
    with pytest.raises(DataError, match=r"a\.jsonl:1"):
        list(read_jsonl(path))


def test_an_integer_of_too_many_digits_is_a_fault_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1' + "0" * 5000 + "}\n")
    with pytest.raises(DataError, match=r"a\.jsonl:1: not JSON"):
        list(read_jsonl(path))


@pytest.mark.parametrize(
    "data", [b"no gzip", gzip.compress(b"{}\n")[:-6], gzip.compress(b"{}\n")[:10] + b"\xff" * 9]
)
def test_a_file_that_is_no_whole_gzip_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        list(read_jsonl(path))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_jsonl(tmp_path / "none"))


def test_faults_beyond_the_limit_are_counted() -> None:
    with pytest.raises(DataError) as caught:
        raise_faults([f"f:{i}: x" for i in range(MAX_FAULTS + 7)])
    assert caught.value.faults[-1] == "... and 7 more faults"


def test_a_write_replaces_whole_files_and_leaves_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a"
    write_atomic(path, "one")
    write_atomic(path, b"two")
    assert path.read_text() == "two"
    assert [p.name for p in path.parent.iterdir()] == ["a"]


def test_a_file_has_the_rights_that_the_umask_leaves_and_the_umask_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o027)
    try:
        monkeypatch.delattr(os, "umask")  # other threads would write files under another one
        write_atomic(tmp_path / "x", "one")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_directory_has_the_rights_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with new_directory(tmp_path / "d"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o777 & ~umask


def test_an_empty_directory_that_is_taken_over_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o700)
    with new_directory(tmp_path / "d") as fresh:
        (fresh / "whole").write_text("x")
    assert (tmp_path / "d" / "whole").exists()
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700


def test_a_directory_appears_only_when_its_block_succeeds(tmp_path: Path) -> None:
    def interrupted() -> None:
        with new_directory(tmp_path / "d") as fresh:
            (fresh / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    with new_directory(tmp_path / "d") as fresh:
        (fresh / "whole").write_text("x")
    assert (tmp_path / "d" / "whole").exists()
    with pytest.raises(OutputExistsError), new_directory(tmp_path / "d"):
        pass
