"""The output folder: a manifest, a plan, and parts that appear whole or not at all."""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from causalguard.attestation.digests import sha256_bytes
from causalguard.errors import ConfigError, DataError, InputError, OutputExistsError, ScanError
from causalguard.files import write_atomic
from causalguard.guard.corpora.plan import Block, SourceFile
from causalguard.guard.corpora.scoring import Outcome
from causalguard.guard.rows import to_jsonl

MANIFEST, PLAN, FILES, SUMMARY, LOCK = (
    "manifest.json", "plan.jsonl", "files.jsonl", "summary.json", ".lock",
)  # fmt: skip
VERDICTS, ASIDE = "verdicts", "set-aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a whole scan came to: ``rows`` is ``verdicts + set_aside``, or it is no summary."""

    rows: int
    """Rows of the corpus."""
    verdicts: int
    """Rows that were scored."""
    flagged: int
    """Verdicts that are flagged."""
    set_aside: int
    """Rows that were not scored, each with a reason."""


class Store:
    """The output folder of one scan.  Only the process that holds its lock writes."""

    def __init__(self, directory: Path) -> None:
        """Use :meth:`locked`."""
        self.directory = directory

    @classmethod
    @contextmanager
    def locked(cls, directory: Path, *, resume: bool) -> Iterator["Store"]:
        """Open a folder for writing, new or to be resumed.

        Raises OutputExistsError when it holds something and ``resume`` is False, when it is no
        output of a scan, or when another process writes to it.
        """
        held = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
        if held and not resume:
            message = f"{directory} exists already; --resume continues a scan that was interrupted"
            raise OutputExistsError(message)
        if held and not (directory / LOCK).is_file():
            raise OutputExistsError(f"{directory} is no output of a scan; give another path")
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                message = f"another scan is writing to {directory}; wait for it to end"
                raise OutputExistsError(message) from None
            yield cls(directory)

    def saved_plan(
        self, facts: Mapping[str, Any], files: Sequence[SourceFile]
    ) -> list[Block] | None:
        """The plan of the scan to be resumed; None when there is none yet.

        Args:
            facts: what verdicts depend on: model, threshold, policy, context, limits.
            files: the files as they are now.

        Raises:
            ConfigError: the scan was begun with another model or other options.
            DataError: the input is not what it was.
            ScanError: the plan is damaged.
        """
        path = self.directory / MANIFEST
        if not path.is_file():
            return None
        manifest = _object(path)
        before, now = manifest.get("facts"), json.loads(json.dumps(facts))
        if before != now:
            raise ConfigError(_differences(before, now))
        _same_files(self.directory / FILES, files)
        plan = (self.directory / PLAN).read_bytes()
        if sha256_bytes(plan) != manifest.get("plan_sha256"):
            raise ScanError(f"{self.directory / PLAN} is damaged; scan into a new --output")
        return [Block.from_json(line) for line in plan.decode().splitlines()]

    def save_plan(
        self, facts: Mapping[str, Any], files: Sequence[SourceFile], blocks: Sequence[Block]
    ) -> None:
        """Write the plan, and last the manifest, which makes it count."""
        plan = "".join(block.to_json() + "\n" for block in blocks)
        write_atomic(self.directory / PLAN, plan)
        lines = (json.dumps(asdict(file)) + "\n" for file in files)
        write_atomic(self.directory / FILES, "".join(lines))
        manifest = {
            "schema": "corpus/1",
            "facts": facts,
            "files": len(files),
            "blocks": len(blocks),
            "rows": sum(block.rows for block in blocks),
            "plan_sha256": sha256_bytes(plan.encode()),
        }
        write_atomic(self.directory / MANIFEST, json.dumps(manifest, indent=1) + "\n")

    def write(self, outcome: Outcome) -> None:
        """Keep an outcome.  The verdicts come last: a block is done when they are there."""
        if outcome.aside:
            write_atomic(self._part(ASIDE, outcome.number), to_jsonl(outcome.aside))
        write_atomic(self._part(VERDICTS, outcome.number), to_jsonl(outcome.verdicts))

    def is_done(self, block: Block) -> bool:
        """Whether a block's part is there."""
        return self._part(VERDICTS, block.number).is_file()

    def count(self, block: Block) -> Summary:
        """Count the part of a block against the plan.

        Raises ScanError unless every row of the block is there exactly once.
        """
        part = self._part(VERDICTS, block.number)
        verdicts = _lines(part)
        beside = self._part(ASIDE, block.number)
        aside = _lines(beside) if beside.is_file() else []
        seen = {(row.get("source"), row.get("row")) for row in verdicts + aside}
        whole = len(verdicts) + len(aside) == len(seen) == block.rows
        flags = [row.get("flagged") for row in verdicts]
        flagged = flags.count(True)
        if not whole or not _within(seen, block) or flagged + flags.count(False) < len(flags):
            message = (
                f"{part}: {len(verdicts)} verdicts and {len(aside)} rows set aside are not the "
                f"{block.rows} rows of this block; remove this part and --resume"
            )
            raise ScanError(message)
        return Summary(
            rows=block.rows, verdicts=len(verdicts), flagged=flagged, set_aside=len(aside)
        )

    def finish(self, blocks: Sequence[Block]) -> Summary:
        """Count everything and write the summary.

        Raises ScanError when a row is missing, is there twice, or is of no block.
        """
        known = {self._part(VERDICTS, block.number).name for block in blocks}
        for folder in (VERDICTS, ASIDE):
            extra = {p.name for p in (self.directory / folder).glob("part-*")} - known
            if extra:
                name = self.directory / folder / min(extra)
                raise ScanError(f"{name} is of no block of this scan; remove it and --resume")
        missing = [block.number for block in blocks if not self.is_done(block)]
        if missing:
            message = f"{len(missing)} of {len(blocks)} blocks have no verdicts; run with --resume"
            raise ScanError(message)
        counts = [self.count(block) for block in blocks]
        summary = Summary(
            rows=sum(c.rows for c in counts),
            verdicts=sum(c.verdicts for c in counts),
            flagged=sum(c.flagged for c in counts),
            set_aside=sum(c.set_aside for c in counts),
        )
        write_atomic(self.directory / SUMMARY, json.dumps(asdict(summary)) + "\n")
        return summary

    def _part(self, folder: str, number: int) -> Path:
        return self.directory / folder / f"part-{number:08d}.jsonl"


