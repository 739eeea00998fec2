"""What of a message's content can be read as text, and what cannot.

``ToolMessage.text`` joins text blocks only, so an instruction in a JSON block, a document block
or a caption would go unseen.  Here every string that a model may read is read; what cannot be
read (images, PDFs, references to files) is named, never passed over in silence.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causalguard.guard.enforce import NOTICES, UNREADABLE

Content = str | Sequence[Any]

OPAQUE = frozenset(
    {
        "image",
        "image_url",
        "image_file",
        "input_image",
        "audio",
        "audio_url",
        "input_audio",
        "video",
        "video_url",
        "input_video",
        "text-plain",
        "file",
        "input_file",
        "document",
        "media",
        "pdf",
    }
)
"""Block types whose payload is not text, or need not be."""
INLINE = frozenset(
    {
        "base64",
        "bytes",
        "file_data",
        "fileData",
        "file_id",
        "image_url",
        "inline_data",
        "inlineData",
    }
)
"""Payload keys that make a block of any type unreadable."""
PAYLOADS = INLINE | {
    "data",
    "url",
    "path",
    "image",
    "image_file",
    "audio",
    "audio_url",
    "input_audio",
    "video",
    "video_url",
    "file",
    "source",
    "s3Location",
}
"""Keys under which the payload of those types, or a reference to it, stands."""
MEDIA = frozenset({"mime_type", "media_type", "mimeType", "mediaType"})
"""Beside one of these, ``data`` is a payload in a mapping of any type."""
LABELS = frozenset({"type", "index", "mime_type", "media_type"})
"""Keys of the protocol; left out only of a block itself, where the value looks like a label."""
NAMES = frozenset({"id", "detail"})
"""Left out likewise, but only of a block of a known type: elsewhere they are a tool's own data."""
KNOWN = OPAQUE | {"text", "input_text", "output_text"}
"""Block types of which the keys are known."""
LABEL = re.compile(r"[\w.:/+-]{0,40}", re.ASCII)
OPTIONAL = frozenset(
    {"annotations", "cache_control", "citations", "extras", "logprobs", "meta", "_meta"}
)
"""Keys of the protocol; left out of a block or a result where they hold nothing."""
CACHED = ({"type": "ephemeral"}, *({"type": "ephemeral", "ttl": ttl} for ttl in ("5m", "1h")))
"""Values of ``cache_control`` that hold nothing."""
READABLE_SOURCES = frozenset({"text", "content"})
"""Kinds of Anthropic's ``source`` that hold text; base64, url and file do not."""
GONE = object()
"""Stands for a payload that was taken out, and for nothing that a tool can say."""

RESULT_SUFFIXES = ("tool_result", "call_output")
"""Ends of the types of tool results inside other messages: ``mcp_tool_result`` is one too."""
WRAPPERS = frozenset({"function_response", "functionResponse", "toolResult"})
"""Keys, with or without a type, under which Google and Bedrock put such results."""
NON_STANDARD = "non_standard"
"""Type of the block in whose ``value`` LangChain puts what only a provider knows."""
CALLS = ("tool_call_id", "tool_use_id", "call_id", "toolUseId")
"""Keys of the id of the call that a result answers."""
RESULT_LABELS = frozenset({*CALLS, "type", "role", "id", "name", "is_error"})
"""Keys of a result that are the protocol's; every other one is read."""
PLAIN = frozenset({"content", "output"})
"""Keys of a result whose own name says nothing."""
ABSENT = PLAIN | {"response", "tool_calls", "function_call", "provider_specific_fields"}
"""Keys of the protocol that may be null."""
STATUSES = ("completed", "in_progress", "incomplete", "success", "error")
"""Values of ``status`` that hold nothing."""


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
        rest, opaque = _strip(block, whole=True)
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


def _strip(value: Any, *, whole: bool = False) -> tuple[Any, bool]:
    """Return ``value`` without payloads, and whether there was one.

    Args:
        value: anything that a message's content holds.
        whole: it is a block itself, so that its labels are the protocol's and are left out.
    """
    if isinstance(value, bytes | bytearray):
        return GONE, True
    if isinstance(value, list | tuple):
        parts = [_strip(item) for item in value]
        return [rest for rest, _ in parts if rest is not GONE], any(found for _, found in parts)
    if not isinstance(value, Mapping):
        return value, False
    kind = value.get("type")
    known = isinstance(kind, str) and kind in OPAQUE
    payloads = PAYLOADS if known else INLINE
    if value.keys() & MEDIA and isinstance(value.get("data"), str):
        payloads = payloads | {"data"}
    opaque = known and not _readable(value)
    rest: dict[str, Any] = {}
    for key, item in value.items():
        if whole and _is_label(key, item, kind):
            continue
        if key == "source" and isinstance(item, Mapping):
            kept, found = _strip_source(item)
        elif key in payloads:
            kept, found = GONE, True
        else:
            kept, found = _strip(item)
        opaque = opaque or found
        if kept is not GONE:
            rest[_free(str(key), rest)] = kept
    return rest, opaque


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """A key for the same name that loses nothing: 1 and "1" are two keys of one mapping."""
    while name in taken:
        name += "'"
    return name


def _strip_source(source: Mapping[str, Any]) -> tuple[Any, bool]:
    if source.get("type") in READABLE_SOURCES:
        media = {key for key in source.keys() & MEDIA if _looks_like_label(source[key])}
        return _strip({key: item for key, item in source.items() if key not in {"type", *media}})
    if source.keys() & (PAYLOADS | {"type"}):
        return GONE, True
    return _strip(dict(source))  # somebody's own data that happens to be called "source"


