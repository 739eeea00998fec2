"""The leave-one-source-out report as one self-contained HTML page, for light and dark."""

from collections.abc import Mapping, Sequence
from html import escape

from causalguard.evaluate import report, svg
from causalguard.evaluate.figures import DilutionFigures, SourceFigures
from causalguard.evaluate.summary import Summary
from causalguard.evaluate.svg import Axis
from causalguard.stats.ranking import Estimate

LIGHT = ("#0b62c4", "#c4480b", "#2e7d32", "#8e24aa", "#00838f", "#ad1457", "#6d4c41", "#5f6b00")
DARK = ("#6db3ff", "#ff9a5c", "#7ed384", "#d698ea", "#5fd0dc", "#ff86b2", "#c9a597", "#c9d255")
UNIT = Axis(low=0.0, high=1.0, label="", ticks=(0, 0.25, 0.5, 0.75, 1))


def style() -> str:
    """Style sheet; the colours of the series are variables that dark mode changes."""
    light = "".join(f"--c{k}:{c};" for k, c in enumerate(LIGHT))
    dark = "".join(f"--c{k}:{c};" for k, c in enumerate(DARK))
    marks = "".join(
        f".s{k}{{fill:none;stroke:var(--c{k});stroke-width:1.8}}.d{k},.b{k}{{fill:var(--c{k})}}"
        for k in range(svg.SERIES)
    )
    return (
        f":root{{color-scheme:light dark;{light}}}"
        f"@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
        "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}"
        "td,th{border:1px solid #8886;padding:.2rem .5rem;text-align:left}"
        ".wide{overflow-x:auto}svg{max-width:46rem;width:100%;height:auto;display:block}"
        "svg text{font:11px system-ui,sans-serif;fill:currentColor}"
        ".axis{fill:none;stroke:currentColor}.grid{stroke:#8883;fill:none}"
        "details{margin:.5rem 0}" + marks
    )


