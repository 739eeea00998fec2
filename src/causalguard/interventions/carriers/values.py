"""Values of typed fields: ``type`` in a kind's field list names one of these makers."""

from collections.abc import Callable

from causalguard.interventions import vocabulary
from causalguard.interventions.carriers.document import Field, Value
from causalguard.interventions.carriers.scribe import Scribe

_HEX = "0123456789abcdef"
_AIRPORTS = ("LIS", "OSL", "NBO", "KIX", "YUL", "VLC", "GRZ", "OPO", "TLL", "HAN", "LIM", "ACC")
_WEATHER = ("sunny", "cloudy", "light rain", "fog", "showers", "snow", "windy", "clear", "overcast")
_STATES = ("open", "closed", "pending", "confirmed", "shipped", "cancelled", "active", "draft",
           "in progress", "done", "paid", "overdue", "new", "archived", "on hold")  # fmt: skip
_TAGS = ("urgent", "billing", "internal", "2024", "review", "draft", "backend", "q3", "follow-up",
         "personal", "important", "todo", "public", "legacy", "help wanted", "bug")  # fmt: skip
_CODES = ("200", "201", "404", "E17", "OK", "A3", "42", "PENDING", "0x1f")


def _number(low: int, high: int) -> Callable[[Scribe], Value]:
    return lambda scribe: scribe.draw.between(low, high)


def _of(options: tuple[str, ...]) -> Callable[[Scribe], Value]:
    return lambda scribe: scribe.draw.pick(options)


def _iso(scribe: Scribe) -> str:
    draw = scribe.draw
    return f"{draw.between(2022, 2027)}-{draw.between(1, 12):02d}-{draw.between(1, 28):02d}"


def _stamp(scribe: Scribe) -> str:
    draw = scribe.draw
    clock = f"{draw.below(24):02d}:{draw.below(60):02d}"
    forms = ("{}T{}:00Z", "{} {}", "{}T{}:00+02:00", "{} {}:14")
    return draw.pick(forms).format(_iso(scribe), clock)


def _money(scribe: Scribe) -> Value:
    draw = scribe.draw
    value = round(draw.log_between(1, 9000), 2)
    return value if draw.chance(0.7) else f"{value:.2f}"


def _hex(scribe: Scribe, count: int) -> str:
    return "".join(scribe.draw.pick(_HEX) for _ in range(count))


def _uuid(scribe: Scribe) -> str:
    return "-".join(_hex(scribe, count) for count in (8, 4, 4, 4, 12))


def _tags(scribe: Scribe) -> Value:
    return tuple(scribe.draw.pick(_TAGS) for _ in range(scribe.draw.between(0, 3)))


def _people(scribe: Scribe) -> Value:
    slot = scribe.draw.pick(("person", "mail"))
    return tuple(scribe.fill(slot) for _ in range(scribe.draw.between(1, 4)))


def _address(scribe: Scribe) -> str:
    street = scribe.draw.pick(
        ("Mill Lane", "Harbour Street", "Oak Road", "Ringstrasse", "Rue Haute")
    )
    return f"{street} {scribe.draw.between(1, 140)}, {scribe.draw.digits(5)} {scribe.fill('city')}"


def _review(scribe: Scribe) -> str:
    return " ".join(scribe.line("review") for _ in range(scribe.draw.between(1, 4)))


def _remark(scribe: Scribe) -> str:
    share = scribe.draw.unit()
    if share < 0.15:
        return scribe.line("request")
    return scribe.sentence() if share < 0.4 else scribe.line("remark")


def _about(low: int, high: int) -> Callable[[Scribe], Value]:
    return lambda scribe: scribe.paragraph(scribe.draw.between(low, high))


def _slots(name: str) -> Callable[[Scribe], Value]:
    return lambda scribe: scribe.fill(name)


def _section(name: str) -> Callable[[Scribe], Value]:
    return lambda scribe: scribe.line(name)


_SLOTS = (
    "person", "first", "last", "mail", "city", "company", "url", "file", "path", "phone", "iban",
    "product", "drug", "device", "dept", "country", "domain", "channel", "repo", "branch",
    "packet", "hotel", "dish", "column", "function", "ip", "version", "ref", "thing", "role",
    "event", "place", "app", "month", "time", "date", "amount", "percent", "weekday", "topic",
)  # fmt: skip
_SECTIONS = (
    "subject", "title", "chat", "log", "error", "commit", "question", "request", "heading",
)  # fmt: skip

MAKERS: dict[str, Callable[[Scribe], Value]] = {
    **{name: _slots(name) for name in _SLOTS},
    **{name: _section(name) for name in _SECTIONS},
    "iso": _iso,
    "stamp": _stamp,
    "money": _money,
    "currency": _of(("EUR", "USD", "GBP", "CHF", "SEK")),
    "id": _number(1, 99_999),
    "count": _number(0, 60),
    "small": _number(1, 9),
    "year": _number(1975, 2027),
    "percentage": _number(0, 100),
    "degrees": _number(-9, 36),
    "minutes": _number(5, 240),
    "bytes": _number(120, 9_000_000),
    "rating": lambda scribe: scribe.draw.pick((1, 2, 3, 3.5, 4, 4, 4.5, 5, 5)),
    "flag": lambda scribe: scribe.draw.chance(0.5),
    "maybe": lambda scribe: scribe.fill("ref") if scribe.draw.chance(0.4) else None,
    "status": _of(_STATES),
    "priority": _of(("low", "medium", "high", "P1", "P2", "P3")),
    "weather": _of(_WEATHER),
    "code": _of(_CODES),
    "airport": _of(_AIRPORTS),
    "cabin": _of(("economy", "business", "premium economy")),
    "mime": _of(("application/pdf", "text/plain", "image/png", "text/csv", "folder")),
    "license": _of(("MIT", "Apache-2.0", "BSD-3-Clause", "MPL-2.0")),
    "hash": lambda scribe: _hex(scribe, 7),
    "sha": lambda scribe: _hex(scribe, 40),
    "uuid": _uuid,
    "isbn": lambda scribe: f"978-{scribe.draw.digits(10)}",
    "tags": _tags,
    "people": _people,
    "address": _address,
    "coordinates": lambda scribe: (
        f"{scribe.draw.unit() * 120 - 60:.4f}, {scribe.draw.unit() * 300 - 150:.4f}"
    ),
    "remark": _remark,
    "review": _review,
    "sentence": lambda scribe: scribe.sentence(),
    "about": _about(80, 320),
    "story": _about(300, 900),
    "foreign": lambda scribe: scribe.paragraph(120),
}
"""Makers by type name."""


def make_field(spec: str, scribe: Scribe) -> Field:
    """Return a field made after its spec.

    Args:
        spec: ``key:type``, with a trailing ``*`` where outsiders can write, e.g. ``memo:remark*``.
        scribe: who writes it.

    Raises:
        KeyError: there is no maker of that type.

    """
    key, _, kind = spec.partition(":")
    free = kind.endswith("*")
    return Field(key=key, value=MAKERS[kind.rstrip("*") or key](scribe), free=free)


def pool_split_of(split: str) -> str:
    """Return the split whose words a split uses: ``dev`` shares those of ``calibration``.

    Raises:
        ValueError: the split is unknown.

    """
    name = "calibration" if split == "dev" else split
    vocabulary.check_split(name)
    return name