def _readable(value: Mapping[str, Any]) -> bool:
    """Whether a block of an opaque type holds its whole payload as text."""
    source = value.get("source")
    if isinstance(source, Mapping):
        return source.get("type") in READABLE_SOURCES
    return isinstance(value.get("text"), str) and not value.keys() & PAYLOADS


def _is_label(key: Any, value: Any, kind: Any) -> bool:
    """Whether an entry of a block of this type is the protocol's and holds no text."""
    if key in LABELS or (key in NAMES and isinstance(kind, str) and kind in KNOWN):
        return _looks_like_label(value)
    return _says_nothing(key, value)


def _says_nothing(key: Any, value: Any) -> bool:
    return key in OPTIONAL and (not value or (key == "cache_control" and value in CACHED))


def _looks_like_label(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, int)
        or (isinstance(value, str) and LABEL.fullmatch(value) is not None)
    )


# --- tool results among the blocks of another message ------------------------------------------


def is_result(block: Any) -> bool:
    """Whether a block is a tool's result, in any provider's form."""
    if not isinstance(block, Mapping):
        return False
    kind = block.get("type")
    named = isinstance(kind, str) and (kind.endswith(RESULT_SUFFIXES) or kind in WRAPPERS)
    return named or bool(block.keys() & WRAPPERS) or _packs_result(block)


def _packs_result(block: Mapping[str, Any]) -> bool:
    """Whether it is a provider's result in the form of LangChain's standard blocks."""
    value = block.get("value")
    if block.get("type") != NON_STANDARD or not isinstance(value, Mapping):
        return False
    return value.get("type") != NON_STANDARD and is_result(value)


def result_call(block: Mapping[str, Any]) -> str:
    """Id of the call that a result answers; empty where it names none."""
    if _packs_result(block):
        return result_call(block["value"])
    held = [block, *(block[key] for key in WRAPPERS & block.keys())]
    values = [one[key] for one in held if isinstance(one, Mapping) for key in CALLS if key in one]
    return next((str(value) for value in values if value), "")


def result_content(block: Mapping[str, Any]) -> Content:
    """Everything that a result holds; what is no protocol key is read, whatever its name."""
    if _packs_result(block):
        beside = {
            key: item
            for key, item in block.items()
            if key != "value" and not (key == "index" and _looks_like_label(item))
        }
        entries = [*_entries(block["value"]), *_entries(beside)]
    else:
        entries = list(_entries(block))
    if len(entries) == 1 and entries[0][0] in PLAIN and isinstance(entries[0][1], str | list):
        return entries[0][1]
    blocks: list[Any] = []
    for key, value in entries:
        if key in PLAIN and isinstance(value, list):
            blocks += value
        else:
            bare = key in PLAIN and isinstance(value, str | Mapping)
            blocks.append(value if bare else {key: value})
    return blocks or ""


def rewrite_result(
    block: Mapping[str, Any], text: str | None, *, drop_blocks: bool
) -> dict[str, Any]:
    """Make the result that may be shown: the protocol's keys and one that holds the content.

    Args:
        block: the original; it is not changed.
        text: replaces everything; None keeps what is there.
        drop_blocks: put a notice in place of every unreadable block.

    Returns:
        A new block; one from which nothing is taken away equals the original.
    """
    if text is None and not drop_blocks:
        return dict(block)
    if _packs_result(block):
        value = rewrite_result(block["value"], text, drop_blocks=drop_blocks)
        return {"type": NON_STANDARD, "value": value}
    keys = [key for key, _ in _entries(block)]
    plain = len(keys) == 1 and keys[0] in PLAIN
    shown: Any = text
    if plain or text is None:
        shown = rewrite(result_content(block), text, drop_blocks=drop_blocks)
    kind = str(block.get("type"))
    wrapper = next((key for key in sorted(WRAPPERS) if isinstance(block.get(key), Mapping)), None)
    if plain:
        target = keys[0]
    elif "function_response" in {kind, wrapper} or wrapper == "functionResponse":
        target, shown = "response", {"result": shown}
    else:
        target = "output" if kind.endswith("call_output") else "content"
    kept = {key: value for key, value in block.items() if _is_protocol(key, value)}
    if wrapper is None:
        return {**kept, target: shown}
    inner = {key: value for key, value in block[wrapper].items() if _is_protocol(key, value)}
    if wrapper == "toolResult":  # Bedrock's blocks have no type
        shown = [{"text": shown}] if isinstance(shown, str) else [_untyped(one) for one in shown]
    return {**kept, wrapper: {**inner, target: shown}}


def _entries(block: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Keys and values of a result that are not the protocol's; a wrapper is looked into."""
    for key, value in block.items():
        if key in WRAPPERS and isinstance(value, Mapping):
            yield from ((k, v) for k, v in value.items() if not _is_protocol(k, v))
        elif not _is_protocol(key, value):
            yield key, value


def _is_protocol(key: Any, value: Any) -> bool:
    return (
        key in RESULT_LABELS
        or (key in ABSENT and value is None)
        or (key == "status" and value in STATUSES)
        or _says_nothing(key, value)
    )


def _untyped(block: Any) -> Any:
    typed = isinstance(block, Mapping) and block.get("type") == "text"
    return {key: value for key, value in block.items() if key != "type"} if typed else block
