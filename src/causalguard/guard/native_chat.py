"""A chat as tokens for the model that generates: its own chat template, contents that stay inside.

The template is rendered with a mark in place of every content.  What stands between the marks is
the template's and may hold control tokens; contents are tokenised apart with control tokens
switched off, so that no text of any origin can close its own turn (docs/adr/0004).
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalguard.errors import BaseModelError
from causalguard.guard.policy import Incoming
from causalguard.guard.template import Template, canonical_tokenizer, load_tokenizer

RENDERING = 1
"""Version of this rendering; any change raises it and voids native certificates."""
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content']"
    " + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""Used for a base model that brings no chat template."""
VARIABLES = ("bos_token", "eos_token", "unk_token", "pad_token")
"""Names of the tokenizer's settings that chat templates ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A text inside a turn."""

    text: str
    """As the model is to read it."""
    incoming: Incoming | None = None
    """Set: untrusted, must be read by the guard; None: trusted, or the assistant's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTurn:
    """One message of a chat."""

    role: str
    """``system``, ``user``, ``assistant`` or ``tool``."""
    pieces: tuple[Piece, ...]
    """Its texts, shown one under the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an untrusted text stands in the rendered chat."""

    start: int
    """First token."""
    end: int
    """One past the last token; equal to ``start`` for an empty text."""
    offsets: NDArray[np.int64]
    """Character range of each of its tokens in the text, shape (end - start, 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedChat:
    """A chat as tokens."""

    ids: NDArray[np.int64]
    """Token ids, shape (n,)."""
    places: tuple[Place, ...]
    """Of the untrusted pieces, in the order of the chat."""


class ChatRenderer:
    """Renders chats for one base model.  Thread-safe."""

    def __init__(
        self,
        tokenizer: Any,
        chat_template: str = CHATML,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Take a ``tokenizers.Tokenizer`` (copied), the Jinja text and the names it may use."""
        from tokenizers import Tokenizer

        self.template = Template(tokenizer)
        self.chat_template = chat_template
        self.variables = dict(variables or {})
        self._whole = Tokenizer.from_str(json.dumps(canonical_tokenizer(tokenizer.to_str())))
        self._whole.no_truncation()
        self._whole.no_padding()

    @classmethod
    def from_directory(cls, directory: Path) -> "ChatRenderer":
        """Read tokenizer and chat template of a base model's directory.

        Raises BaseModelError when the tokenizer is missing or cannot be used.
        """
        settings = _json(directory / "tokenizer_config.json")
        path = directory / "chat_template.jinja"
        text = path.read_text(encoding="utf-8") if path.is_file() else settings.get("chat_template")
        variables = {name: _text(settings.get(name)) for name in VARIABLES}
        return cls(
            load_tokenizer(directory / "tokenizer.json"),
            text if isinstance(text, str) and text.strip() else CHATML,
            {name: value for name, value in variables.items() if value},
        )

    @property
    def digest(self) -> str:
        """Sha256 over everything but the tokenizer that decides the tokens, in hex."""
        facts = [RENDERING, self.chat_template, sorted(self.variables.items())]
        return sha256(json.dumps(facts).encode()).hexdigest()

    @property
    def end_of_turn(self) -> int | None:
        """Id of the control token that closes a turn, where the tokenizer has ChatML's."""
        known: int | None = self._whole.token_to_id(self.template.spec.close)
        return known

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, control tokens left out."""
        text: str = self._whole.decode(list(ids), skip_special_tokens=True)
        return text

    def render(self, turns: Sequence[ChatTurn], *, prompt: bool = True) -> RenderedChat:
        """Token ids of a chat.

        Args:
            turns: in order; at least one.
            prompt: whether the assistant's turn is opened at the end.

        Raises:
            BaseModelError: the chat template refuses the roles, or drops or repeats a message.
        """
        parts, places, ids = self._skeleton(turns, prompt=prompt), list[Place](), list[int]()
        for between, turn in zip(parts, [*turns, None], strict=True):
            ids += self._whole.encode(between, add_special_tokens=False).ids
            for number, piece in enumerate(turn.pieces if turn else ()):
                if number:
                    ids += self.template.tokens("\n").ids.tolist()
                found = self.template.tokens(piece.text)
                if piece.incoming is not None:
                    end = len(ids) + len(found.ids)
                    places.append(Place(start=len(ids), end=end, offsets=found.offsets))
                ids += found.ids.tolist()
        return RenderedChat(ids=np.asarray(ids, dtype=np.int64), places=tuple(places))

    def _skeleton(self, turns: Sequence[ChatTurn], *, prompt: bool) -> list[str]:
        """What the template puts before each content, and after the last one."""
        from jinja2.exceptions import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        nonce = secrets.token_hex(8)
        marks = [f"\ue000{nonce}:{number}\ue001" for number in range(len(turns))]
        messages = [
            {"role": turn.role, "content": mark} for turn, mark in zip(turns, marks, strict=True)
        ]
        try:
            rendered, _ = render_jinja_template(
                conversations=[messages],
                chat_template=self.chat_template,
                add_generation_prompt=prompt,
                **self.variables,
            )
        except (TemplateError, TypeError) as error:
            roles = ", ".join(dict.fromkeys(turn.role for turn in turns))
            message = (
                f"this base model's chat template cannot render a chat with the roles {roles} "
                f"({error}); use a base model with a tool role, or CausalGuardLLM(inner=...)"
            )
            raise BaseModelError(message) from None
        pieces = re.split(f"(\ue000{nonce}:[0-9]+\ue001)", rendered[0])
        if pieces[1::2] != marks:
            message = (
                "this base model's chat template drops, repeats or reorders messages, so it cannot "
                "be read safely; use another base model, or CausalGuardLLM(inner=...)"
            )
            raise BaseModelError(message)
        return pieces[0::2]


def untrusted(turns: Sequence[ChatTurn]) -> Iterator[tuple[int, int, Piece]]:
    """Turn, place in it, and piece of every untrusted text, in the order of the chat."""
    for at, turn in enumerate(turns):
        for number, piece in enumerate(turn.pieces):
            if piece.incoming is not None:
                yield at, number, piece


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    value = json.loads(path.read_text(encoding="utf-8"))
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A token as older tokenizers write it (an object with ``content``), or plain."""
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else ""
