"""Encodings undone: base64, hex, escapes of bytes and characters, reversed and hidden runs.

Every function is linear in the text.  A run is replaced only by what reads as text: letters and
spaces, twelve characters or more.  Pieces of text between bytes that are none are kept, so that
a stray byte does not hide the rest.
"""

import base64
import html
import re
from collections.abc import Iterator

from causalguard.guard.folding import INVISIBLE_RUN, Edit

SHORTEST = 12
"""Shortest piece of decoded text that counts, characters."""

LINE_BREAK = r"(?:\r?\n|(?:\\r)?\\n)[ \t]*"
DIGIT = "[A-Za-z0-9+/_-]"
LAST_LINE = f"(?:{DIGIT}{{2,}}={{1,2}}|(?:{DIGIT}{{4}}){{1,3}}(?!{DIGIT}))"
BASE64 = re.compile(
    f"(?<!{DIGIT}){DIGIT}{{16,}}(?:{LINE_BREAK}{DIGIT}{{16,}})*(?:{LINE_BREAK}{LAST_LINE})?={{0,2}}"
)
HEX = re.compile(r"(?:(?:0x|\\x|%)?[0-9A-Fa-f]{2}[ \t\r\n:,;-]{0,2}){12,}")
HEX_MARK = re.compile(r"0x|\\x")
HEX_OTHER = re.compile(r"[^0-9A-Fa-f]")
BASE64_OTHER = re.compile(r"\\r|\\n|[^A-Za-z0-9+/]")
PERCENT = r"(?:%[0-9A-Fa-f]{2})+"
BYTES = r"(?:\\x[0-9A-Fa-f]{2})+"
UNITS = r"(?:(?:\\{1,4}|%)u[0-9A-Fa-f]{4})+"
ESCAPE = re.compile(
    f"{PERCENT}|{BYTES}|{UNITS}"
    r"|\\u\{[0-9A-Fa-f]{1,6}\}"
    r"|&(?:#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z][A-Za-z0-9]{1,31};)"
)
NESTED = {
    "&": re.compile(r"#[0-9xX]|[A-Za-z]{2,31};"),
    "%": re.compile(r"[0-9A-Fa-f]{2}"),
    "\\": re.compile(r"u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}"),
}
"""What follows a character for it to begin an escape that was itself escaped."""
HEX_DIGITS = re.compile(r"[0-9A-Fa-f]{2,}")
REVERSED = re.compile("\u202e([^\u202c\u2069\n]{12,})")
SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{12,}")
PIECE = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ud800-\udfff]{12,}")


def decoding_edits(text: str) -> Iterator[Edit]:
    """Encoded runs and escapes: in the order of kinds, the surer kinds first."""
    for match in HEX.finditer(text):
        yield from _whole(match, _from_hex(match.group()))
    if "\u202e" in text:
        for match in REVERSED.finditer(text):
            backwards = match.group(1)[::-1]
            yield from _whole(match, backwards if _is_text(backwards) else "")
    if not text.isascii():
        for match in SELECTORS.finditer(text):
            yield from _whole(match, readable(bytes(map(_selector_byte, match.group()))))
    for match in ESCAPE.finditer(text):
        decoded = unescape(match.group())
        if decoded != match.group():
            yield Edit(match.start(), match.end(), decoded, _evidence(decoded, text, match.end()))
    for match in BASE64.finditer(text):
        yield from _whole(match, _from_base64(match.group()))


def _whole(match: re.Match[str], decoded: str) -> Iterator[Edit]:
    if decoded:
        yield Edit(match.start(), match.end(), decoded, len(decoded))


def readable(raw: bytes, *, nested: bool = True) -> str:
    """The text in decoded bytes, its pieces joined by spaces; empty when there is none.

    A piece is text when seven tenths of it are letters and spaces, with words apart or letters
    of a script that does not need that.  With ``nested``, what decodes to text once more stays.
    """
    pieces = PIECE.findall(raw.decode("utf-8", "replace"))
    return " ".join(p for p in pieces if _is_text(p) or (nested and _encodes_text(p)))


def _encodes_text(piece: str) -> bool:
    if any(_from_hex(m.group(), nested=False) for m in HEX.finditer(piece)):
        return True
    if any(_from_base64(m.group(), nested=False) for m in BASE64.finditer(piece)):
        return True
    plain = ESCAPE.sub(lambda m: unescape(m.group()), piece)
    return plain != piece and _is_text(plain)


def _is_text(piece: str) -> bool:
    if not piece.isascii():
        piece = INVISIBLE_RUN.sub("", piece)
    letters = sum(map(str.isalpha, piece))
    spaces = sum(map(str.isspace, piece))
    apart = spaces > 0 or (not piece.isascii() and letters * 10 >= len(piece) * 9)
    return apart and (letters + spaces) * 10 >= len(piece) * 7 and len(piece) >= SHORTEST


def _from_hex(run: str, *, nested: bool = True) -> str:
    digits = HEX_OTHER.sub("", HEX_MARK.sub("", run))
    if digits.isdecimal():  # a column of numbers; words need letters that only 6a to 6f write
        return ""
    # A run may begin with a digit that is not its own, or be two runs.
    found = []
    for shift in (0, 1):
        part = digits[shift : shift + (len(digits) - shift) // 2 * 2]
        found.append(readable(bytes.fromhex(part), nested=nested))
    return " ".join(filter(None, found))


def _from_base64(run: str, *, nested: bool = True) -> str:
    digits = BASE64_OTHER.sub("", run.replace("-", "+").replace("_", "/"))
    # Up to three characters in front may not belong: a path, a label, or a run of its own.
    found = []
    for shift in range(4):
        part = digits[shift:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        raw = base64.b64decode(part + "=" * (-len(part) % 4))
        found.append(readable(raw, nested=nested))
    return " ".join(filter(None, found))


def _selector_byte(character: str) -> int:
    code = ord(character)
    return code - 0xFE00 if code < 0xE0100 else code - 0xE0100 + 16


def unescape(escape: str) -> str:
    """One escape, or a run of one kind, as characters; itself when it means none."""
    if escape[0] == "&":
        return html.unescape(escape)
    units = HEX_DIGITS.findall(escape)
    if "u" not in escape:
        return bytes.fromhex("".join(units)).decode("utf-8", "replace")
    if "{" in escape:
        code = int(units[0], 16)
        return chr(code) if code < 0xD800 or 0xDFFF < code <= 0x10FFFF else "\ufffd"
    return b"".join(bytes.fromhex(u)[::-1] for u in units).decode("utf-16-le", "replace")


def _evidence(decoded: str, text: str, end: int) -> int:
    """Letters and spaces count; so does what makes the next escape when it is undone."""
    found = sum(map(str.isalpha, decoded)) + decoded.count(" ")
    following = NESTED.get(decoded)
    return found + int(following is not None and following.match(text, end) is not None)
