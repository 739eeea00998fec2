"""Code and command output: small templates in several languages, with comments people write."""

import functools
from importlib import resources

from causalguard.interventions.carriers.scribe import Scribe


@functools.cache
def _templates(name: str) -> tuple[str, ...]:
    folder = resources.files("causalguard.interventions.carriers").joinpath("prose")
    text = folder.joinpath("snippets.txt").read_text(encoding="utf-8")
    parts = (part.partition("\n") for part in text.split("%% ")[1:])
    return tuple(body for kind, _, body in parts if kind.strip() == name)


def _fill(template: str, scribe: Scribe) -> str:
    name = scribe.fill("function")
    parts = {
        "{f}": name,
        "{C}": name.title().replace("_", ""),
        "{k}": scribe.fill("column"),
        "{b}": scribe.fill("branch"),
        "{n}": str(scribe.draw.between(2, 99)),
        "{file}": scribe.fill("file"),
    }
    for slot, value in parts.items():
        template = template.replace(slot, value)
    while "{c}" in template:
        template = template.replace("{c}", _comment(scribe), 1)
    return template


def _comment(scribe: Scribe) -> str:
    share = scribe.draw.unit()
    if share < 0.4:
        return scribe.line("commit")
    return scribe.line("request" if share < 0.6 else "sentence")


def code(scribe: Scribe) -> str:
    """Return a piece of code or configuration with a comment in it."""
    return _fill(scribe.draw.pick(_templates("code")), scribe)


def output(scribe: Scribe) -> str:
    """Return what a command printed."""
    return _fill(scribe.draw.pick(_templates("output")), scribe)
