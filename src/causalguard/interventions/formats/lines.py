"""Line formats: tables (CSV, TSV, Markdown), logs, source code, calendar files."""

import re

from causalguard.interventions.carriers.document import Block, Document, Field
from causalguard.interventions.formats.marks import join, marked
from causalguard.interventions.formats.pieces import (
    head_lines,
    numbered,
    one_line,
    prefixed,
    row_text,
    shown,
    speaker,
)
from causalguard.interventions.formats.style import Style
from causalguard.interventions.formats.text import plain_blocks, table


def _as_rows(document: Document, style: Style) -> list[tuple[list[str], bool]]:
    """Cells of all lines: the records, then fields and prose as records of their own."""
    out: list[tuple[list[str], bool]] = []
    rows = [[shown(field.value) for field in row] for row in document.rows]
    if rows:
        out.append(([style.key(field.key) for field in document.rows[0]], False))
        out += [(row, False) for row in rows]
    else:
        out.append(([style.key("key"), style.key("value")], False))
    out += [([style.key(field.key), shown(field.value)], False) for field in document.head]
    for number, block in numbered(document.blocks):
        who = speaker(block, style, number) if block.kind == "message" else str(number + 1)
        out.append(([style.extra_key if block.own else who, block.text], block.own))
    return out


def _quoted(cell: str) -> str:
    # A marked cell is always quoted: whether it is must not depend on the payload.
    if marked(cell) or any(mark in cell for mark in ',"\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def csv_format(document: Document, style: Style) -> str:
    """Comma-separated values (RFC 4180)."""
    lines = [(",".join(map(_quoted, cells)), own) for cells, own in _as_rows(document, style)]
    return join(lines, "\n")


def tsv_format(document: Document, style: Style) -> str:
    """Tab-separated values; line breaks in cells are written as \\n."""
    lines = []
    for cells, own in _as_rows(document, style):
        lines.append(("\t".join(one_line(cell, "\\n") for cell in cells), own))
    return join(lines, "\n")


def table_format(document: Document, style: Style) -> str:
    """A Markdown table between the fields and the prose."""
    if document.rows:
        top = "\n".join(text for text, _ in head_lines(document.head, style))
        parts = [top, "\n".join(table(document, style)), plain_blocks(document.blocks, style)]
        return "\n\n".join(part for part in parts if part)
    lines = []
    for index, (cells, own) in enumerate(_as_rows(document, style)):
        flat = [one_line(cell, "<br>").replace("|", "\\|") for cell in cells]
        rule = "\n|---|---|" if index == 0 else ""
        lines.append(("| " + " | ".join(flat) + " |" + rule, own))
    return join(lines, "\n")


def log_format(document: Document, style: Style) -> str:
    """Log lines: every field, record and block is an entry."""
    texts = [(f"{text}", own) for text, own in head_lines(document.head, style)]
    texts += [(row_text(row, style), False) for row in document.rows]
    start = len(texts)
    entries = [(index, text, own) for index, (text, own) in enumerate(texts)]
    for number, block in numbered(document.blocks):
        who = f"{block.author}: " if block.author else ""
        entries.append((start + number, who + block.text, block.own))
    return join([(_entry(style, *entry[:2]), entry[2]) for entry in entries], "\n")


def _entry(style: Style, index: int, text: str) -> str:
    clock = style.clock + 13 * index
    when = f"{clock // 3600 % 24:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}"
    level = ("INFO", "INFO", "DEBUG", "WARNING", "INFO")[index % 5]
    forms = (
        "{day} {when} {level} {text}", "[{when}] [{level}] {text}",
        "{when},{ms:03d} - app - {level} - {text}",
        'time={when} level={level} msg="{text}"',
    )  # fmt: skip
    flat = one_line(text, "\\n" if style.variant % 2 else " ")
    form = forms[style.variant % 4]
    if form.endswith('"'):
        flat = flat.replace('"', '\\"')
    return form.format(
        day=style.stamp[:10], when=when, level=level, ms=index * 37 % 1000, text=flat
    )


def code_format(document: Document, style: Style) -> str:
    """A source file: fields as constants, prose as comments, records as literals, code as code."""
    mark = ("# ", "// ", "# ", "-- ")[style.variant % 4]
    lines = [(f"{mark}{document.title}", False)]
    lines += [(_constant(field), False) for field in document.head]
    for number, block in numbered(document.blocks):
        lines.append((_commented(block, style, number, mark), block.own))
    for row in document.rows:
        cells = ", ".join(_quote(shown(field.value)) for field in row)
        lines.append((f"add({cells})", False))
    return join(lines, "\n")


def _commented(block: Block, style: Style, number: int, mark: str) -> str:
    if block.kind == "code":
        return block.text
    who = f"{speaker(block, style, number)}: " if block.kind == "message" else ""
    if style.variant % 3 == 0 and not block.own and block.kind == "text":
        return f'"""{block.text}"""' if mark == "# " else f"/* {block.text} */"
    return mark + who + prefixed(block.text, mark)


def _constant(field: Field) -> str:
    name = re.sub(r"\W", "_", field.key).upper()
    plain = isinstance(field.value, int | float) and not isinstance(field.value, bool)
    return f"{name} = {field.value if plain else _quote(shown(field.value))}"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def calendar_format(document: Document, style: Style) -> str:
    """An iCalendar file (RFC 5545) without line folding: one event, more for the records."""
    body = plain_blocks(document.blocks, style)
    fields = "\n".join(text for text, _ in head_lines(document.head, style))
    events = [_event(style, 0, document.title, "\n\n".join(p for p in (fields, body) if p))]
    for index, row in enumerate(document.rows, 1):
        title = next((shown(f.value) for f in row if isinstance(f.value, str)), document.title)
        summary = document.title if marked(title) else title
        events.append(_event(style, index, summary, row_text(row, style)))
    inside = "\n".join(events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//{style.names[0]}//EN\n{inside}\nEND:VCALENDAR"


def _event(style: Style, index: int, summary: str, description: str) -> str:
    day = f"2026{style.clock % 12 + 1:02d}{(style.clock + index) % 28 + 1:02d}"
    hour = f"{8 + index % 10:02d}"
    flat = _ics(description)
    return (
        f"BEGIN:VEVENT\nUID:{style.reference}-{index}\nDTSTART:{day}T{hour}0000Z\n"
        f"DTEND:{day}T{hour}4500Z\nSUMMARY:{_ics(summary)}\nORGANIZER:mailto:{style.mails[0]}\n"
        f"DESCRIPTION:{flat}\nEND:VEVENT"
    )


def _ics(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\n", "\\n")
