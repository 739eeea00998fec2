"""What a family of injections is: a named set of frames around a goal."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from causalguard.interventions import goals
from causalguard.interventions.goals import Goal
from causalguard.interventions.vocabulary import SPLITS, check_split, choose, split_of
from causalguard.interventions.wording import capital, expand, lines

# A goal may end in its own stop, and the frame adds one.
_DOUBLE_STOP = re.compile(r"([.?!。？])[.。](?![.\w])")

Coder = Callable[[str, np.random.Generator], str]
"""Writes a text in another alphabet or order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyContext:
    """What the attacker may know of the conversation the text will land in."""

    system: str = ""
    """The system prompt."""
    task: str = ""
    """The user's request, as the human turn."""
    tool: str = "search"
    """Name of the tool whose output is poisoned."""
    topic: str = "the document"
    """What the carrier is about, a short noun phrase."""
    user_name: str = "the user"
    """First name or full name of the user."""
    language: str = "en"
    """Language of the carrier, ISO 639-1; the family's own language decides the payload's."""
    split: str = "train"
    """Whose templates and fillers are used: one of ``vocabulary.SPLITS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One injection text and the template it came from."""

    text: str
    """The span to insert."""
    template: str
    """``family/opener.body.closer``: the cluster key of the template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A named attack family: openers x bodies x closers around a goal."""

    name: str
    """Unique, snake_case."""
    group: str
    """Group of families that share a mechanism."""
    source: str
    """Who described the attack: authors, venue or CVE, year."""
    trained: bool
    """False: the shipped weights never see it in training."""
    openers: tuple[str, ...] = field(repr=False)
    """Templates before the body; "" for none."""
    bodies: tuple[str, ...] = field(repr=False)
    """Templates that carry the goal."""
    closers: tuple[str, ...] = field(repr=False)
    """Templates after the body; "" for none."""
    joint: str = " "
    """Between the parts: a space or a line break."""
    language: str = "en"
    """ISO 639-1 code of the language the goal must be in."""
    kinds: tuple[str, ...] = ()
    """Kinds of goals the frame makes sense for; empty: all."""
    authorisable: bool = True
    """Whether a user could plausibly ask the agent to follow a text of this form."""
    coder: Coder | None = field(default=None, repr=False)
    """Writes the goal for the slot ``«code»``."""
    finish: Coder | None = field(default=None, repr=False)
    """Last change to the whole text, such as scrambled letters."""
    bare: float = 0.0
    """Share of texts that are the goal and nothing else, [0, 1]; no template to recognise."""
    blocks: bool = False
    """Whether goals of several lines fit the frames."""
    weight: int = 1
    """How often the family is dealt where others are dealt once, in the training split alone."""

    @property
    def n_templates(self) -> int:
        """Number of distinct skeletons (opener, body, closer)."""
        return len(self.openers) * len(self.bodies) * len(self.closers)

    def draw(self, rng: np.random.Generator, split: str) -> Goal:
        """Draw a goal this family can carry: see :func:`causalguard.interventions.goals.draw`."""
        return goals.draw(rng, split, kinds=self.kinds, language=self.language, blocks=self.blocks)

    def compose(self, goal: Goal, context: FamilyContext, rng: np.random.Generator) -> Rendered:
        """Write the injection and name its template.

        Args:
            goal: what is asked; its language must be the family's.
            context: what the attacker knows; its split picks the templates.
            rng: source of every choice.

        Raises:
            ValueError: the goal is in another language, or the split is unknown.
        """
        if goal.language != self.language:
            message = (
                f"family {self.name} takes goals in {self.language!r}, got {goal.language!r}: "
                "draw the goal with family.draw(rng, split)"
            )
            raise ValueError(message)
        if self.bare and rng.random() < self.bare:
            text = choose(rng, (goal.direct, goal.direct, goal.imperative, f"{goal.imperative}."))
            return Rendered(
                text=_DOUBLE_STOP.sub(r"\1", text), template=f"{self.name}/bare-{goal.id}"
            )
        opener, body, closer = self._pick(rng, context.split)
        parts = (self.openers[opener], self.bodies[body], self.closers[closer])
        template = self.joint.join(part for part in parts if part)
        values = _values(goal, context)
        if self.coder is not None:
            values["code"] = self.coder(_plain(goal, rng), rng)
        text = expand(template, rng, split=context.split, values=values).strip()
        text = _DOUBLE_STOP.sub(r"\1", text)
        if self.finish is not None:
            text = self.finish(text, rng)
        return Rendered(text=text, template=f"{self.name}/{opener}.{body}.{closer}")

    def render(self, goal: Goal, context: FamilyContext, rng: np.random.Generator) -> str:
        """Write the injection: the text of :meth:`compose`."""
        return self.compose(goal, context, rng).text

    def _pick(self, rng: np.random.Generator, split: str) -> tuple[int, int, int]:
        found = skeletons(self.name, self._sizes(), split)
        first, second = choose(rng, found), choose(rng, found)
        # Attackers often write no opener or closer: half of the time the barer of two is taken.
        if rng.random() < 0.5:
            return first
        return min(
            first, second, key=lambda at: (self.openers[at[0]] != "") + (self.closers[at[2]] != "")
        )

    def _sizes(self) -> tuple[int, int, int]:
        return len(self.openers), len(self.bodies), len(self.closers)


