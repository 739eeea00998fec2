"""Formats that people read: plain text, Markdown, mail, chat, tickets."""

from causalguard.interventions.carriers.document import Block, Document
from causalguard.interventions.formats.marks import join, wrap
from causalguard.interventions.formats.pieces import (
    head_lines,
    numbered,
    one_line,
    prefixed,
    row_text,
    sections,
    shown,
    speaker,
)
from causalguard.interventions.formats.style import Style


def plain_block(block: Block, style: Style, index: int) -> str:
    """Return a block as plain text."""
    text = block.text
    if block.kind in {"item", "step"}:
        mark = ("- ", "* ", "• ", "  - ")[style.variant % 4]
        return (f"{index + 1}. " if block.kind == "step" else mark) + prefixed(text, "  ")
    if block.kind == "quote":
        return "> " + prefixed(wrap(text, style.width), "> ")
    if block.kind == "message":
        return f"{speaker(block, style, index)}{_when(block)}: {text}"
    if block.kind == "line":
        return f"{block.when} {one_line(text)}".strip()
    return text if block.kind == "code" else wrap(text, style.width)


def _when(block: Block) -> str:
    return f" ({block.when})" if block.when else ""


def plain_blocks(blocks: tuple[Block, ...], style: Style) -> str:
    """Return all blocks as plain text."""
    pieces = [(plain_block(block, style, index), block.own) for index, block in numbered(blocks)]
    return join(pieces, style.gap)


def plain(document: Document, style: Style) -> str:
    """Plain text."""
    body = plain_blocks(document.blocks, style)
    return sections(document, style, body, [row_text(row, style) for row in document.rows])


def markdown_block(block: Block, style: Style, index: int) -> str:  # noqa: PLR0911  # one return a case
    """Return a block as Markdown."""
    text = block.text
    if block.manner == "comment":
        return f"<!-- {text.replace('-->', '-- >')} -->"
    if block.manner == "attribute":
        return f"![{one_line(text).replace(']', ')')}](/img/{style.reference}.png)"
    if block.manner == "hidden":
        return f"<details><summary>{style.names[0]}</summary>\n\n{text}\n</details>"
    if block.kind == "heading":
        return f"## {one_line(text)}"
    if block.kind in {"item", "step"}:
        mark = f"{index + 1}. " if block.kind == "step" else ("- ", "* ")[style.variant % 2]
        return mark + prefixed(text, "  ")
    if block.kind == "quote":
        return "> " + prefixed(text, "> ")
    if block.kind == "code":
        return f"```\n{text}\n```"
    if block.kind == "message":
        return f"**{speaker(block, style, index)}**{_when(block)}\n\n{text}"
    return f"`{block.when}` {text}" if block.kind == "line" else text


def markdown_blocks(blocks: tuple[Block, ...], style: Style) -> str:
    """Return all blocks as Markdown."""
    pieces = [
        (markdown_block(block, style, number), block.own) for number, block in numbered(blocks)
    ]
    return join(pieces, "\n\n")


def table(document: Document, style: Style) -> list[str]:
    """Return the rows as a Markdown table."""
    if not document.rows:
        return []
    keys = [style.key(field.key) for field in document.rows[0]]
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    for row in document.rows:
        cells = [one_line(shown(field.value), "<br>").replace("|", "\\|") for field in row]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def markdown(document: Document, style: Style) -> str:
    """Markdown, with a title and a table for records."""
    head = "\n".join(
        f"**{key}**" if not key else f"- {key}" for key, _ in head_lines(document.head, style)
    )
    parts = [f"# {document.title}", head, markdown_blocks(document.blocks, style)]
    parts.append("\n".join(table(document, style)))
    return "\n\n".join(part for part in parts if part)


def email(document: Document, style: Style) -> str:
    """A mail with headers; the whole document stands in its body."""
    subject = f"{document.title} {style.reference}"
    headers = [
        f"From: {style.names[0]} <{style.mails[0]}>",
        f"To: {style.mails[1]}",
        f"Subject: {subject}",
        f"Date: {style.stamp}",
    ]
    if style.variant % 3 == 0:
        headers += ["MIME-Version: 1.0", 'Content-Type: text/plain; charset="utf-8"']
    body = plain(document, style)
    if style.variant % 4 == 1:
        body = "> " + prefixed(body, "> ")
        body = f"On {style.stamp}, {style.names[1]} wrote:\n{body}"
    signature = f"\n\n-- \n{style.names[0]}" if style.variant % 2 else ""
    return "\n".join(headers) + "\n\n" + body + signature


def ticket(document: Document, style: Style) -> str:
    """A ticket: header fields, description, dated comments."""
    rule = ("-" * 40, "=" * 40, "")[style.variant % 3]
    top = [f"Ticket {style.reference}: {document.title}", f"Reporter: {style.names[0]}"]
    lines = [*top, *(text for text, _ in head_lines(document.head, style)), rule]
    pieces = []
    for number, block in numbered(document.blocks):
        text = block.text
        if block.kind == "message":
            text = (
                f"[{block.when or style.stamp}] {speaker(block, style, number)} commented:\n{text}"
            )
        elif block.kind in {"item", "step"}:
            text = f"* {prefixed(text, '  ')}"
        elif block.own and block.kind == "text":
            text = f"[{style.stamp}] {style.names[2]} commented:\n{text}"
        pieces.append((text, block.own))
    rows = "\n".join(row_text(row, style) for row in document.rows)
    return "\n".join([*lines, join(pieces, "\n\n"), rows]).rstrip("\n")


def chat(document: Document, style: Style) -> str:
    """Messages of a channel; fields and records are posted by a bot."""
    posts = [(f"{key}", False) for key, _ in head_lines(document.head, style)]
    out = [(_post(style, index, "bot", text), own) for index, (text, own) in enumerate(posts)]
    for number, block in numbered(document.blocks):
        who = speaker(block, style, number)
        out.append((_post(style, number + len(posts), who, block.text), block.own))
    start = len(posts) + len(document.blocks)
    for index, row in enumerate(document.rows):
        out.append((_post(style, start + index, "bot", row_text(row, style)), False))
    return join(out, "\n")


def _post(style: Style, index: int, who: str, text: str) -> str:
    clock = style.clock + 47 * index
    when = f"{clock // 3600 % 24:02d}:{clock // 60 % 60:02d}"
    forms = ("[{when}] {who}: {text}", "{who} {when}\n{text}\n", "<{who}> {text}", "{who}: {text}")
    return forms[style.variant % 4].format(when=when, who=who, text=text)
