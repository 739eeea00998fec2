"""One self-contained HTML page: the tables, and conversations replayed with the guard's marks."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from causalguard.evaluate import agentdojo_report as report
from causalguard.evaluate.agentdojo_results import Line, Result, lines_of
from causalguard.evaluate.page import table
from causalguard.files import write_atomic
from causalguard.records import Span

LONGEST = 12_000
"""Characters of one output on the page; the rest is counted."""

STYLE = """
:root { color-scheme: light dark; --line: #8886; --bad: #c62828; --good: #2e7d32; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
td, th { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; }
.wide { overflow-x: auto; } details { border: 1px solid var(--line); border-radius: 8px;
  padding: .4rem .8rem; margin: .5rem 0; } summary { cursor: pointer; }
.step { border-left: 3px solid var(--line); padding: .1rem .8rem; margin: .7rem 0; }
.hidden { border-color: var(--bad); } .meta { opacity: .75; font-size: .9em; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 12px/1.5 ui-monospace, monospace;
  max-height: 22rem; overflow: auto; margin: .3rem 0; }
mark { background: rgb(229 57 53 / .35); color: inherit; }
u { text-decoration: underline wavy var(--bad); }
.bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); font-weight: 600; }
.wait { display: none; }
"""
SCRIPT = """
for (const button of document.querySelectorAll("button")) button.onclick = () => {
  const steps = [...button.parentElement.querySelectorAll(".step")];
  steps.forEach(step => step.classList.add("wait"));
  steps.forEach((step, k) => setTimeout(() => {
    step.classList.remove("wait"); step.scrollIntoView({block: "nearest"});
  }, 700 * k));
};
"""
LEGEND = (
    "A <mark>mark</mark> is what the guard flagged, a <u>wave</u> what the attacker wrote (the "
    "guard does not know). A red bar: the agent did not read this."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn of a conversation on the page."""

    title: str
    """Who speaks, or which call was made."""
    text: str
    """What was said or returned."""
    marks: tuple[Span, ...] = ()
    """What the guard flagged, in characters of the text."""
    attack: tuple[Span, ...] = ()
    """Where the attacker's message stands."""
    hidden: bool = False
    """The agent did not read the text as it stands."""
    note: str = ""
    """The guard's reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One conversation on the page."""

    result: Result
    """What came of it."""
    steps: tuple[Step, ...]
    """Its turns."""


def write(
    output: Path,
    results: Sequence[Result],
    facts: Mapping[str, Any],
    replays: Sequence[Replay],
    *,
    scripted: bool,
) -> str:
    """Write ``report.json``, ``report.md`` and ``report.html``; return the Markdown."""
    lines = lines_of(results)
    notes = report.notes(results, scripted=scripted)
    text = report.markdown(lines, facts, notes)
    write_atomic(output / "report.json", json.dumps(report.as_json(lines, facts), indent=1) + "\n")
    write_atomic(output / "report.md", text)
    write_atomic(output / "report.html", render(lines, facts, notes, replays))
    return text


def choose(results: Sequence[Result], count: int) -> list[Result]:
    """Conversations to show: missed attacks and lost tasks first, then one of each kind.

    Args:
        results: all of them.
        count: at most so many, >= 0.
    """
    missed = [r for r in results if r.reached]
    lost = [r for r in results if not r.case.attack and r.lost]
    kinds: dict[tuple[str, str], Result] = {}
    for result in results:
        if result not in missed and result not in lost:
            kinds.setdefault((result.case.attack, result.case.suite), result)
    third = max(count // 3, 1)
    first = [*_spread(missed, third), *_spread(lost, third)]
    return [*first, *_spread(list(kinds.values()), max(count - len(first), 0))][:count]


def _spread(items: Sequence[Result], count: int) -> list[Result]:
    if len(items) <= count:
        return list(items)
    return [items[k * len(items) // count] for k in range(count)]


def render(
    lines: Sequence[Line], facts: Mapping[str, Any], notes: Sequence[str], replays: Sequence[Replay]
) -> str:
    """The page; every text is escaped and nothing is loaded from elsewhere."""
    said = "; ".join(f"{key}: {value}" for key, value in facts.items())
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width"><title>AgentDojo</title>',
        f"<style>{STYLE}</style></head><body><h1>AgentDojo</h1><p class=meta>{escape(said)}</p>",
        "<h2>Without an attack</h2>",
        table(report.BENIGN_HEAD, report.benign_cells(lines)),
        "<h2>Under attack</h2>",
        table(report.ATTACK_HEAD, report.attack_cells(lines)),
        "<ul>",
        *(f"<li>{escape(note)}</li>" for note in notes),
        f"</ul><h2>Conversations</h2><p>{LEGEND}</p>",
        *(_replay(replay) for replay in replays),
        f"<script>{SCRIPT}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _replay(replay: Replay) -> str:
    r = replay.result
    words = []
    if r.case.attack:
        words.append(_word("the attack reached the agent", bad=True) if r.reached
                     else _word("the attack did not reach the agent", bad=False))  # fmt: skip
    if not r.case.attack:
        words.append(_word("the task was lost", bad=True) if not r.utility_guarded
                     else _word("the task was done", bad=False))  # fmt: skip
    steps = "".join(_step(step) for step in replay.steps)
    return (
        f"<details><summary>{escape(r.case.name)}: {', '.join(words)}</summary>"
        f"<button>Replay</button>{steps}</details>"
    )


def _word(text: str, *, bad: bool) -> str:
    return f"<span class={'bad' if bad else 'good'}>{text}</span>"


def _step(step: Step) -> str:
    kind = "step hidden" if step.hidden else "step"
    note = f"<div class=meta>{escape(step.note)}</div>" if step.note else ""
    rest = len(step.text) - LONGEST
    more = f"<div class=meta>and {rest} characters more</div>" if rest > 0 else ""
    body = "".join(_painted(step))
    return f'<div class="{kind}"><b>{escape(step.title)}</b>{note}<pre>{body}</pre>{more}</div>'


def _painted(step: Step) -> Iterator[str]:
    end = min(len(step.text), LONGEST)
    edges = {0, end}
    for span in (*step.marks, *step.attack):
        edges |= {min(span.start, end), min(span.end, end)}
    cuts = sorted(edges)
    for start, stop in pairwise(cuts):
        text = escape(step.text[start:stop])
        if any(s.start <= start < s.end for s in step.attack):
            text = f"<u>{text}</u>"
        if any(s.start <= start < s.end for s in step.marks):
            text = f"<mark>{text}</mark>"
        yield text
