"""Unicode tricks undone: which characters of a text read as others, or as nothing.

Every function is linear in the text and returns :class:`Edit` values; nothing is changed here.
A character that is only decoration (a trade mark sign, a ligature) gives an edit without
``letters``: it is folded where something else asks for a re-reading, and never asks for one.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One stretch of a text that reads differently."""

    start: int
    """First character replaced, >= 0."""
    end: int
    """One past the last, > start."""
    text: str
    """What stands there in the re-reading; empty: the stretch is invisible."""
    letters: int
    """Letters that this edit brings to light, >= 0: the evidence that something was hidden."""


def _table(*rows: str) -> dict[str, str]:
    pairs = "".join(rows).split()
    return {pair[0]: pair[1] for pair in pairs}


CYRILLIC_GREEK = _table(
    "аa еe оo рp сc уy хx іi јj ѕs ԁd ԛq ԝw һh кk мm тt вb нh ӏl ѵv гr пn ьb ґr єe їi ўy ёe ",
    "АA ВB ЕE КK МM НH ОO РP СC ТT УY ХX ІI ЈJ ЅS ԌG ԚQ ԜW ҮY ЗE ӀI ЁE ЇI ",
    "αa οo νv ιi κk ρp τt υu χx εe ηn γy ωw σo βb δd ϲc ϳj άa έe ήn ίi όo ύu ώw ",
    "ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ϹC ͿJ օo սu ոn հh ցg քp զq ",
)
"""Look-alikes of Latin letters (after Unicode TS 39), folded in words that mix scripts."""

LATIN_LOOKALIKES = _table(
    "ᴀA ʙB ᴄC ᴅD ᴇE ꜰF ɢG ʜH ɪI ᴊJ ᴋK ʟL ᴍM ɴN ᴏO ᴘP ꞯQ ǫQ ʀR ꜱS ᴛT ᴜU ᴠV ᴡW ʏY ᴢZ ",
    "ɑa ɡg ɩi ıi ȷj ",
)
"""Small capitals and their like: Latin letters that normalisation leaves alone."""

OVERLAYS = "[\u0305\u0332-\u0338\u033f\u20d0-\u20dc\u20e5-\u20ea]"
"""Marks that strike letters through or underline them."""

INVISIBLE = re.compile(
    "[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u034f\u061c\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f"
    "\U000e007f-\U000e0fff]|" + OVERLAYS
)
INVISIBLE_RUN = re.compile(f"(?:{INVISIBLE.pattern})+")
MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0]{3,}")
WORD = re.compile(r"\\[nrtbfv]|\w+")
"""A word, or an escape of JSON, whose letter does not belong to the word that follows it."""
IN_WORD = 4
"""Letters that an invisible run inside an English word counts for: there is no need for it."""
LONGEST_FOLD = 3
"""Characters that normalise to more than this stay: no input may grow much by being re-read."""


def unicode_edits(text: str) -> Iterator[Edit]:
    """Characters that a reader takes for others: in the order of kinds, not of the text."""
    characters = {c for c in set(text) if not " " <= c <= "~" and c not in "\t\n\r"}
    if not characters:
        return
    yield from _folds(text, {c: fold for c in characters if (fold := fold_character(c))})
    if not characters.isdisjoint(CYRILLIC_GREEK):
        yield from _mixed_words(text)
    if any(INVISIBLE.match(c) for c in characters):
        yield from _invisible(text)
    yield from (Edit(m.start(), m.end(), "", 1) for m in MARKS.finditer(text))


def fold_character(character: str) -> str:
    """What a character is read as, or an empty string when it is read as itself."""
    code = ord(character)
    if 0xE0020 <= code <= 0xE007E:  # tags: an invisible copy of ASCII
        return chr(code - 0xE0000)
    if 0x1F1E6 <= code <= 0x1F1FF:  # regional indicators, and the letters in boxes
        return chr(code - 0x1F1E6 + ord("A"))
    for first in (0x1F150, 0x1F170):
        if first <= code < first + 26:
            return chr(code - first + ord("A"))
    if character in LATIN_LOOKALIKES:
        return LATIN_LOOKALIKES[character]
    if character.isascii() or 0xAC00 <= code <= 0xD7FF:
        return ""
    fold = unicodedata.normalize("NFKC", character)
    return fold if fold != character and len(fold) <= LONGEST_FOLD else ""


def _folds(text: str, table: dict[str, str]) -> Iterator[Edit]:
    if not table:
        return
    # Superscripts and ordinals below U+0250 are everyday characters, no disguise.
    hidden = {c for c, f in table.items() if ord(c) >= 0x250 and f.isascii() and f.isalpha()}
    hidden = {c for c in hidden if len(table[c]) == 1}
    for at, character in enumerate(text):
        if character in table:
            yield Edit(at, at + 1, table[character], int(character in hidden))


def _mixed_words(text: str) -> Iterator[Edit]:
    """Look-alikes in words that mix scripts; where there are such words, also those of only them.

    Text that is really Russian or Greek stays as it is.
    """
    words = [m for m in WORD.finditer(text) if not m.group().isascii()]  # so no escapes either
    latin = [any(c.isascii() and c.isalpha() for c in m.group()) for m in words]
    mixed = [not CYRILLIC_GREEK.keys().isdisjoint(m.group()) for m in words]
    if not any(a and b for a, b in zip(latin, mixed, strict=True)):
        return
    for word, has_latin in zip(words, latin, strict=True):
        if has_latin or CYRILLIC_GREEK.keys() >= set(word.group()):
            for at, character in enumerate(word.group(), word.start()):
                if character in CYRILLIC_GREEK:
                    yield Edit(at, at + 1, CYRILLIC_GREEK[character], int(has_latin))


def _invisible(text: str) -> Iterator[Edit]:
    for match in INVISIBLE_RUN.finditer(text):
        before, after = (
            text[max(0, match.start() - 1) : match.start()],
            text[match.end() : match.end() + 1],
        )
        letters = int(_has_words(before) and _has_words(after))
        if letters and (before + after).isascii() and (before + after).isalpha():
            letters = IN_WORD
        yield Edit(match.start(), match.end(), "", letters)


def _has_words(character: str) -> bool:
    """Whether an invisible character beside this one has no business there.

    Arabic and Indic letters need joiners, South-East Asian words zero-width spaces.
    """
    return character.isalnum() and not 0x530 <= ord(character) < 0x1E00