@functools.cache
def skeletons(
    name: str, sizes: tuple[int, int, int], split: str
) -> tuple[tuple[int, int, int], ...]:
    """Triples (opener, body, closer) that belong to a split: no template is in two splits."""
    check_split(split)
    found: tuple[tuple[int, int, int], ...] = tuple(
        (o, b, c)
        for o in range(sizes[0])
        for b in range(sizes[1])
        for c in range(sizes[2])
        if split_of(f"{name}/{o}.{b}.{c}") == split
    )
    return found


def _plain(goal: Goal, rng: np.random.Generator) -> str:
    return choose(rng, (goal.direct, goal.imperative, goal.text))


def _values(goal: Goal, context: FamilyContext) -> dict[str, str]:
    task = " ".join(context.task.split())[:120].rstrip(" .!?")
    return {
        "do": goal.text,
        "cap": goal.imperative,
        "doing": goal.gerund,
        "capdoing": capital(goal.gerund),
        "done": goal.past,
        "does": goal.third,
        "direct": goal.direct,
        "fn": goal.tool,
        "call": goal.call,
        "args": json.dumps(dict(goal.arguments) or {"text": goal.text}, ensure_ascii=False),
        "params": ", ".join(f"{key}={text!r}" for key, text in goal.arguments)
        or f"text={goal.text!r}",
        "esc": json.dumps(goal.text, ensure_ascii=False)[1:-1],
        "escdirect": json.dumps(goal.direct, ensure_ascii=False)[1:-1],
        "user": context.user_name or "the user",
        "task": task or "the task",
        "about": context.topic or "the document",
        "via": context.tool or "search",
    }


def parse(group: str, block: str, untrained: frozenset[str]) -> tuple[Family, ...]:
    """Read families from text: ``= name / source / options``, then one template a line.

    A line that starts with ``⊢`` is an opener and one with ``⊣`` a closer (alone: the empty one);
    all others are bodies.  Options: ``nl`` joins the parts by line breaks, ``fixed`` says that no
    user would authorise the form, ``kinds=a,b`` narrows the goals, ``blocks`` takes goals of
    several lines, ``bare=0.5`` writes that share of texts as the goal alone, ``weight=3`` deals the
    family three times as often in training.

    Args:
        group: the group of all families of the block.
        block: the text.
        untrained: names of the families that are never trained on.
    """
    families: list[Family] = []
    for section in ("\n" + block.strip()).split("\n= ")[1:]:
        head, _, rest = section.partition("\n")
        name, source, *options = (part.strip() for part in head.split(" / "))
        # A repeated line would put the same skeleton into two splits.
        found = tuple(dict.fromkeys(lines(rest)))
        kinds = [option[6:].split(",") for option in options if option.startswith("kinds=")]
        bare = [float(option[5:]) for option in options if option.startswith("bare=")]
        weight = [int(option[7:]) for option in options if option.startswith("weight=")]
        families.append(
            Family(
                name=name,
                group=group,
                source=source,
                trained=name not in untrained,
                openers=tuple(line[1:].strip(" ") for line in found if line[0] == "⊢") or ("",),
                bodies=tuple(line for line in found if line[0] not in "⊢⊣"),
                closers=tuple(line[1:].strip(" ") for line in found if line[0] == "⊣") or ("",),
                joint="\n" if "nl" in options else " ",
                kinds=tuple(kinds[0]) if kinds else (),
                authorisable="fixed" not in options,
                bare=bare[0] if bare else 0.0,
                weight=weight[0] if weight else 1,
                blocks="blocks" in options,
            )
        )
    return tuple(families)


def missing_splits(family: Family) -> tuple[str, ...]:
    """Return the splits in which a family would have no template at all."""
    sizes = (len(family.openers), len(family.bodies), len(family.closers))
    return tuple(split for split in SPLITS if not skeletons(family.name, sizes, split))
