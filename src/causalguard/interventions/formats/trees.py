"""Structured formats: JSON, Python literals, YAML and XML, from one tree."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from causalguard.interventions.carriers.document import Block, Document, Field, Scalar, Value
from causalguard.interventions.formats.marks import CLOSE, END, OPEN, START, join, marked, wrap
from causalguard.interventions.formats.pieces import numbered, prefixed, speaker
from causalguard.interventions.formats.style import Style
from causalguard.interventions.formats.text import markdown_blocks, plain_blocks
from causalguard.interventions.formats.web import blocks_html


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of a mapping (with a key) or of a list (key empty)."""

    key: str
    node: "Node"
    own: bool = False
    comment: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """A mapping or a list."""

    entries: tuple[Entry, ...]
    is_list: bool = False


Node = Scalar | Tree


def _value(value: Value) -> Node:
    if isinstance(value, tuple):
        return Tree(tuple(Entry("", item) for item in value), is_list=True)
    return value


def _fields(fields: tuple[Field, ...], style: Style) -> list[Entry]:
    return [Entry(style.key(field.key), _value(field.value)) for field in fields]


def _block_node(block: Block, style: Style, number: int) -> Node:
    if block.kind == "message":
        entries = [Entry(style.key("author"), speaker(block, style, number))]
        if block.when:
            entries.append(Entry(style.key("created_at"), block.when))
        entries.append(Entry(style.key("text"), block.text))
        return Tree(tuple(entries))
    if block.kind == "line":
        return Tree((Entry("time", block.when), Entry("message", block.text)))
    return block.text


def _prose(blocks: tuple[Block, ...], style: Style) -> list[Entry]:
    apart = [Entry(_extra(style), block.text, own=True, comment=block.manner == "comment")
             for block in blocks if block.own and block.manner != "block"]  # fmt: skip
    rest = tuple(block for block in blocks if not (block.own and block.manner != "block"))
    if not rest:
        return apart
    if style.body == "list":
        nodes = [Entry("", _block_node(block, style, number), own=block.own)
                 for number, block in numbered(rest)]  # fmt: skip
        return [Entry(style.key(style.body_key), Tree(tuple(nodes), is_list=True)), *apart]
    write = {"plain": plain_blocks, "markdown": markdown_blocks, "html": blocks_html}[style.inner]
    return [Entry(style.key(style.body_key), write(rest, style)), *apart]


def _extra(style: Style) -> str:
    return style.key(style.extra_key)


def tree_of(document: Document, style: Style) -> Node:
    """Return a document as a tree: fields, prose under one key, records under another."""
    if document.bare and len(document.blocks) == 1:
        return document.blocks[0].text
    entries = [*_fields(document.head, style), *_prose(document.blocks, style)]
    if document.rows:
        rows = tuple(Entry("", Tree(tuple(_fields(row, style)))) for row in document.rows)
        listed = Tree(rows, is_list=True)
        if not entries and style.variant % 2:
            return listed
        entries.append(Entry(style.key(document.rows_name), listed))
    return Tree(tuple(entries))


def _json_text(text: str, style: Style) -> str:
    out = json.dumps(text, ensure_ascii=style.ascii)
    if style.ascii:
        for mark in (OPEN, START, END, CLOSE):
            out = out.replace(f"\\u{ord(mark):04x}", mark)
    return out


def _python_text(text: str, style: Style) -> str:
    # A double quote in front makes repr choose single quotes around, whatever follows.
    body = repr('"' + text)[2:-1]
    for mark in (OPEN, START, END, CLOSE):
        body = body.replace(f"\\u{ord(mark):04x}", mark)
    return "'" + (body.replace("\\'", "'") if style.sloppy else body) + "'"


def _literal(scalar: Scalar, words: tuple[str, str, str]) -> str:
    if scalar is None:
        return words[2]
    if isinstance(scalar, bool):
        return words[0] if scalar else words[1]
    return str(scalar)


def _braces(node: Node, style: Style, level: int, scalar: Callable[[Scalar], str]) -> str:
    if not isinstance(node, Tree):
        return scalar(node)
    left, right = "[]" if node.is_list else "{}"
    if not node.entries:
        return left + right
    pieces = []
    for entry in node.entries:
        text = _braces(entry.node, style, level + 1, scalar)
        pieces.append((text if node.is_list else f"{scalar(entry.key)}: {text}", entry.own))
    if not style.indent:
        return left + join(pieces, ", ") + right
    inner, outer = ("\n" + " " * (style.indent * depth) for depth in (level + 1, level))
    if len(pieces) == 1 and pieces[0][1]:
        return f"{left}{OPEN}{inner}{pieces[0][0]}{outer}{CLOSE}{right}"
    return left + inner + join(pieces, "," + inner) + outer + right


