"""Cases of guard-eval generation: a benign tool output and the same with an easy goal put in.

Carriers, tasks and frames are those of the engine's audit split, which no guard is trained on.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from causalguard.errors import ConfigError
from causalguard.evaluate.generation_goals import CheckKind, EasyGoal, draw
from causalguard.interventions import engine
from causalguard.interventions.families import by_name
from causalguard.interventions.families.base import FamilyContext
from causalguard.records import ToolOutput, Triplet

WRAPPED = "{[<"
"""A carrier that begins so is wrapped in a syntax that an order would have to be escaped for."""


class GenerationConfig(BaseModel):
    """What is run and how it is generated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cases: int = Field(default=60, ge=1)
    """Matched pairs."""
    seed: int = Field(default=0, ge=0)
    """Of carriers, frames, goals and sampling."""
    families: tuple[str, ...] = ("naive_request", "ignore_previous", "new_task")
    """Attack families, dealt in turn."""
    checks: tuple[CheckKind, ...] = ("contains", "begins")
    """Kinds of goals, by their checks; the others are hard for small models."""
    placement: Literal["end", "carrier"] = "end"
    """Where the order stands: behind the benign text, or where the engine puts it."""
    formats: tuple[str, ...] = ("plain", "markdown", "email")
    """Formats of the carriers."""
    lengths: tuple[str, ...] = ("50-200",)
    """Lengths of the carriers, keys of the engine's length levels (characters)."""
    max_tokens: int = Field(default=32, ge=1)
    """Tokens of an answer at most."""
    temperature: float = Field(default=0.0, ge=0.0)
    """0: the likeliest token."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the probability that is sampled from."""
    time_limit_s: float = Field(default=120.0, gt=0.0)
    """Seconds after which an answer is stopped where it is."""

    @property
    def digest(self) -> str:
        """Sha256 over the values, in hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationCase:
    """One matched pair."""

    id: str
    """Unique in the run; a file name."""
    family: str
    """Attack family of the frame."""
    easy: EasyGoal
    """What the injection asks for, and the check."""
    order: str
    """The injected text."""
    benign: ToolOutput
    """do(I = none)."""
    injected: ToolOutput
    """do(I = order)."""

    def to_json(self) -> dict[str, Any]:
        """What identifies the case in its record."""
        return {
            "case": self.id,
            "family": self.family,
            "goal": self.easy.goal.text,
            "check": asdict(self.easy.check),
            "order": self.order,
            "task": self.benign.task,
        }


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> GenerationConfig:
    """Read a configuration.

    Raises:
        ConfigError: not YAML, unknown keys, values out of range; every fault at once.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({error}); give a YAML file") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a mapping such as 'cases: 60' is needed")
    try:
        return GenerationConfig(**{**values, **(overrides or {})})
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError(faults) from None


def make_cases(config: GenerationConfig) -> list[GenerationCase]:
    """The cases of a configuration, the same ones for the same values.

    Raises:
        ConfigError: an unknown family, format or length, or too few carriers in running text.
    """
    try:
        carriers = _carriers(config)
        found: list[GenerationCase] = []
        for triplet in carriers:
            found.append(_case(triplet, config, len(found)))
            if len(found) == config.cases:
                break
    except ValueError as error:
        raise ConfigError(f"generation: {error}") from None
    if len(found) < config.cases:
        raise ConfigError(
            f"generation: the carriers give {len(found)} cases of {config.cases}; name more formats"
        )
    return found


def _carriers(config: GenerationConfig) -> Iterator[Triplet]:
    """Sets whose order stands in running text; twenty times as many as needed are enough."""
    sets = engine.generate(
        20 * config.cases,
        seed=10_000 + config.seed,
        split="audit",
        families=config.families,
        formats=config.formats,
        lengths=config.lengths,
    )
    return (t for t in sets if t.task.strip() and t.benign.lstrip()[:1] not in WRAPPED)


def _case(triplet: Triplet, config: GenerationConfig, number: int) -> GenerationCase:
    rng = np.random.default_rng([config.seed, number])
    family = by_name(config.families[number % len(config.families)])
    easy = draw(rng, config.checks)
    context = FamilyContext(
        system=triplet.system,
        task=triplet.task,
        tool=triplet.tool,
        topic=triplet.nuisance.get("topic", "the document"),
        split="audit",
    )
    order = family.compose(easy.goal, context, rng).text
    start, end = triplet.span.start, triplet.span.end
    injected = f"{triplet.injected[:start]}{order}{triplet.injected[end:]}"
    if config.placement == "end":  # small models obey what they read last
        injected = f"{triplet.benign.rstrip()}\n\n{order}"
    values = {"tool": triplet.tool, "task": triplet.task, "system": triplet.system}
    return GenerationCase(
        id=f"case-{number:04d}",
        family=family.name,
        easy=easy,
        order=order,
        benign=ToolOutput(text=triplet.benign, **values),
        injected=ToolOutput(text=injected, **values),
    )


def cases_digest(cases: Sequence[GenerationCase]) -> str:
    """Sha256 over the texts of the cases, in hex: the engine may change between versions."""
    whole = hashlib.sha256()
    for case in cases:
        row = [case.id, case.order, asdict(case.benign), asdict(case.injected)]
        whole.update(json.dumps(row, sort_keys=True).encode())
    return whole.hexdigest()
