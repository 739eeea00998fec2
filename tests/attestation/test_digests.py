"""Digests: model-signing's root rule, tensors without ambiguity, and a MODEL_DIR without guests."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.attestation.certificate import SUBJECT_FILES
from causalguard.attestation.digests import (
    file_digests,
    model_dir_digests,
    root_digest,
    sha256_bytes,
    tensors_digest,
)
from causalguard.errors import ModelDirError

# Made with model-signing 1.1.1, 'model_signing sign key': the subject of its statement,
# over files that hold their own names.
NESTED = ("sub.json", "sub/a.json", "sub/b/c.bin", "a", "z.txt", "Z.txt")
NESTED_ROOT = "7779533986ee2869b887c1b714c1555c0854ba4e4272b934d27287e089e9b4d4"

Row = tuple[str, str, list[int], bytes]
ROWS = st.lists(
    st.tuples(
        st.text('ab[],"0', max_size=4),
        st.sampled_from(["F32", "BF16"]),
        st.lists(st.integers(0, 9), max_size=2),
        st.binary(max_size=4),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda row: row[0],
)


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    for name in SUBJECT_FILES:
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_the_root_digest_is_that_of_model_signing(tmp_path: Path) -> None:
    for name in NESTED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert root_digest(file_digests(tmp_path, NESTED)) == NESTED_ROOT


def test_the_root_digest_orders_by_path_parts_not_by_text() -> None:
    files = {name: sha256_bytes(name.encode()) for name in ("sub.json", "sub/a.json")}
    joined = bytes.fromhex(files["sub/a.json"]) + bytes.fromhex(files["sub.json"])
    assert root_digest(files) == hashlib.sha256(joined).hexdigest()


@given(st.dictionaries(st.text("abc", min_size=1), st.binary(), min_size=1))
def test_the_root_digest_ignores_the_order_given(files: dict[str, bytes]) -> None:
    digests = {name: sha256_bytes(data) for name, data in files.items()}
    assert root_digest(digests) == root_digest(dict(reversed(digests.items())))


@pytest.mark.parametrize("name", ["", ".", "..", "/a", "../a", "a/../b", "a//b", "./a", "a/"])
def test_a_name_that_is_not_a_plain_relative_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="plain relative"):
        root_digest({name: sha256_bytes(b"")})


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "é" * 64])
def test_a_malformed_digest_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        root_digest({"a": digest})


def test_no_files_have_no_root_digest() -> None:
    with pytest.raises(ValueError, match="at least one"):
        root_digest({})


@given(ROWS, ROWS)
def test_two_sets_of_tensors_share_a_digest_only_if_equal(one: list[Row], two: list[Row]) -> None:
    assert (tensors_digest(one) == tensors_digest(two)) == (sorted(one) == sorted(two))


@pytest.mark.parametrize(
    "other",
    [
        [("b", "F32", [2], b"\0" * 8)],
        [("a", "I32", [2], b"\0" * 8)],
        [("a", "F32", [1, 2], b"\0" * 8)],
        [("a", "F32", [2], b"\0" * 7 + b"\1")],
        [("a", "F32", [2], b"\0" * 8), ("b", "F32", [0], b"")],
    ],
    ids=["name", "dtype", "shape", "bytes", "one more"],
)
def test_every_part_of_a_tensor_changes_the_digest(other: list[Row]) -> None:
    assert tensors_digest(other) != tensors_digest([("a", "F32", [2], b"\0" * 8)])


def test_the_tensors_digest_never_changes_between_versions() -> None:
    one: Row = ("w", "BF16", [1, 2], b"\1\2\3\4")
    two: Row = ("b", "F32", [], b"\0\0\0\0")
    expected = "86136a3a6ef802dcfbe16c08673f67f4c6e88303b7e82c33a0e0021ce416a0d3"
    assert tensors_digest(iter([one, two])) == expected


def test_a_tensor_given_twice_or_none_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        tensors_digest([("a", "F32", [], b""), ("a", "F32", [], b"")])
    with pytest.raises(ValueError, match="at least one"):
        tensors_digest([])


def test_a_model_dir_gives_the_digest_of_every_signed_file(model_dir: Path) -> None:
    (model_dir / "README.md").write_text("card")
    (model_dir / "safety-report.json").write_text("{}")
    (model_dir / "trials-R.safetensors").write_bytes(b"")
    expected = {name: sha256_bytes(name.encode()) for name in SUBJECT_FILES}
    assert model_dir_digests(model_dir) == expected


@pytest.mark.parametrize("name", ["optimizer.pt", ".hidden", "guard.json.bak", "Guard.json"])
def test_an_unlisted_file_is_refused_by_name(model_dir: Path, name: str) -> None:
    (model_dir / name).write_text("guest")
    with pytest.raises(ModelDirError, match=f"{name} is not listed"):
        model_dir_digests(model_dir)


def test_a_missing_file_is_refused_by_name(model_dir: Path) -> None:
    (model_dir / "head.safetensors").unlink()
    with pytest.raises(ModelDirError, match=r"head.safetensors is missing"):
        model_dir_digests(model_dir)


@pytest.mark.parametrize("name", ["guard.json", "README.md"])
def test_a_link_is_refused_even_to_the_right_file(
    model_dir: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    target = tmp_path_factory.mktemp("elsewhere") / name
    target.write_bytes(name.encode())
    (model_dir / name).unlink(missing_ok=True)
    (model_dir / name).symlink_to(target)
    with pytest.raises(ModelDirError, match=f"{name} is a symbolic link"):
        model_dir_digests(model_dir)


def test_a_subdirectory_and_a_pipe_are_refused(model_dir: Path) -> None:
    (model_dir / "safety-report.d").mkdir()
    os.mkfifo(model_dir / "trials.jsonl")
    with pytest.raises(
        ModelDirError, match=r"safety-report.d/ is a sub.*trials.jsonl is not a reg"
    ):
        model_dir_digests(model_dir)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelDirError, match="no such directory"):
        model_dir_digests(tmp_path / "absent")


def test_reading_follows_no_link_and_waits_for_no_pipe(model_dir: Path) -> None:
    (model_dir / "link").symlink_to(model_dir / "guard.json")
    os.mkfifo(model_dir / "pipe")
    for name in ("link", "pipe", "absent"):
        with pytest.raises(ModelDirError, match=name):
            file_digests(model_dir, [name])
