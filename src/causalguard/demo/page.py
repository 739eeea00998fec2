"""One self-contained HTML page: the guard's risks drawn over the text of each tool output."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from causalguard.records import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One tool output on the page."""

    tool: str
    """The tool that returned it."""
    task: str
    """The trusted task it was scored against."""
    text: str
    """What the tool returned."""
    verdict: Verdict
    """What the guard said."""
    token_risk: NDArray[np.float32]
    """Risk per token, shape (n,)."""
    offsets: NDArray[np.int64]
    """Character ranges of the tokens, shape (>= n, 2)."""
    injected: bool
    """Whether the demo put an instruction in (the guard does not know)."""


STYLE = """
:root { color-scheme: light dark; --line: #8885; --bad: #c62828; --good: #2e7d32; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.05rem; margin: 0 0 .3rem; }
section { border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.55 ui-monospace, monospace;
  border-top: 1px solid var(--line); padding-top: .6rem; margin: .6rem 0 0; max-height: 24rem;
  overflow: auto; }
.flagged { color: var(--bad); font-weight: 600; } .clean { color: var(--good); font-weight: 600; }
.meta { opacity: .75; font-size: .9em; } table { border-collapse: collapse; }
td, th { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; }
.scale { display: inline-block; width: 12rem; height: .8rem; vertical-align: middle;
  border: 1px solid var(--line);
  background: linear-gradient(90deg, transparent, rgb(229 57 53 / .75)); }
"""


def page(shown: Sequence[Shown], *, title: str, notes: Iterable[str], threshold: float) -> str:
    """The page as HTML; every text is escaped.

    Args:
        shown: the tool outputs, in the order in which the agent met them.
        title: heading.
        notes: lines under the heading.
        threshold: the cut in force.
    """
    flagged = sum(item.verdict.flagged for item in shown)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style><body>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p class=meta>{escape(note)}</p>" for note in notes),
        f"<p>{len(shown)} tool outputs, {flagged} withheld. Risk per token: 0 ",
        f"<span class=scale></span> 1; the cut is {threshold:.4f}.</p>",
        *(_section(number, item) for number, item in enumerate(shown, 1)),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _section(number: int, item: Shown) -> str:
    word = "flagged" if item.verdict.flagged else "clean"
    label = "withheld from the LLM" if item.verdict.flagged else "passed to the LLM"
    truth = "an instruction was put in" if item.injected else "nothing was put in"
    return (
        f'<section id="output-{number}"><h2>{number}. {escape(item.tool)}: '
        f"<span class={word}>{label}</span></h2>"
        f"<div class=meta>risk {item.verdict.risk:.4f} · {truth} · task: {escape(item.task)}</div>"
        f"<pre>{''.join(_painted(item))}</pre></section>"
    )


def _painted(item: Shown) -> Iterator[str]:
    """The text with runs of like risk as marks; the risk of a run is the highest in it."""
    done = 0
    for first, end, risk in _runs(item.token_risk, item.offsets):
        start = max(first, done)  # tokens inside one character share their range
        if end <= start:
            continue
        yield escape(item.text[done:start])
        inside = escape(item.text[start:end])
        yield f'<span title="risk {risk:.3f}" style="{_colour(risk)}">{inside}</span>'
        done = end
    yield escape(item.text[done:])


def _runs(
    token_risk: NDArray[np.float32], offsets: NDArray[np.int64]
) -> Iterator[tuple[int, int, float]]:
    level = -1
    run = (0, 0, 0.0)
    for risk, (start, end) in zip(
        token_risk.tolist(), offsets[: len(token_risk)].tolist(), strict=True
    ):
        if int(risk * 10) == level:
            run = (run[0], end, max(run[2], risk))
            continue
        if level >= 0:
            yield run
        level, run = int(risk * 10), (start, end, risk)
    if level >= 0:
        yield run


def _colour(risk: float) -> str:
    if risk < 0.1:
        return ""
    return f"background: rgb(229 57 53 / {0.75 * risk:.2f}); border-radius: 2px"
