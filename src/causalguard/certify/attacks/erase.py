"""Erase-and-check: a text counts as flagged if it is after any block of tokens is taken out.

If a text is flagged as it is, then inserting a block into it cannot hide it from this rule: one of
the erasures gives the text back.  The price is false alarms, for a clean text gets many chances;
so the rule has a threshold of its own.

Source: Kumar et al. 2023, "Certifying LLM safety against adversarial prompting" (arXiv 2309.02705),
its insertion mode, with a causal guard and contiguous blocks.
"""

from collections.abc import Iterator, Sequence

from causalguard.certify.attacks.victim import Victim
from causalguard.records import ToolOutput

BATCH = 64


def erasures(text: str, ends: Sequence[tuple[int, int]], most: int) -> Iterator[str]:
    """The text itself, then the text without each block of 1 to ``most`` neighbouring tokens.

    Args:
        text: the document.
        ends: character range of each of its tokens, in order.
        most: longest block in tokens, >= 0.

    Yields:
        Texts; tokens that share a character (parts of one that is written in several bytes) fall
        together.
    """
    yield text
    seen = {text}
    for length in range(1, most + 1):
        for first in range(len(ends) - length + 1):
            shorter = text[: ends[first][0]] + text[ends[first + length - 1][1] :]
            if shorter not in seen:
                seen.add(shorter)
                yield shorter


def largest_risk(victim: Victim, output: ToolOutput, most: int, *, enough: float = 1.0) -> float:
    """Largest risk over all erasures of a tool output.

    Args:
        victim: the guard.
        output: the document and its context.
        most: longest block in tokens.
        enough: stop as soon as a risk reaches this.

    Returns:
        The largest risk found, [0, 1]; a text that is not scanned in full counts as 1.
    """
    offsets = victim.scorer.template.tokens(output.text).offsets
    ends = [(int(a), int(b)) for a, b in offsets]
    worst = 0.0
    batch: list[ToolOutput] = []

    def scored() -> float:
        answers = victim.score(batch)
        return max(answer.risk if answer.coverage >= 1 else 1.0 for answer in answers)

    for text in erasures(output.text, ends, most):
        batch.append(ToolOutput(text=text, task=output.task, system=output.system))
        if len(batch) == BATCH:
            worst = max(worst, scored())
            batch.clear()
            if worst >= enough:
                return worst
    return max(worst, scored()) if batch else worst
