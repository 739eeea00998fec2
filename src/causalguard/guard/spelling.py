"""Careless spelling undone: typing errors and odd capitals, which a reader hardly notices.

An attacker who may only misspell words and change their case gets past a guard that reads the
text as it stands (benchmarks/results/attacks.md).  So such words are put right in a view.  What
counts as a word is what the guard's own tokenizer writes as one token: the words it has seen
often, in the language it knows best.  A letter left out, doubled, or swapped with its neighbour is
an error where mending it gives such a word; capitals are odd inside a sentence that is otherwise
written small.  Names, identifiers, compounds and other languages are left alone as far as can be
seen from the outside; a wrong mending costs a second look, no more.

Everything here is linear in the text.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from string import ascii_lowercase
from typing import Any, NamedTuple

from causalguard.guard.folding import INVISIBLE, INVISIBLE_RUN, Edit

_FUNCTION_WORDS = (
    "a about after again all also an and any are as at back be because been before but by can "
    "could do does else every for from give had has have he her him his how if in into is it its "
    "just me more my need new no not now of off on one only or other our out over please she "
    "should so some such take than that the their them then there these they this those to until "
    "up us use was we were what when where which while who why will with without would you your"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words that are written small inside a sentence, whatever it is about."""
_SUFFIXES = "able al d ed er ers es ful ing ings ism ist ity less like ly ment ness or r rs s y"
SUFFIXES = tuple(_SUFFIXES.split())
_PREFIXES = "anti auto co de dis in inter micro mis multi non out over pre re sub un up"
PREFIXES = tuple(_PREFIXES.split())
WORD = re.compile("[A-Za-z]+")
SPLIT_WORD = re.compile(f"[A-Za-z](?:(?:{INVISIBLE.pattern})*[A-Za-z])*")
"""A word, perhaps with invisible characters in it."""
SHORTEST, LONGEST = 4, 20
"""Letters of a word that may hold an error: below, too many words are one slip apart."""
HALF = 4
"""Letters that each half of a compound has at least, and a word without its ending."""
SHOUTED, TITLED = 3, 4
"""Words of a run in capitals, or with one each, that are no heading if function words are in it."""
NEIGHBOURS = 3
"""Words on either side of an error, of which most must be English for it to be one."""
PAIR = 80
"""Characters within which two words in odd capitals stand for a careless sentence."""
REACH = 120
"""Characters around an error within which other capitals are put right with it."""
CODE_BEFORE, CODE_AFTER = frozenset("_@/.\\-&#$%'`=<"), frozenset("_@/\\=-(&`>:")
"""Characters beside a word that make it part of a name, a path, an escape or a tag."""
INSIDE = re.compile(r"[ \t,;]+")
"""What stands between words of one sentence."""
SPACE = re.compile(r",?[ \t\n]{1,2}")
WIDE_GAP = re.compile(r"(?<=[\w,;])(?:\t|[ \t]{2,})(?=[\w\"'(])")
"""White space between words that one space would do for."""
WORD_STARTS = ("\u0120", "\u2581")
"""How tokenizers write a space before a word."""
KEPT = 16384
"""Words whose mending is remembered."""


class _Found(NamedTuple):
    text: str
    """Without what is invisible in it."""
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int
    first: bool
    """Begins a sentence, a line or a quotation, as far as can be seen."""
    small_neighbour: bool
    """A word written small stands beside it."""


