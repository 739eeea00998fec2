"""A scorer of corpora without a model, and a corpus; it must be importable by workers."""

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from causalguard.guard.corpora.index import Index, index_file
from causalguard.guard.corpora.plan import Block, Limits, SourceFile
from causalguard.guard.corpora.scoring import Outcome, read_block, score_rows
from causalguard.records import ToolOutput, Verdict


@dataclass(frozen=True)
class FakeScanner:
    """Risk from the digest of the text; notes every text; dies once, or whenever, if told to."""

    log: Path
    dies_at: str = ""
    always: bool = False

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        for output in outputs:
            if self.dies_at and self.dies_at in output.text:
                self._die()
        with self.log.open("a") as stream:  # one write: lines of two workers never mix
            stream.write("".join(f"{os.getpid()} {output.id}\n" for output in outputs))
        return [verdict_of(output) for output in outputs]

    def _die(self) -> None:
        mark = self.log.with_suffix(".died")
        if self.always or not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class FakeLoad:
    """Makes the scanner in the worker."""

    log: Path
    dies_at: str = ""
    always: bool = False
    seconds: float = 0.0

    def __call__(self) -> FakeScanner:
        time.sleep(self.seconds)
        return FakeScanner(self.log, self.dies_at, self.always)


def verdict_of(output: ToolOutput) -> Verdict:
    """What the fake says of a text, anywhere and always."""
    digest = hashlib.sha256((output.text + output.task).encode("utf-8", "surrogatepass")).digest()
    risk = digest[0] / 255
    return Verdict(risk=risk, threshold=0.5, flagged=risk >= 0.5, reason="fake")


class SerialPool:
    """A pool that is this process: the reference, and what most tests need."""

    def __init__(self, load: Any, *, stop_after: int = -1) -> None:
        self.scanner = load()
        self.stop_after = stop_after

    def index(self, files: Sequence[SourceFile], limits: Limits) -> Iterator[Index]:
        return (index_file(file, limits) for file in files)

    def outcomes(self, blocks: Sequence[Block], limits: Limits) -> Iterator[Outcome]:
        for n, block in enumerate(blocks):
            if n == self.stop_after:
                raise KeyboardInterrupt
            yield score_rows(self.scanner, block.number, read_block(block, limits))


def texts(n: int) -> list[str]:
    return [f"mail {k} from ana: the meeting is on friday" for k in range(n)]


def write_jsonl(path: Path, rows: Sequence[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_parquet(path: Path, columns: dict[str, Any], *, group: int = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, row_group_size=group)
    return path


def write_folder(path: Path, contents: Sequence[str]) -> Path:
    path.mkdir(parents=True)
    for n, text in enumerate(contents):
        (path / f"{n:03d}.txt").write_text(text)
    return path


def found(output: Path, folder: str = "verdicts") -> list[dict[str, Any]]:
    """All rows of the parts in a folder of the output."""
    parts = sorted((output / folder).glob("part-*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]
