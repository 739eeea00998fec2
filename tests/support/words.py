"""A scanner for tests of the runtime: it flags the word EVIL and remembers what it read."""

from collections.abc import Callable, Sequence

from causalguard.records import Span, ToolOutput, Verdict

BAD = "EVIL"


class WordGuard:
    """Flags every text with the word EVIL, and marks where it stands."""

    identity = "word"
    threshold = 0.5

    def __init__(self) -> None:
        self.outputs: list[ToolOutput] = []

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        self.outputs += outputs
        return [self._verdict(output.text) for output in outputs]

    def _verdict(self, text: str) -> Verdict:
        start = text.find(BAD)
        if start < 0:
            return Verdict(risk=0.1, threshold=0.5, flagged=False, certificate_id="cafe")
        span = Span(start=start, end=start + len(BAD))
        return Verdict(risk=0.9, threshold=0.5, flagged=True, spans=(span,), certificate_id="cafe")

    @property
    def texts(self) -> list[str]:
        return [output.text for output in self.outputs]


class DoingGuard(WordGuard):
    """Does something before it answers: waits, counts, or raises."""

    def __init__(self, before: Callable[[Sequence[ToolOutput]], object]) -> None:
        super().__init__()
        self._before = before

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        self._before(outputs)
        return super().scan(outputs)


def failing(outputs: Sequence[ToolOutput]) -> None:
    """Raise with the text of what was to be scanned in the message."""
    message = f"cannot read {outputs[0].text}"
    raise RuntimeError(message)
