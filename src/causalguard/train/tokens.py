"""Examples as tokens: made once and kept on disk under the digest of their content."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalguard.guard.base import home
from causalguard.guard.template import Template
from causalguard.train.cache import content_key, kept
from causalguard.train.chats import Chats
from causalguard.train.examples import ROLES, Example

Ints = NDArray[np.int64]
CACHE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Examples as flat token arrays; n examples, m distinct prefixes."""

    ids: NDArray[np.int32]
    """Tokens of all texts, one after the other."""
    starts: Ints
    """Where text i begins in ``ids``; shape (n + 1,)."""
    spans: Ints
    """Token range of each instruction, relative to its text; (-1, -1) when unknown; (n, 2)."""
    prefix_ids: NDArray[np.int32]
    """Tokens of all distinct prefixes, one after the other."""
    prefix_starts: Ints
    """Where prefix j begins; shape (m + 1,)."""
    prefix_of: Ints
    """Prefix of example i; shape (n,)."""
    y: Ints
    """0 or 1; shape (n,)."""
    role: Ints
    """Index into ROLES; shape (n,)."""
    group: Ints
    """Group of example i, dense from 0; shape (n,)."""
    source: Ints
    """Source of example i, index into ``sources``; shape (n,)."""
    family: tuple[str, ...]
    """Family group per example."""
    sources: tuple[str, ...]
    """Names of the sources."""
    chats: Chats | None = None
    """Prompts with answers for the task term, example by example; None: there is no such term."""

    def __len__(self) -> int:
        return len(self.y)

    @property
    def lengths(self) -> Ints:
        """Tokens of each text; shape (n,)."""
        return np.diff(self.starts)

    def text(self, i: int) -> NDArray[np.int32]:
        """Tokens of text i."""
        return self.ids[self.starts[i] : self.starts[i + 1]]

    def take(self, keep: Ints) -> "Corpus":
        """The corpus with these examples only, in this order."""
        texts = [self.text(int(i)) for i in keep]
        _, group = np.unique(self.group[keep], return_inverse=True)
        return replace(
            self,
            ids=np.concatenate(texts),
            starts=_starts(texts),
            spans=self.spans[keep],
            prefix_of=self.prefix_of[keep],
            y=self.y[keep],
            role=self.role[keep],
            group=group.astype(np.int64),
            source=self.source[keep],
            family=tuple(self.family[int(i)] for i in keep),
            chats=None if self.chats is None else self.chats.take(keep),
        )

    def prefix(self, i: int) -> NDArray[np.int32]:
        """Tokens of the trusted prefix of example i."""
        j = self.prefix_of[i]
        return self.prefix_ids[self.prefix_starts[j] : self.prefix_starts[j + 1]]


def token_span(offsets: Ints, start: int, end: int) -> tuple[int, int]:
    """Half-open range of the tokens that overlap the characters [start, end)."""
    inside = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < end))
    return (int(inside[0]), int(inside[-1]) + 1) if inside.size else (-1, -1)


def make_corpus(
    examples: Sequence[Example], template: Template, *, tokenizer_sha256: str, cache: Path | None
) -> Corpus:
    """Tokenise examples, or take the tokens from the cache.

    Args:
        examples: at least one.
        template: the guard's own.
        tokenizer_sha256: digest of the tokenizer, part of the cache key.
        cache: folder of the cache; None: no cache.
    """
    facts = (str(CACHE_VERSION), tokenizer_sha256, template.spec.digest())
    rows = ((e.output.system, e.output.task, e.output.text, str(e.span)) for e in examples)
    path = None if cache is None else cache / f"{content_key(facts, rows)}.npz"
    return _corpus(examples, kept(path, lambda: _tokenise(examples, template)))


def with_whole_tasks(examples: Sequence[Example], template: Template) -> list[Example]:
    """Examples without the authorised ones whose task the template cuts.

    What authorises may stand at the task's beginning, and the template keeps its end: the rest
    would be an unauthorised instruction with the label of an authorised one.
    """
    most = template.spec.task_tokens
    return [
        e
        for e in examples
        if e.kind != "authorised" or len(template.tokens(e.output.task).ids) <= most
    ]


def default_cache() -> Path:
    """Where tokens are kept between runs."""
    return home() / "tokens"


def _tokenise(examples: Sequence[Example], template: Template) -> dict[str, NDArray[Any]]:
    prefixes: dict[tuple[str, str], int] = {}
    prefix_of = [
        prefixes.setdefault((e.output.system, e.output.task), len(prefixes)) for e in examples
    ]
    heads = [np.asarray(template.prefix(s, t), dtype=np.int32) for s, t in prefixes]
    known: dict[str, Any] = {}
    texts, spans = [], []
    for e in examples:
        if e.output.text not in known:  # an authorised twin has the injected text once more
            known[e.output.text] = template.tokens(e.output.text)
        found = known[e.output.text]
        texts.append(found.ids.astype(np.int32))
        spans.append(token_span(found.offsets, e.span.start, e.span.end) if e.span else (-1, -1))
    return {
        "ids": np.concatenate(texts),
        "starts": _starts(texts),
        "spans": np.asarray(spans, dtype=np.int64).reshape(-1, 2),
        "prefix_ids": np.concatenate(heads),
        "prefix_starts": _starts(heads),
        "prefix_of": np.asarray(prefix_of, dtype=np.int64),
    }


def _starts(parts: Sequence[NDArray[np.int32]]) -> Ints:
    return np.concatenate(([0], np.cumsum([len(p) for p in parts]))).astype(np.int64)


def _corpus(examples: Sequence[Example], arrays: dict[str, NDArray[Any]]) -> Corpus:
    groups: dict[str, int] = {}
    sources: dict[str, int] = {}
    return Corpus(
        **arrays,
        y=np.asarray([e.y for e in examples]),
        role=np.asarray([ROLES.index(e.kind) for e in examples]),
        group=np.asarray([groups.setdefault(e.group, len(groups)) for e in examples]),
        source=np.asarray([sources.setdefault(e.source, len(sources)) for e in examples]),
        family=tuple(e.family for e in examples),
        sources=tuple(sources),
        chats=None,
    )