def _within(seen: set[tuple[Any, Any]], block: Block) -> bool:
    ranges = [(p.file.path, p.first_row, p.last_row) for p in block.pieces]
    places: dict[str, list[tuple[int, int]]] = {}
    for path, first, last in ranges:
        places.setdefault(path, []).append((first, last))
    return all(
        isinstance(row, int) and any(a <= row <= b for a, b in places.get(source, ()))
        for source, row in seen
    )


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise ScanError(f"{path} is damaged ({error}); scan into a new --output") from None
    return value if isinstance(value, dict) else {}


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
    except ValueError as error:
        raise ScanError(f"{path} is damaged ({error}); remove it and --resume") from None
    return [row if isinstance(row, dict) else {} for row in rows]


def _differences(before: Any, now: dict[str, Any]) -> list[str]:
    old = before if isinstance(before, dict) else {}
    names = sorted(key for key in old.keys() | now.keys() if old.get(key) != now.get(key))
    return [
        f"{name}: the scan was begun with {old.get(name)!r}, now it is {now.get(name)!r}; "
        "resume with the same model and options, or scan into a new --output"
        for name in names
    ]


def _same_files(path: Path, files: Sequence[SourceFile]) -> None:
    before = {SourceFile(**row) for row in _lines(path)}
    now = set(files)
    if before == now:
        return
    paths_before, paths_now = {f.path for f in before}, {f.path for f in now}
    faults = [f"{p}: is new since the scan began" for p in sorted(paths_now - paths_before)]
    faults += [f"{p}: is gone since the scan began" for p in sorted(paths_before - paths_now)]
    both = {f.path for f in before ^ now} & paths_before & paths_now
    faults += [f"{p}: has changed since the scan began" for p in sorted(both)]
    raise DataError([*faults[:20], "put the input back as it was, or scan into a new --output"])


def refuse_inside(directory: Path, roots: Sequence[str]) -> None:
    """Refuse an output folder inside the corpus: its parts would become input.

    Raises InputError.
    """
    here = directory.resolve()
    for root in roots:
        plain = root.removeprefix("file://")
        if "://" not in plain and here.is_relative_to(Path(plain).resolve()):
            raise InputError(f"{directory} lies in {root}, which is scanned; give another --output")
