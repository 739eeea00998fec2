"""What people decided on single texts: allowed until a date, or denied; by digest, in one file.

Nothing here decides by itself.  An allowance names who gave it and when it ends, and holds for the
trusted contexts it was given for.  The file must be where no tool of the agent can write.  Whatever
is wrong with it closes: allowances then do not count, and denials read earlier still do.
"""

import fcntl
import json
import logging
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from causalguard.errors import DataError

log = logging.getLogger("causalguard.review")

SCHEMA = "reviews/1"
ANY = "*"
"""In place of a context's digest: under every S."""
Choice = Literal["allow", "deny"]
Stamp = tuple[int, int, int, int]
UNSEEN: Stamp = (-1, -1, -1, -1)
"""Of a file that may be there and cannot be looked at: to read it is tried, and fails closed."""
_HEX = re.compile(r"[0-9a-f]{64}")


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One person's decision on one text."""

    text_sha256: str
    """Digest of the text, 64 hexadecimal digits."""
    context_sha256: str = ANY
    """Digest of the S it holds under; ``*``: under every S."""
    choice: Choice
    """``allow``: shown although flagged.  ``deny``: never shown, whatever the guard says."""
    by: str
    """Who decided; not empty."""
    at: str
    """When, ISO 8601 with offset."""
    until: str = ""
    """End, ISO 8601 with offset; empty: no end, for denials only."""
    reason: str = ""
    """Why, one line."""

    def __post_init__(self) -> None:
        faults = []
        if not _HEX.fullmatch(self.text_sha256):
            faults.append("text_sha256 needs 64 hexadecimal digits")
        if self.context_sha256 != ANY and not _HEX.fullmatch(self.context_sha256):
            faults.append("context_sha256 needs 64 hexadecimal digits or '*'")
        if self.choice not in get_args(Choice):
            faults.append(f"choice is allow or deny, not {self.choice!r}")
        if not self.by.strip():
            faults.append("by: name who decided")
        if self.choice == "allow" and not self.until:
            faults.append("until: an allowance needs an end")
        faults += [
            f"{name}: {value!r} is no time with offset"
            for name, value in (("at", self.at), ("until", self.until))
            if (value or name == "at") and not _has_offset(value)
        ]
        if faults:
            raise DataError(faults)

    def holds(self, text_sha256: str, context_sha256: str, when: datetime) -> bool:
        """Whether it decides on this text under this S at this time."""
        return (
            self.text_sha256 == text_sha256
            and self.context_sha256 in {ANY, context_sha256}
            and (not self.until or when < datetime.fromisoformat(self.until))
        )


def _has_offset(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


class Reviews:
    """The file of decisions.  Safe between threads and processes; re-read when it changes."""

    def __init__(self, path: Path | str, *, clock: Callable[[], datetime] = now) -> None:
        """Name the file; it need not exist yet.

        Args:
            path: JSON file, in a directory that only its owner can write.
            clock: gives the time, with an offset.
        """
        self.path = Path(path)
        self._clock = clock
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._faulty: Stamp | None = None
        self._known: tuple[Review, ...] = ()

    def find(self, text_sha256: str, context_sha256: str) -> Review | None:
        """The decision in force; a denial beats an allowance.  Never raises: a fault closes."""
        when = self._clock()
        found = [r for r in self._current() if r.holds(text_sha256, context_sha256, when)]
        found.sort(key=lambda review: review.choice, reverse=True)  # deny before allow
        return found[0] if found else None

    def all(self) -> list[Review]:
        """Every decision in the file, ended ones included.

        Raises:
            DataError: the file is damaged, or others can write it.
        """
        return list(_read(self.path)) if self.path.exists() else []

    def add(self, reviews: Sequence[Review]) -> None:
        """Add decisions; each replaces those on the same text under the same S."""
        with self._changing() as known:
            for review in reviews:
                known[:] = [r for r in known if not _same_place(r, review)]
                known.append(review)

    def remove(self, text_sha256: str) -> int:
        """Take back every decision on a text; returns how many there were."""
        with self._changing() as known:
            before = len(known)
            known[:] = [r for r in known if r.text_sha256 != text_sha256]
            return before - len(known)

    @contextmanager
    def _changing(self) -> Iterator[list[Review]]:
        private_directory(self.path.parent)
        with locked(self.path.with_suffix(".lock")):
            known = self.all()
            yield known
            rows = [asdict(review) for review in known]
            write_private(self.path, json.dumps({"schema": SCHEMA, "reviews": rows}, indent=1))

    def _current(self) -> tuple[Review, ...]:
        with self._lock:
            stamp = _stamp(self.path)
            if stamp is None or stamp != self._stamp:
                self._known, self._stamp = self._reread(stamp)
            return self._known

    def _reread(self, stamp: Stamp | None) -> tuple[tuple[Review, ...], Stamp | None]:
        """What is known now, and the stamp that it is known for."""
        if stamp is None:
            return (), None
        try:
            return _read(self.path), stamp
        except (DataError, OSError) as error:
            if stamp != self._faulty:  # one warning per fault, not per scan
                log.warning("%s; until it is repaired nothing is allowed by review", error)
                self._faulty = stamp
            denials = tuple(review for review in self._known if review.choice == "deny")
            return denials, None  # tried again at the next look: the fault may pass


def _same_place(old: Review, new: Review) -> bool:
    same_text = old.text_sha256 == new.text_sha256
    return same_text and (new.context_sha256 in {ANY, old.context_sha256})


def _stamp(path: Path) -> Stamp | None:
    """What changes with the file; None: there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return UNSEEN
    # the change time too: who may write the file is part of what is checked
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _read(path: Path) -> tuple[Review, ...]:
    if path.stat().st_mode & 0o022:
        raise DataError(f"{path}: others can write it; chmod 600 it and check what it allows")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["schema"] != SCHEMA:
            raise DataError(f"{path}: schema {value['schema']!r}, this version reads {SCHEMA!r}")
        return tuple(Review(**_texts(row)) for row in value["reviews"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: damaged ({error}); restore it, or remove it") from None


def _texts(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict) or not all(isinstance(value, str) for value in row.values()):
        raise TypeError("a review is an object of texts")
    return row


def private_directory(path: Path) -> None:
    """Make a directory that only its owner can enter, unless it is there already."""
    if not path.is_dir():
        path.mkdir(parents=True, mode=0o700)


def write_private(path: Path, text: str) -> None:
    """Write all or nothing, readable by the owner only (mode 0600)."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file against other processes and threads."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
