"""The decision log read and summed up: what was flagged, where, how fast, how completely.

The log is what ``causalguard.decisions`` writes, one JSON object a line.  Whatever a logging
formatter put before the object is skipped, and so is everything that is not a decision.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from causalguard.errors import DataError, InputError
from causalguard.files import raise_faults
from causalguard.stats.bounds import clopper_pearson

EVENT = "causalguard.decision"
"""Value of ``event`` in every record of a decision."""
SCANNED = frozenset({"clean", "flagged"})
"""Outcomes that come from a scan."""
EXCERPT = 80
"""Characters shown of a span, where the log carries content."""
QUANTILES = (0.5, 0.95, 0.99)
CONFIDENCE = 0.95

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    """What happened to the outputs of one tool."""

    tool: str
    """Name of the tool that was called; may be empty."""
    decisions: int
    """Decisions logged, >= 1; a text that was seen before is not logged again."""
    scanned: int
    """Of these, decided by a scan."""
    flagged: int
    """Of the scanned, those flagged."""
    rate: tuple[float, float, float] | None
    """Share flagged of those scanned, with its 95 % interval; None: none was scanned."""
    hidden: int
    """Decisions after which the text was not shown as it was."""
    failed: int
    """Scans that failed; the text was withheld."""
    risk: tuple[float, float] | None
    """Median and 95th percentile of the risk, [0, 1]; None: none was scanned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRow:
    """A passage that was flagged, perhaps in several texts."""

    name: str
    """Its digest, or its beginning where the log carries content."""
    count: int
    """Decisions in which it was flagged, >= 1."""
    texts: int
    """Different texts that held it, >= 1."""
    tools: tuple[str, ...]
    """Tools that returned it."""
    risk: float
    """Highest risk of a text that held it, [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A log summed up."""

    decisions: int
    """Decisions read."""
    other_lines: int
    """Lines that are no decision: other loggers, tracebacks."""
    period: tuple[str, str] | None
    """First and last time, ISO 8601; None: the records carry none."""
    outcomes: Mapping[str, int]
    """Decisions by how they came about."""
    actions: Mapping[str, int]
    """Decisions by what was done."""
    would_hide: int
    """Flagged but shown: what shadow mode would have withheld."""
    tools: tuple[ToolRow, ...]
    """By tool, most flagged first."""
    spans: tuple[SpanRow, ...]
    """Flagged passages, most frequent first."""
    latency_s: tuple[float, ...] | None
    """Seconds at the quantiles .5, .95 and .99 of scanned batches; None: none was scanned."""
    covered: tuple[int, int]
    """Texts scanned in full, and texts scanned at all."""
    lowest_coverage: float | None
    """Smallest share of a text that was scanned; None: none was scanned."""
    unscanned: Mapping[str, int]
    """Blocks that nobody read, by type."""
    guards: Mapping[str, int]
    """Decisions by guard (identity), so that a change of model shows."""
    certificates: Mapping[str, int]
    """Decisions by certificate id; the empty one is uncertified."""


