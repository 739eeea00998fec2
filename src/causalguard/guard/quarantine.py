"""A local store of withheld texts, for a person to look at.  Opt-in; nothing leaves it by itself.

One file per text, named by its sha256, mode 0600 in a directory of mode 0700, written all or
nothing.  A text that is older than its time is removed.  When the store is full new texts are
*not* stored, so that a flood cannot push out what is already there; they stay withheld either way.
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from causalguard.errors import DataError, InputError
from causalguard.guard.review import Reviews, locked, now, private_directory, write_private

log = logging.getLogger("causalguard.quarantine")

SCHEMA = "quarantine/1"
MAX_BYTES = 64 * 2**20
DAYS = 30.0
RECORDS_KEPT = 10
"""Decisions kept beside a text: the first ones, each under another S or tool."""
SHORTEST_PREFIX = 8
"""Digits of a digest that name a text, where they are unique."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One withheld text."""

    text_sha256: str
    """Digest of the text, and the name of its file."""
    text: str
    """The text as the tool returned it.  Untrusted."""
    first: str
    """When it was first withheld, ISO 8601."""
    last: str
    """When it was last withheld under a new S or in a new process, ISO 8601."""
    expires: str
    """When it is removed, ISO 8601."""
    count: int
    """How often it was stored, >= 1."""
    records: tuple[Mapping[str, Any], ...]
    """Decisions on it, without content."""

    @property
    def contexts(self) -> tuple[str, ...]:
        """Digests of the S it was withheld under."""
        found = (str(record["context_sha256"]) for record in self.records)
        return tuple(dict.fromkeys(found))


class Quarantine:
    """The store.  Safe between threads and processes."""

    def __init__(
        self,
        directory: Path | str,
        *,
        max_bytes: int = MAX_BYTES,
        days: float = DAYS,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Open a store; the directory is made on first use.

        Args:
            directory: where no tool of the agent can read or write.
            max_bytes: size of all files together, > 0.
            days: days that a text is kept after it was last withheld, > 0.
            clock: gives the time, with an offset.
        """
        if max_bytes <= 0 or days <= 0:
            raise ValueError(f"max_bytes and days must be > 0, got {max_bytes} and {days}")
        self.directory = Path(directory)
        self.max_bytes = max_bytes
        self.days = days
        self.reviews = Reviews(self.directory / "reviews.json", clock=clock)
        self._clock = clock

    def put(self, text: str, record: Mapping[str, Any]) -> bool:
        """Store a withheld text; False when it could not be.  Never raises.

        Args:
            text: the text.
            record: the decision on it, ``Decision.to_record()``.
        """
        try:
            private_directory(self.directory)
            with locked(self.directory / "store.lock"):
                return self._put(text, record)
        except OSError as error:
            log.warning("a withheld text could not be stored: %s", error)
            return False

    def _put(self, text: str, record: Mapping[str, Any]) -> bool:
        self._remove_expired()
        name = digest(text)
        path = self._path(name)
        when = self._clock()
        old = _known(path)
        entry = Entry(
            text_sha256=name,
            text=text,
            first=old.first if old else when.isoformat(),
            last=when.isoformat(),
            expires=(when + timedelta(days=self.days)).isoformat(),
            count=old.count + 1 if old else 1,
            records=_with(old.records if old else (), record),
        )
        content = _to_json(entry)
        used = sum(p.stat().st_size for p in self._files() if p != path)
        if used + len(content) > self.max_bytes:
            log.warning("the quarantine is full: text %s is withheld but not stored", name)
            return False
        write_private(path, content)
        os.utime(path, (when.timestamp(), when.timestamp()))  # expiry goes by it, unread
        return True

    def entries(self) -> list[Entry]:
        """What is stored, last withheld first; expired texts are removed.

        Raises:
            DataError: a file is damaged.
        """
        if not self.directory.is_dir():
            return []
        with locked(self.directory / "store.lock"):
            self._remove_expired()
            found = [_entry(path) for path in self._files()]
        return sorted(found, key=lambda entry: entry.last, reverse=True)

    def get(self, prefix: str) -> Entry:
        """The entry whose digest begins like this.

        Args:
            prefix: at least eight hexadecimal digits.

        Raises:
            InputError: there is none, or several.
            DataError: the file is damaged.
        """
        if not re.fullmatch(f"[0-9a-f]{{{SHORTEST_PREFIX},64}}", prefix):
            raise InputError(f"{prefix!r}: give at least {SHORTEST_PREFIX} digits of a sha256")
        paths = [path for path in self._files() if path.stem.startswith(prefix)]
        if len(paths) != 1:
            what = "is not in the quarantine" if not paths else "names several texts; give more"
            raise InputError(f"{prefix} {what}; guard-review list shows what is there")
        return _entry(paths[0])

    def remove(self, text_sha256: str) -> None:
        """Delete a text; nothing happens when it is gone already."""
        self._path(text_sha256).unlink(missing_ok=True)

    def _remove_expired(self) -> None:
        oldest = self._clock().timestamp() - self.days * 86_400
        for path in self._files():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.json"

    def _files(self) -> Iterator[Path]:
        if self.directory.is_dir():
            yield from (p for p in self.directory.glob("*.json") if len(p.stem) == 64)


def digest(text: str) -> str:
    """Sha256 of a text as everything here names it (lone surrogates included)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _with(
    old: tuple[Mapping[str, Any], ...], new: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    known = any(
        all(r.get(name) == new.get(name) for name in ("context_sha256", "tool")) for r in old
    )
    return old if known or len(old) >= RECORDS_KEPT else (*old, dict(new))


def _to_json(entry: Entry) -> str:
    row = {
        "schema": SCHEMA,
        "text_sha256": entry.text_sha256,
        "first": entry.first,
        "last": entry.last,
        "expires": entry.expires,
        "count": entry.count,
        "records": list(entry.records),
        "text": entry.text,
    }
    return json.dumps(row)  # ASCII, so that lone surrogates survive


def _known(path: Path) -> Entry | None:
    try:
        return _entry(path) if path.exists() else None
    except DataError:
        return None  # a damaged file is replaced


def _entry(path: Path) -> Entry:
    try:
        row = json.loads(path.read_bytes())
        entry = Entry(
            text_sha256=str(row["text_sha256"]),
            text=str(row["text"]),
            first=str(row["first"]),
            last=str(row["last"]),
            expires=str(row["expires"]),
            count=int(row["count"]),
            records=tuple(dict(record) for record in row["records"]),
        )
        sound = row["schema"] == SCHEMA and digest(entry.text) == entry.text_sha256 == path.stem
    except (ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise DataError(f"{path}: damaged, or not the text it is named for; remove it")
    return entry
