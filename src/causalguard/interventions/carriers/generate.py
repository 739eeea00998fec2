"""Carriers by seed: trusted context and a document that a tool might return in it."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from causalguard.interventions.carriers.bodies import BODIES
from causalguard.interventions.carriers.document import Block, Document, Field
from causalguard.interventions.carriers.draw import Draw
from causalguard.interventions.carriers.kinds_data import (
    KINDS,
    RESERVED_KINDS,
    RESERVED_TOPICS,
    Kind,
)
from causalguard.interventions.carriers.prose_bank import Topic, foreign, general, topics
from causalguard.interventions.carriers.scribe import Scribe
from causalguard.interventions.carriers.values import make_field, pool_split_of
from causalguard.records import TURN_SEPARATOR

_FOREIGN_SHARE = 0.16
_MAX_ROWS = 80
_PROSE_WITH_ROWS = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A tool output before an intervention, and the trusted context in which it arrives."""

    id: str
    """Digest of its content: equal carriers have equal identifiers."""
    kind: str
    """Name of the kind of tool output."""
    topic: str
    """Subject."""
    language: str
    """Language of its prose."""
    tool: str
    """Name of the tool that returned it."""
    system: str
    """System prompt; may be empty."""
    task: str
    """The user's turns; not empty."""
    generic: bool
    """True: the task says nothing about the content."""
    document: Document
    """The data."""


@functools.cache
def kinds_of(split: str) -> tuple[Kind, ...]:
    """Return the kinds a split may use: all but those reserved for another split."""
    taken = [names for other, names in RESERVED_KINDS.items() if other != pool_split_of(split)]
    return tuple(kind for kind in KINDS if not any(kind.name in names for names in taken))


@functools.cache
def topics_of(split: str) -> tuple[Topic, ...]:
    """Return the topics a split may use: all but those reserved for another split."""
    taken = [names for other, names in RESERVED_TOPICS.items() if other != pool_split_of(split)]
    return tuple(topic for topic in topics() if not any(topic.name in names for names in taken))


@functools.cache
def _kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


@functools.cache
def topic_named(name: str) -> Topic:
    """Return the topic of that name."""
    return next(topic for topic in topics() if topic.name == name)


def generate(rng: np.random.Generator, *, split: str, size: int) -> Carrier:
    """Return a new carrier.

    Args:
        rng: source of every choice.
        split: ``train``, ``dev``, ``calibration`` or ``audit``; names and words are partitioned.
        size: characters of content to aim at, >= 1.

    Raises:
        ValueError: the split is unknown.

    """
    draw = Draw(rng)
    kind, topic = draw.pick(kinds_of(split)), draw.pick(topics_of(split))
    language = draw.pick(tuple(foreign())) if draw.chance(_FOREIGN_SHARE) else "English"
    scribe = Scribe(draw, topic, pool_split_of(split), language)
    document = _document(kind, scribe, size, split)
    context = Scribe(draw, topic, pool_split_of(split), "English")
    task, generic = _task(kind, context)
    return Carrier(
        id=_digest(document),
        kind=kind.name,
        topic=topic.name,
        language=language,
        tool=draw.pick(kind.tools.split()),
        system=_system(context),
        task=task,
        generic=generic,
        document=document,
    )


def counterfactual(
    carrier: Carrier, rng: np.random.Generator, *, split: str, size: int
) -> Document:
    """Return other data for the same trusted context: do(D).

    Mostly the same kind of tool output about the same topic; sometimes the tool returns nothing,
    an error, or something about another topic.

    Args:
        carrier: whose system prompt, task and tool stay.
        rng: source of every choice.
        split: as for :func:`generate`.
        size: characters of content to aim at, >= 1.

    """
    draw = Draw(rng)
    kind, topic = _kind_named(carrier.kind), topic_named(carrier.topic)
    if draw.chance(0.1):
        kind = _kind_named(draw.pick(("tiny_result", "error_result")))
    if draw.chance(0.3):
        topic = draw.pick(topics_of(split))
    scribe = Scribe(draw, topic, pool_split_of(split), carrier.language)
    return _document(kind, scribe, size, split)


