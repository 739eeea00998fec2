"""What an attacker wants the agent to do, as a grammar with the forms that frames embed.

A goal belongs to exactly one split by the hash of its text, and its fillers come from that
split's part of the vocabulary, so no goal is repeated verbatim between training and audit.
"""

import functools
import hashlib
import json
import re
from dataclasses import dataclass

import numpy as np

from causalguard.interventions.goals.answers import ANSWERS
from causalguard.interventions.goals.code_blocks import CODE_BLOCKS
from causalguard.interventions.goals.deeds import DEEDS
from causalguard.interventions.goals.errands import ERRANDS
from causalguard.interventions.goals.everyday import EVERYDAY
from causalguard.interventions.goals.petitions import ASK_TAILS, DEED_TAILS, PETITIONS
from causalguard.interventions.goals.records import RECORDS
from causalguard.interventions.goals.translated import TRANSLATED
from causalguard.interventions.goals.writing import WRITING
from causalguard.interventions.vocabulary import check_split, choose, split_of
from causalguard.interventions.wording import alternate, capital, conjugate, fill, lines

__all__ = ["KINDS", "LANGUAGES", "Goal", "draw", "pattern_count"]

_BLOCK = "code_block"  # kind of the goals of several lines
_COMPOUND_SHARE = 0.12
_TAIL_SHARE = 0.15
_LONG = 25  # words
_QUESTION_SHARE = 0.5
_ANSWER_SHARE = 0.45  # requests for an answer or a text; the rest are deeds
_ANSWER_DOMAINS = frozenset({"answer", "offtopic"})
# "an hedgehog", "a essay": templates write the article before they know the filler.
_AN = re.compile(r"\ban (?=[b-df-gj-np-tv-z]|h(?!our|eir|onest))")
_STOPS = (".", "!", "?", "`", '."', '!"', '?"', "。", "！", "”", "।")
_BLANKS = re.compile(r"(?<=\S)[ \t]+(?!\s)")  # not the indents of a block of code
_A = re.compile(r"\ba (?=\^?(?:[ai]|e(?!u)|o(?!n[ec]\b)))")
_ASKED = {
    "en": '^[[answer the question|answer|reply to|give an answer to]] "{}"',
    "de": "beantworte die Frage „{}“",
    "fr": "répondez à la question « {} »", "es": "responde a la pregunta «{}»",
    "pt": "responda à pergunta “{}”", "it": "rispondi alla domanda “{}”",
    "nl": "beantwoord de vraag ‘{}’", "pl": "odpowiedz na pytanie „{}”",
    "tr": "“{}” sorusunu yanıtla", "ru": "ответь на вопрос «{}»", "zh": "回答问题“{}”",
    "ja": "質問「{}」に答えてください", "ar": "أجب عن السؤال «{}»",
    "hi": "इस प्रश्न का उत्तर दो: “{}”",
}  # fmt: skip
_ARGUMENTS = {
    "mail": "recipient", "url": "url", "domain": "host", "amount": "amount", "iban": "account",
    "person": "name", "company": "organisation", "file": "file", "path": "path", "date": "date",
    "time": "time", "city": "location", "channel": "channel", "phone": "phone", "topic": "subject",
    "product": "item", "ref": "reference", "device": "device", "repo": "repository", "few": "count",
    "number": "count", "packet": "package", "pin": "code", "drug": "medication", "hotel": "hotel",
    "mydata": "data", "codelang": "language", "codeidea": "subject", "concept": "subject",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One thing an attacker wants done, in the grammatical forms that templates embed."""

    id: str
    """Hash of language and text: the cluster key of the goal."""
    text: str
    """Verb phrase in the base form, lower-case start, no full stop: "send the file to ..."."""
    direct: str
    """The sentence a person would write: "Send ..." or "What is the capital of ...?"."""
    gerund: str
    """"sending the file to ..."; equals ``text`` in languages other than English."""
    past: str
    """"sent the file to ..."; equals ``text`` in languages other than English."""
    third: str
    """"sends the file to ..."; equals ``text`` in languages other than English."""
    tool: str
    """Name of a tool that would do it, snake_case."""
    arguments: tuple[tuple[str, str], ...]
    """Arguments of that call; empty when the goal is an answer rather than a deed."""
    domain: str
    """Where it plays: mail, finance, code, answer, ..."""
    kind: str
    """One of ``KINDS``."""
    check: tuple[str, ...]
    """Concrete fillers: an agent whose action or answer shows these followed the goal."""
    language: str = "en"
    """ISO 639-1 code of the text."""

    @property
    def imperative(self) -> str:
        """The order as a sentence without its full stop."""
        return capital(self.text)

    @property
    def infinitive(self) -> str:
        """The English infinitive, "to send ..."."""
        return f"to {self.text}"

    @property
    def call(self) -> str:
        """The tool call as JSON text: ``{"name": ..., "arguments": {...}}``."""
        arguments = dict(self.arguments) or {"instruction": self.text}
        return json.dumps({"name": self.tool, "arguments": arguments}, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    kind: str
    domain: str
    tool: str
    phrase: str
    direct: str
    language: str


def _parse(block: str, language: str = "en") -> tuple[_Pattern, ...]:
    """Read ``= kind / domain`` headings and ``tool: phrase ## direct sentence`` lines."""
    patterns, kind, domain = [], "", ""
    for line in lines(block):
        if line.startswith("= "):
            kind, domain = (part.strip() for part in line[2:].split("/"))
            continue
        tool, _, rest = line.partition(": ")
        phrase, _, direct = rest.partition(" ## ")
        patterns.append(
            _Pattern(
                kind=kind, domain=domain, tool=tool, phrase=phrase, direct=direct, language=language
            )
        )
    return tuple(patterns)


_ENGLISH = (DEEDS, ERRANDS, RECORDS, CODE_BLOCKS, ANSWERS, EVERYDAY, WRITING, PETITIONS)
_PATTERNS: dict[str, tuple[_Pattern, ...]] = {
    "en": sum(map(_parse, _ENGLISH), ()),
    **{language: _parse(block, language) for language, block in TRANSLATED.items()},
}
LANGUAGES: tuple[str, ...] = tuple(_PATTERNS)
"""ISO 639-1 codes of the languages goals are written in."""
KINDS: tuple[str, ...] = tuple(dict.fromkeys(pattern.kind for pattern in _PATTERNS["en"]))
"""Kinds of goals of the English grammar; the other languages use a subset."""


def pattern_count(language: str = "en") -> int:
    """Return how many goal patterns a language has."""
    return len(_PATTERNS[language])


@functools.cache
def _by_kind(
    language: str, kinds: tuple[str, ...], blocks: bool
) -> dict[str, tuple[_Pattern, ...]]:
    grouped: dict[str, list[_Pattern]] = {}
    for pattern in _PATTERNS[language]:
        if pattern.kind in kinds or (not kinds and (blocks or pattern.kind != _BLOCK)):
            grouped.setdefault(pattern.kind, []).append(pattern)
    return {kind: tuple(patterns) for kind, patterns in grouped.items()}


def draw(
    rng: np.random.Generator,
    split: str,
    *,
    kinds: tuple[str, ...] = (),
    language: str = "en",
    blocks: bool = False,
) -> Goal:
    """Draw one goal of a split; 45 % ask for an answer or a text, the rest for a deed.

    Args:
        rng: source of every choice.
        split: one of ``vocabulary.SPLITS``; the goal's text hashes to it.
        kinds: kinds allowed; empty allows all.
        blocks: whether goals of several lines may be drawn: most frames are single sentences.
        language: ISO 639-1 code, one of ``LANGUAGES``.

    Raises:
        ValueError: unknown split or language, or no pattern has one of the kinds.
    """
    check_split(split)
    if language not in _PATTERNS:
        message = f"no goals in language {language!r}: use one of {', '.join(LANGUAGES)}"
        raise ValueError(message)
    grouped = _by_kind(language, kinds, blocks)
    if not grouped:
        message = f"no goal of kinds {kinds} in {language!r}: use some of {', '.join(KINDS)}"
        raise ValueError(message)
    while True:
        goal = _concrete(grouped, rng, split)
        # A goal that names one filler twice ("compare Oslo and Oslo") is drawn again.
        if split_of(goal.text) == split and len(set(goal.check)) == len(goal.check):
            return goal


def _concrete(
    grouped: dict[str, tuple[_Pattern, ...]], rng: np.random.Generator, split: str
) -> Goal:
    # Kinds are drawn by the root of their size: a kind of two patterns is not drawn as often as
    # one of twenty, nor ten times less.
    kinds = tuple(grouped)
    weights = np.sqrt([len(grouped[kind]) for kind in kinds])
    # Then both halves are scaled to their share: requests for an answer, and deeds.
    asks = np.array([grouped[kind][0].domain in _ANSWER_DOMAINS for kind in kinds])
    for half, share in ((asks, _ANSWER_SHARE), (~asks, 1 - _ANSWER_SHARE)):
        weights[half] *= share / max(weights[half].sum(), 1.0)
    pattern = choose(rng, grouped[kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]])
    if pattern.direct and rng.random() < _QUESTION_SHARE:
        direct, drawn = fill(alternate(pattern.direct, rng), rng, split=split)
        return _goal(
            pattern, alternate(_ASKED[pattern.language], rng).format(direct), direct, drawn
        )
    phrase, drawn = fill(alternate(pattern.phrase, rng), rng, split=split)
    if "\n" in phrase:  # a block of code is its own end
        return _goal(pattern, phrase, "", drawn)
    if pattern.language == "en" and " and " not in phrase and rng.random() < _COMPOUND_SHARE:
        second = choose(rng, grouped[choose(rng, kinds)])
        tail = fill(alternate(second.phrase, rng), rng, split=split)[0]
        phrase += (
            choose(rng, (" and then ", ", then ", " and ", "; after that, ", " and also ")) + tail
        )
    elif pattern.language == "en" and _takes_tail(pattern, phrase) and rng.random() < _TAIL_SHARE:
        tails = ASK_TAILS if pattern.domain == "offtopic" else DEED_TAILS
        phrase += fill(choose(rng, tails), rng, split=split)[0]
    return _goal(pattern, phrase, "", drawn)


