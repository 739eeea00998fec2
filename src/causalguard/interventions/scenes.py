"""A scene: trusted context, a place for a payload, and other data for the same context.

The engine makes matched sets from scenes and does not care whether the carrier was generated or
is a file of the user's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from causalguard.interventions import carriers
from causalguard.interventions.carriers.document import Document
from causalguard.interventions.carriers.draw import Draw
from causalguard.interventions.carriers.files import FileCarrier, FileSite, Point
from causalguard.interventions.carriers.generate import topic_named, topics_of
from causalguard.interventions.carriers.scribe import Scribe
from causalguard.interventions.carriers.values import pool_split_of
from causalguard.interventions.formats import WEIGHTS, Style, draw_style, render
from causalguard.interventions.render import THIRDS, Placeable, Site, choose_slot, place

LENGTHS: Mapping[str, tuple[float, int, int]] = {
    "50-200": (0.17, 30, 130),
    "200-800": (0.36, 130, 560),
    "800-3000": (0.35, 560, 2200),
    "3000-20000": (0.12, 2200, 12_000),
}
"""Length levels: share of sets, and the range of characters of content (formats add theirs)."""

MAX_CHARACTERS = 20_000
_WHOLE_SHARE = 0.35
_START_SHARE = 0.2
_NEAR = 60  # characters
_DECOYS = {"calibration": (0.1, 0.1), "audit": (0.1, 0.1)}
"""Share of carriers, and of counterfactuals, with a benign imperative of their own somewhere.

Where rates of false alarms are set and bounded, such carriers must not be most of the tail: one in
ten is more than we found in real tool outputs, where hardly any speaks of prompts or commands.
What a guard does beside an imperative is asked of every set by the member ``imperative``."""
_DECOYS_ELSEWHERE = (0.4, 0.5)
"""For training, where hard negatives are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything about a matched set but the texts that are put in."""

    system: str
    """Trusted system prompt; may be empty."""
    task: str
    """Trusted user turns; not empty."""
    tool: str
    """Name of the tool."""
    carrier: str
    """Cluster identifier of the carrier."""
    topic: str
    """Subject, a short noun phrase."""
    language: str
    """Language of the carrier, in English words."""
    user_name: str
    """A name the attacker may use."""
    site: Placeable
    """Where payloads go."""
    ordinary: Callable[[int], str] | None
    """Writes an ordinary text of a given length for the place, if payloads replace one there."""
    other: Callable[[float], str]
    """Returns the counterfactual; the argument scales its length against the carrier's."""
    nuisance: Mapping[str, str]
    """Assigned nuisance labels."""
    license: str
    """Licence of the carrier."""


def generated(
    rng: np.random.Generator,
    *,
    split: str,
    formats: tuple[str, ...],
    lengths: tuple[str, ...],
    decoy: Callable[[], str],
) -> Scene:
    """Return a scene of the project's own making; every nuisance is drawn independently.

    Args:
        rng: source of every choice.
        split: whose words, topics and kinds are used.
        formats: formats to draw from, by their weights.
        lengths: levels to draw from, by their shares.
        decoy: writes a benign imperative; some carriers hold one somewhere.

    """
    draw = Draw(rng)
    level = draw.weighted([(name, LENGTHS[name][0]) for name in lengths])
    size = int(draw.log_between(*LENGTHS[level][1:]))
    format_name = draw.weighted([(name, WEIGHTS[name]) for name in formats])
    third = draw.pick(THIRDS)
    whole = draw.chance(_WHOLE_SHARE)
    carrier = carriers.generate(rng, split=split, size=size)
    own_share, other_share = _DECOYS.get(split, _DECOYS_ELSEWHERE)
    document = _with_decoy(carrier.document, draw, own_share, decoy)
    scribe = Scribe(draw, topic_named(carrier.topic), pool_split_of(split), carrier.language)
    style = draw_style(scribe)
    slot = choose_slot(document, format_name, draw, third=third, whole=whole)
    site = Site(
        document=document,
        format_name=format_name,
        style=style,
        tool=carrier.tool,
        slot=slot,
    )

    def other(scale: float) -> str:
        wanted = max(20, min(int(size * scale), LENGTHS["3000-20000"][2]))
        data = carriers.counterfactual(carrier, rng, split=split, size=wanted)
        data = _with_decoy(data, draw, other_share, decoy)
        return _render_other(data, format_name, style, carrier.tool)

    replaces = slot.at < 0 and slot.where != "own"
    return Scene(
        system=carrier.system,
        task=carrier.task,
        tool=carrier.tool,
        carrier=carrier.id,
        topic=carrier.topic,
        language=carrier.language,
        user_name=scribe.fill("person"),
        site=site,
        ordinary=scribe.paragraph if replaces else None,
        other=other,
        nuisance={
            **carriers.labels(carrier),
            "placement": "replace" if replaces else "insert",
            "position": third,
            "length": level,
            **_shape(site),
        },
        license="Apache-2.0",
    )


