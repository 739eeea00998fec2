"""Tokens to risks: windows in batches of like length, trusted context computed once per batch.

Scoring is a pure function of (weights, S, text).  The trusted prefix's keys and values are
computed once per distinct S and shared by its windows.  A text is scored as it stands, the raw
view, and in the decoded views that it has (views.py); the highest risk counts.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from causalguard.errors import ScanError
from causalguard.guard.deadline import side_by_side
from causalguard.guard.encoder import Encoder
from causalguard.guard.fast_llama import FastLlama, KeyValue, joined, level, suits
from causalguard.guard.template import Template, Tokens
from causalguard.guard.views import View, views
from causalguard.guard.wide import Row
from causalguard.guard.wide import read as read_wide
from causalguard.guard.windows import WindowSpec, windows
from causalguard.records import ToolOutput

T = TypeVar("T")
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_] | None
ALL: Mask = None
"""The raw view: every token counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredView:
    """Risks of one decoded view of a tool output."""

    token_risk: Floats
    """Risk of each scored token of the view, shape (n,); 0 where nothing was decoded."""
    offsets: NDArray[np.int64]
    """Characters of the original text behind each token, shape (>= n, 2); runs may repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Everything the guard computed for one tool output."""

    risk: float
    """Document risk: the maximum over tokens of all views, [0, 1], higher is worse; 0 if empty."""
    coverage: float
    """Share of tokens scored, [0, 1]: the smallest over the views; 0 if a text gives no token."""
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
    views: tuple[ScoredView, ...] = ()
    """Decoded views; the fields above but risk, coverage and R speak of the raw view alone."""


@dataclass(frozen=True, slots=True)
class _Window:
    """One window of one document or view, ready to be batched."""

    document: int
    start: int
    ids: NDArray[np.int64]


