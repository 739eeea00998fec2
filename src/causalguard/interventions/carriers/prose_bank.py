"""The bank of sentence skeletons: read from ``prose/*.txt`` once, expanded by a Scribe.

``{slot}`` is filled, ``[a|b]`` is a choice.  All skeletons were written for this project.
"""

import functools
import re
from dataclasses import dataclass
from importlib import resources

_PART = re.compile(r"\[([^\[\]|]*(?:\|[^\[\]|]*)+)\]|\{([a-z_]+)\}")

Part = str | tuple[str] | tuple["Skeleton", ...]
Skeleton = tuple[Part, ...]
"""Literal text, a 1-tuple naming a slot, or a tuple of two or more alternatives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Words and sentences of one subject."""

    name: str
    """Label of the nuisance factor ``topic``."""
    words: dict[str, tuple[str, ...]]
    """Fillers by slot: thing, role, event, place, act."""
    sentences: tuple[str, ...]
    """Skeletons that only this topic uses."""


@functools.lru_cache(maxsize=16384)
def compile_skeleton(text: str) -> Skeleton:
    """Cut a skeleton into literal text, slots and choices.

    Args:
        text: a line such as ``[Hi|Hello] {first},``.

    """
    parts: list[Part] = []
    at = 0
    for match in _PART.finditer(text):
        if match.start() > at:
            parts.append(text[at : match.start()])
        if match[2]:
            parts.append((match[2],))
        else:
            parts.append(tuple(compile_skeleton(option) for option in match[1].split("|")))
        at = match.end()
    if at < len(text):
        parts.append(text[at:])
    return tuple(parts)


def _lines(name: str) -> list[str]:
    path = resources.files("causalguard.interventions.carriers").joinpath("prose", name)
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") for line in lines if line.strip() and line[:2] != "# "]


def _sections(name: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    current = ""
    for line in _lines(name):
        if line.startswith("= "):
            current = line[2:].strip()
            sections[current] = []
        else:
            sections[current].append(line)
    return sections


@functools.cache
def topics() -> tuple[Topic, ...]:
    """Return all topics, in the order of their files."""
    found = []
    for file in ("topics_a.txt", "topics_b.txt", "topics_c.txt"):
        for name, lines in _sections(file).items():
            words: dict[str, tuple[str, ...]] = {}
            for line in lines:
                key, colon, rest = line.partition(": ")
                if colon and not line.startswith("- "):
                    words[key] = tuple(part.strip() for part in rest.split(" | "))
            sentences = tuple(line[2:] for line in lines if line.startswith("- "))
            found.append(Topic(name=name, words=words, sentences=sentences))
    return tuple(found)


@functools.cache
def general(section: str) -> tuple[str, ...]:
    """Return the skeletons of one section of ``general.txt``.

    Raises:
        KeyError: there is no such section.

    """
    return tuple(_sections("general.txt")[section])


@functools.cache
def foreign() -> dict[str, tuple[str, ...]]:
    """Return sentence skeletons by language (not English)."""
    return {name: tuple(lines) for name, lines in _sections("foreign.txt").items()}
