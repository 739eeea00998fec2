"""Small charts as inline SVG: no scripts, colours from the page's own variables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 170, 14, 40
SERIES = 8
"""Distinct colours; further series repeat them with dashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis of a chart."""

    low: float
    """Value at the start."""
    high: float
    """Value at the end, > low."""
    label: str
    """What is shown, with its unit."""
    ticks: tuple[float, ...]
    """Values that get a mark."""
    log: bool = False
    """Logarithmic in base 2."""
    percent: bool = False
    """Ticks are written in per cent."""

    def share(self, value: float) -> float:
        """Where a value lies, 0 at ``low``, 1 at ``high``; cut off outside."""
        if self.log:
            low, high, value = math.log2(self.low), math.log2(self.high), math.log2(value)
        else:
            low, high = self.low, self.high
        return min(1.0, max(0.0, (value - low) / (high - low)))

    def write(self, value: float) -> str:
        """A tick's text."""
        return f"{value:.3g} %".replace(" ", " ") if self.percent else f"{value:g}"


def lines(
    series: Mapping[str, Sequence[tuple[float, float]]], x: Axis, y: Axis, *, title: str
) -> str:
    """A line chart; each series is a list of (x, y)."""
    parts = _frame(x, y)
    for k, (name, points) in enumerate(series.items()):
        path = " ".join(f"{_x(x, a):.1f},{_y(y, b):.1f}" for a, b in points)
        dash = ' stroke-dasharray="5 3"' if k >= SERIES else ""
        parts.append(f'<polyline class="s{k % SERIES}" points="{path}"{dash}/>')
        parts += [
            f'<circle class="d{k % SERIES}" cx="{_x(x, a):.1f}" cy="{_y(y, b):.1f}" r="2.4">'
            f"<title>{escape(name)}: {a:g}, {b:.4g}</title></circle>"
            for a, b in points
            if len(points) <= 20
        ]
    parts += _legend(list(series))
    return _svg(parts, HEIGHT, title)


def bars(
    groups: Sequence[str], series: Mapping[str, Sequence[float | None]], y: Axis, *, title: str
) -> str:
    """Bars side by side per group; None leaves a gap."""
    x = Axis(low=0, high=max(1, len(groups)), label="", ticks=())
    parts = _frame(x, y)
    width = (WIDTH - LEFT - RIGHT) / max(1, len(groups))
    each = 0.8 * width / max(1, len(series))
    base = _y(y, y.low)
    for k, (name, values) in enumerate(series.items()):
        for g, value in enumerate(values):
            if value is None:
                continue
            at, top = LEFT + width * (g + 0.1) + k * each, _y(y, value)
            parts.append(
                f'<rect class="b{k % SERIES}" x="{at:.1f}" y="{top:.1f}" width="{each:.1f}" '
                f'height="{max(base - top, 0.5):.1f}">'
                f"<title>{escape(groups[g])}, {escape(name)}: {value:.4f}</title></rect>"
            )
    for g, name in enumerate(groups):
        at = LEFT + width * (g + 0.5)
        parts.append(
            f'<text class="t" transform="translate({at:.1f},{base + 12:.1f}) rotate(-32)" '
            f'text-anchor="end">{escape(name)}</text>'
        )
    parts += _legend(list(series))
    return _svg(parts, HEIGHT + 60, title)


def _svg(parts: Sequence[str], height: int, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)


def _frame(x: Axis, y: Axis) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>']
    for tick in x.ticks:
        at = _x(x, tick)
        parts.append(f'<path class="grid" d="M{at:.1f} {TOP}V{bottom}"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{bottom + 15}" text-anchor="middle">{x.write(tick)}</text>'
        )
    for tick in y.ticks:
        at = _y(y, tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{right}"/>')
        parts.append(
            f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{y.write(tick)}</text>'
        )
    middle = (LEFT + right) / 2
    if x.label:
        parts.append(
            f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.label)}</text>'
        )
    parts.append(
        f'<text transform="translate(13,{(TOP + bottom) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y.label)}</text>'
    )
    return parts


def _legend(names: Sequence[str]) -> list[str]:
    parts = []
    for k, name in enumerate(names[:16]):
        at = TOP + 8 + 17 * k
        left = WIDTH - RIGHT + 12
        dash = ' stroke-dasharray="5 3"' if k >= SERIES else ""
        parts.append(f'<path class="s{k % SERIES}" d="M{left} {at}h16"{dash}/>')
        parts.append(f'<text x="{left + 21}" y="{at + 4}">{escape(name)}</text>')
    return parts
