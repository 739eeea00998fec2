"""Scoring the dev split, and the metric that picks a checkpoint: the worst group's TPR.

A model that gives one risk to everything, or collapses R, scores 0 here: ties at the cut count
as misses.
"""

import gc
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from causalguard.guard.windows import WindowSpec, windows
from causalguard.stats.ranking import auroc, tpr_at_fpr
from causalguard.train.gather import many_processes
from causalguard.train.model import TrainedModel
from causalguard.train.tokens import Corpus

FPR = 0.01
"""False-positive rate at which groups are compared."""
MIN_POSITIVES = 5
"""Groups with fewer attacks have no figure of their own."""
GPU_TOKENS, CPU_TOKENS = 65_536, 4096
"""Tokens of a forward beyond which a device gains nothing."""


def document_risks(
    model: TrainedModel, corpus: Corpus, spec: WindowSpec, *, batch_tokens: int | None = None
) -> NDArray[np.float64]:
    """Risk of each text of a corpus at the deepest exit: maximum over tokens and windows, (n,).

    Windows of like length share a forward; memory does not grow with the corpus.  Where a forward
    runs out of memory all the same, it and all after it are of half as many tokens.

    Args:
        model: stays in the mode that it is in.
        corpus: texts with their contexts.
        spec: the guard's grid.
        batch_tokens: most tokens of a forward, padding included, if a window has no more; what
            suits the device is never exceeded.  Risks depend on it by rounding alone.

    Raises torch.OutOfMemoryError when not even one window fits, or other processes train as well.
    """
    device = next(model.parameters()).device
    most = GPU_TOKENS if device.type == "cuda" else CPU_TOKENS
    tokens = min(most, batch_tokens or most)
    jobs = _jobs(corpus, spec)
    risks = np.zeros(len(corpus), dtype=np.float64)
    was_training = model.training
    model.eval()
    start = 0
    with torch.inference_mode():
        while start < len(jobs):
            end = _end(jobs, start, tokens)
            batch = jobs[start:end]
            found = _window_risks(model, corpus, batch)
            if found is None:
                tokens = len(batch) * batch[-1].tokens // 2
                continue
            np.maximum.at(risks, [job.text for job in batch], found)
            start = end
    model.train(was_training)
    return risks


class _Job(NamedTuple):
    """A window of a text; jobs sort by length."""

    tokens: int
    """Of context and window."""
    text: int
    start: int
    end: int


def _jobs(corpus: Corpus, spec: WindowSpec) -> list[_Job]:
    """All windows of a corpus, like lengths together."""
    return sorted(
        _Job(len(corpus.prefix(i)) + end - start, i, start, end)
        for i, n in enumerate(corpus.lengths)
        for start, end in windows(min(int(n), spec.max_tokens), spec)
    )


def _end(jobs: Sequence[_Job], start: int, tokens: int) -> int:
    """Where a batch from ``start`` on ends: so many tokens when padded, and one window at least."""
    end = start + 1
    while end < len(jobs) and (end + 1 - start) * jobs[end].tokens <= tokens:
        end += 1
    return end


def _window_risks(
    model: TrainedModel, corpus: Corpus, batch: Sequence[_Job]
) -> NDArray[np.float64] | None:
    """Risk of each window, (len(batch),); None when the memory does not suffice for so many."""
    try:
        return _forward(model, corpus, batch)
    except torch.OutOfMemoryError:
        # Layers that are spread over processes are fetched together: all take the same forwards.
        if len(batch) == 1 or many_processes():
            raise
    # Outside of the handler: its traceback would keep the failed forward's tensors alive.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _forward(model: TrainedModel, corpus: Corpus, batch: Sequence[_Job]) -> NDArray[np.float64]:
    device = next(model.parameters()).device
    longest = batch[-1].tokens
    ids = np.zeros((len(batch), longest), dtype=np.int64)
    mask = np.zeros((len(batch), longest), dtype=bool)
    for k, job in enumerate(batch):
        prefix = corpus.prefix(job.text)
        ids[k, : len(prefix)] = prefix
        ids[k, len(prefix) : job.tokens] = corpus.text(job.text)[job.start : job.end]
        mask[k, len(prefix) : job.tokens] = True
    _, logits = model(torch.from_numpy(ids).to(device))[model.encoder.exits[-1]]
    low = torch.finfo(logits.dtype).min
    top = logits.masked_fill(~torch.from_numpy(mask).to(device), low).amax(dim=-1)
    found: NDArray[np.float64] = torch.sigmoid(top.double()).cpu().numpy()
    return found


def group_tpr(risks: NDArray[np.float64], corpus: Corpus, *, fpr: float = FPR) -> dict[str, float]:
    """TPR of each family group at one threshold for all: the pooled benign texts' FPR.

    Groups with fewer than MIN_POSITIVES attacks are left out (all of them: pooled as ``all``).
    """
    y = corpus.y
    family = np.asarray(corpus.family)
    names = sorted(set(family[y == 1]))
    made = {}
    for name in names:
        attacks = (family == name) & (y == 1)
        if attacks.sum() >= MIN_POSITIVES:
            rows = attacks | (y == 0)
            made[str(name)] = tpr_at_fpr(y[rows], risks[rows], fpr)
    return made or {"all": tpr_at_fpr(y, risks, fpr)}


def dev_metrics(risks: NDArray[np.float64], corpus: Corpus) -> dict[str, float]:
    """Figures of a look at the dev split.

    Returns: ``worst_group_tpr`` (what picks the checkpoint), ``tpr`` pooled at the same FPR,
    ``auroc``; all in [0, 1], higher is better.
    """
    return {
        "worst_group_tpr": min(group_tpr(risks, corpus).values()),
        "tpr": tpr_at_fpr(corpus.y, risks, FPR),
        "auroc": auroc(corpus.y, risks),
    }