def render(s: Summary, notes: Sequence[str]) -> str:
    """The page; every text is escaped and nothing is loaded from elsewhere."""
    parts = ["<h1>Leave-one-source-out</h1>", _facts(s.facts), _macro(s)]
    parts.append("<h2>Held-out sources</h2>" + _bars(s.sources))
    parts += [_sources(name, lines) for name, lines in s.sources.items()]
    if s.rocs:
        parts.append("<h2>ROC near zero false positives (guard)</h2>" + _rocs(s.rocs))
    if s.engine:
        parts.append("<h2>The engine's own families, counted apart</h2>")
        parts += [_sources(name, lines) for name, lines in s.engine.items()]
    if s.dilution:
        parts.append("<h2>Dilution and position</h2>")
        parts += [_dilution(name, lines) for name, lines in s.dilution.items()]
    if s.triggers:
        parts.append("<h2>Over-defence: benign trigger words flagged</h2>" + _triggers(s.triggers))
    parts.append("<h2>Breakdowns of the guard at the frozen threshold</h2>")
    for name, groups in s.groups.items():
        rows = [
            [g.group, report.percent(g.tpr), report.percent(g.fpr), report.estimate(g.twin)]
            for g in groups
        ]
        inside = table(["group", "TPR", "FPR", "twin AUROC"], rows)
        parts.append(f"<details><summary>{escape(name)}</summary>{inside}</details>")
    parts.append("<h2>How to read this</h2><ul>")
    parts += [f"<li>{escape(note)}</li>" for note in notes]
    body = "\n".join([*parts, "</ul>"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Leave-one-source-out</title>'
        f"<style>{style()}</style></head><body>\n{body}\n</body></html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table; every cell is escaped."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def _facts(facts: Mapping[str, object]) -> str:
    plain = [f"{k}: {v}" for k, v in facts.items() if isinstance(v, str | int | float)]
    return f"<p>{escape('; '.join(plain))}</p>"


def _macro(s: Summary) -> str:
    names = list(dict.fromkeys(n for m in s.macro.values() for n in m))
    rows = [
        [
            d,
            *(f"{m[n]:.4g}" if n in m else "-" for n in names),
            report.percent(s.false_alarms.get(d)),
        ]
        for d, m in s.macro.items()
    ]
    return table(["detector", *names, "false alarms, pooled"], rows)


def _sources(name: str, lines: Sequence[SourceFigures]) -> str:
    head = [cell.strip() for cell in report.HEAD.strip("| ").split("|")]
    inside = table(head, [report.source_cells(f) for f in lines])
    opened = " open" if name == "guard" else ""
    return f"<details{opened}><summary>{escape(name)}</summary>{inside}</details>"


def _bars(sources: Mapping[str, Sequence[SourceFigures]]) -> str:
    attacked = [f.source for f in next(iter(sources.values()), []) if f.auroc]
    benign = [
        f.source for f in next(iter(sources.values()), []) if f.fpr_frozen and "+" not in f.source
    ]
    shown = dict(list(sources.items())[: svg.SERIES])

    def values(names: Sequence[str], pick: str) -> dict[str, list[float | None]]:
        found: dict[str, list[float | None]] = {}
        for detector, lines in shown.items():
            by_name: dict[str, Estimate | None] = {f.source: getattr(f, pick) for f in lines}
            found[detector] = [e.value if (e := by_name.get(n)) else None for n in names]
        return found

    charts = []
    for names, pick, label in (
        (attacked, "auroc", "AUROC"),
        (attacked, "tpr_at_1", "TPR at 1 % FPR"),
        (benign, "fpr_frozen", "FPR, frozen threshold"),
    ):
        axis = Axis(low=0, high=1, label=label, ticks=UNIT.ticks)
        charts.append(svg.bars(names, values(names, pick), axis, title=f"{label} by source"))
    return "".join(charts)


def _rocs(rocs: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    top = max((x for points in rocs.values() for x, _ in points), default=0.05)
    x = Axis(
        low=0,
        high=100 * max(top, 0.01),
        label="false-positive rate",
        ticks=tuple(float(k) for k in range(int(100 * max(top, 0.01)) + 1)),
        percent=True,
    )
    y = Axis(low=0, high=1, label="true-positive rate", ticks=UNIT.ticks)
    series = {name: [(100 * a, b) for a, b in points] for name, points in rocs.items()}
    return svg.lines(series, x, y, title="ROC near zero false positives")


def _dilution(name: str, lines: Sequence[DilutionFigures]) -> str:
    levels = [f.level for f in lines]
    if len(levels) < 2:
        return ""
    ticks = tuple(float(v) for v in levels)
    x = Axis(
        low=min(levels), high=max(levels), label="tokens of the document", ticks=ticks, log=True
    )
    recall = {"recall, 1 % FPR": [(float(f.level), f.recall.value) for f in lines]}
    frozen = {
        "recall, frozen": [
            (float(f.level), f.recall_frozen.value) for f in lines if f.recall_frozen
        ],
        "false alarms, frozen": [
            (float(f.level), f.fpr_frozen.value) for f in lines if f.fpr_frozen
        ],
    }
    positions = sorted({p for f in lines for p in f.mean_risk})
    risk = {p: [(float(f.level), f.mean_risk[p]) for f in lines] for p in positions}
    share = Axis(low=0, high=1, label="share of documents", ticks=UNIT.ticks)
    mean = Axis(low=0, high=1, label="mean risk", ticks=UNIT.ticks)
    return (
        f"<h3>{escape(name)}</h3>"
        + svg.lines({**recall, **frozen}, x, share, title=f"{name}: recall against length")
        + svg.lines(risk, x, mean, title=f"{name}: risk against length and position")
    )


def _triggers(triggers: Mapping[str, Mapping[str, Estimate]]) -> str:
    names = list(dict.fromkeys(d for t in triggers.values() for d in t))
    rows = [[p, *(report.percent(t.get(d)) for d in names)] for p, t in triggers.items()]
    return table(["probe", *names], rows)