def _shape(site: Site) -> dict[str, str]:
    return {
        "format": site.format_name,
        "envelope": site.style.envelope or "none",
        "place": site.slot.label,
        "source": "engine",
    }


def from_file(
    rng: np.random.Generator,
    *,
    split: str,
    files: Sequence[FileCarrier],
) -> Scene:
    """Return a scene in one of the user's own tool outputs.

    Args:
        rng: source of every choice.
        split: whose names are used in generic tasks.
        files: the carriers of that split, at least one; another of them is the counterfactual.

    """
    draw = Draw(rng)
    carrier = draw.pick(files)
    alike = [one for one in files if one.kind == carrier.kind and one.text != carrier.text]
    others = alike or [one for one in files if one.text != carrier.text] or [carrier]
    third = draw.pick(THIRDS)
    wish = (THIRDS.index(third) + draw.unit()) / 3 * len(carrier.text)
    point = _point(carrier, wish, draw)
    scribe = Scribe(
        draw, topic_named(draw.pick(topics_of(split)).name), pool_split_of(split), "English"
    )
    level = next(
        (name for name in LENGTHS if len(carrier.text) <= int(name.split("-")[1])), "3000-20000"
    )
    return Scene(
        system=carrier.system,
        task=carrier.task or scribe.line("generic_task"),
        tool=carrier.tool,
        carrier=f"file/{carrier.name}",
        topic="",
        language="English",
        user_name=scribe.fill("person"),
        site=FileSite(text=carrier.text, point=point),
        ordinary=None,
        other=lambda _scale: draw.pick(others).text,
        nuisance={
            "tool": carrier.tool,
            "task": "specific" if carrier.task else "generic",
            "format": carrier.kind,
            "position": third,
            "place": point.escape if point.escape in {"row", "veil"} else "in-text",
            "placement": "insert",
            "length": level,
            "source": "files",
        },
        license="as the carrier's",
    )


def _point(carrier: FileCarrier, wish: float, draw: Draw) -> Point:
    """The place nearest to a wish; now and then the very start, or the whole text."""
    share = draw.unit()
    first = [p for p in carrier.points if p.at == 0]
    if first and share < _START_SHARE:
        return draw.pick(first)
    inner = [p for p in carrier.points if p.at] or list(carrier.points)
    # A field has several places next to each other: the nearest alone would always be one of them.
    return min(inner, key=lambda one: abs(one.at - wish) + _NEAR * draw.unit())


def _with_decoy(document: Document, draw: Draw, share: float, decoy: Callable[[], str]) -> Document:
    """Mails and pages ask people for things all the time, beside any payload."""
    if document.bare or not draw.chance(share):
        return document
    whole = draw.chance(_WHOLE_SHARE)
    slot = choose_slot(document, "plain", draw, third=draw.pick(THIRDS), whole=whole)
    return place(document, slot, decoy(), marked=False)


def _render_other(document: Document, format_name: str, style: Style, tool: str) -> str:
    # Other data comes under other names: a header that never changes would be a cue.
    turned = replace(style, names=style.names[1:] + style.names[:1], mails=style.mails[::-1])
    return render(document, format_name, turned, tool)