class Scorer:
    """Runs the encoder.  Thread-safe; on CPUs batches run side by side, one thread each."""

    def __init__(
        self,
        encoder: Encoder,
        template: Template,
        spec: WindowSpec,
        *,
        threshold: float,
        batch_tokens: int = 4096,
        with_views: bool = True,
        wide: bool | None = None,
    ) -> None:
        """Take the parts.

        Args:
            encoder: backbone and heads.
            template: the rendering.
            spec: the window grid, which views use too.
            threshold: flagged from here on, (0, 1].
            batch_tokens: tokens per forward, padding included; bounds memory, not results.
            with_views: False scores the raw view alone: models of scoring version 1.
            wide: windows of all tasks in one batch, each behind its own prefix (wide.py); None:
                wherever the encoder is not on a CPU.
        """
        self.encoder = encoder.eval()
        self.template = template
        self.spec = spec
        self.threshold = threshold
        self.batch_tokens = batch_tokens
        self.with_views = with_views
        self._spelling = template.spelling() if with_views else None
        self.wide = self.device.type != "cpu" if wide is None else wide
        self.exit = encoder.exits[-1]
        self.width = encoder.head(self.exit).risk.in_features
        self._lock = threading.Lock()
        self._prefixes: OrderedDict[tuple[int, ...], list[KeyValue]] = OrderedDict()
        self._contexts: OrderedDict[bytes, tuple[int, ...]] = OrderedDict()
        self._contexts_lock = threading.Lock()
        self._fast: FastLlama | None = None
        self._fast_tried = False

    @property
    def device(self) -> torch.device:
        """Where the encoder is."""
        return next(self.encoder.parameters()).device

    @property
    def at_once(self) -> int:
        """How many texts to give :meth:`score` at a time, where there are many."""
        return MANY if self.wide else SOME

    def score(self, outputs: Sequence[ToolOutput]) -> list[Scored]:
        """Score tool outputs, each against its own trusted context."""
        readings = [self._read(output.text) for output in outputs]
        groups: dict[tuple[int, ...], list[_Window]] = {}
        documents: list[_Document] = []
        for output, tokens in zip(outputs, readings, strict=True):
            prefix = self._prefix_ids(output.system, output.task)
            for found, counts in tokens:
                n = min(len(found.ids), self.spec.max_tokens)
                groups.setdefault(prefix, []).extend(
                    _Window(len(documents), a, found.ids[a:b]) for a, b in windows(n, self.spec)
                )
                documents.append(_Document(found, counts, self.spec, self.width))
        if self.wide:
            self._read_wide(groups, documents)
            groups = {}
        for batch, (r, risk) in self._narrow(groups):
            for row, window in enumerate(batch):
                n = len(window.ids)
                documents[window.document].add(window.start, r[row, :n], risk[row, :n])
        done = iter(documents)
        return [
            _finish([next(done) for _ in tokens], self.threshold, empty=not output.text)
            for output, tokens in zip(outputs, readings, strict=True)
        ]

    def _read_wide(
        self, groups: dict[tuple[int, ...], list[_Window]], documents: list["_Document"]
    ) -> None:
        """All windows at once, whatever their prefixes."""
        items = [(prefix, window) for prefix, some in groups.items() for window in some]
        rows = []
        for prefix, window in items:
            counts = documents[window.document].counts
            part = None if counts is None else counts[window.start : window.start + len(window.ids)]
            rows.append(Row(prefix=prefix, ids=window.ids, counts=part))
        with self._lock:
            readings = read_wide(self.encoder, self.exit, rows, self.batch_tokens)
        for (_, window), found in zip(items, readings, strict=True):
            documents[window.document].take(window.start, found.risk, found.r, found.mean)

    def _prefix_ids(self, system: str, task: str) -> tuple[int, ...]:
        """Token ids of S, remembered by its digest: a turn has one S, which may be long."""
        first, second = (part.encode("utf-8", "surrogatepass") for part in (system, task))
        key = sha256(b"%d:%b%b" % (len(first), first, second)).digest()
        with self._contexts_lock:
            known = self._contexts.get(key)
        if known is None:
            known = tuple(self.template.prefix(system, task))
        with self._contexts_lock:
            self._contexts[key] = known
            self._contexts.move_to_end(key)
            while len(self._contexts) > CONTEXTS_KEPT:
                self._contexts.popitem(last=False)
        return known

    def _read(self, text: str) -> list[tuple[Tokens, Mask]]:
        """Tokens of the raw view and of the decoded ones, and whether the risk of each counts.

        All have their offsets in the original.
        """
        raw = self.template.tokens(text)
        # A text that is too long is flagged already: nothing more is spent on it.
        if not self.with_views or len(raw.ids) > self.spec.max_tokens:
            return [(raw, ALL)]
        return [(raw, ALL), *(self._tokens(view) for view in views(text, self._spelling))]

    def _tokens(self, view: View) -> tuple[Tokens, Mask]:
        tokens = self.template.tokens(view.text)
        placed = Tokens(ids=tokens.ids, offsets=view.original(tokens.offsets))
        return placed, view.counts(tokens.offsets)

    def _narrow(
        self, groups: dict[tuple[int, ...], list[_Window]]
    ) -> Iterator[tuple[list[_Window], tuple[Floats, Floats]]]:
        """Each batch of windows with its results: R (B, T, width) and risks (B, T)."""
        width = torch.get_num_threads()
        with self._lock:
            fast = self._fast_path()
        total = sum(len(w.ids) for items in groups.values() for w in items)
        # A batch for every thread, where there is enough for all.
        most = self.batch_tokens if fast is None else max(-(-total // width), LEAST)
        jobs: list[tuple[tuple[int, ...], list[_Window]]] = []
        for prefix, items in groups.items():
            items.sort(key=lambda w: len(w.ids))
            jobs += [(prefix, batch) for batch in batches(items, min(self.batch_tokens, most))]
        if fast is None:
            for prefix, batch in jobs:
                with self._lock:
                    found = self._read_windows(prefix, *_padded(batch))
                yield batch, found
            return
        # Threads that work alone beat a team on small products, so what is less than a batch for
        # every thread is cut along its tokens.
        n = -(-width // max(len(jobs), 1))
        for start in range(0, len(jobs), WAVE * width):
            wave = jobs[start : start + WAVE * width]
            with self._lock:
                kept = [self._prefix(prefix, fast) for prefix, _ in wave]
            works = [
                self._read_fast(fast, states, _padded(batch)[0], n)
                for states, (_, batch) in zip(kept, wave, strict=True)
            ]
            answers = iter(side_by_side([part for parts in works for part in parts], width))
            for parts, (_, batch) in zip(works, wave, strict=True):
                r, risk = zip(*(next(answers) for _ in parts), strict=True)
                yield batch, (np.concatenate(r, axis=1), np.concatenate(risk, axis=1))

    def _read_fast(
        self, fast: FastLlama, kept: list[KeyValue], ids: Tensor, n: int
    ) -> list[Callable[[], tuple[Floats, Floats]]]:
        """Calls for consecutive tokens of a batch, up to n of them."""
        pieces = fast.pieces(ids, kept, (self.exit,), _pieces(ids.shape[1], n))
        return [partial(self._read_piece, piece) for piece in pieces]

    @torch.inference_mode()
    def _read_piece(self, piece: Callable[[], dict[int, Tensor]]) -> tuple[Floats, Floats]:
        one_thread()
        states = piece()[self.exit]
        rows, length = states.shape[:2]
        r, logits = self.encoder.head(self.exit)(level(states.flatten(0, 1)))
        n = rows * length
        return _to_numpy(r[:n].view(rows, length, -1), logits[:n].view(rows, length))

    @torch.inference_mode()
    def _read_windows(
        self, prefix: tuple[int, ...], ids: Tensor, lengths: list[int]
    ) -> tuple[Floats, Floats]:
        return _to_numpy(*self._plain(ids, self._prefix(prefix, None), lengths))

    def _fast_path(self) -> FastLlama | None:
        """The short way through a Llama on a CPU; made on first use, for it copies weights."""
        if not self._fast_tried:
            self._fast_tried = True
            if suits(self.encoder.backbone):
                self._fast = FastLlama(self.encoder.backbone)
        return self._fast

    def slim(self) -> None:
        """Let go of the encoder's layers where the short way has their weights: half the memory.

        From then on only :meth:`score` works; who needs the layers calls ``build_scorer``.
        """
        if self._fast_path() is not None:
            self.encoder.backbone = Released()

    def _plain(
        self, ids: Tensor, kept: list[KeyValue], lengths: list[int]
    ) -> tuple[Tensor, Tensor]:
        """The heads' outputs by way of transformers: any architecture, any device."""
        from transformers import DynamicCache

        before = kept[0][0].shape[2]
        mask = torch.zeros((len(ids), before + ids.shape[1]), dtype=torch.long)
        for row, n in enumerate(lengths):
            mask[row, : before + n] = 1
        cache = DynamicCache([(_expand(k, len(ids)), _expand(v, len(ids))) for k, v in kept])
        found: dict[int, tuple[Tensor, Tensor]] = self.encoder(
            ids.to(self.device), mask.to(self.device), past_key_values=cache, use_cache=True
        )
        return found[self.exit]

    def _prefix(self, prefix: tuple[int, ...], fast: FastLlama | None) -> list[KeyValue]:
        """Keys and values of the trusted prefix; a few are remembered."""
        kept = self._prefixes.get(prefix)
        if kept is None:
            ids = torch.tensor([prefix], device=self.device)
            kept = _prefix_fast(fast, ids) if fast is not None else self._read_prefix(ids)
            self._prefixes[prefix] = kept
            while len(self._prefixes) > PREFIXES_KEPT:
                self._prefixes.popitem(last=False)
        else:
            self._prefixes.move_to_end(prefix)
        return kept

    def _read_prefix(self, ids: Tensor) -> list[KeyValue]:
        from transformers import DynamicCache

        cache = DynamicCache()
        self.encoder.backbone(input_ids=ids, past_key_values=cache, use_cache=True)
        return [(layer.keys, layer.values) for layer in cache.layers]


class Released(nn.Module):
    """Stands where the layers were."""

    @property
    def config(self) -> Any:
        raise RuntimeError("this guard let go of its layers; make a scorer with build_scorer")


NO_NUMBER = (
    "the guard computed a risk that is no number, so nothing is known of this text; its weights "
    "are damaged or too large for this dtype: load it in float32, or another model"
)
SOME, MANY = 64, 1024
"""Texts that fill a batch on a CPU, and on a GPU."""
LEAST = 64
"""Tokens below which a thread's share of a batch is not worth having: weights are read for each."""
WAVE = 4
"""Batches for each thread whose results are held at a time."""
PADDING = 2
"""Padding of a batch stays below one row's tokens over this."""
CONTEXTS_KEPT = 64
"""Trusted contexts whose token ids stay in memory: a few hundred numbers each."""
PREFIXES_KEPT = 8
"""Trusted prefixes whose keys and values stay in memory: 20 layers x 256 tokens are 15 MB each."""


_own = threading.local()


def one_thread() -> None:
    """Make this thread do its arithmetic alone, and leave all others as they are.

    torch keeps the number for the calling thread, and a default for threads to come; the second
    is put back by a thread that ends at once.
    """
    if not getattr(_own, "alone", False):
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        other = threading.Thread(target=torch.set_num_threads, args=(before,))
        other.start()
        other.join()
        _own.alone = True


def _pieces(tokens: int, n: int) -> int:
    return max(1, min(n, tokens // LEAST))


def _prefix_fast(fast: FastLlama, ids: Tensor) -> list[KeyValue]:
    width = torch.get_num_threads()
    pieces = fast.prefix_pieces(ids, _pieces(ids.shape[1], width))
    return joined(side_by_side([partial(_by_itself, piece) for piece in pieces], width))


def _by_itself(work: Callable[[], T]) -> T:
    one_thread()
    return work()


def batches(items: list[_Window], tokens: int) -> list[list[_Window]]:
    """Windows in order of length into batches of bounded size, with little padding."""
    found: list[list[_Window]] = []
    for item in items:
        n = len(item.ids)
        last = found[-1] if found else []
        padding = sum(n - len(window.ids) for window in last)
        if last and (len(last) + 1) * n <= tokens and padding <= n // PADDING:
            last.append(item)
        else:
            found.append([item])
    return found


def _padded(batch: list[_Window]) -> tuple[Tensor, list[int]]:
    """Token ids (B, T) with zeros on the right, and the lengths."""
    ids = torch.zeros((len(batch), max(len(w.ids) for w in batch)), dtype=torch.long)
    for row, window in enumerate(batch):
        ids[row, : len(window.ids)] = torch.from_numpy(window.ids)
    return ids, [len(w.ids) for w in batch]


def _to_numpy(r: Tensor, logits: Tensor) -> tuple[Floats, Floats]:
    return r.float().cpu().numpy(), torch.sigmoid(logits.double()).float().cpu().numpy()


def _expand(tensor: Tensor, batch: int) -> Tensor:
    return tensor.expand(batch, -1, -1, -1)


class _Document:
    """Collects the windows of one document, or of one view of it."""

    def __init__(self, tokens: Tokens, counts: Mask, spec: WindowSpec, width: int) -> None:
        self.counts = counts
        self.offsets = tokens.offsets
        self.n_tokens = len(tokens.ids)
        self.token_risk = np.zeros(min(self.n_tokens, spec.max_tokens), dtype=np.float32)
        self.best = (-1.0, 0)
        self.r: Floats = np.zeros(width, dtype=np.float32)
        self.mean: Floats = np.zeros(width, dtype=np.float32)

    def add(self, start: int, r: Floats, risk: Floats) -> None:
        if self.counts is not None:
            risk = np.where(self.counts[start : start + len(risk)], risk, np.float32(0))
        self.take(start, risk, r[int(risk.argmax())], r.mean(axis=0))

    def take(self, start: int, risk: Floats, r: Floats, mean: Floats) -> None:
        """Risks of a window's tokens that count, R at the highest of them, mean R."""
        part = self.token_risk[start : start + len(risk)]
        np.maximum(part, risk, out=part)
        highest = float(risk.max())
        if not math.isfinite(highest):  # it would compare below every threshold
            raise ScanError(NO_NUMBER)
        # Ties go to the earlier window, so that the order of batches does not matter.
        if (highest, -start) > self.best:
            self.best = (highest, -start)
            self.r, self.mean = r.copy(), mean

    @property
    def coverage(self) -> float:
        return len(self.token_risk) / self.n_tokens if self.n_tokens else 1.0


def _finish(documents: list[_Document], threshold: float, *, empty: bool) -> Scored:
    """The raw view, first in the list, and the decoded ones as one result."""
    raw = documents[0]
    # Ties go to the raw view, then to the view decoded less.
    best = max(documents, key=lambda d: d.best[0])
    coverage = min(d.coverage for d in documents)
    if not raw.n_tokens and not empty:  # the vocabulary cannot write any of it: nothing was read
        coverage = 0.0
    risk = max(best.best[0], 0.0)
    return Scored(
        risk=risk,
        coverage=coverage,
        flagged=risk >= threshold or coverage < 1.0,
        n_tokens=raw.n_tokens,
        token_risk=raw.token_risk,
        offsets=raw.offsets,
        representation=best.r,
        mean=best.mean,
        views=tuple(ScoredView(token_risk=d.token_risk, offsets=d.offsets) for d in documents[1:]),
    )
