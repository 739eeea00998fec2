"""JSONL and text files, byte by byte: rows with their places, faults as reasons."""

import hashlib
import json
from collections.abc import Iterator
from typing import IO, Any

from causalguard.guard.corpora.plan import Limits, Row, SourceFile
from causalguard.guard.rows import FIELDS

CHUNK = 1 << 20


class Place:
    """Where a walk over lines has come to, with the digest of what it has passed."""

    def __init__(self, offset: int) -> None:
        """Begin at a byte offset (decompressed)."""
        self.offset = offset
        self._hash = hashlib.sha256()

    def take(self, data: bytes) -> None:
        """Pass over bytes."""
        self.offset += len(data)
        self._hash.update(data)

    def cut(self) -> str:
        """The digest since the last cut; begins a new one."""
        digest = self._hash.hexdigest()
        self._hash = hashlib.sha256()
        return digest


def walk(stream: IO[bytes], place: Place, limit: int, end: int | None) -> Iterator[bytes | None]:
    """Lines up to a byte offset, or to the end; None for one that is longer than ``limit``.

    Such a line is passed over in chunks, so memory stays bounded whatever a file holds.
    """
    while end is None or place.offset < end:
        line = stream.readline(limit + 1)
        if not line:
            return
        place.take(line)
        if len(line) <= limit or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(CHUNK)
            place.take(line)
        yield None


def row_of_line(line: bytes | None, file: SourceFile, number: int, limits: Limits) -> Row | None:
    """A JSONL line as a row; None for a blank one.  What is wrong becomes the reason."""
    own = f"{file.path}:{number}"

    def aside(reason: str, identifier: str = own) -> Row:
        return Row(source=file.path, row=number, id=identifier, aside=reason)

    if line is None:
        return aside(f"the line is longer than {limits.line_bytes} bytes")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return aside(f"not valid UTF-8 ({error.reason})")
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return aside(f"not JSON ({error})")
    if not isinstance(value, dict):
        return aside(f"a JSON object is needed, got {type(value).__name__}")
    return row_of_values(value, file, number, limits)


def row_of_values(value: dict[str, Any], file: SourceFile, number: int, limits: Limits) -> Row:
    """A decoded row, with the reason when it cannot be scored."""
    names = {name: limits.text_field if name == "text" else name for name in FIELDS}
    own = f"{file.path}:{number}"
    given = value.get("id")
    has_id = isinstance(given, str) and given != "" and _is_unicode(given)
    identifier = given if isinstance(given, str) and has_id else own
    wrong = _wrong(value, names)
    text = value.get(names["text"])
    if not wrong and isinstance(text, str) and len(text) > limits.max_chars:
        wrong = [f"the text has {len(text)} characters, more than {limits.max_chars}"]
    if wrong:
        return Row(source=file.path, row=number, id=identifier, aside="; ".join(wrong))
    fields = {name: value.get(names[name]) or "" for name in FIELDS if name != "id"}
    return Row(source=file.path, row=number, id=identifier, **fields)


def _wrong(value: dict[str, Any], names: dict[str, str]) -> list[str]:
    if names["text"] not in value:
        return [f"the field '{names['text']}' is missing"]
    wrong = []
    for name, key in names.items():
        one = value.get(key)
        if isinstance(one, bytes):
            wrong.append(f"{key} is not valid UTF-8")
        elif not isinstance(one, str) and (one is not None or name == "text"):
            wrong.append(f"{key} must be a string")
        elif name == "id" and isinstance(one, str) and not _is_unicode(one):
            wrong.append("id is not valid Unicode")
    return wrong


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def row_of_text(data: bytes, file: SourceFile, limits: Limits) -> Row:
    """A whole file as one row; bytes that are not UTF-8 set it aside."""

    def aside(reason: str) -> Row:
        return Row(source=file.path, row=1, id=file.path, aside=reason)

    if file.size > 4 * limits.max_chars:
        return aside(
            f"the file has {file.size} bytes, more than {limits.max_chars} characters take"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return aside(f"not valid UTF-8 ({error.reason} at byte {error.start})")
    if len(text) > limits.max_chars:
        return aside(f"the text has {len(text)} characters, more than {limits.max_chars}")
    return Row(source=file.path, row=1, id=file.path, text=text)
