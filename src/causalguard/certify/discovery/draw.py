"""The graph as SVG by hand: tiers as columns, everything in ``currentColor``.

No marker ids and no style sheet: any number of graphs may stand in one page without meeting.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

from causalguard.certify.discovery.graph import Edge, Graph

Point = tuple[float, float]

COLUMN = 150.0
"""Pixels from one tier to the next."""

ROW = 74.0
"""Pixels from one node of a tier to the next."""

HEIGHT = 30.0
"""Height of a node's box, in pixels."""

CHARACTER = 7.4
"""Width of one character of a node's name, in pixels."""

PAINTED = 0.8
"""Edges in fewer half-samples than this are drawn faint."""

ARROW = 9.0
"""Length of an arrow head, in pixels."""


def svg(graph: Graph) -> str:
    """Draw a graph.

    Args:
        graph: With or without tiers; without, the nodes stand on a circle.

    Returns:
        One ``<svg>`` element for use inside HTML.

    """
    places = _columns(graph) if graph.tiers else _circle(graph)
    half = {node: max(len(node) * CHARACTER / 2 + 10, 24.0) for node in graph.nodes}
    # On a circle no straight line meets a third node.
    way = list(places.values()) if graph.tiers else []
    across = [x + side * half[n] for n, (x, _) in places.items() for side in (-1, 1)]
    ends = [(places[edge.source], places[edge.target]) for edge in graph.edges]
    # A curve stays between its ends and half of the way to its control point.
    curved = [((a[1] + b[1]) / 2 + _bend(a, b, way)[1]) / 2 for a, b in ends]
    down = [y for _, y in places.values()] + curved
    left, right = min(across, default=0.0) - 12, max(across, default=0.0) + 12
    top, bottom = min(down, default=0.0) - HEIGHT, max(down, default=0.0) + HEIGHT
    box = f"{left:.0f} {top:.0f} {right - left:.0f} {bottom - top:.0f}"
    body = [_edge(edge, places, half, way) for edge in graph.edges]
    body += [_node(node, places[node], half[node]) for node in graph.nodes]
    label = escape(_in_words(graph), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" '
        f'viewBox="{box}" width="{right - left:.0f}" height="{bottom - top:.0f}" '
        'style="max-width:100%;height:auto" font-family="sans-serif" font-size="13" '
        'fill="none" stroke="currentColor">' + "".join(body) + "</svg>"
    )


def _in_words(graph: Graph) -> str:
    sign = {"directed": "to", "undirected": "linked with", "conflict": "in conflict with"}
    edges = [f"{e.source} {sign[e.mark]} {e.target}" for e in graph.edges]
    return "Graph: " + ("; ".join(edges) or "no edges")


def _columns(graph: Graph) -> dict[str, Point]:
    order = sorted({graph.tiers[node] for node in graph.nodes})
    places = {}
    for column, tier in enumerate(order):
        members = [node for node in graph.nodes if graph.tiers[node] == tier]
        for index, node in enumerate(members):
            # A small shift per column keeps edges that skip a column off the boxes between.
            y = (index - (len(members) - 1) / 2) * ROW + (column % 2) * ROW / 3
            places[node] = (column * COLUMN, y)
    return places


def _circle(graph: Graph) -> dict[str, Point]:
    radius = max(90.0, len(graph.nodes) * 26.0)
    step = 2 * math.pi / max(len(graph.nodes), 1)
    return {
        node: (1.4 * radius * math.cos(i * step), radius * math.sin(i * step))
        for i, node in enumerate(graph.nodes)
    }


def _node(name: str, place: Point, half: float) -> str:
    x, y = place
    return (
        f'<rect x="{x - half:.1f}" y="{y - HEIGHT / 2:.1f}" width="{2 * half:.1f}" '
        f'height="{HEIGHT:.0f}" rx="7" stroke-width="1.5"/>'
        f'<text x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="middle" stroke="none" '
        f'fill="currentColor">{escape(name)}</text>'
    )


def _edge(
    edge: Edge, places: Mapping[str, Point], half: Mapping[str, float], way: Sequence[Point]
) -> str:
    tail, head = places[edge.source], places[edge.target]
    bend = _bend(tail, head, way)
    start = _border(tail, bend, half[edge.source])
    end = _border(head, bend, half[edge.target])
    faint = edge.frequency is not None and edge.frequency < PAINTED
    dashes = {"directed": "", "undirected": "", "conflict": ' stroke-dasharray="5 4"'}
    curve = f"M{start[0]:.1f} {start[1]:.1f}Q{bend[0]:.1f} {bend[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
    parts = [f'<path d="{curve}" stroke-width="1.5"{dashes[edge.mark]}/>']
    if edge.mark in ("directed", "conflict"):
        parts.append(_arrow(end, bend))
    if edge.mark == "conflict":
        parts.append(_arrow(start, bend))
    if edge.frequency is not None:
        x, y = (start[0] + 2 * bend[0] + end[0]) / 4, (start[1] + 2 * bend[1] + end[1]) / 4
        parts.append(
            f'<text x="{x:.1f}" y="{y - 5:.1f}" text-anchor="middle" font-size="11" '
            f'stroke="none" fill="currentColor">{edge.frequency:.0%}</text>'
        )
    title = f"<title>{escape(_describe(edge))}</title>"
    return f'<g opacity="{0.45 if faint else 1}">{title}{"".join(parts)}</g>'


def _describe(edge: Edge) -> str:
    sign = {"directed": "→", "undirected": "—", "conflict": "↔ (evidence both ways)"}[edge.mark]
    text = f"{edge.source} {sign} {edge.target}"
    if edge.p_value is not None:
        text += f", largest p {edge.p_value:.2g}"
    if edge.frequency is not None:
        text += f", in {edge.frequency:.0%} of half-samples"
    if edge.arrow_frequency is not None and edge.mark == "directed":
        text += f", this way in {edge.arrow_frequency:.0%}"
    return text


def _bend(tail: Point, head: Point, in_the_way: Sequence[Point]) -> Point:
    """Control point: straight between neighbours, else bowed past the nodes in between."""
    middle = ((tail[0] + head[0]) / 2, (tail[1] + head[1]) / 2)
    if not in_the_way:
        return middle
    if abs(tail[0] - head[0]) < 1:
        return (middle[0] + 0.45 * COLUMN, middle[1])
    near, far = sorted((tail[0], head[0]))
    between = [y for x, y in in_the_way if near + 1 < x < far - 1]
    if not between or abs(tail[0] - head[0]) < 1.5 * COLUMN:
        return middle
    above, below = min(between) - 0.8 * ROW, max(between) + 0.8 * ROW
    clear = above if abs(above - middle[1]) <= abs(below - middle[1]) else below
    # A quadratic curve goes half of the way to its control point.
    return (middle[0], 2 * clear - middle[1])


def _border(centre: Point, towards: Point, half: float) -> Point:
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    scale = max(abs(dx) / (half + 3), abs(dy) / (HEIGHT / 2 + 3), 1e-9)
    return (centre[0] + dx / scale, centre[1] + dy / scale)


def _arrow(tip: Point, from_point: Point) -> str:
    dx, dy = tip[0] - from_point[0], tip[1] - from_point[1]
    length = math.hypot(dx, dy) or 1.0
    ux, uy = dx / length * ARROW, dy / length * ARROW
    left = (tip[0] - ux - uy * 0.45, tip[1] - uy + ux * 0.45)
    right = (tip[0] - ux + uy * 0.45, tip[1] - uy - ux * 0.45)
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in (tip, left, right))
    return f'<polygon points="{corners}" fill="currentColor" stroke="none"/>'