class Spelling:
    """Knows the words of one tokenizer.  Thread-safe."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        """Take token strings and their ids, which rise as words get rarer."""
        small: dict[str, int] = {}
        capital: dict[str, int] = {}
        for token, rank in vocabulary.items():
            word = token[1:]
            if token.startswith(WORD_STARTS) and word.isascii() and word.isalpha():
                kind = small if word.islower() else capital
                if word[1:].islower() or len(word) == 1:
                    kind[word.lower()] = min(rank, kind.get(word.lower(), rank))
        self._rank = small
        self._known = small.keys() | capital.keys()
        # Not the names, which are written small by accident.
        self._common = {w for w, n in small.items() if len(w) > 1 and n < capital.get(w, n + 1)}
        self.mended = lru_cache(KEPT)(self._mended)

    @classmethod
    def of(cls, tokenizer: Any) -> "Spelling":
        """The words of a ``tokenizers.Tokenizer``."""
        return cls(tokenizer.get_vocab())

    def edits(self, text: str) -> list[Edit]:
        """Words of a text that are spelt or capitalised carelessly, in order.

        Those that are evidence of it carry their letters; other capitals, wide gaps and slips in
        names that stand near them are put right with them and carry none.
        """
        errors: list[Edit] = []
        others: list[Edit] = []
        capitals: list[_Word] = []
        words = _words(text)
        for k, (_, start, end) in enumerate(words):
            if _part_of_a_name(text, start, end):
                continue
            word = _placed(text, words, k)
            if right := self._error(word):
                sure = self._sure(word) and self._english(words, k)
                edit = Edit(start, end, _like(word, right), len(right) if sure else 0)
                (errors if sure else others).append(edit)
            elif self._capital(word):
                capitals.append(word)
        evidence = _careless(text, capitals)
        found = errors + [_lowered(word, len(word.text)) for word in evidence]
        if not found:
            return []
        others += [_lowered(word, 0) for word in capitals if word not in evidence]
        others += [Edit(*m.span(), " ", 0) for m in WIDE_GAP.finditer(text)]
        near = _near(sorted(edit.start for edit in found), others)
        return sorted([*found, *near], key=lambda e: e.start)

    def _error(self, word: _Word) -> str:
        """What a word should be, or nothing."""
        if word.text[1:].islower() or (word.text.isupper() and len(word.text) > SHORTEST):
            return self.mended(word.text.lower())
        return ""

    def _sure(self, word: _Word) -> bool:
        """Whether a slip is evidence: not in what may be a name."""
        beginning = word.first and word.small_neighbour
        return word.text.isupper() or word.text[0].islower() or beginning

    def _capital(self, word: _Word) -> bool:
        """Whether it has capitals that a common word has only in headings and shouts."""
        text = word.text
        plain = len(text) < 2 or text.islower() or (word.first and text[1:].islower())
        return not plain and text.lower() in self._common

    def _english(self, words: list[_Found], k: int) -> bool:
        around = words[max(0, k - NEIGHBOURS) : k] + words[k + 1 : k + 1 + NEIGHBOURS]
        known = sum(self._reads(word.text.lower()) for word in around)
        return 2 * known > len(around) or len(around) < 2

    def _reads(self, word: str) -> bool:
        return word in self._known or bool(self.mended(word))

    def _mended(self, word: str) -> str:
        """The commonest word that one slip of the fingers makes of this one, or nothing."""
        if not SHORTEST <= len(word) <= LONGEST or self._derived(word):
            return ""
        found = [
            (self._rank[w], w) for w in _slips(word) if len(w) >= SHORTEST and w in self._common
        ]
        return min(found)[1] if found else ""

    def _derived(self, word: str) -> bool:
        """Whether it is a word, a form of one, or made of two."""
        known = self._known
        if word in known:
            return True
        stems = [word[: -len(s)] for s in SUFFIXES if word.endswith(s)]
        stems += [word[len(p) :] for p in PREFIXES if word.startswith(p)]
        if any(len(stem) >= HALF and stem in known for stem in stems):
            return True
        cuts = range(HALF, len(word) - HALF + 1)
        return any(word[:at] in known and word[at:] in known for at in cuts)


def _words(text: str) -> list[_Found]:
    if text.isascii():
        return [_Found(m.group(), *m.span()) for m in WORD.finditer(text)]
    split = SPLIT_WORD.finditer(text)
    return [_Found(INVISIBLE_RUN.sub("", m.group()), *m.span()) for m in split]


def _slips(word: str) -> Iterator[str]:
    """Words of which this one is a slip: a letter doubled, swapped with the next, left out."""
    for at in range(1, len(word)):
        if word[at] == word[at - 1]:
            yield word[:at] + word[at + 1 :]
        yield word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
        for letter in ascii_lowercase:
            yield word[:at] + letter + word[at:]


def _part_of_a_name(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if before in CODE_BEFORE or after in CODE_AFTER or before.isdigit() or after.isdigit():
        return True
    if not all(c.isascii() or INVISIBLE.match(c) for c in (before, after)):
        return True
    return after == "." and text[end + 1 : end + 2].isalnum()


def _placed(text: str, words: list[_Found], k: int) -> _Word:
    word, start, end = words[k]
    gap = text[words[k - 1].end : start] if k else "\n\n"
    small = k > 0 and words[k - 1].text.islower() and SPACE.fullmatch(gap) is not None
    if not small and k + 1 < len(words):
        after = text[end : words[k + 1].start]
        small = words[k + 1].text.islower() and SPACE.fullmatch(after) is not None
    return _Word(word, start, end, INSIDE.fullmatch(gap) is None, small)


def _careless(text: str, capitals: list[_Word]) -> set[_Word]:
    """Words in capitals that a sentence written small has, or a run of them that is none.

    In a sentence: two near each other, one of the two a function word, each part of a run with
    a word written small beside it.
    """
    found: set[_Word] = set()
    odd: list[_Word] = []
    for run in _runs(text, capitals):
        if any(word.small_neighbour for word in run):
            odd += run
        small = sum(word.text.lower() in FUNCTION_WORDS for word in run)
        shouted = len(run) >= SHOUTED and small and all(word.text.isupper() for word in run)
        if shouted or (len(run) >= TITLED and small > 1):
            found.update(run)
    for one, two in pairwise(odd):
        either = {one.text.lower(), two.text.lower()}
        if two.start - one.start < PAIR and not FUNCTION_WORDS.isdisjoint(either):
            found.update((one, two))
    return found


def _runs(text: str, words: list[_Word]) -> list[list[_Word]]:
    """Words that follow each other with only space between them."""
    runs: list[list[_Word]] = []
    for word in words:
        if runs and SPACE.fullmatch(text, runs[-1][-1].end, word.start):
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def _near(evidence: list[int], others: Iterable[Edit]) -> list[Edit]:
    found = []
    for edit in others:
        at = bisect_left(evidence, edit.start)
        if any(abs(e - edit.start) < REACH for e in evidence[max(0, at - 1) : at + 1]):
            found.append(edit)
    return found


def _like(word: _Word, right: str) -> str:
    return right.capitalize() if word.first and word.text[0].isupper() else right


def _lowered(word: _Word, letters: int) -> Edit:
    small = word.text.capitalize() if word.first and word.text[0].isupper() else word.text.lower()
    return Edit(word.start, word.end, small, letters)
