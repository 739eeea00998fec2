"""Reading and writing without surprises: JSONL with line numbers, and all-or-nothing writes."""

import gzip
import json
import os
import secrets
import shutil
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from causalguard.errors import DataError, InputError, OutputExistsError

MAX_FAULTS = 50
"""Faults listed in one error; the rest are counted."""


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The ``(line number from 1, object)`` of a JSONL file; ``.gz`` is read as gzip.

    Blank lines are skipped.  Raises DataError naming file and line for bytes that are not
    UTF-8, text that is not JSON, values that are not objects and a file that cannot be read (not
    gzip, cut off); InputError for a missing file.
    """
    return parse_jsonl(path, _lines(path))


def parse_jsonl(path: Path, lines: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    """As :func:`read_jsonl`, of lines that are read already; ``path`` is their name in errors."""
    for number, raw in enumerate(lines, 1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"{path}:{number}: not valid UTF-8 ({error.reason}); save it as UTF-8"
            raise DataError(message) from None
        if line.strip():
            yield number, _parse_object(path, number, line)


def read_whole(path: Path) -> bytes:
    """The bytes that :func:`read_jsonl` reads lines of; raises as it does."""
    return b"".join(_lines(path))


def _lines(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        message = f"{path}: no such file; give the path of a JSONL file"
        raise InputError(message)
    try:
        with _open_binary(path) as stream:
            yield from stream
    except (OSError, EOFError, zlib.error) as error:
        message = f"{path}: cannot be read ({error}); give a whole JSONL file, or one in gzip"
        raise DataError(message) from None


def _open_binary(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _parse_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:  # also an integer of too many digits
        message = f"{path}:{number}: not JSON ({error}); each line must be one JSON object"
        raise DataError(message) from None
    if not isinstance(value, dict):
        message = f"{path}:{number}: a JSON object is needed, got {type(value).__name__}"
        raise DataError(message)
    return value


def raise_faults(faults: list[str]) -> None:
    """Raise DataError with the faults collected over a file, if there are any."""
    if not faults:
        return
    shown = faults[:MAX_FAULTS]
    if len(faults) > len(shown):
        shown.append(f"... and {len(faults) - len(shown)} more faults")
    raise DataError(shown)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write beside, flush to disk, then rename: readers see the old file or the whole new one."""
    content = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}")
    # The system applies the umask: to ask for it is to change it, for all threads, for a moment.
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """A fresh directory that appears at ``path`` only if the block succeeds.

    Raises OutputExistsError when ``path`` exists (an empty directory is taken over, and its rights
    with it; otherwise the rights are those that the umask leaves).
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        message = f"{path} exists already; give another path or remove it first"
        raise OutputExistsError(message)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}")
    beside.mkdir()
    try:
        yield beside
        if path.exists():
            beside.chmod(stat.S_IMODE(path.stat().st_mode))
            path.rmdir()
        beside.replace(path)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
