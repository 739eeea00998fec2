"""Verdicts on the distinct tool outputs of a plan: scored here, or read from guard-scan's file."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from causalguard import console
from causalguard.errors import DataError, InputError, ScanError
from causalguard.evaluate.agentdojo_plan import Rows, digest
from causalguard.files import read_jsonl, write_atomic
from causalguard.guard.enforce import Enforcer, remove
from causalguard.guard.policy import Action, Policy
from causalguard.guard.rows import row_of, to_jsonl
from causalguard.records import Span, ToolOutput, Verdict

BATCH = 64
"""Rows per call of the guard."""
PART = 512
"""Rows per file of scores: what a stopped run loses at most."""
PATIENCE_S = 3600.0
"""Seconds that a look-up may take, > 0: never the reason to withhold."""


@contextmanager
def unlogged() -> Iterator[None]:
    """Look-ups by the thousand are no decisions of a running agent: they stay out of its log."""
    logger = logging.getLogger("causalguard.decisions")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


class ScoreBook:
    """A scanner that only looks up.  What it does not hold is an error, never a verdict."""

    def __init__(self, verdicts: Mapping[str, Verdict], *, identity: str) -> None:
        """Take verdicts.

        Args:
            verdicts: by :func:`digest`.
            identity: of the guard that gave them.

        Raises:
            DataError: the verdicts are of more than one threshold.
        """
        cuts = {verdict.threshold for verdict in verdicts.values()}
        if len(cuts) > 1:
            message = f"scores of {len(cuts)} thresholds; give those of one guard"
            raise DataError(message)
        self.verdicts = dict(verdicts)
        self.identity = identity
        self.threshold = cuts.pop() if cuts else 1.0
        self.missing: Rows = {}

    def scan(self, outputs: Sequence[ToolOutput], /) -> list[Verdict]:
        """Look up; ScanError for what is not there, which :attr:`missing` then names."""
        keys = [digest(output) for output in outputs]
        lacking = {k: o for k, o in zip(keys, outputs, strict=True) if k not in self.verdicts}
        if lacking:
            self.missing.update(lacking)
            raise ScanError(f"{len(lacking)} outputs have no score")
        return [self.verdicts[key] for key in keys]

    def enforcer(self, action: Action) -> Enforcer:
        """The guard's runtime over these scores, failing loudly."""
        policy = Policy(action=action, on_error="raise", time_budget_s=PATIENCE_S)
        return Enforcer(self, policy)


def to_score(rows: Rows, verdicts: Mapping[str, Verdict], action: Action) -> Rows:
    """The rows that still need a verdict.

    Args:
        rows: the outputs of a plan.
        verdicts: those at hand.
        action: ``sanitise`` also scores what is left of flagged texts: a second round.
    """
    # Empty text is never scanned.
    found = {key: row for key, row in rows.items() if row.text}
    if action == "sanitise":
        found |= _rests(found, verdicts)
    return {key: row for key, row in found.items() if key not in verdicts}


def _rests(rows: Rows, verdicts: Mapping[str, Verdict]) -> Rows:
    rests: Rows = {}
    for key, row in rows.items():
        verdict = verdicts.get(key)
        if verdict is None or not verdict.flagged or not verdict.spans:
            continue
        text = remove(row.text, verdict.spans)
        if text.strip():
            rest = ToolOutput(text=text, tool=row.tool, task=row.task, system=row.system)
            rests[digest(rest)] = rest
    return rests


def score_rows(guard: Any, rows: Rows, folder: Path, action: Action) -> dict[str, Verdict]:
    """Score what the folder does not hold yet.

    Args:
        guard: a loaded guard.
        rows: the outputs of a plan.
        folder: where scores are kept, part by part; a stopped run goes on from there.
        action: see :func:`to_score`.

    Raises:
        InputError: the folder holds another guard's scores.
    """
    facts = folder / "guard.json"
    if facts.exists() and json.loads(facts.read_text())["identity"] != guard.identity:
        raise InputError(f"{folder} holds another guard's scores; give another --output")
    write_atomic(facts, json.dumps({"identity": guard.identity, "threshold": guard.threshold}))
    verdicts = read_verdicts(sorted(folder.glob("*.jsonl")))
    while left := to_score(rows, verdicts, action):
        order = sorted(left, key=lambda k: (left[k].system, left[k].task, len(left[k].text)))
        starts = range(0, len(order), PART)
        for start in console.progress(starts, total=len(starts), label=f"scoring {len(order)}"):
            part = {key: left[key] for key in order[start : start + PART]}
            verdicts |= _score_part(guard, part, folder)
    return verdicts


def _score_part(guard: Any, part: Rows, folder: Path) -> dict[str, Verdict]:
    keys = list(part)
    made: dict[str, Verdict] = {}
    size = getattr(guard, "at_once", BATCH)
    for start in range(0, len(keys), size):
        some = keys[start : start + size]
        made |= dict(zip(some, guard.scan([part[key] for key in some]), strict=True))
    lines = [{**row_of(part[key], verdict), "id": key} for key, verdict in made.items()]
    write_atomic(folder / f"{len(list(folder.glob('*.jsonl'))):05d}.jsonl", to_jsonl(lines))
    return made


def read_verdicts(paths: Iterable[Path]) -> dict[str, Verdict]:
    """Verdicts by id from files that guard-scan wrote.

    Raises DataError naming file and line of a row that is wrong or contradicts an earlier one.
    """
    found: dict[str, Verdict] = {}
    for path in paths:
        for number, row in read_jsonl(path):
            try:
                verdict = _verdict(row)
                before = found.setdefault(row["id"], verdict)
            except (KeyError, TypeError, ValueError) as error:
                message = f"{path}:{number}: not a row of guard-scan ({error!r})"
                raise DataError(message) from None
            if before != verdict:
                message = f"{path}:{number}: contradicts an earlier row; give one guard's scores"
                raise DataError(message)
    return found


def _verdict(row: Mapping[str, Any]) -> Verdict:
    numbers = {name: float(row[name]) for name in ("risk", "threshold", "coverage")}
    if not all(0 <= value <= 1 for value in numbers.values()):
        raise ValueError("risk, threshold and coverage must be in [0, 1]")
    flagged = row["flagged"]
    must = numbers["risk"] >= numbers["threshold"] or numbers["coverage"] < 1
    if flagged is not must:
        raise ValueError("flagged does not follow from risk, threshold and coverage")
    return Verdict(
        risk=numbers["risk"],
        threshold=numbers["threshold"],
        coverage=numbers["coverage"],
        flagged=flagged,
        spans=tuple(Span(start=start, end=end) for start, end in row["spans"]),
        reason=str(row["reason"]),
    )
