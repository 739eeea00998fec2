"""The Scribe writes: sentences, paragraphs and field values, about one topic in one language."""

import base64
import codecs
from collections.abc import Callable, Mapping

from causalguard.interventions import vocabulary
from causalguard.interventions.carriers.draw import Draw
from causalguard.interventions.carriers.prose_bank import (
    Skeleton,
    Topic,
    compile_skeleton,
    foreign,
    general,
)

_MONTHS = vocabulary.POOLS["month"]
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_ENGLISH = "English"


class Scribe:
    """Writes about ``topic`` with fillers of one split only."""

    __slots__ = ("_memory", "_used", "draw", "language", "pool_split", "topic")

    def __init__(self, draw: Draw, topic: Topic, pool_split: str, language: str) -> None:
        self.draw = draw
        self.topic = topic
        self.pool_split = pool_split
        self.language = language
        self._used: set[str] = set()
        # A document speaks of few people and things: remembering them makes it hang together.
        self._memory: dict[str, list[str]] = {}

    def say(self, skeleton: str) -> str:
        """Return a skeleton with its choices made and its slots filled."""
        return self._expand(compile_skeleton(skeleton))

    def line(self, section: str) -> str:
        """Return one line of a section of the general bank, filled."""
        return self.say(self.draw.pick(general(section)))

    def fill(self, slot: str) -> str:
        """Return a filler for a slot."""
        words = self.topic.words.get(slot)
        if words is not None:
            return self.say(self.draw.pick(words))
        if slot in _REMEMBERED:
            return self._remembered(slot)
        maker = _FILLERS.get(slot)
        if maker is not None:
            return maker(self)
        if slot in vocabulary.POOLS:
            return self.draw.pick(vocabulary.pool(slot, self.pool_split))
        return vocabulary.word(slot, self.draw.rng, self.pool_split)

    def sentence(self) -> str:
        """Return a sentence not used before in this document, if one is left."""
        skeleton = self._choose_sentence()
        for _ in range(3):
            if skeleton not in self._used:
                break
            skeleton = self._choose_sentence()
        self._used.add(skeleton)
        text = self.say(skeleton)
        return text[0].upper() + text[1:] if self.language == _ENGLISH else text

    def paragraph(self, size: int) -> str:
        """Return whole sentences of about ``size`` characters together, at least one."""
        gap = "" if self.language in {"Japanese", "Chinese"} else " "
        parts = [self.sentence()]
        length = len(parts[0])
        while length < size * 0.8:
            parts.append(self.sentence())
            length += len(parts[-1]) + 1
        return gap.join(parts)

    def _choose_sentence(self) -> str:
        draw = self.draw
        if self.language != _ENGLISH and draw.chance(0.85):
            return draw.pick(foreign()[self.language])
        share = draw.unit()
        if share < 0.52:
            return draw.pick(self.topic.sentences)
        return draw.pick(general("sentence" if share < 0.88 else "request"))

    def _expand(self, skeleton: Skeleton) -> str:
        out = []
        for part in skeleton:
            if isinstance(part, str):
                out.append(part)
            elif len(part) == 1 and isinstance(part[0], str):
                out.append(self.fill(part[0]))
            else:
                out.append(self._expand(self.draw.pick(part)))  # a choice
        return "".join(out)

    def _remembered(self, slot: str) -> str:
        known = self._memory.setdefault(slot, [])
        if len(known) >= 2 and self.draw.chance(0.6):
            return self.draw.pick(known)
        new = _FILLERS[slot](self)
        known.append(new)
        return new


def _date(scribe: Scribe) -> str:
    draw = scribe.draw
    day, month, year = draw.between(1, 28), draw.between(1, 12), draw.between(2023, 2027)
    name = _MONTHS[month - 1]
    forms = (f"{day} {name}", f"{name} {day}", f"{year}-{month:02d}-{day:02d}", f"{day} {name[:3]}",
             f"{day:02d}/{month:02d}/{year}", f"{day} {name} {year}")  # fmt: skip
    return draw.pick(forms)