def json_format(document: Document, style: Style) -> str:
    """JSON, compact or indented."""

    def scalar(value: Scalar) -> str:
        if isinstance(value, str):
            return _json_text(value, style)
        return _literal(value, ("true", "false", "null"))

    return _braces(tree_of(document, style), style, 0, scalar)


def python_format(document: Document, style: Style) -> str:
    """A Python literal with single quotes, as many agent frameworks print results."""

    def scalar(value: Scalar) -> str:
        if isinstance(value, str):
            return _python_text(value, style)
        return _literal(value, ("True", "False", "None"))

    return _one_line(tree_of(document, style), scalar)


def _one_line(node: Node, scalar: Callable[[Scalar], str]) -> str:
    if not isinstance(node, Tree):
        return scalar(node)
    left, right = "[]" if node.is_list else "{}"
    pieces = []
    for entry in node.entries:
        text = _one_line(entry.node, scalar)
        pieces.append((text if node.is_list else f"{scalar(entry.key)}: {text}", entry.own))
    return left + join(pieces, ", ") + right


_PLAIN_YAML = re.compile(r"[A-Za-z_](?:[\w ./@+()'-]*[\w./@+()'-])?")
_YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"})


def _yaml_scalar(value: Scalar, style: Style, pad: str) -> str:
    if not isinstance(value, str):
        return _literal(value, ("true", "false", "null"))
    if marked(value) or "\n" in value or len(value) > 100:
        if style.variant % 3 == 0:
            return "|-\n" + pad + prefixed(value, pad)
        text = json.dumps(value, ensure_ascii=False)
        return wrap(text, 80 if style.variant % 3 == 1 else 0, pad)
    if _PLAIN_YAML.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    return "'" + value.replace("'", "''") + "'"


def _yaml(node: Node, style: Style, pad: str) -> list[tuple[str, bool]]:
    if not isinstance(node, Tree):
        return [(_yaml_scalar(node, style, pad), False)]
    pieces = []
    for entry in node.entries:
        if entry.comment:
            pieces.append((f"{pad}# " + prefixed(str(entry.node), f"{pad}# "), entry.own))
            continue
        lead = f"{pad}- " if node.is_list else f"{pad}{_yaml_key(entry.key)}: "
        if isinstance(entry.node, Tree) and entry.node.entries:
            below = join(_yaml(entry.node, style, pad + "  "), "\n")
            text = lead + below[len(pad) + 2 :] if node.is_list else f"{lead.rstrip()}\n{below}"
            if node.is_list and below.startswith(OPEN):
                text = lead + OPEN + below[len(pad) + 3 :]
        elif isinstance(entry.node, Tree):
            text = lead + ("[]" if entry.node.is_list else "{}")
        else:
            text = lead + _yaml_scalar(entry.node, style, pad + "  ")
        pieces.append((text, entry.own))
    return pieces


def _yaml_key(key: str) -> str:
    return key if re.fullmatch(r"[\w -]+", key) else json.dumps(key)


def yaml_format(document: Document, style: Style) -> str:
    """YAML in block style; long text as a literal block, quoted, or folded."""
    return join(_yaml(tree_of(document, style), style, ""), "\n")


def _xml(node: Node, style: Style, level: int) -> str:
    if not isinstance(node, Tree):
        return escape(_literal(node, ("true", "false", "")), quote=False)
    pad = "\n" + "  " * (level + 1) if style.indent else ""
    pieces = []
    for entry in node.entries:
        if entry.comment:
            pieces.append((f"<!-- {str(entry.node).replace('--', '- -')} -->", entry.own))
            continue
        tag = re.sub(r"\W", "_", entry.key or "item")
        pieces.append((f"<{tag}>{_xml(entry.node, style, level + 1)}</{tag}>", entry.own))
    inside = join(pieces, pad)
    if not pieces:
        return ""
    return pad + inside + ("\n" + "  " * level if style.indent else "")


def xml_format(document: Document, style: Style) -> str:
    """XML with elements only."""
    root = ("response", "result", "document", "data")[style.variant % 4]
    start = '<?xml version="1.0" encoding="UTF-8"?>\n' if style.variant % 3 == 0 else ""
    return f"{start}<{root}>{_xml(tree_of(document, style), style, 0)}</{root}>"
