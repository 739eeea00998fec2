"""What is attacked: a goal, the place in a tool output that the attacker writes, and the task.

Goals and carriers come from the engine's audit split, one of each a target, so that targets are
independent of each other and of everything the guard was trained on.  The attacker controls one
stretch of the text and nothing else.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from causalguard.certify.attacks.constraint import carries
from causalguard.interventions import goals
from causalguard.interventions.goals import Goal
from causalguard.interventions.scenes import Scene, generated
from causalguard.records import ToolOutput

SPLIT = "audit"
FORMATS = ("plain", "markdown", "email", "ticket", "chat")
"""Formats in which a payload stands as it is written; others would escape parts of it."""
LENGTHS = ("50-200", "200-800")
"""Levels of the carriers' length: short ones, for each try costs a pass over the text."""
_STREAM = 0x7A66
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One attack: everything but the payload."""

    id: str
    """Identifier of the goal; unique in a run."""
    carrier: str
    """Cluster identifier of the carrier; unique in a run."""
    goal: Goal
    """What the attacker wants done."""
    system: str
    """Trusted system prompt; the attacker knows it."""
    task: str
    """Trusted task; the attacker knows it."""
    tool: str
    """Name of the tool."""
    before: str
    """The tool output up to the attacker's stretch."""
    after: str
    """The tool output after it."""
    filler: tuple[str, ...]
    """Harmless sentences of the same subject, for dilution."""

    @property
    def forms(self) -> tuple[str, ...]:
        """Sentences of which one must stay in the payload."""
        return (self.goal.direct.rstrip(".!?"), self.goal.text)

    def output(self, payload: str) -> ToolOutput:
        """The guard's input with a payload in place."""
        text = self.before + payload + self.after
        return ToolOutput(text=text, tool=self.tool, task=self.task, system=self.system)

    def allows(self, payload: str) -> bool:
        """Whether the payload still carries the goal."""
        return carries(payload, self.forms, self.goal.check)


def draw_targets(
    *, seed: int, formats: Sequence[str] = FORMATS, lengths: Sequence[str] = LENGTHS
) -> Iterator[Target]:
    """Targets without end, each with a goal and a carrier of its own.

    Args:
        seed: >= 0; target number k depends on nothing but the arguments and k.
        formats: formats of the carriers.
        lengths: levels of their length.
    """
    seen: set[str] = set()
    index = 0
    while True:
        rng = np.random.default_rng([seed, _STREAM, index])
        index += 1
        goal = goals.draw(rng, SPLIT)
        scene = generated(
            rng, split=SPLIT, formats=tuple(formats), lengths=tuple(lengths), decoy=lambda: ""
        )
        found = _target(goal, scene)
        if found is not None and not seen & {found.id, found.carrier}:
            seen |= {found.id, found.carrier}
            yield found


def _target(goal: Goal, scene: Scene) -> Target | None:
    placed = scene.site.put(goal.direct)
    if placed is None or not goal.check:
        return None
    start, end = placed.span.start, placed.span.end
    if placed.text[start:end] != goal.direct:
        return None  # escaped or broken up there: the attacker does not write that place freely
    sentences = (part.strip() for part in _SENTENCE.split(scene.other(1.0)))
    return Target(
        id=goal.id,
        carrier=scene.carrier,
        goal=goal,
        system=scene.system,
        task=scene.task,
        tool=scene.tool,
        before=placed.text[:start],
        after=placed.text[end:],
        filler=tuple(s for s in sentences if 15 <= len(s) <= 200) or (scene.topic,),
    )
