"""Small pieces that several formats share."""

from causalguard.interventions.carriers.document import Block, Document, Field, Value
from causalguard.interventions.formats.marks import join
from causalguard.interventions.formats.style import Style


def shown(value: Value) -> str:
    """Return a value as people print it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def one_line(text: str, instead: str = " ") -> str:
    """Return text without line breaks."""
    return text.replace("\r", "").replace("\n", instead)


def prefixed(text: str, prefix: str) -> str:
    """Return text with every line but the first preceded by ``prefix``."""
    return text.replace("\n", "\n" + prefix)


def speaker(block: Block, style: Style, index: int) -> str:
    """Return who says a message; unnamed ones are given to the style's persons in turn."""
    return block.author or style.names[index % len(style.names)]


def numbered(blocks: tuple[Block, ...]) -> list[tuple[int, Block]]:
    """Return blocks with a running number that an own block does not take part in."""
    out, number = [], 0
    for block in blocks:
        out.append((number, block))
        number += not block.own
    return out


def head_lines(fields: tuple[Field, ...], style: Style) -> list[tuple[str, bool]]:
    """Return ``Key: value`` lines as pieces for :func:`marks.join`."""
    return [(f"{style.key(field.key)}: {shown(field.value)}", False) for field in fields]


def row_text(row: tuple[Field, ...], style: Style) -> str:
    """Return a record on one line or several."""
    parts = [f"{style.key(field.key)}: {shown(field.value)}" for field in row]
    return (", ", "\n", " | ", "; ")[style.variant % 4].join(parts)


def sections(document: Document, style: Style, blocks: str, rows: list[str]) -> str:
    """Put head, prose and rows below each other."""
    head = join(head_lines(document.head, style), "\n")
    return style.gap.join(part for part in (head, blocks, "\n".join(rows)) if part)
