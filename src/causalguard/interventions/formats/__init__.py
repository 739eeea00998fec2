"""do(N): the same document in another format, and what the agent's framework wraps around it."""

import json
from collections.abc import Callable, Mapping

from causalguard.interventions.carriers.document import Document
from causalguard.interventions.formats import lines, text, trees, web
from causalguard.interventions.formats.marks import CLOSE, END, OPEN, START, Rendered
from causalguard.interventions.formats.style import Style, draw_style

__all__ = ["FORMATS", "WEIGHTS", "Rendered", "Style", "draw_style", "render"]

FORMATS: Mapping[str, Callable[[Document, Style], str]] = {
    "plain": text.plain,
    "markdown": text.markdown,
    "html": web.html,
    "json": trees.json_format,
    "yaml": trees.yaml_format,
    "xml": trees.xml_format,
    "python": trees.python_format,
    "email": text.email,
    "csv": lines.csv_format,
    "tsv": lines.tsv_format,
    "table": lines.table_format,
    "log": lines.log_format,
    "code": lines.code_format,
    "ticket": text.ticket,
    "calendar": lines.calendar_format,
    "chat": text.chat,
}
"""Every format renders every document, and every text in it."""

WEIGHTS: Mapping[str, float] = {
    "plain": 13, "markdown": 9, "html": 9, "json": 14, "yaml": 9, "xml": 5, "python": 12,
    "email": 6,
    "csv": 4, "tsv": 2, "table": 3, "log": 3, "code": 4, "ticket": 3, "calendar": 2, "chat": 3,
}  # fmt: skip
"""How often the engine draws each: what agents' tools return most comes most."""


def render(document: Document, format_name: str, style: Style, tool: str = "") -> str:
    """Return a document in a format, in the style's envelope; marks in it are kept.

    Args:
        document: what to render.
        format_name: a key of ``FORMATS``.
        style: the choices of the renderer.
        tool: name of the tool, for envelopes that print it.

    Raises:
        KeyError: there is no such format.

    """
    if document.bare and not any(block.own for block in document.blocks):
        return document.blocks[0].text
    return _wrapped(FORMATS[format_name](document, style), style, tool)


def _wrapped(inner: str, style: Style, tool: str) -> str:
    if style.envelope == "json":
        out = json.dumps({"status": "ok", style.body_key: inner}, ensure_ascii=style.ascii)
        return _restored(out)
    if style.envelope == "python":
        body = repr('"' + inner)[2:-1]
        return _restored(f"{{'success': True, '{style.body_key}': '{body}', 'error': None}}")
    if style.envelope == "tag":
        tag = ("tool_output", "result", "output", "observation")[style.variant % 4]
        return f"<{tag}>\n{inner}\n</{tag}>"
    if style.envelope == "fence":
        return f"```\n{inner}\n```"
    if style.envelope == "label":
        label = (f"Result of {tool}:", "Observation:", "Tool output:", f"{tool} returned")
        return f"{label[style.variant % 4]}\n{inner}"
    return inner


def _restored(text: str) -> str:
    for mark in (OPEN, START, END, CLOSE):
        text = text.replace(f"\\u{ord(mark):04x}", mark)
    return text
