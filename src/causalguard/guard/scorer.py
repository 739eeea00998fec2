"""Tokens to risks: windows in batches of like length, trusted context computed once per batch.

Scoring is a pure function of (weights, S, text).  The trusted prefix's keys and values are
computed once per distinct S and shared by its windows.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalguard.guard.encoder import Encoder
from causalguard.guard.template import Template, Tokens
from causalguard.guard.windows import WindowSpec, windows
from causalguard.records import ToolOutput

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Everything the guard computed for one tool output."""

    risk: float
    """Document risk: the maximum over tokens, [0, 1], higher is worse; 0 for an empty text."""
    coverage: float
    """Share of tokens scored, [0, 1]."""
    flagged: bool
    """risk >= threshold, or coverage < 1."""
    n_tokens: int
    """Tokens of the tool output."""
    token_risk: Floats
    """Risk of each scored token, the maximum over the windows that hold it, shape (n,)."""
    offsets: NDArray[np.int64]
    """Character ranges of the tokens, shape (n_tokens, 2)."""
    representation: Floats
    """R at the token of highest risk, on the unit sphere, shape (width,); zeros when empty."""
    mean: Floats
    """Mean of R over the window that holds that token, shape (width,)."""


@dataclass(frozen=True, slots=True)
class _Window:
    """One window of one document, ready to be batched."""

    document: int
    start: int
    ids: NDArray[np.int64]


class Scorer:
    """Runs the encoder.  Thread-safe: one forward at a time."""

    def __init__(
        self,
        encoder: Encoder,
        template: Template,
        spec: WindowSpec,
        *,
        threshold: float,
        batch_tokens: int = 4096,
    ) -> None:
        """``batch_tokens``: tokens per forward, padding included; bounds memory, not results."""
        self.encoder = encoder.eval()
        self.template = template
        self.spec = spec
        self.threshold = threshold
        self.batch_tokens = batch_tokens
        self.exit = encoder.exits[-1]
        self.width = encoder.head(self.exit).risk.in_features
        self._lock = threading.Lock()
        self._prefixes: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    @property
    def device(self) -> torch.device:
        """Where the encoder is."""
        return next(self.encoder.parameters()).device

    def score(self, outputs: Sequence[ToolOutput]) -> list[Scored]:
        """Score tool outputs, each against its own trusted context."""
        tokens = [self.template.tokens(o.text) for o in outputs]
        groups: dict[tuple[int, ...], list[_Window]] = {}
        for index, (output, found) in enumerate(zip(outputs, tokens, strict=True)):
            prefix = tuple(self.template.prefix(output.system, output.task))
            n = min(len(found.ids), self.spec.max_tokens)
            groups.setdefault(prefix, []).extend(
                _Window(index, a, found.ids[a:b]) for a, b in windows(n, self.spec)
            )
        documents = [_Document(found, self.spec, self.width) for found in tokens]
        for prefix, items in groups.items():
            items.sort(key=lambda w: len(w.ids))
            for batch in self._batches(items):
                r, risk = self._forward(prefix, batch)
                for row, window in enumerate(batch):
                    n = len(window.ids)
                    documents[window.document].add(window.start, r[row, :n], risk[row, :n])
        return [document.finish(self.threshold) for document in documents]

    def _batches(self, items: list[_Window]) -> list[list[_Window]]:
        batches: list[list[_Window]] = []
        for item in items:
            if batches and (len(batches[-1]) + 1) * len(item.ids) <= self.batch_tokens:
                batches[-1].append(item)
            else:
                batches.append([item])
        return batches

    def _forward(self, prefix: tuple[int, ...], batch: list[_Window]) -> tuple[Floats, Floats]:
        longest = max(len(w.ids) for w in batch)
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        mask = torch.zeros((len(batch), len(prefix) + longest), dtype=torch.long)
        mask[:, : len(prefix)] = 1
        for row, window in enumerate(batch):
            ids[row, : len(window.ids)] = torch.from_numpy(window.ids)
            mask[row, len(prefix) : len(prefix) + len(window.ids)] = 1
        with self._lock, torch.inference_mode():
            cache = self._prefix_cache(prefix, len(batch))
            r, logits = self.encoder(
                ids.to(self.device), mask.to(self.device), past_key_values=cache, use_cache=True
            )[self.exit]
            return r.float().cpu().numpy(), torch.sigmoid(logits.double()).float().cpu().numpy()

    def _prefix_cache(self, prefix: tuple[int, ...], batch: int) -> Any:
        """Keys and values of the trusted prefix, expanded to the batch; a few are remembered."""
        from transformers import DynamicCache

        kept = self._prefixes.get(prefix)
        if kept is None:
            cache = DynamicCache()
            ids = torch.tensor([prefix], device=self.device)
            self.encoder.backbone(input_ids=ids, past_key_values=cache, use_cache=True)
            kept = [(layer.keys, layer.values) for layer in cache.layers]
            self._prefixes[prefix] = kept
            while len(self._prefixes) > PREFIXES_KEPT:
                self._prefixes.popitem(last=False)
        else:
            self._prefixes.move_to_end(prefix)
        return DynamicCache([(_expand(k, batch), _expand(v, batch)) for k, v in kept])


PREFIXES_KEPT = 8
"""Trusted prefixes whose keys and values stay in memory: 20 layers x 256 tokens are 15 MB each."""


def _expand(tensor: Tensor, batch: int) -> Tensor:
    return tensor.expand(batch, -1, -1, -1)


class _Document:
    """Collects the windows of one document."""

    def __init__(self, tokens: Tokens, spec: WindowSpec, width: int) -> None:
        self.offsets = tokens.offsets
        self.n_tokens = len(tokens.ids)
        self.token_risk = np.zeros(min(self.n_tokens, spec.max_tokens), dtype=np.float32)
        self.best = (-1.0, 0)
        self.r: Floats = np.zeros(width, dtype=np.float32)
        self.mean: Floats = np.zeros(width, dtype=np.float32)

    def add(self, start: int, r: Floats, risk: Floats) -> None:
        part = self.token_risk[start : start + len(risk)]
        np.maximum(part, risk, out=part)
        at = int(risk.argmax())
        # Ties go to the earlier window, so that the order of batches does not matter.
        if (float(risk[at]), -start) > self.best:
            self.best = (float(risk[at]), -start)
            self.r, self.mean = r[at].copy(), r.mean(axis=0)

    def finish(self, threshold: float) -> Scored:
        coverage = len(self.token_risk) / self.n_tokens if self.n_tokens else 1.0
        risk = max(self.best[0], 0.0)
        return Scored(
            risk=risk,
            coverage=coverage,
            flagged=risk >= threshold or coverage < 1.0,
            n_tokens=self.n_tokens,
            token_risk=self.token_risk,
            offsets=self.offsets,
            representation=self.r,
            mean=self.mean,
        )