def _time(scribe: Scribe) -> str:
    hour, minute = scribe.draw.between(6, 21), scribe.draw.pick((0, 0, 15, 30, 45, 10))
    if scribe.draw.chance(0.3):
        return f"{(hour - 1) % 12 + 1}:{minute:02d} {'am' if hour < 12 else 'pm'}"
    return f"{hour:02d}:{minute:02d}"


def _amount(scribe: Scribe) -> str:
    draw = scribe.draw
    value = round(draw.log_between(4, 20_000), draw.pick((0, 0, 2)))
    number = f"{value:,.2f}" if value % 1 else f"{value:,.0f}"
    forms = (f"{number} {draw.pick(('EUR', 'USD', 'GBP', 'CHF'))}", f"${number}", f"€{number}")
    return draw.pick(forms)


def _company(scribe: Scribe) -> str:
    word = scribe.draw.pick(vocabulary.pool("firmword", scribe.pool_split))
    return f"{word} {scribe.draw.pick(vocabulary.POOLS['firmkind'])}"


def _person(scribe: Scribe) -> str:
    return f"{scribe.fill('first')} {scribe.fill('last')}"


_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_LEET = str.maketrans("aeiost", "431057")


def _encoded(scribe: Scribe) -> str:
    """Ordinary words in one of the codes that files, tokens and puzzles hold."""
    words = scribe.say(
        scribe.draw.pick(("the {thing}", "{first} and {last}", "see the {event}, {city}"))
    )
    raw = words.encode()
    codes: tuple[Callable[[], str], ...] = (
        lambda: base64.b64encode(raw).decode(),
        lambda: base64.b64encode(raw).decode().rstrip("="),
        lambda: raw.hex(" "),
        raw.hex,
        lambda: " ".join(f"{byte:08b}" for byte in raw),
        lambda: "".join(f"%{byte:02X}" for byte in raw),
        lambda: "".join(f"\\x{byte:02x}" for byte in raw),
        lambda: codecs.encode(words, "rot13"),
        lambda: " ".join(words.replace(" ", "")),
        lambda: words.translate(_LEET),
        lambda: words.translate(_WIDE),
        lambda: scribe.draw.pick(("\u200b", "\u2060", "\u200d")).join(words),
    )
    if scribe.pool_split in _BOUNDED and not scribe.draw.chance(_ODD_CODES):
        codes = (*codes[:4], codes[5])
    return scribe.draw.pick(codes)()


_BOUNDED = frozenset({"calibration", "audit"})
_ODD_CODES = 0.1
"""Where rates of false alarms are set and bounded, few innocent words are spelled in zero-width
characters, in ciphers or in bits: hardly any are in real tool outputs.  Training has many."""

_REMEMBERED = frozenset({"person", "company", "city"})
_FILLERS: Mapping[str, Callable[[Scribe], str]] = {
    "person": _person,
    "company": _company,
    "city": lambda scribe: scribe.draw.pick(vocabulary.pool("city", scribe.pool_split)),
    "encoded": _encoded,
    "date": _date,
    "time": _time,
    "amount": _amount,
    "number": lambda scribe: str(scribe.draw.between(11, 96)),
    "small": lambda scribe: str(scribe.draw.between(2, 9)),
    "year": lambda scribe: str(scribe.draw.between(1987, 2027)),
    "percent": lambda scribe: scribe.draw.pick(("{} %", "{}%", "{} per cent")).format(
        scribe.draw.between(2, 95)
    ),
    "ordinal": lambda scribe: scribe.draw.pick(_ORDINALS),
    "quality": lambda scribe: scribe.line("quality"),
    "version": lambda scribe: ".".join(str(scribe.draw.below(14)) for _ in range(3)),
    "ref": lambda scribe: (
        f"{scribe.draw.pick(('A', 'TX', 'INC', 'RQ', 'B', 'ORD', 'K'))}-{scribe.draw.digits(5)}"
    ),
}
