"""A summed-up decision log for people: plain text for terminals, and one HTML page.

Names and passages come from tools and logs, which may be anyone's: the text form replaces what is
not printable, the page escapes everything and forbids scripts and requests.
"""

from collections.abc import Mapping, Sequence
from html import escape

from causalguard.guard.report_log import Summary, ToolRow

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, headings, rows."""


def tables(summary: Summary) -> list[Table]:
    """The parts of a report, as tables of words."""
    return [
        ("Log", ("what", "value"), _facts(summary)),
        (
            "By tool",
            ("tool", "decisions", "scanned", "flagged", "rate", "95 % interval", "hidden",
             "failed", "risk p50", "risk p95"),
            [_tool_row(row) for row in summary.tools],
        ),
        (
            "Flagged passages",
            ("passage", "times", "texts", "highest risk", "tools"),
            [
                (s.name, f"{s.count:,}", f"{s.texts:,}", f"{s.risk:.3f}", _names(s.tools))
                for s in summary.spans
            ],
        ),
    ]  # fmt: skip


def _facts(summary: Summary) -> list[tuple[str, str]]:
    full, scanned = summary.covered
    facts = [
        ("decisions", f"{summary.decisions:,} ({summary.other_lines:,} other lines skipped)"),
        ("outcomes", _listed(summary.outcomes)),
        ("actions", _listed(summary.actions)),
        ("flagged but shown (shadow mode)", f"{summary.would_hide:,}"),
        ("scanned in full", f"{full:,} of {scanned:,}"),
        ("blocks that nobody read", _listed(summary.unscanned) or "none"),
        ("guards", _listed({k[:16]: v for k, v in summary.guards.items()})),
        ("certificates", _listed({k[:16] or "none": v for k, v in summary.certificates.items()})),
    ]
    if summary.period is not None:
        facts.insert(1, ("period", " to ".join(summary.period)))
    if summary.lowest_coverage is not None and full < scanned:
        facts.append(("lowest coverage", f"{summary.lowest_coverage:.1%}"))
    if summary.latency_s is not None:
        middle, high, highest = (f"{1000 * s:,.0f} ms" for s in summary.latency_s)
        facts.append(("latency of a batch", f"p50 {middle}, p95 {high}, p99 {highest}"))
    return facts


def _tool_row(row: ToolRow) -> tuple[str, ...]:
    rate, interval = "-", "-"
    if row.rate is not None:
        rate, interval = f"{row.rate[0]:.1%}", f"{row.rate[1]:.1%} to {row.rate[2]:.1%}"
    middle, high = (f"{r:.3f}" for r in row.risk) if row.risk is not None else ("-", "-")
    counts = (row.decisions, row.scanned, row.flagged)
    return (
        _name(row.tool), *(f"{count:,}" for count in counts), rate, interval,
        f"{row.hidden:,}", f"{row.failed:,}", middle, high,
    )  # fmt: skip


def _name(tool: str) -> str:
    return tool or "(unnamed)"


def _names(tools: Sequence[str]) -> str:
    return ", ".join(map(_name, tools))


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def to_text(summary: Summary) -> str:
    """The report for a terminal."""
    parts = []
    for title, head, rows in tables(summary):
        lines = [tuple(head), *(tuple(map(_printable, row)) for row in rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        body = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        parts.append("\n".join([title, *body] if rows else [title, "none"]))
    return "\n\n".join(parts) + "\n"


def _printable(text: str) -> str:
    """No control characters: a tool's name must not write to the reader's terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;"
    "color-scheme:light dark}table{border-collapse:collapse;width:100%;margin-bottom:2rem}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8886;"
    "overflow-wrap:anywhere;vertical-align:top}th{font-weight:600}"
)


def to_html(summary: Summary) -> str:
    """The report as one page: no script, nothing fetched."""
    parts = []
    for title, head, rows in tables(summary):
        cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_printable(cell))}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        empty = "" if rows else "<p>None.</p>"
        parts.append(
            f"<h2>{escape(title)}</h2><table><thead><tr>{cells}</tr></thead>"
            f"<tbody>{body}</tbody></table>{empty}"
        )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Guard decisions</title><style>{STYLE}</style></head>"
        f"<body><h1>Guard decisions</h1>{''.join(parts)}</body></html>\n"
    )
