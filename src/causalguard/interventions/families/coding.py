"""Alphabets and orders that hide a goal from a reader but not from a model.

Every coder is a pure function of the text (and of the generator, where it chooses what to
change); ``decode_*`` give the text back and exist for the tests and for audits of the data.
"""

import base64
import codecs
import re
import urllib.parse
from collections.abc import Callable

import numpy as np

from causalguard.interventions.vocabulary import choose

_LEET = str.maketrans("aeiostlAEIOSTL", "43105714310571")
_TWINS = str.maketrans("aceopxyiABCEHKMOPTX", "асеорхуіАВСЕНКМОРТХ")
_TWINS_BACK = str.maketrans("асеорхуіАВСЕНКМОРТХ", "aceopxyiABCEHKMOPTX")
_INVISIBLE = "\u200b\u200c\u200d\u2060"
_MORSE_ROWS = """a.- b-... c-.-. d-.. e. f..-. g--. h.... i.. j.--- k-.- l.-.. m-- n-. o--- p.--.
q--.- r.-. s... t- u..- v...- w.-- x-..- y-.-- z--.. 0----- 1.---- 2..--- 3...-- 4....- 5.....
6-.... 7--... 8---.. 9----. @.--.-. :---... ..-.-.- /-..-. --....- ,--..-- ?..--.. '.----. ".-..-.
(-.--. )-.--.- =-...- +.-.-. _..--.- $...-..- &.-... ;-.-.-. !-.-.--"""
_MORSE = {row[0]: row[1:] for row in _MORSE_ROWS.split()}


def base64_code(text: str, _: np.random.Generator) -> str:
    """Encode the UTF-8 bytes in base64 (RFC 4648)."""
    return base64.b64encode(text.encode()).decode()


def hex_code(text: str, rng: np.random.Generator) -> str:
    """Write the UTF-8 bytes as hex digits, plain, spaced, or with ``\\x`` before each byte."""
    raw = text.encode()
    return choose(rng, (raw.hex(), raw.hex(" "), "".join(f"\\x{byte:02x}" for byte in raw)))


def rot13_code(text: str, _: np.random.Generator) -> str:
    """Shift the letters by 13."""
    return codecs.encode(text, "rot13")


def percent_code(text: str, _: np.random.Generator) -> str:
    """Percent-encode every byte."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


def binary_code(text: str, _: np.random.Generator) -> str:
    """Write the UTF-8 bytes as groups of eight bits."""
    return " ".join(f"{byte:08b}" for byte in text.encode())


def morse_code(text: str, _: np.random.Generator) -> str:
    """Write Morse code; a slash parts words, unknown signs stay."""
    words = text.lower().split()
    return " / ".join(" ".join(_MORSE.get(sign, sign) for sign in word) for word in words)


def leet_code(text: str, _: np.random.Generator) -> str:
    """Put digits for letters that look like them; addresses stay readable."""
    return " ".join(
        word if "@" in word or "//" in word else word.translate(_LEET) for word in text.split(" ")
    )


def homoglyph_code(text: str, rng: np.random.Generator) -> str:
    """Replace most Latin letters by Cyrillic twins."""
    keep = rng.random(len(text)) < 0.25
    return "".join(c if k else c.translate(_TWINS) for c, k in zip(text, keep, strict=True))


def zero_width_code(text: str, rng: np.random.Generator) -> str:
    """Put invisible characters between the letters."""
    return "".join(sign + choose(rng, _INVISIBLE) for sign in text)


def fullwidth_code(text: str, _: np.random.Generator) -> str:
    """Write printable ASCII in full-width forms (U+FF01 to U+FF5E)."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def emoji_code(text: str, _: np.random.Generator) -> str:
    """Write letters as regional-indicator and digits as keycap emoji."""
    signs = []
    for sign in text.lower():
        if "a" <= sign <= "z":
            signs.append(chr(0x1F1E6 + ord(sign) - ord("a")) + "\u200b")
        else:
            signs.append(sign + "\ufe0f\u20e3" if sign.isdecimal() and sign.isascii() else sign)
    return "".join(signs)


