"""Everything about a rendering that is not the data: one Style serves all members of a set."""

from dataclasses import dataclass

from causalguard.interventions.carriers.draw import Draw
from causalguard.interventions.carriers.scribe import Scribe
from causalguard.interventions.carriers.values import MAKERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Choices of a renderer, drawn once."""

    indent: int
    """Spaces per level in structured formats; 0 is compact."""
    ascii: bool
    """JSON escapes everything beyond ASCII."""
    sloppy: bool
    """Python-like output without escaping of quotes, as some frameworks print it."""
    width: int
    """Column at which mails and folded YAML break lines; 0: they do not."""
    gap: str
    """Between paragraphs."""
    case: str
    """Case of keys: snake, camel, title or upper."""
    body: str
    """How a structured format holds prose: ``text`` in one string, ``list`` of blocks."""
    inner: str
    """Markup inside one string: plain, markdown or html."""
    variant: int
    """Picks among equivalent forms, 0 to 11."""
    extra_key: str
    """Key of a field that somebody added."""
    body_key: str
    """Key of the prose."""
    names: tuple[str, ...]
    """Persons for headers and unnamed messages, at least two."""
    mails: tuple[str, ...]
    """Mail addresses, two."""
    stamp: str
    """A date and time for headers."""
    reference: str
    """An identifier for headers."""
    clock: int
    """Seconds into the day at which logs and chats begin."""
    envelope: str
    """What the agent's framework wraps around the result; empty: nothing."""
    full_page: bool
    """HTML comes with head, navigation and footer."""

    def key(self, name: str) -> str:
        """Return a snake_case name in this style's case."""
        if self.case == "title":
            return name.replace("_", " ").capitalize()
        if self.case == "camel":
            first, *rest = name.split("_")
            return first + "".join(word.capitalize() for word in rest)
        return name.upper() if self.case == "upper" else name


_ENVELOPES = (
    ("", 0.72), ("json", 0.08), ("python", 0.06), ("tag", 0.04), ("fence", 0.04), ("label", 0.06),
)  # fmt: skip
_EXTRA = ("note", "comment", "remarks", "footer", "message", "info", "description", "details",
          "annotation", "hint", "additional_info", "summary")  # fmt: skip
_BODY = ("content", "body", "text", "message", "description", "data", "page_content", "output")


def draw_style(scribe: Scribe) -> Style:
    """Return a style; names in it come from the scribe's split."""
    draw: Draw = scribe.draw
    return Style(
        indent=draw.pick((0, 0, 2, 2, 4)),
        ascii=draw.chance(0.3),
        sloppy=draw.chance(0.4),
        width=draw.pick((0, 0, 72, 78)),
        gap=draw.pick(("\n\n", "\n\n", "\n")),
        case=draw.pick(("snake", "snake", "snake", "camel", "title", "upper")),
        body=draw.pick(("text", "list")),
        inner=draw.pick(("plain", "plain", "markdown", "html")),
        variant=draw.below(12),
        extra_key=draw.pick(_EXTRA),
        body_key=draw.pick(_BODY),
        names=tuple(scribe.fill("person") for _ in range(4)),
        mails=(scribe.fill("mail"), scribe.fill("mail")),
        stamp=str(MAKERS["stamp"](scribe)),
        reference=scribe.fill("ref"),
        clock=draw.below(60_000),
        envelope=draw.weighted(_ENVELOPES),
        full_page=draw.chance(0.4),
    )
