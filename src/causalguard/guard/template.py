"""The one prompt template: how trusted context and a tool output become tokens.

Tokens are made segment by segment: control tokens come from this module alone, and text of any
origin is tokenised with control tokens switched off, so that a tool output can never close its
own turn.  Training and inference both call :class:`Template`.
"""

import json
import re
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalguard.errors import BaseModelError
from causalguard.guard.spelling import Spelling

SURROGATES = re.compile("[\ud800-\udfff]")
VERSION = 1
"""Version of the template; any change of the rendering raises it and voids certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSpec:
    """What fixes the rendering; its digest is in guard.json and in the certificate."""

    version: int = VERSION
    """Version of this module's rendering."""
    open: str = "<|im_start|>"
    """Opens a turn; one control token where the tokenizer has it, plain text otherwise."""
    close: str = "<|im_end|>"
    """Closes a turn; likewise."""
    system_tokens: int = 96
    """At most this many tokens of the system prompt, its beginning kept; >= 0."""
    task_tokens: int = 160
    """At most this many tokens of the task, its end (the newest turns) kept; >= 1."""

    def digest(self) -> str:
        """Sha256 over the specification, in hex."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A tool output as tokens."""

    ids: NDArray[np.int64]
    """Token ids, shape (n,); never a control token."""
    offsets: NDArray[np.int64]
    """Character range of each token in the original text, shape (n, 2)."""


class Template:
    """Renders trusted context and tool outputs for one tokenizer.  Thread-safe."""

    def __init__(self, tokenizer: Any, spec: TemplateSpec | None = None) -> None:
        """Take a ``tokenizers.Tokenizer`` (copied) and the specification."""
        from tokenizers import Tokenizer

        self.spec = spec or TemplateSpec()
        # Two copies: in one, the text of a control token is ordinary text.
        self._plain = Tokenizer.from_str(json.dumps(canonical_tokenizer(tokenizer.to_str())))
        self._plain.encode_special_tokens = True
        self._plain.no_truncation()
        self._plain.no_padding()
        added = self._plain.get_added_tokens_decoder()
        self._control_ids = frozenset(added)
        self._check_neutral(sorted({token.content for token in added.values()}))
        self._open = self._control(self.spec.open)
        self._close = self._control(self.spec.close)
        self._newline = self._encode("\n")

    @classmethod
    def from_directory(cls, directory: Path, spec: TemplateSpec | None = None) -> "Template":
        """Read ``tokenizer.json`` of a base model's directory.

        Raises BaseModelError when it is missing or cannot be parsed.
        """
        return cls(load_tokenizer(directory / "tokenizer.json"), spec)

    def spelling(self) -> Spelling:
        """The words of this tokenizer, by which careless spelling is known."""
        return Spelling.of(self._plain)

    def _check_neutral(self, control_texts: list[str]) -> None:
        for text in control_texts:
            ids = self._plain.encode(text, add_special_tokens=False).ids
            if self._control_ids.intersection(ids):
                message = (
                    f"this tokenizer cannot read {text!r} as plain text, so a tool output could "
                    "write control tokens; use a base model whose control tokens are special"
                )
                raise BaseModelError(message)

    def _control(self, text: str) -> list[int]:
        known = self._plain.token_to_id(text)
        return [known] if known in self._control_ids else self._encode(text)

    def _encode(self, text: str) -> list[int]:
        ids = self._plain.encode(whole_characters(text), add_special_tokens=False).ids
        return [i for i in ids if i not in self._control_ids]

    def prefix(self, system: str, task: str) -> list[int]:
        """Token ids of the trusted context S up to where the tool output begins."""
        ids: list[int] = []
        if system.strip() and self.spec.system_tokens:
            ids += self._turn("system", self._encode(system)[: self.spec.system_tokens])
        if task.strip():
            ids += self._turn("user", self._encode(task)[-self.spec.task_tokens :])
        return ids + self._open + self._encode("tool\n")

    def _turn(self, role: str, content: list[int]) -> list[int]:
        return [*self._open, *self._encode(f"{role}\n"), *content, *self._close, *self._newline]

    def tokens(self, text: str) -> Tokens:
        """Tokens of a tool output, control tokens neutralised, with character offsets.

        Bytes that the vocabulary cannot write (a few control characters) give no token.
        """
        encoded = self._plain.encode(whole_characters(text), add_special_tokens=False)
        ids = np.asarray(encoded.ids, dtype=np.int64)
        offsets = np.asarray(encoded.offsets, dtype=np.int64).reshape(-1, 2)
        if not self._control_ids.isdisjoint(encoded.ids):
            # Only a tokenizer's unknown token gets here: control texts were tried at start.
            kept = ~np.isin(ids, list(self._control_ids))
            ids, offsets = ids[kept], offsets[kept]
        return Tokens(ids=ids, offsets=offsets)


def whole_characters(text: str) -> str:
    """A text whose halves of surrogate pairs, which no tokenizer takes, are U+FFFD instead.

    JSON escapes can write such halves.  Lengths and offsets stay.
    """
    return text if text.isascii() else SURROGATES.sub("\ufffd", text)


def canonical_tokenizer(serialised: str) -> dict[str, Any]:
    """A tokenizer's JSON with what versions of the libraries write differently made one.

    Converters of different releases give a byte-level BPE an unknown token or byte fallback, or
    an empty normaliser.  Neither belongs there: bytes that the vocabulary cannot write give no
    token, in every version.
    """
    whole: dict[str, Any] = json.loads(serialised)
    model, before = whole["model"], whole.get("pre_tokenizer") or {}
    if model.get("type", "BPE") == "BPE" and before.get("type") == "ByteLevel":
        model.update(unk_token=None, fuse_unk=False, byte_fallback=False)
        model.update(continuing_subword_prefix=None, end_of_word_suffix=None)
        before["trim_offsets"] = True
    normalizer = whole.get("normalizer") or {}
    if normalizer.get("type") == "Sequence" and not normalizer["normalizers"]:
        whole["normalizer"] = None
    return whole


def load_tokenizer(path: Path) -> Any:
    """A ``tokenizers.Tokenizer`` from ``tokenizer.json``; BaseModelError when it is not usable."""
    from tokenizers import Tokenizer

    if not path.is_file():
        raise BaseModelError(f"{path} is missing; a fast tokenizer (tokenizer.json) is needed")
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # noqa: BLE001  # the tokenizers package raises bare Exception
        raise BaseModelError(f"{path} cannot be read as a tokenizer: {error}") from None


def tokenizer_digest(tokenizer: Any) -> str:
    """Sha256 over what decides the token ids: vocabulary, merges, control tokens, pre-tokenizer.

    Not over the file: its layout changes between versions of the tokenizers package.
    """
    whole = canonical_tokenizer(tokenizer.to_str())
    model = whole["model"]
    merges = [m.split(" ") if isinstance(m, str) else list(m) for m in model.get("merges", [])]
    added = sorted((t["id"], t["content"], t["special"]) for t in whole["added_tokens"])
    facts = [model.get("type", "BPE"), model["vocab"], merges, added]
    facts += [whole["normalizer"], whole["pre_tokenizer"]]
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
