"""Responses for matched sets: what the base model itself answers to the benign text.

With them as targets the task term asks for the base's own answers, with an injection and without:
the generating model stays what it was on benign texts and ignores the instruction in the others.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from causalguard import console
from causalguard.errors import DataError, OutputExistsError, ScanError
from causalguard.interventions import triplets
from causalguard.records import ToolOutput, Triplet
from causalguard.train.config import TrainConfig

MAX_TOKENS = 96
"""Tokens after which an answer is cut back to its last whole sentence."""
END = re.compile(r"[.!?](?=\s)")
"""End of a sentence: not inside a number or an address."""

Answer = Callable[[ToolOutput], tuple[str, bool]]
"""A tool output in its context to an answer, and whether the model ended it itself."""


def base_answers(base: str, device: str | None, *, max_tokens: int = MAX_TOKENS) -> Answer:
    """The base model's likeliest answers, as native mode generates them.

    Args:
        base: as in a configuration.
        device: ``cpu`` or ``cuda``; None: a GPU if there is one.
        max_tokens: of an answer, >= 1.

    Raises BaseModelError when the base is not on this machine or has no use for tool outputs.
    """
    import torch

    from causalguard.guard.base import resolve
    from causalguard.guard.native import chat_of, end_ids
    from causalguard.guard.native_decode import Settings, decode
    from causalguard.guard.native_model import load_base
    from causalguard.guard.native_prefill import prefill_unread

    model = load_base(resolve(base), torch.float32)
    model.model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    ends = end_ids(model.model, model.renderer)
    settings = Settings(max_tokens=max_tokens)

    def answer(output: ToolOutput) -> tuple[str, bool]:
        made = prefill_unread(model, chat_of(output))
        steps = list(
            decode(
                model,
                made.logits,
                made.cache,
                n_prompt=made.n_tokens,
                end_ids=ends,
                settings=settings,
            )
        )
        return "".join(s.text for s in steps), steps[-1].finish == "stop"

    return answer


def with_responses(sets: Iterable[Triplet], answer: Answer) -> Iterator[Triplet]:
    """Matched sets with a response each; those that have one keep it.

    A set stays without one when its text is too long for the model, or the answer has no whole
    sentence within its tokens: its end would teach the model to stop anywhere.
    """
    for triplet in sets:
        if triplet.response:
            yield triplet
            continue
        benign = ToolOutput(
            text=triplet.benign, tool=triplet.tool, task=triplet.task, system=triplet.system
        )
        try:
            text, ended = answer(benign)
        except ScanError:
            text, ended = "", True
        yield replace(triplet, response=whole(text, ended=ended))


def whole(text: str, *, ended: bool) -> str:
    """An answer without the sentence that was cut off, and without its repetitions; may be empty.

    Small models that do not end an answer go round in circles: what follows the first sentence that
    was said before is left out.
    """
    if ended:
        return text.strip()
    said: set[str] = set()
    kept = 0
    for end in END.finditer(text):
        sentence = text[kept : end.end()].strip()
        if sentence in said:
            break
        said.add(sentence)
        kept = end.end()
    return text[:kept].strip()


def answer_file(source: Path, output: Path, config: TrainConfig, *, device: str | None) -> str:
    """Write a file of matched sets again, with the base's answers as responses.

    Returns: a line that says how many there are.

    Raises:
        OutputExistsError: the output exists.
        DataError: the source has faults, or no set got a response.
    """
    if output.exists():
        raise OutputExistsError(f"{output} exists already; give another path or remove it first")
    sets = triplets.read(source)
    answer = base_answers(config.base, device)
    watched = console.progress(sets, total=len(sets), label="answers")
    made = list(with_responses(watched, answer))
    count = sum(bool(t.response) for t in made)
    if not count:
        raise DataError(
            f"{source}: {config.base} gave no answer that ends within {MAX_TOKENS} tokens; write "
            "`response` into the rows yourself"
        )
    triplets.write(output, made)
    return f"{output}: {count} of {len(made)} matched sets have a response"
