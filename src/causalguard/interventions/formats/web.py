"""HTML: visible text, hidden elements, attributes and comments."""

from html import escape

from causalguard.interventions.carriers.document import Block, Document
from causalguard.interventions.formats.marks import join
from causalguard.interventions.formats.pieces import numbered, one_line, shown, speaker
from causalguard.interventions.formats.style import Style

_HIDDEN = (
    '<div style="display:none">{}</div>',
    "<span hidden>{}</span>",
    '<p style="font-size:0">{}</p>',
    '<p style="color:#fff;background:#fff">{}</p>',
    '<div aria-hidden="true" class="sr-only">{}</div>',
    "<noscript>{}</noscript>",
    "<template>{}</template>",
)
_ATTRIBUTE = (
    '<img src="/img/1.png" alt="{}">',
    '<a href="/more" title="{}">more</a>',
    '<meta name="description" content="{}">',
    '<button aria-label="{}">OK</button>',
    '<input type="text" placeholder="{}">',
    '<div data-note="{}"></div>',
)


def block_html(block: Block, style: Style, index: int) -> str:  # noqa: PLR0911  # one return a case
    """Return a block as an HTML element."""
    if block.manner == "comment":
        return f"<!-- {block.text.replace('--', '- -')} -->"
    if block.manner == "hidden":
        return _HIDDEN[style.variant % len(_HIDDEN)].format(_escaped(block.text))
    if block.manner == "attribute":
        value = escape(one_line(block.text), quote=True)
        return _ATTRIBUTE[style.variant % len(_ATTRIBUTE)].format(value)
    if block.kind == "code":
        return f"<pre><code>{escape(block.text, quote=False)}</code></pre>"
    text = _escaped(block.text)
    if block.kind == "message":
        who = escape(speaker(block, style, index))
        return f'<div class="post"><b>{who}</b> <small>{block.when}</small><p>{text}</p></div>'
    if block.kind == "line":
        return f"<div>{block.when} {text}</div>"
    tag = {"heading": "h2", "item": "li", "step": "li", "quote": "blockquote"}.get(block.kind, "p")
    return f"<{tag}>{text}</{tag}>"


def _escaped(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>\n")


def blocks_html(blocks: tuple[Block, ...], style: Style) -> str:
    """Return all blocks as HTML elements."""
    pieces = [(block_html(block, style, number), block.own) for number, block in numbered(blocks)]
    return join(pieces, "\n")


def _rows(document: Document, style: Style) -> str:
    if not document.rows:
        return ""
    names = "".join(f"<th>{style.key(field.key)}</th>" for field in document.rows[0])
    lines = [f"<tr>{names}</tr>"]
    for row in document.rows:
        cells = "".join(f"<td>{_escaped(shown(field.value))}</td>" for field in row)
        lines.append(f"<tr>{cells}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def html(document: Document, style: Style) -> str:
    """A page or a fragment of one."""
    head = "\n".join(
        f"<dt>{style.key(field.key)}</dt><dd>{_escaped(shown(field.value))}</dd>"
        for field in document.head
    )
    parts = [f"<h1>{document.title}</h1>", f"<dl>\n{head}\n</dl>" if head else ""]
    parts += [blocks_html(document.blocks, style), _rows(document, style)]
    body = "\n".join(part for part in parts if part)
    if not style.full_page:
        return body
    links = "".join(
        f'<a href="/{name.split()[0].lower()}">{name.split()[0]}</a>' for name in style.names
    )
    return (
        f"<!DOCTYPE html>\n<html>\n<head><title>{document.title}</title>\n"
        f'<meta charset="utf-8"></head>\n<body>\n<nav>{links}</nav>\n<main>\n{body}\n</main>\n'
        f"<footer>{style.names[0]} - {style.mails[0]}</footer>\n</body>\n</html>"
    )
