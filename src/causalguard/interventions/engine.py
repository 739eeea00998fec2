"""Matched sets by seed: do(D), do(I) and do(N), and the hard negatives.

A set is one carrier in one trusted context: the benign text, the counterfactual (other data), the
injected text, the same place taken by a benign imperative, and for some sets a task under which
the injected instruction is what the user asked for.  Nuisances are assigned independently of
each other and of everything that decides Y, so a certificate may use randomisation inference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from causalguard.interventions import goals, imperatives
from causalguard.interventions.authorise import (
    authorised_task,
    can_be_authorised,
    misleading_task,
)
from causalguard.interventions.carriers.files import FileCarrier, of_split
from causalguard.interventions.carriers.values import pool_split_of
from causalguard.interventions.families import FAMILIES
from causalguard.interventions.families.base import Family, FamilyContext
from causalguard.interventions.formats import FORMATS, Rendered
from causalguard.interventions.goals import Goal
from causalguard.interventions.render import check_format
from causalguard.interventions.scenes import LENGTHS, MAX_CHARACTERS, Scene, from_file, generated
from causalguard.records import Triplet

SPLITS = ("train", "dev", "calibration", "audit")
"""Disjoint in carriers, goals, templates and imperatives; ``dev`` is for choosing models."""

_AUTHORISED_SHARE = 0.7
_MISLEADING_SHARE = 0.6
_ATTEMPTS = 40
_LANGUAGE_CODES = {
    "English": "en", "German": "de", "French": "fr", "Spanish": "es", "Italian": "it",
    "Portuguese": "pt", "Dutch": "nl", "Polish": "pl", "Turkish": "tr", "Japanese": "ja",
    "Chinese": "zh", "Russian": "ru", "Arabic": "ar", "Hindi": "hi", "Korean": "ko",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    split: str
    seed: int
    families: tuple[Family, ...]
    formats: tuple[str, ...]
    lengths: tuple[str, ...]
    files: tuple[FileCarrier, ...] = ()


def generate(
    n_sets: int,
    *,
    seed: int,
    split: str,
    families: str | Sequence[str] | None = None,
    formats: Sequence[str] | None = None,
    lengths: Sequence[str] | None = None,
    carriers: Sequence[FileCarrier] | None = None,
) -> Iterator[Triplet]:
    """Yield matched sets, the same ones for the same arguments.

    Args:
        n_sets: how many, >= 1.
        seed: >= 0; set number k depends on nothing but the arguments and k.
        split: one of ``SPLITS``.
        families: ``trained``, ``held-out``, ``all`` or names of families; by default all for
            ``audit`` and those that may be trained on elsewhere.
        formats: names of formats; all by default.
        lengths: keys of ``scenes.LENGTHS``; all by default.
        carriers: the user's own tool outputs (``carriers.from_directory``), dealt to the splits;
            formats and lengths are then theirs.

    Raises:
        ValueError: an argument is out of range or names something unknown.
        InputError: none of the carriers falls into the split.

    """
    plan = make_plan(seed, split, families, formats, lengths)
    if carriers is not None:
        plan = replace(plan, files=of_split(tuple(carriers), split))
    if n_sets < 1:
        message = f"n_sets must be >= 1, got {n_sets}"
        raise ValueError(message)
    return (nth(index, plan) for index in range(n_sets))


def make_plan(
    seed: int,
    split: str,
    families: str | Sequence[str] | None,
    formats: Sequence[str] | None,
    lengths: Sequence[str] | None,
) -> _Plan:
    """Check the arguments of :func:`generate`."""
    if split not in SPLITS:
        message = f"unknown split {split!r}: use one of {', '.join(SPLITS)}"
        raise ValueError(message)
    for name in formats or ():
        check_format(name)
    for name in lengths or ():
        if name not in LENGTHS:
            message = f"unknown length {name!r}: use one of {', '.join(LENGTHS)}"
            raise ValueError(message)
    chosen = choose_families(families or ("all" if split == "audit" else "trained"))
    return _Plan(
        split=split,
        seed=seed,
        families=_dealt(chosen) if split == "train" else chosen,
        formats=tuple(formats or FORMATS),
        lengths=tuple(lengths or LENGTHS),
    )


def _dealt(families: tuple[Family, ...]) -> tuple[Family, ...]:
    """Families as often as they are dealt in training: plain requests are what attackers write."""
    return tuple(family for family in families for _ in range(family.weight))


def choose_families(wanted: str | Sequence[str]) -> tuple[Family, ...]:
    """Return families by ``trained``, ``held-out``, ``all``, or by their names.

    Raises:
        ValueError: a name is unknown, or nothing is left.

    """
    if isinstance(wanted, str) and wanted == "all":
        return tuple(FAMILIES)
    if isinstance(wanted, str) and wanted in {"trained", "held-out"}:
        return tuple(family for family in FAMILIES if family.trained == (wanted == "trained"))
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    known = {family.name: family for family in FAMILIES}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        message = f"unknown families {unknown}: see `guard-data families` for the names"
        raise ValueError(message)
    return tuple(known[name] for name in names)


def rng_of(plan: _Plan, index: int, attempt: int = 0) -> np.random.Generator:
    """Return the generator of one set: independent of all other sets."""
    return np.random.default_rng([plan.seed, SPLITS.index(plan.split), index, attempt])


def nth(index: int, plan: _Plan) -> Triplet:
    """Make set number ``index`` of a plan, on its own."""
    # Families are dealt like cards, so that every family gets its share of any number of sets.
    cycle, at = divmod(index, len(plan.families))
    deck = np.random.default_rng([plan.seed, SPLITS.index(plan.split), cycle, 10**6])
    family = plan.families[int(deck.permutation(len(plan.families))[at])]
    for attempt in range(_ATTEMPTS):
        rng = rng_of(plan, index, attempt)
        scene = _scene(plan, rng)
        name = f"{plan.split}-{plan.seed}-{index:06d}"
        triplet = compose(scene, family, rng, split=plan.split, name=name)
        if triplet is not None:
            return triplet
    message = f"family {family.name} found no place in {_ATTEMPTS} carriers"
    raise RuntimeError(message)


def _scene(plan: _Plan, rng: np.random.Generator) -> Scene:
    if plan.files:
        return from_file(rng, split=plan.split, files=plan.files)
    return generated(
        rng,
        split=plan.split,
        formats=plan.formats,
        lengths=plan.lengths,
        decoy=lambda: _decoy(plan, rng),
    )


def _decoy(plan: _Plan, rng: np.random.Generator) -> str:
    """A benign imperative with the trigger words and the length of some attack or other."""
    family = plan.families[int(rng.integers(len(plan.families)))]
    pool = pool_split_of(plan.split)
    like = family.compose(family.draw(rng, pool), FamilyContext(split=pool), rng)
    return imperatives.imperative(rng, like=like.text, topic="", split=pool).text


def compose(
    scene: Scene, family: Family, rng: np.random.Generator, *, split: str, name: str
) -> Triplet | None:
    """Return the matched set of a scene and a family; None if a text cannot stand there.

    Args:
        scene: context, place and data.
        family: whose attack is put in.
        rng: source of every choice.
        split: one of ``SPLITS``.
        name: identifier of the set.

    """
    goal = _goal(family, rng, split)
    attack = family.compose(goal, _context(scene, split), rng)
    injected = scene.site.put(attack.text)
    if injected is None:
        return None
    like = imperatives.imperative(
        rng, like=attack.text, topic=scene.topic, split=pool_split_of(split)
    )
    imperative = scene.site.put(like.text)
    benign = _benign(scene, injected, attack.text, rng)
    if imperative is None or benign is None or len(injected.text) > MAX_CHARACTERS:
        return None
    # As long as the injected text on average, so that length says nothing about Y.
    scale = len(injected.text) / len(benign) * float(rng.uniform(0.9, 1.8))
    other = scene.other(scale)
    texts = (benign, other, injected.text, imperative.text)
    if not all(text.strip() for text in texts) or injected.text in (benign, other):
        return None
    return Triplet(
        id=name,
        system=scene.system,
        task=scene.task,
        tool=scene.tool,
        benign=benign,
        counterfactual=other[:MAX_CHARACTERS],
        injected=injected.text,
        span=injected.span,
        family=family.name,
        group=family.group,
        imperative=imperative.text,
        imperative_span=imperative.span,
        authorised_task=_authorised(scene, family, goal, rng),
        misleading_task=_misleading(scene, family, goal, rng, split),
        nuisance={**scene.nuisance, "payload_language": family.language, "imperative": like.kind},
        cluster={"carrier": scene.carrier, "goal": goal.id, "template": attack.template},
        license=scene.license,
        source=f"engine/{name}",
    )


def _goal(family: Family, rng: np.random.Generator, split: str) -> Goal:
    """Draw a goal; ``dev`` and ``calibration`` share a pool and take every other goal of it."""
    pool = pool_split_of(split)
    while True:
        goal = family.draw(rng, pool)
        if pool != "calibration" or (int(goal.id[-1], 16) % 2 == 0) == (split == "calibration"):
            return goal


def _context(scene: Scene, split: str) -> FamilyContext:
    return FamilyContext(
        system=scene.system,
        task=scene.task,
        tool=scene.tool,
        topic=scene.topic,
        user_name=scene.user_name,
        language=_LANGUAGE_CODES.get(scene.language, "en"),
        split=pool_split_of(split),
    )


def _benign(scene: Scene, injected: Rendered, payload: str, rng: np.random.Generator) -> str | None:
    """The text without the payload, or with an ordinary text of like length in its place."""
    if scene.ordinary is None:
        return injected.without
    wanted = int(len(payload) * float(rng.uniform(0.6, 1.4)))
    ordinary = scene.site.put(scene.ordinary(wanted))
    return None if ordinary is None else ordinary.text


def _misleading(
    scene: Scene, family: Family, goal: Goal, rng: np.random.Generator, split: str
) -> str:
    """A task that authorises something else, alone or next to the one the set has; or nothing."""
    if rng.random() >= _MISLEADING_SHARE:
        return ""
    pool = pool_split_of(split)
    other = goals.draw(rng, pool)
    while other.id == goal.id or not can_be_authorised(other):
        other = goals.draw(rng, pool)
    return _beside(scene, misleading_task(other, rng, generic=not family.authorisable), rng)


def _authorised(scene: Scene, family: Family, goal: Goal, rng: np.random.Generator) -> str:
    """A task that asks for the goal, alone or next to the one the set has; may be empty."""
    if not (family.authorisable and can_be_authorised(goal)) or rng.random() >= _AUTHORISED_SHARE:
        return ""
    return _beside(scene, authorised_task(goal, rng), rng)


def _beside(scene: Scene, asked: str, rng: np.random.Generator) -> str:
    share = rng.random()
    if share < 0.25:
        return f"{scene.task}\n{asked}"
    return f"{asked}\n{scene.task}" if share < 0.4 else asked
