"""Texts made for a question: over-defence on trigger words, and recall against dilution."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from causalguard.errors import DataError
from causalguard.evaluate.rows import Case, Labelled
from causalguard.files import raise_faults, read_jsonl
from causalguard.guard.template import Template
from causalguard.records import ToolOutput

POSITIONS = ("head", "middle", "tail")
JOINT = "\n\n"
TASK_SLOT, IN_CARRIER, AS_TEXT = "trigger task", "trigger words inserted", "trigger text"
CARRIER = "carrier as it is"
"""The control: what the other rates would be without any trigger word."""


def trigger_cases(
    prompts: Path, words: str, carriers: Sequence[Labelled], rng: np.random.Generator
) -> list[Labelled]:
    """Benign prompts full of trigger words: as the task, as a text, and their words in carriers.

    Args:
        prompts: the file; each row gives one case of each probe.
        words: key of ``meta`` that lists a prompt's trigger words.
        carriers: benign tool outputs that the model has not seen.
        rng: picks carriers and places.

    Raises:
        DataError: no carrier is benign, or a prompt lacks its text or its words.
    """
    benign = [c for c in carriers if c.case.y == 0 and c.output.text.strip()]
    if not benign:
        raise DataError(f"{prompts}: no benign carrier for it; name a source with label 0 rows")
    made: list[Labelled] = []
    for number, text, triggers, part in _prompts(prompts, words):
        carrier = benign[int(rng.integers(len(benign)))].output
        variants = {
            TASK_SLOT: replace(carrier, task=text),
            AS_TEXT: ToolOutput(text=text, tool="note"),
            IN_CARRIER: replace(carrier, text=_sprinkle(carrier.text, triggers, rng)),
            CARRIER: carrier,
        }
        for probe, output in variants.items():
            ident = f"{probe}/{number}"
            case = Case(id=ident, source="notinject", y=0, pair=str(number), probe=probe,
                        part=part)  # fmt: skip
            made.append(Labelled(case=case, output=replace(output, id=ident)))
    return made


def _prompts(path: Path, words: str) -> list[tuple[int, str, list[str], str]]:
    """Line, text, trigger words and part of each prompt."""
    found: list[tuple[int, str, list[str], str]] = []
    faults: list[str] = []
    for number, row in read_jsonl(path):
        text, meta = row.get("text"), row.get("meta")
        triggers = _words(meta.get(words)) if isinstance(meta, dict) else []
        if not isinstance(text, str) or not triggers:
            # Without a word the carrier would stand for itself, and lower the rate of its probe.
            faults.append(f"{path}:{number}: needs 'text' (a string) and words in meta.{words}")
            continue
        found.append((number, text, triggers, str(row.get("split") or "")))
    if not found and not faults:
        faults.append(f"{path}: holds no prompts; give a JSONL file of them")
    raise_faults(faults)
    return found


def _words(value: object) -> list[str]:
    """Trigger words of a row: a list, or a string that holds one."""
    if isinstance(value, list):
        return [str(v) for v in value]
    text = str(value or "").strip()
    if text.startswith("["):
        try:
            return [str(v) for v in json.loads(text.replace("'", '"'))]
        except json.JSONDecodeError:
            text = text.strip("[]")
    return [w.strip(" '\"") for w in text.split(",") if w.strip(" '\"")]


def _sprinkle(text: str, words: Sequence[str], rng: np.random.Generator) -> str:
    """Each word at a random gap between two words of the text."""
    for word in words:
        gaps = [i for i, c in enumerate(text) if c == " "] or [len(text)]
        at = gaps[int(rng.integers(len(gaps)))]
        text = f"{text[:at]} {word}{text[at:]}"
    return text


def dilution_cases(
    payloads: Sequence[tuple[Labelled, str]],
    carriers: Sequence[Labelled],
    template: Template,
    *,
    lengths: Sequence[int],
    documents: int,
    rng: np.random.Generator,
) -> list[Labelled]:
    """Documents of given lengths, each once benign and once with a payload in it.

    Args:
        payloads: injected rows and the injected string alone.
        carriers: benign rows, joined in random order to surroundings.
        template: counts the tokens.
        lengths: tokens of a document.
        documents: per length.
        rng: picks payloads, carriers and positions; one payload and position per document
            number, the same at every length.

    Raises:
        DataError: nothing to insert, or nothing to insert it into.
    """
    benign = [c.output.text for c in carriers if c.case.y == 0 and c.output.text.strip()]
    if not payloads or not benign:
        raise DataError("dilution needs payloads with an 'injection' and benign carriers")
    made: list[Labelled] = []
    for number in range(documents):
        row, payload = payloads[int(rng.integers(len(payloads)))]
        position = POSITIONS[number % len(POSITIONS)]
        used = len(template.tokens(payload + JOINT).ids)
        around = surroundings(benign, max(lengths), template, rng)
        for length in lengths:
            texts = (around(length), _insert(around(max(length - used, 8)), payload, position))
            made += [
                _document(row, text, y=y, level=length, position=position, number=number)
                for y, text in enumerate(texts)
            ]
    return made


def _document(
    row: Labelled, text: str, *, y: int, level: int, position: str, number: int
) -> Labelled:
    ident = f"dilution/{level}/{number}/{y}"
    case = Case(
        id=ident,
        source=row.case.source,
        y=y,
        pair=str(number),
        probe="dilution",
        family=row.case.family if y else "",
        level=level,
        position=position,
    )
    return Labelled(case=case, output=replace(row.output, text=text, id=ident))


def _insert(around: str, payload: str, position: str) -> str:
    at = {"head": 0, "middle": len(around) // 2, "tail": len(around)}[position]
    at = _line_break(around, at)
    return JOINT.join(part for part in (around[:at], payload, around[at:]) if part)


def surroundings(
    texts: Sequence[str], longest: int, template: Template, rng: np.random.Generator
) -> Callable[[int], str]:
    """Texts joined in random order, as often as needed, to at least ``longest`` tokens.

    Returns: a function from a number of tokens, at most ``longest``, to that much of the text.
    """
    parts: list[str] = []
    total = 0
    while total < longest:
        for k in rng.permutation(len(texts)):
            parts.append(texts[int(k)])
            total += len(template.tokens(parts[-1] + JOINT).ids)
            if total >= longest:
                break
    whole = JOINT.join(parts)
    ends = template.tokens(whole).offsets[:, 1]
    return lambda n: whole[: int(ends[min(n, len(ends)) - 1])]


def _line_break(text: str, at: int) -> int:
    """The next end of a line or word at or after ``at``: no word is cut in two."""
    if at in (0, len(text)):
        return at
    line = text.find("\n", at)
    if 0 <= line <= at + 200:
        return line
    space = text.find(" ", at)
    return space if space >= 0 else len(text)


def payload_rows(path: Path, rows: Sequence[Labelled]) -> list[tuple[Labelled, str]]:
    """Injected rows of a file with their ``injection`` strings.

    Args:
        path: the file.
        rows: all of its rows, in order; ids may be missing or stand twice.
    """
    strings = [str(row.get("injection") or "") for _, row in read_jsonl(path)]
    both = zip(rows, strings, strict=True)
    return [(row, text) for row, text in both if row.case.y == 1 and text.strip()]
