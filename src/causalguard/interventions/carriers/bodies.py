"""Bodies of documents: each maker fills about ``size`` characters with blocks of one make."""

from collections.abc import Callable

from causalguard.interventions.carriers import snippets
from causalguard.interventions.carriers.document import Block
from causalguard.interventions.carriers.scribe import Scribe
from causalguard.interventions.carriers.values import MAKERS

Blocks = list[Block]


def _size(blocks: Blocks) -> int:
    return sum(len(block.text) + 2 for block in blocks)


def _grow(scribe: Scribe, size: int, more: Callable[[Scribe, int], Blocks]) -> Blocks:
    """Add what ``more`` makes until the size is reached; at least one round."""
    blocks: Blocks = []
    rounds = 0
    while rounds == 0 or _size(blocks) < size * 0.85:
        blocks += more(scribe, rounds)
        rounds += 1
    return blocks


def _paragraph(scribe: Scribe, size: int) -> Block:
    room = int(scribe.draw.log_between(60, 600))
    return Block(text=scribe.paragraph(min(room, max(size, 30))))


def letter(scribe: Scribe, size: int) -> Blocks:
    """Greeting, paragraphs, sign-off; sometimes a quoted mail below."""
    opener = [Block(text=scribe.line("opener"))] if size > 120 else []
    closer = [Block(text=scribe.line("closer"))] if size > 160 else []
    middle = _grow(scribe, size - 60, lambda one, _: [_paragraph(one, size)])
    if size > 700 and scribe.draw.chance(0.4):
        middle.append(Block(kind="quote", text=scribe.paragraph(min(size // 3, 900))))
    return [*opener, *middle, *closer]


def article(scribe: Scribe, size: int) -> Blocks:
    """Headings, paragraphs, lists and a quote here and there."""

    def more(one: Scribe, rounds: int) -> Blocks:
        draw = one.draw
        blocks: Blocks = []
        if size > 400 and (rounds or draw.chance(0.6)):
            blocks.append(Block(kind="heading", text=one.line("heading")))
        blocks += [_paragraph(one, size) for _ in range(draw.between(1, 3 if size > 800 else 1))]
        if size > 300 and draw.chance(0.3):
            blocks += [Block(kind="item", text=one.sentence()) for _ in range(draw.between(2, 5))]
        if size > 500 and draw.chance(0.15):
            blocks.append(Block(kind="quote", text=one.sentence()))
        return blocks

    return _grow(scribe, size, more)


def steps(scribe: Scribe, size: int) -> Blocks:
    """How-to: an introduction and numbered imperatives, as manuals and recipes have them."""

    def more(one: Scribe, rounds: int) -> Blocks:
        blocks = [] if rounds else [Block(text=one.paragraph(min(size // 3, 200)))]
        if rounds or one.draw.chance(0.5):
            blocks.append(Block(kind="heading", text=one.say("How to {act}")))
        count = one.draw.between(2, 6)
        blocks += [Block(kind="step", text=one.line("instruction_step")) for _ in range(count)]
        return blocks

    return _grow(scribe, size, more)


def readme(scribe: Scribe, size: int) -> Blocks:
    """Documentation: headings, prose, commands, code."""

    def more(one: Scribe, rounds: int) -> Blocks:
        title = one.draw.pick(("Install", "Usage", "Configuration", "Tests", "FAQ", "Known issues"))
        blocks = [Block(kind="heading", text=title)] if rounds else []
        blocks.append(_paragraph(one, size))
        if one.draw.chance(0.5):
            blocks.append(Block(kind="code", text=snippets.code(one)))
        if one.draw.chance(0.4):
            section = one.draw.pick(("instruction_step", "commit"))
            blocks += [Block(kind="item", text=one.line(section)) for _ in range(3)]
        return blocks

    return _grow(scribe, size, more)


def code(scribe: Scribe, size: int) -> Blocks:
    """Source code, several pieces."""
    return _grow(scribe, size, lambda one, _: [Block(kind="code", text=snippets.code(one))])


def output(scribe: Scribe, size: int) -> Blocks:
    """What commands printed."""
    return _grow(scribe, size, lambda one, _: [Block(kind="code", text=snippets.output(one))])


def _message(scribe: Scribe, text: str) -> Block:
    when = str(MAKERS["stamp"](scribe)) if scribe.draw.chance(0.5) else scribe.fill("time")
    return Block(kind="message", text=text, author=scribe.fill("person"), when=when)


def chat(scribe: Scribe, size: int) -> Blocks:
    """Short messages of several people."""

    def more(one: Scribe, _: int) -> Blocks:
        text = one.line("chat") if one.draw.chance(0.65) else one.sentence()
        return [_message(one, text)]

    return _grow(scribe, size, more)


def thread(scribe: Scribe, size: int) -> Blocks:
    """Longer messages: tickets, issues, forum answers, mails in a row."""

    def more(one: Scribe, _: int) -> Blocks:
        text = one.paragraph(int(one.draw.log_between(60, 500)))
        if one.draw.chance(0.12):
            text += "\n\n" + snippets.output(one).rstrip()
        return [_message(one, text)]

    return _grow(scribe, size, more)


def answers(scribe: Scribe, size: int) -> Blocks:
    """A question and what people answered."""
    asked = _message(scribe, scribe.line("question") + " " + scribe.paragraph(min(size // 3, 300)))
    return [asked, *thread(scribe, max(size - len(asked.text), 60))]


def reviews(scribe: Scribe, size: int) -> Blocks:
    """What customers wrote."""
    return _grow(scribe, size, lambda one, _: [_message(one, str(MAKERS["review"](one)))])


def minutes(scribe: Scribe, size: int) -> Blocks:
    """Minutes: agenda items, what was said, who does what."""

    def more(one: Scribe, rounds: int) -> Blocks:
        heading = Block(kind="heading", text=f"{rounds + 1}. {one.line('heading')}")
        action = Block(kind="item", text=one.say("{first}: {act} [by|until] {date}"))
        return [heading, _paragraph(one, size), action] if size > 200 else [_paragraph(one, size)]

    return _grow(scribe, size, more)


def log(scribe: Scribe, size: int) -> Blocks:
    """Log lines with times that run forward."""
    clock = scribe.draw.below(80_000)

    def more(one: Scribe, _: int) -> Blocks:
        nonlocal clock
        clock += one.draw.between(0, 40)
        when = f"{clock // 3600 % 24:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}"
        return [Block(kind="line", text=one.line("log"), when=when)]

    return _grow(scribe, size, more)


def notes(scribe: Scribe, size: int) -> Blocks:
    """Loose paragraphs and bullet points."""

    def more(one: Scribe, _: int) -> Blocks:
        if one.draw.chance(0.5):
            return [Block(kind="item", text=str(MAKERS["remark"](one)))]
        return [_paragraph(one, size)]

    return _grow(scribe, size, more)


def nothing(_scribe: Scribe, _size: int) -> Blocks:
    """No prose: the document is its fields and rows."""
    return []


BODIES: dict[str, Callable[[Scribe, int], Blocks]] = {
    maker.__name__: maker
    for maker in (
        letter, article, steps, readme, code, output, chat, thread, answers, reviews, minutes,
        log, notes, nothing,
    )
}  # fmt: skip
"""Body makers by name."""
