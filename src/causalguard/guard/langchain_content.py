"""What of a message's content can be read as text, and what cannot.

``ToolMessage.text`` joins text blocks only, so an instruction in a JSON block, a document block
or a caption would go unseen.  Here every string that a model may read is read; what cannot be
read (images, PDFs, references to files) is named, never passed over in silence.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causalguard.guard.enforce import NOTICES, UNREADABLE

Content = str | Sequence[Any]

OPAQUE = frozenset(
    {
        "image",
        "image_url",
        "input_image",
        "audio",
        "input_audio",
        "video",
        "file",
        "input_file",
        "document",
        "media",
        "pdf",
    }
)
"""Block types whose payload is not text."""
PAYLOADS = frozenset(
    {
        "base64",
        "data",
        "bytes",
        "file_data",
        "file_id",
        "url",
        "image_url",
        "input_audio",
        "file",
        "source",
        "s3Location",
    }
)
"""Keys under which such a payload, or a reference to it, stands."""
INLINE = frozenset({"base64", "bytes", "file_data", "file_id", "image_url"})
"""Payload keys that make a block of any other type unreadable too."""
LABELS = frozenset({"type", "id", "index", "mime_type", "media_type", "detail"})
"""Keys of the protocol; left out only where the value looks like a label."""
LABEL = re.compile(r"[\w.:/+-]{0,80}")
READABLE_SOURCES = frozenset({"text", "content"})
"""Kinds of Anthropic's ``source`` that hold text; base64, url and file do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """The readable text of a content, and the types of the blocks that are not readable."""

    text: str
    """All strings a model may read, in order, one block a line."""
    unscannable: tuple[str, ...]
    """Types of unreadable blocks, sorted, each once."""


def read(content: Content) -> Readable:
    """Read a message's content.

    Args:
        content: a string or a list of strings and blocks, as LangChain messages hold it.

    Returns:
        Its text and what is not text.  Notices of our own are left out of a list, so that a
        message from which a block was withheld still has the text that was scanned; a list of
        nothing but notices reads as one of them.
    """
    if isinstance(content, str):
        return Readable(text=content, unscannable=())
    pairs = [_read_block(block) for block in content]
    opaque = {kind for _, kind in pairs if kind}
    texts = [text for text, _ in pairs if text]
    kept = [text for text in texts if text not in NOTICES] or texts[:1]
    return Readable(text="\n".join(kept), unscannable=tuple(sorted(opaque)))


def rewrite(content: Content, text: str | None, *, drop_blocks: bool) -> str | list[Any]:
    """Make the content that may be shown.

    Args:
        content: the original; it is not changed.
        text: replaces everything, unreadable blocks included; None keeps what is there.
        drop_blocks: put a notice in place of every unreadable block.

    Returns:
        New content of the same kind: a string stays a string, a list stays a list.
    """
    if isinstance(content, str):
        return content if text is None else text
    if text is not None:
        return [_text_block(text)]
    return [
        _text_block(UNREADABLE) if drop_blocks and _read_block(block)[1] else block
        for block in content
    ]


def _text_block(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _read_block(block: Any) -> tuple[str, str]:
    """Return (text, type if unreadable) of one block."""
    if isinstance(block, str):
        return block, ""
    if not isinstance(block, Mapping):
        return "", "unknown"
    try:
        rest, opaque = _strip(block)
        text = _flatten(rest)
    except RecursionError:  # hostile nesting
        return "", "nested"
    if not opaque:
        return text, ""
    kind = block.get("type")
    return text, kind if isinstance(kind, str) and kind in OPAQUE else "unknown"


def _flatten(rest: Any) -> str:
    if isinstance(rest, Mapping) and rest.keys() == {"text"} and isinstance(rest["text"], str):
        return rest["text"]
    return json.dumps(rest, ensure_ascii=False, default=str) if rest else ""


def _strip(value: Any) -> tuple[Any, bool]:
    """Return ``value`` without labels and payloads, and whether there was a payload."""
    if isinstance(value, bytes | bytearray):
        return None, True
    if isinstance(value, list | tuple):
        parts = [_strip(item) for item in value]
        return [rest for rest, _ in parts], any(found for _, found in parts)
    if not isinstance(value, Mapping):
        return value, False
    kind = value.get("type")
    known = isinstance(kind, str) and kind in OPAQUE
    opaque = known and not _readable(value)
    rest: dict[str, Any] = {}
    for key, item in value.items():
        if key in LABELS and _is_label(item):
            continue
        if key == "source" and isinstance(item, Mapping):
            kept, found = _strip_source(item)
        elif key in (PAYLOADS if known else INLINE):
            kept, found = None, True
        else:
            kept, found = _strip(item)
        opaque = opaque or found
        if kept not in (None, {}, []):
            rest[str(key)] = kept
    return rest, opaque


def _strip_source(source: Mapping[str, Any]) -> tuple[Any, bool]:
    if source.get("type") in READABLE_SOURCES:
        return _strip({key: item for key, item in source.items() if key != "type"})
    if source.keys() & (PAYLOADS | {"type"}):
        return None, True
    return _strip(dict(source))  # somebody's own data that happens to be called "source"


def _readable(value: Mapping[str, Any]) -> bool:
    """Whether a block of an opaque type holds its whole payload as text."""
    source = value.get("source")
    if isinstance(source, Mapping):
        return source.get("type") in READABLE_SOURCES
    return isinstance(value.get("text"), str) and not value.keys() & PAYLOADS


def _is_label(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, int)
        or (isinstance(value, str) and LABEL.fullmatch(value) is not None)
    )