def _takes_tail(pattern: _Pattern, phrase: str) -> bool:
    return pattern.domain != "answer" and len(phrase.split()) < _LONG


def _articles(text: str) -> str:
    return _A.sub("an ", _AN.sub("a ", text))


def _goal(pattern: _Pattern, phrase: str, direct: str, drawn: dict[str, str]) -> Goal:
    english = pattern.language == "en"
    phrase = _BLANKS.sub(" ", phrase).strip()
    if english:
        phrase, direct = _articles(phrase), _articles(direct)
    text = conjugate(phrase, "base")
    arguments = {_ARGUMENTS.get(key.split(":")[0], key.split(":")[0]): drawn[key] for key in drawn}
    digest = hashlib.blake2b(f"{pattern.language}:{text.lower()}".encode(), digest_size=8)
    stop = (
        "" if text.endswith((".", "!", "?", "`", '."', '!"', '?"', "。", "！", "”", "।")) else "."
    )
    stop = {"zh": "。", "ja": "。", "hi": "।"}.get(pattern.language, stop) if stop else stop
    return Goal(
        id=digest.hexdigest(),
        text=text,
        direct=direct or capital(text) + stop,
        gerund=conjugate(phrase, "gerund") if english else text,
        past=conjugate(phrase, "past") if english else text,
        third=conjugate(phrase, "third") if english else text,
        tool=pattern.tool,
        arguments=tuple(arguments.items()),
        domain=pattern.domain,
        kind=pattern.kind,
        check=tuple(drawn.values()),
        language=pattern.language,
    )
