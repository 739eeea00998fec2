"""Chats for the task term: what native mode prefills, and the answer that should follow.

The prompt is native mode's own rendering, so the template's tokens stand in it once, as they do
when the model answers.  The answer is tokenised as every text of any origin, control tokens
switched off, and closed by the token that ends an answer.  Nothing but the answer is a target.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from causalguard.errors import BaseModelError, DataError
from causalguard.guard.base import BaseFiles, load_config
from causalguard.records import ToolOutput
from causalguard.train.cache import Arrays, content_key, kept
from causalguard.train.examples import Example

if TYPE_CHECKING:
    from causalguard.guard.native_chat import ChatRenderer

Ints = NDArray[np.int64]
CACHE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A prompt with its answer."""

    ids: NDArray[np.int32]
    """Tokens of both, shape (n,)."""
    prompt: int
    """Tokens of the prompt, 1 <= prompt < n: what follows is the answer, its end included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chats:
    """The chats of n examples, as flat arrays."""

    ids: NDArray[np.int32]
    """Tokens of all chats, one after the other."""
    starts: Ints
    """Where the chat of example i begins; shape (n + 1,).  No tokens: it has none."""
    prompts: Ints
    """Tokens of each prompt, 0 where there is no chat; shape (n,)."""

    def __len__(self) -> int:
        return len(self.prompts)

    def get(self, i: int) -> Chat | None:
        """The chat of example i, if it has one."""
        if not self.prompts[i]:
            return None
        return Chat(ids=self.ids[self.starts[i] : self.starts[i + 1]], prompt=int(self.prompts[i]))

    def take(self, keep: Ints) -> "Chats":
        """The chats of these examples, in this order."""
        return _flat([self.get(int(i)) for i in keep])

    def without(self, left_out: NDArray[np.bool_]) -> "Chats":
        """The same, these examples without a chat."""
        return _flat([None if left_out[i] else self.get(i) for i in range(len(self))])


def _flat(chats: Sequence[Chat | None]) -> Chats:
    sizes = [0 if c is None else len(c.ids) for c in chats]
    parts = [c.ids for c in chats if c is not None]
    return Chats(
        ids=np.concatenate([np.zeros(0, dtype=np.int32), *parts]),
        starts=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        prompts=np.asarray([0 if c is None else c.prompt for c in chats], dtype=np.int64),
    )


def make_chat(renderer: "ChatRenderer", output: ToolOutput, response: str, *, end: int) -> Chat:
    """Tokens of a chat with one tool output, answered.

    Args:
        renderer: of the base model's chats.
        output: the tool output with its context.
        response: the answer, not empty.
        end: the token that ends an answer.
    """
    from causalguard.guard.native import chat_of

    prompt = renderer.render(chat_of(output)).ids
    answer = renderer.template.tokens(response).ids
    ids = np.concatenate((prompt, answer, [end])).astype(np.int32)
    return Chat(ids=ids, prompt=len(prompt))


def end_of_answer(base: BaseFiles, renderer: "ChatRenderer") -> int:
    """The token after which native mode stops; the chat template's own choice among several.

    Raises BaseModelError when the base names none.
    """
    from causalguard.guard.native import end_ids
    from causalguard.guard.native_chat import ChatTurn, Piece

    known = end_ids(SimpleNamespace(config=load_config(base).get_text_config()), renderer)
    if not known:
        raise BaseModelError(
            f"{base.name} names no token that ends an answer (eos_token_id in config.json); set "
            "it, or loss.task: 0"
        )
    turns = [ChatTurn(role=r, pieces=(Piece(text="x"),)) for r in ("user", "assistant")]
    closed = renderer.render(turns, prompt=False).ids
    return next((int(i) for i in reversed(closed) if int(i) in known), min(known))


def make_chats(
    examples: Sequence[Example],
    base: BaseFiles,
    *,
    limit: int,
    tokenizer_sha256: str,
    cache: Path | None = None,
) -> Chats:
    """The chats of examples that have a response, all others without one.

    Args:
        examples: in the order of their corpus.
        base: tokenizer, chat template and config.json are read.
        limit: longest chat in tokens, answer included; examples beyond it get none.
        tokenizer_sha256: digest of the tokenizer, part of the cache key.
        cache: folder of the token cache; None: no cache.

    Raises:
        DataError: no example has a response, or none fits.
        BaseModelError: the base's chat template cannot render a tool output.
    """
    from causalguard.guard.native_chat import ChatRenderer

    renderer = ChatRenderer.from_directory(base.directory)
    end = end_of_answer(base, renderer)
    positions = getattr(load_config(base).get_text_config(), "max_position_embeddings", None)
    most = min(limit, positions or limit)

    def make() -> Arrays:
        found = (
            make_chat(renderer, e.output, e.response, end=end) if e.response.strip() else None
            for e in examples
        )
        return asdict(_flat(list(found)))

    facts = (str(CACHE_VERSION), "chats", tokenizer_sha256, renderer.digest, str(end))
    rows = ((e.output.system, e.output.task, e.output.text, e.response) for e in examples)
    path = None if cache is None else cache / f"{content_key(facts, rows)}.npz"
    found = Chats(**kept(path, make))
    if not found.prompts.any():
        raise DataError(
            "loss.task is above 0, but no matched set has a response (the answer that serves the "
            "task given the benign text); give data.files whose rows have `response`, which the "
            "engine's sets do not, or set loss.task: 0"
        )
    sizes = np.diff(found.starts)
    if not (sizes[found.prompts > 0] <= most).any():
        raise DataError(
            f"loss.task is above 0, but the shortest chat with its response has "
            f"{sizes[found.prompts > 0].min()} tokens "
            f"and at most {most} are allowed; raise data.task_tokens or shorten the texts"
        )
    return found.without(sizes > most)


def describe(chats: Chats, examples: Sequence[Example]) -> str:
    """One line on how many examples take part in the task term, and why others do not."""
    kept = int((chats.prompts > 0).sum())
    given = sum(bool(e.response.strip()) for e in examples)
    answers = np.diff(chats.starts)[chats.prompts > 0] - chats.prompts[chats.prompts > 0]
    return (
        f"task term: {kept} chats, answers of {int(np.median(answers))} tokens in the median; "
        f"{given - kept} left out as too long, {len(examples) - given} examples without a response"
    )