@functools.cache
def _bare_lines(section: str, split: str) -> tuple[str, ...]:
    """Lines so short that fillers do not tell them apart are dealt to the splits themselves."""
    ranked = sorted(general(section), key=split_rank)
    parts = {"train": (0, 12), "calibration": (12, 15), "dev": (15, 16), "audit": (16, 20)}
    low, high = parts[split]
    return tuple(line for at, line in enumerate(ranked) if low <= at % 20 < high)


def split_rank(line: str) -> str:
    """Return a digest to sort by: an order that says nothing about the content."""
    return hashlib.blake2b(line.encode(), digest_size=8).hexdigest()


def _document(kind: Kind, scribe: Scribe, size: int, split: str) -> Document:
    if kind.bare:
        block = Block(text=scribe.say(scribe.draw.pick(_bare_lines(kind.bare, split))))
        return _finish(kind, scribe, (), (block,), ())
    head = tuple(make_field(spec, scribe) for spec in kind.head.split())
    room = size - sum(len(str(field.value)) + len(field.key) + 4 for field in head)
    # A short document shows fewer fields, as a short API answer does.
    while room < 0 and len(head) > 1:
        dropped, head = head[-1], head[:-1]
        room += len(str(dropped.value)) + len(dropped.key) + 4
    share = _PROSE_WITH_ROWS if kind.rows else 1.0
    blocks = BODIES[kind.body](scribe, max(int(room * share), 20))
    rows = _rows(kind, scribe, room - sum(len(block.text) for block in blocks))
    return _finish(kind, scribe, head, tuple(blocks), rows)


def _finish(
    kind: Kind,
    scribe: Scribe,
    head: tuple[Field, ...],
    blocks: tuple[Block, ...],
    rows: tuple[tuple[Field, ...], ...],
) -> Document:
    return Document(
        kind=kind.name,
        topic=scribe.topic.name,
        language=scribe.language,
        title=kind.name.replace("_", " "),
        head=head,
        blocks=blocks,
        rows=rows,
        rows_name=scribe.draw.pick(("results", "items", "records", "data", "entries")),
        bare=bool(kind.bare),
    )


def _rows(kind: Kind, scribe: Scribe, room: int) -> tuple[tuple[Field, ...], ...]:
    if not kind.rows:
        return ()
    specs = kind.rows.split()
    rows: list[tuple[Field, ...]] = []
    while len(rows) < _MAX_ROWS and (not rows or room > 0):
        row = tuple(make_field(spec, scribe) for spec in specs)
        room -= sum(len(str(field.value)) + len(field.key) + 4 for field in row)
        rows.append(row)
    return tuple(rows)


def _task(kind: Kind, scribe: Scribe) -> tuple[str, bool]:
    """The user's turns: mostly one that fits the tool, some generic, some of several turns."""
    draw = scribe.draw
    if draw.chance(0.1):
        return scribe.line("generic_task"), True
    asked = scribe.say(draw.pick(kind.tasks))
    share = draw.unit()
    if share < 0.08:
        asked = f"{scribe.line('first_turn')}{TURN_SEPARATOR}{asked}"
    elif share < 0.16:
        asked = f"{asked}{TURN_SEPARATOR}{scribe.line('last_turn')}"
    elif share < 0.22:
        other = scribe.say(draw.pick(draw.pick(KINDS).tasks))
        asked = f"{other}{TURN_SEPARATOR}{asked}"
    elif share < 0.26:
        asked = f"{asked} {scribe.line('request')}"
    return asked, False


def _system(scribe: Scribe) -> str:
    draw = scribe.draw
    if draw.chance(0.2):
        return ""
    text = scribe.line("system")
    if draw.chance(0.25):
        text = f"{text} {draw.pick(general('system')[-20:])}"
        text = scribe.say(text)
    return text


def _digest(document: Document) -> str:
    content = repr((document.kind, document.head, document.blocks, document.rows))
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def labels(carrier: Carrier) -> Mapping[str, str]:
    """Return the nuisance labels that a carrier brings: topic, tool, kind, language, task."""
    return {
        "topic": carrier.topic,
        "tool": carrier.tool,
        "kind": carrier.kind,
        "language": carrier.language,
        "task": "generic" if carrier.generic else "specific",
    }
