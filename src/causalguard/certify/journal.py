"""What an interrupted certification has scored: rows and vectors, appended batch by batch.

Each row's digest covers its vectors, all rows before it and the run's header, so that rows of
another run, lost, swapped or damaged ones are noticed.  Whoever can write here can make such
digests too: the directory must be this user's own, and whoever continues scores a sample again.
"""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from causalguard.attestation.canonical import canonical_json
from causalguard.certify.crew import Answer
from causalguard.certify.rounding import Row
from causalguard.certify.trials import Vectors, trial_line
from causalguard.errors import ScanError
from causalguard.records import Trial

HEADER_NAME = "header.json"
ROWS_NAME = "rows.jsonl"
DATA_NAME = "vectors.f32"


class Journal:
    """The rows so far, on disk and in memory."""

    def __init__(self, directory: Path, header: bytes) -> None:
        self.directory = directory
        self.rows: list[Row] = []
        self._header = header
        self._chain = hashlib.sha256(header).hexdigest()

    @classmethod
    def open(
        cls,
        directory: Path,
        header: Mapping[str, str],
        *,
        accept: Callable[[int, Answer], Row],
        holds: Callable[[Sequence[Row]], bool],
    ) -> "Journal":
        """What an earlier run left, where it can be trusted; an empty journal otherwise.

        Args:
            directory: where it is kept; made, or emptied, if it cannot be continued.
            header: what the rows depend on: model, audit set, backend, program.
            accept: the row that a kept answer makes at a place of the plan; raises where none
                can be there.
            holds: whether a sample of the rows, scored again, comes out as kept.
        """
        wanted = canonical_json(dict(header))
        journal = cls(directory, wanted)
        if journal._read(accept) and (not journal.rows or holds(journal.rows)):
            return journal
        if directory.is_symlink() or directory.is_file():
            directory.unlink()
        shutil.rmtree(directory, ignore_errors=True)
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
        (directory / HEADER_NAME).write_bytes(wanted)
        return cls(directory, wanted)

    def _read(self, accept: Callable[[int, Answer], Row]) -> bool:
        """Take over the rows; False: they are of another run, of another user, or damaged."""
        try:
            if not _own(self.directory):
                return False
            if (self.directory / HEADER_NAME).read_bytes() != self._header:
                return False
            self._resume(accept)
        except (OSError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError):
            return False
        except ScanError:  # a kept answer that no guard may give
            return False
        return True

    def _resume(self, accept: Callable[[int, Answer], Row]) -> None:
        rows_path, data_path = self.directory / ROWS_NAME, self.directory / DATA_NAME
        if not (rows_path.is_file() and data_path.is_file()):
            return
        lines = [line for line in rows_path.read_bytes().split(b"\n")[:-1] if line]
        data = data_path.read_bytes()
        if not lines:
            return
        width = json.loads(lines[0])["width"]
        # an interruption can cut either file: keep what both hold whole
        kept = min(len(lines), len(data) // (8 * width))
        table = np.frombuffer(data[: kept * 8 * width], dtype="<f4").reshape(kept, 2, width)
        for place, (line, vectors) in enumerate(zip(lines[:kept], table, strict=True)):
            said = json.loads(line)["trial"]
            answer = Answer(
                risk=said["risk"],
                flagged=said["flagged"],
                coverage=said["coverage"],
                n_tokens=said["n_tokens"],
                representation=vectors[0].copy(),
                mean=vectors[1].copy(),
            )
            row = accept(place, answer)
            if line != self._line(row):
                raise ValueError(f"row {place} is not the one planned")
            self.rows.append(row)
        rows_path.write_bytes(b"".join(line + b"\n" for line in lines[:kept]))
        data_path.write_bytes(data[: kept * 8 * width])

    def append(self, rows: Sequence[Row]) -> None:
        """Keep a batch, on disk and in memory."""
        widths = {len(v) for _, first, second in rows for v in (first, second)}
        widths |= {len(first) for _, first, _ in self.rows[:1]}
        if len(widths) != 1:
            raise ScanError(f"the guard gave vectors of several widths: {sorted(widths)}")
        lines = [self._line(row) + b"\n" for row in rows]
        with (self.directory / DATA_NAME).open("ab") as stream:
            stream.write(b"".join(_bytes(row) for row in rows))
        with (self.directory / ROWS_NAME).open("ab") as stream:
            stream.write(b"".join(lines))
        self.rows.extend(rows)

    def _line(self, row: Row) -> bytes:
        """The next row's line; the chain moves on."""
        trial = trial_line(row[0])
        linked = self._chain.encode() + trial + _bytes(row)
        self._chain = hashlib.sha256(linked).hexdigest()
        return b'{"trial":%s,"width":%d,"chain":"%s"}' % (trial, len(row[1]), self._chain.encode())

    @property
    def trials(self) -> list[Trial]:
        """The trials, in order."""
        return [trial for trial, _, _ in self.rows]

    def matrix(self, name: str) -> Vectors:
        """All vectors of one kind, ``R`` or ``mean``, (n, d)."""
        vectors = [first if name == "R" else second for _, first, second in self.rows]
        return np.stack(vectors).astype(np.float32)


def _bytes(row: Row) -> bytes:
    _, first, second = row
    return np.stack([first, second]).astype("<f4").tobytes()


def _own(directory: Path) -> bool:
    """Whether it is a directory in which nobody else can write."""
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return False
    if os.name != "posix":
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
