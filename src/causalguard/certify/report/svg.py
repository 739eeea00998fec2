"""Plots as hand-written inline SVG: no script, no font, no file beside the page.

Colours come from the page's style sheet (classes), so that the plots follow light and dark.
Every plot carries a title for screen readers; every text is escaped.
"""

import math
from collections.abc import Sequence
from html import escape

from causalguard.certify.report.attached import AttackRow
from causalguard.certify.report.model import CurvePoint, FamilyRate, Histogram, RocPoint
from causalguard.records import POSITIVE

WIDTH = 640
LEFT = 210
ROW = 22


def _svg(height: float, title: str, body: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{"".join(body)}</svg>'
    )


def _text(x: float, y: float, content: str, anchor: str = "start", kind: str = "label") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">'
        f"{escape(content)}</text>"
    )


def _circle(x: float, y: float, radius: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="dot"></circle>'


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" '
        f'class="{kind}"></rect>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"></line>'


def _shorten(name: str, limit: int = 30) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"


def _percent(value: float) -> str:
    return f"{100 * value:.3g}%"


def family_bounds(families: Sequence[FamilyRate], margin: float) -> str:
    """Each family's miss rate (dot) and its upper bound (bar), with the margin as a line."""
    rows = sorted(families, key=lambda family: -family.rate.high)
    top = max([family.rate.high for family in rows] + [margin]) * 1.05
    scale = (WIDTH - LEFT - 70) / top
    body = []
    for index, family in enumerate(rows):
        y = 14 + ROW * index
        end = LEFT + scale * family.rate.high
        kind = "good" if family.covered else "poor"
        body += [
            _text(LEFT - 8, y + 4, _shorten(family.rate.name), "end"),
            _box(LEFT, y - 5, end - LEFT, 10, kind),
            _circle(LEFT + scale * family.rate.estimate, y, 4),
            _text(end + 6, y + 4, _percent(family.rate.high), kind="small"),
        ]
    bottom = 14 + ROW * len(rows)
    x = LEFT + scale * margin
    body += [
        _line(x, 2, x, bottom - 8, "margin"),
        _text(x, bottom + 8, f"margin {_percent(margin)}", "middle", "small"),
    ]
    return _svg(bottom + 16, "Miss rate and upper bound by family", body)


def risks(histograms: Sequence[Histogram]) -> str:
    """Distribution of risk for each kind of text, one strip a kind, square-root scale."""
    body = []
    strip = 58
    for index, histogram in enumerate(histograms):
        base = 46 + strip * index
        top = max(1, *histogram.counts)
        width = (WIDTH - LEFT - 20) / len(histogram.counts)
        body.append(
            _text(LEFT - 8, base - 12, f"{histogram.kind} ({sum(histogram.counts)})", "end")
        )
        for place, count in enumerate(histogram.counts):
            height = 40 * math.sqrt(count / top)
            kind = "poor" if histogram.kind in POSITIVE else "good"
            body.append(_box(LEFT + width * place, base - height, width - 1, height, kind))
        body.append(_line(LEFT, base, WIDTH - 20, base, "axis"))
    bottom = 46 + strip * len(histograms) - 34
    body += [
        _text(LEFT, bottom, "risk 0", kind="small"),
        _text(WIDTH - 20, bottom, "risk 1", "end", "small"),
    ]
    return _svg(bottom + 10, "Distribution of risk by kind of text", body)


def _frame(title_x: str, title_y: str, x_top: float, height: float = 260) -> list[str]:
    return [
        _line(70, 10, 70, height - 40, "axis"),
        _line(70, height - 40, WIDTH - 20, height - 40, "axis"),
        _text(64, 18, "1", "end", "small"),
        _text(64, height - 38, "0", "end", "small"),
        _text(70, height - 24, "0", "middle", "small"),
        _text(WIDTH - 20, height - 24, f"{x_top:g}", "end", "small"),
        _text((70 + WIDTH - 20) / 2, height - 8, title_x, "middle"),
        (
            f'<g transform="translate(22 {height / 2 - 20:.0f}) rotate(-90)">'
            f"{_text(0, 0, title_y, 'middle')}</g>"
        ),
    ]


def roc(points: Sequence[RocPoint], limit: float = 0.1) -> str:
    """True-positive rate against false-positive rate up to ``limit``, as a step curve."""
    body = _frame("false-positive rate", "true-positive rate", limit)

    def place(x: float, y: float) -> tuple[float, float]:
        return 70 + (WIDTH - 90) * x / limit, 10 + 210 * (1 - y)

    path: list[str] = []
    last = 0.0
    for point in points:
        x, y = place(point.false_positive_rate, point.true_positive_rate)
        before = place(point.false_positive_rate, last)[1]
        path.append(f"{x:.1f},{before:.1f} {x:.1f},{y:.1f}")
        last = point.true_positive_rate
    if path:
        end = place(limit, last)
        path.append(f"{end[0]:.1f},{end[1]:.1f}")
        body.append(f'<polyline points="{" ".join(path)}" class="curve"></polyline>')
    return _svg(260, "ROC near zero", body)


def curve(points: Sequence[CurvePoint], title: str) -> str:
    """Miss rate (line) and mean risk (dashed) of injected texts over the levels."""
    if not points:
        return ""
    body = _frame("", "", 1.0)[:4]
    step = (WIDTH - 110) / max(1, len(points) - 1)
    xs = [90 + step * index for index in range(len(points))]
    if len(points) == 1:
        xs = [WIDTH / 2]
    for kind, values in (
        ("curve", [point.miss_rate for point in points]),
        ("curve second", [point.mean_risk for point in points]),
    ):
        ys = [10 + 210 * (1 - value) for value in values]
        pairs = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        body.append(f'<polyline points="{pairs}" class="{kind}"></polyline>')
        body += [_circle(x, y, 3) for x, y in zip(xs, ys, strict=True)]
    for index, (x, point) in enumerate(zip(xs, points, strict=True)):
        y = 236 + 14 * (index % 2)
        anchor = "start" if index == 0 else "end" if index == len(points) - 1 else "middle"
        label = f"{_shorten(point.level, 20)} ({point.rows})"
        body.append(_text(x, y, label, "middle" if len(points) == 1 else anchor, "small"))
    body.append(
        _text(90, 272, "solid: miss rate; dashed: mean risk (injected texts)", kind="small")
    )
    return _svg(280, title, body)


def budgets(rows: Sequence[AttackRow]) -> str:
    """Share of goals passed by number of queries, one step curve an attack, logarithmic scale."""
    drawn = [row for row in rows if len(row.curve) > 1]
    if not drawn:
        return ""
    most = max(row.curve[-1].queries for row in drawn)
    right = WIDTH - 130
    body = [
        _line(70, 10, 70, 220, "axis"),
        _line(70, 220, right, 220, "axis"),
        _text(64, 18, "100%", "end", "small"),
        _text(64, 222, "0", "end", "small"),
        _text(70, 236, "1", "middle", "small"),
        _text(right, 236, f"{most} queries", "middle", "small"),
    ]
    labels: list[float] = []
    for row in sorted(drawn, key=lambda row: -row.evaded):
        path, last = [], 220.0
        for point in row.curve:
            x = 70 + (right - 70) * math.log(point.queries) / math.log(max(most, 2))
            y = 220 - 210 * point.evaded / row.goals
            path.append(f"{x:.1f},{last:.1f} {x:.1f},{y:.1f}")
            last = y
        path.append(f"{right:.1f},{last:.1f}")
        kind = "curve second" if row.attack.startswith("gcg") else "curve"
        body.append(f'<polyline points="{" ".join(path)}" class="{kind}"></polyline>')
        # labels of curves that end together are written below each other
        place = max([last, *(y + 13 for y in labels[-1:])])
        labels.append(place)
        body.append(_text(right + 6, place + 4, _shorten(row.attack, 20), kind="small"))
    body.append(_text(70, 256, "solid: sees risks; dashed: has the weights", kind="small"))
    return _svg(max(262, max(labels) + 12), "Goals passed by number of queries", body)
