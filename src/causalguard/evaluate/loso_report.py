"""The report of a leave-one-source-out run: Markdown, JSON and HTML beside each other."""

from collections.abc import Mapping
from pathlib import Path

from causalguard.evaluate import page, report
from causalguard.evaluate.protocol import Protocol
from causalguard.evaluate.summary import GUARD, Summary, summarise
from causalguard.files import write_atomic
from causalguard.stats.ranking import Estimate


def write_report(protocol: Protocol, output: Path, *, seed: int) -> str:
    """Read all scores under ``output``, write report.md, report.json and report.html there.

    Returns: the Markdown.

    Raises:
        InputError: there are no scores.
    """
    found = summarise(protocol, output, seed=seed)
    text = markdown(found)
    write_atomic(output / "report.md", text)
    write_atomic(output / "report.json", report.as_json(found))
    write_atomic(output / "report.html", page.render(found, notes(found)))
    return text


def markdown(s: Summary) -> str:
    """The report as Markdown."""
    text = "# Leave-one-source-out\n\n" + _macro_markdown(s)
    text += "## Held-out sources\n\n" + report.tables_markdown(s.sources)
    if s.engine:
        text += "## The engine's own families (counted apart)\n\n"
        text += report.tables_markdown(s.engine)
    if s.dilution:
        text += "## Recall against dilution and position\n\n"
        text += "".join(report.dilution_markdown(n, f) for n, f in s.dilution.items())
    if s.triggers:
        text += "## Over-defence: benign trigger words flagged, frozen threshold\n\n"
        text += _triggers_markdown(s.triggers)
    text += "## Breakdowns of the guard, frozen threshold\n\n"
    text += "".join(report.groups_markdown(n, g) for n, g in s.groups.items())
    return text + "## How to read this\n\n" + report.notes_markdown(notes(s))


def _macro_markdown(s: Summary) -> str:
    names = list(dict.fromkeys(n for m in s.macro.values() for n in m))
    head = ["detector", *names, "false alarms, pooled"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for detector, values in s.macro.items():
        cells = [f"{values[n]:.4g}" if n in values else "-" for n in names]
        pooled = report.percent(s.false_alarms.get(detector))
        lines.append("| " + " | ".join([detector, *cells, pooled]) + " |")
    return "\n".join(lines) + "\n\n"


def _triggers_markdown(triggers: Mapping[str, Mapping[str, Estimate]]) -> str:
    names = list(dict.fromkeys(d for t in triggers.values() for d in t))
    lines = ["| probe | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for probe, rates in triggers.items():
        cells = [report.percent(rates.get(d)) for d in names]
        lines.append(f"| {probe} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n"


READING = (
    (
        "Intervals are 95 %: AUROC and TPR at a false-positive rate by a bootstrap over clusters "
        "(pairs), rates at the frozen threshold and twin AUROC exact binomial over clusters."
    ),
    f"{report.WEAK} fewer than 300 benign clusters (1 %) or 3,000 (0.1 %): read as weak.",
    (
        "The frozen threshold is the model's own, chosen on the calibration split of what it was "
        "trained on; the baselines' thresholds come from the same texts by the same rule."
    ),
    (
        "The one-threshold figures use one cut for all sources at a mean false-positive rate of "
        "1 % over the sources; that cut is read off the tested rows, so it is not frozen."
    ),
)
"""What the figures are, and what they are not."""


def notes(s: Summary) -> list[str]:
    """How to read the figures, and what each model was trained on."""
    made = list(READING)
    for name, facts in s.facts["models"].items():
        made.append(
            f"{name}: trained on the engine ({facts['families_trained']} families)"
            + "".join(f", {x}" for x in facts["trained_on"])
            + f"; threshold {facts['thresholds'][GUARD]:.6f}; {facts['steps']} steps, "
            f"seed {facts['seed']}, {facts['device']}"
        )
    return made