def read_log(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Read the decisions of a log.

    Args:
        path: the log; lines that hold no decision are skipped.

    Returns:
        The records in order, and the number of lines skipped.

    Raises:
        InputError: there is no such file.
        DataError: a line names the event but is no whole record; lists all as ``path:line:``.
    """
    if not path.is_file():
        message = f"{path}: no such file; give the log of causalguard.decisions"
        raise InputError(message)
    records: list[dict[str, Any]] = []
    faults: list[str] = []
    skipped = 0
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            if f'"{EVENT}"' not in line:
                skipped += bool(line.strip())
                continue
            try:
                records.append(_record(line))
            except DataError as error:
                faults.append(f"{path}:{number}: {error}")
    raise_faults(faults)
    return records, skipped


def _record(line: str) -> dict[str, Any]:
    try:
        value, _ = json.JSONDecoder().raw_decode(line, line.index("{"))
    except (ValueError, RecursionError):
        raise DataError("a decision cut short; was the log truncated while in use?") from None
    wrong = [name for name, kinds in _KINDS.items() if not isinstance(value.get(name), kinds)]
    if wrong:
        raise DataError(f"a decision without a usable {', '.join(wrong)}; is it from this version?")
    return dict(value)


_KINDS: Mapping[str, tuple[type, ...]] = {
    "outcome": (str,),
    "action": (str,),
    "tool": (str,),
    "flagged": (bool,),
    "risk": (int, float, type(None)),
    "coverage": (int, float),
    "latency_s": (int, float),
    "spans": (list,),
    "unscanned": (list,),
    "text_sha256": (str,),
}


def summarise(records: Sequence[Record], *, other_lines: int = 0, top: int = 10) -> Summary:
    """Sum up decisions.

    Args:
        records: as :func:`read_log` gives them.
        other_lines: lines of the log that were none.
        top: flagged passages to list, >= 0.
    """
    scanned = [r for r in records if r["outcome"] in SCANNED]
    times = sorted(str(r["time"]) for r in records if r.get("time"))
    return Summary(
        decisions=len(records),
        other_lines=other_lines,
        period=(times[0], times[-1]) if times else None,
        outcomes=_counts(r["outcome"] for r in records),
        actions=_counts(r["action"] for r in records),
        would_hide=sum(r["flagged"] and r["action"] == "flag" for r in records),
        tools=_tools(records),
        spans=_spans(records)[:top],
        latency_s=_latency(records),
        covered=(sum(r["coverage"] >= 1 for r in scanned), len(scanned)),
        lowest_coverage=min((float(r["coverage"]) for r in scanned), default=None),
        unscanned=_counts(str(kind) for r in records for kind in r["unscanned"]),
        guards=_counts(str(r.get("guard", "")) for r in records),
        certificates=_counts(str(r.get("certificate_id", "")) for r in scanned),
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _latency(records: Sequence[Record]) -> tuple[float, ...] | None:
    seconds = [float(r["latency_s"]) for r in records if r["latency_s"] > 0]
    if not seconds:
        return None
    return tuple(float(q) for q in np.quantile(seconds, QUANTILES))


def _tools(records: Sequence[Record]) -> tuple[ToolRow, ...]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record["tool"]].append(record)
    rows = [_tool(name, group) for name, group in groups.items()]
    return tuple(sorted(rows, key=lambda row: (-row.flagged, -row.decisions, row.tool)))


def _tool(name: str, records: Sequence[Record]) -> ToolRow:
    scanned = [r for r in records if r["outcome"] in SCANNED]
    flagged = sum(r["outcome"] == "flagged" for r in scanned)
    risks = [float(r["risk"]) for r in scanned if r["risk"] is not None]
    rate = None
    if scanned:
        bounds = clopper_pearson(flagged, len(scanned), confidence=CONFIDENCE)
        rate = (flagged / len(scanned), *bounds)
    middle, high = np.quantile(risks, (0.5, 0.95)) if risks else (0.0, 0.0)
    return ToolRow(
        tool=name,
        decisions=len(records),
        scanned=len(scanned),
        flagged=flagged,
        rate=rate,
        hidden=sum(r["action"] not in {"pass", "flag"} for r in records),
        failed=sum(r["outcome"] == "error" for r in records),
        risk=(float(middle), float(high)) if risks else None,
    )


def _spans(records: Sequence[Record]) -> tuple[SpanRow, ...]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        for name in dict.fromkeys(_span_names(record)):
            groups[name].append(record)
    rows = [
        SpanRow(
            name=name,
            count=len(group),
            texts=len({r["text_sha256"] for r in group}),
            tools=tuple(sorted({r["tool"] for r in group})),
            risk=max((float(r["risk"]) for r in group if r["risk"] is not None), default=0.0),
        )
        for name, group in groups.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.count, -row.texts, -row.risk, row.name)))


def _span_names(record: Record) -> Iterator[str]:
    """The passage itself where the log has it, else its digest, else text and place."""
    text, digests = record.get("text"), record.get("span_sha256") or []
    for index, (start, end) in enumerate(record["spans"]):
        if isinstance(text, str):
            words = " ".join(text[start:end].split())
            yield words if len(words) <= EXCERPT else words[: EXCERPT - 3] + "..."
        elif index < len(digests):
            yield f"sha256:{digests[index][:16]}"
        else:
            yield f"sha256:{record['text_sha256'][:16]}[{start}:{end}]"