def tag_code(text: str, _: np.random.Generator) -> str:
    """Write ASCII as Unicode tag characters, which most renderers do not show."""
    return "".join(chr(0xE0000 + ord(c)) if " " <= c <= "~" else c for c in text)


def spaced_code(text: str, rng: np.random.Generator) -> str:
    """Part all letters; three marks stand between words."""
    mark = choose(rng, [sign for sign in " -._" if sign == " " or sign not in text])
    return f"{mark}{mark}{mark}".join(mark.join(word) for word in text.split())


def reversed_code(text: str, _: np.random.Generator) -> str:
    """Write the text backwards."""
    return text[::-1]


def gibberish(_: str, rng: np.random.Generator) -> str:
    """Make a string that looks like the result of a token search; it carries no meaning."""
    pieces = (
        *("walked", "likewise", "Soon", "print", "contrary", "wise", "]", "(", "Us", "taking"),
        *("**", "TEN", "kindly", "?", "return", "using", '"', "\\%--", "Four", "==", "widget"),
        *("Gustav", "FROM", "paths", "rather", "clauses", "()`", "lesson", "Exp", "There"),
        *("orr", "};", "layout", "Yes", "text", "grav", "[/", "$$", "{", "donde", "ierung", "_x"),
    )
    return " ".join(choose(rng, pieces) for _ in range(int(rng.integers(8, 22))))


def scramble(text: str, rng: np.random.Generator) -> str:
    """Shuffle the inner letters of words of four letters and more; addresses stay."""

    def one(match: re.Match[str]) -> str:
        inner = list(match[0][1:-1])
        rng.shuffle(inner)
        return match[0][0] + "".join(inner) + match[0][-1]

    words = text.split(" ")
    return " ".join(
        w if re.search(r"[@/\\_.]\w", w) else re.sub(r"[A-Za-z]{4,}", one, w) for w in words
    )


def _decode_hex(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "").replace(" ", "")).decode()


def _decode_emoji(text: str) -> str:
    plain = "".join(
        chr(ord(c) - 0x1F1E6 + ord("a")) if 0x1F1E6 <= ord(c) <= 0x1F1FF else c for c in text
    )
    return plain.replace("\ufe0f\u20e3", "").replace("\u200b", "")


def _decode_spaced(text: str) -> str:
    mark = text[1]
    return " ".join(
        "".join(word[::2])
        for word in re.split(f"(?<=[^{re.escape(mark)}]){re.escape(mark * 3)}", text)
    )


def _decode_morse(text: str) -> str:
    back = {code: sign for sign, code in _MORSE.items()}
    return " ".join("".join(back.get(c, c) for c in w.split(" ")) for w in text.split(" / "))


DECODERS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64decode(text).decode(),
    "hex_bytes": _decode_hex,
    "rot13": lambda text: codecs.decode(text, "rot13"),
    "percent_encoding": urllib.parse.unquote,
    "binary": lambda text: bytes(int(bits, 2) for bits in text.split()).decode(),
    "morse": _decode_morse,
    "homoglyph": lambda text: text.translate(_TWINS_BACK),
    "zero_width": lambda text: re.sub(f"[{_INVISIBLE}]", "", text),
    "fullwidth": lambda text: "".join(
        chr(ord(c) - 0xFEE0) if 0xFF01 <= ord(c) <= 0xFF5E else c for c in text
    ),
    "emoji_letters": _decode_emoji,
    "unicode_tags": lambda text: "".join(
        chr(ord(c) - 0xE0000) if 0xE0020 <= ord(c) <= 0xE007E else c for c in text
    ),
    "spaced_letters": _decode_spaced,
    "reversed_text": lambda text: text[::-1],
}
"""How to read each encoding back, by family name; leetspeak loses what 1 stood for."""
