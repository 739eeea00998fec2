"""Scoring the dev split, and the metric that picks a checkpoint: the worst group's TPR.

A model that gives one risk to everything, or collapses R, scores 0 here: ties at the cut count
as misses.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from causalguard.guard.windows import WindowSpec, windows
from causalguard.stats.ranking import auroc, tpr_at_fpr
from causalguard.train.model import TrainedModel
from causalguard.train.tokens import Corpus

FPR = 0.01
"""False-positive rate at which groups are compared."""
MIN_POSITIVES = 5
"""Groups with fewer attacks have no figure of their own."""


def document_risks(
    model: TrainedModel, corpus: Corpus, spec: WindowSpec, *, batch_tokens: int | None = None
) -> NDArray[np.float64]:
    """Risk of each text of a corpus at the deepest exit: maximum over tokens and windows, (n,).

    Windows of like length share a forward; memory does not grow with the corpus.
    """
    device = next(model.parameters()).device
    batch_tokens = batch_tokens or (65_536 if device.type == "cuda" else 4096)
    layer = model.encoder.exits[-1]
    risks = np.zeros(len(corpus), dtype=np.float64)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in _batches(corpus, spec, batch_tokens):
            longest = max(len(ids) for _, ids, _ in batch)
            ids = np.zeros((len(batch), longest), dtype=np.int64)
            mask = np.zeros((len(batch), longest), dtype=bool)
            for k, (_, row, skip) in enumerate(batch):
                ids[k, : len(row)] = row
                mask[k, skip : len(row)] = True
            _, logits = model(torch.from_numpy(ids).to(device))[layer]
            low = torch.finfo(logits.dtype).min
            top = logits.masked_fill(~torch.from_numpy(mask).to(device), low).amax(dim=-1)
            found = torch.sigmoid(top.double()).cpu().numpy()
            np.maximum.at(risks, [i for i, _, _ in batch], found)
    model.train(was_training)
    return risks


def _batches(
    corpus: Corpus, spec: WindowSpec, batch_tokens: int
) -> Iterator[list[tuple[int, NDArray[np.int32], int]]]:
    """Batches of (text, tokens with prefix, prefix length), like lengths together."""
    jobs = [
        (len(corpus.prefix(i)) + end - start, i, start, end)
        for i, n in enumerate(corpus.lengths)
        for start, end in windows(min(int(n), spec.max_tokens), spec)
    ]
    batch: list[tuple[int, NDArray[np.int32], int]] = []
    for size, i, start, end in sorted(jobs):
        if batch and (len(batch) + 1) * size > batch_tokens:
            yield batch
            batch = []
        prefix = corpus.prefix(i)
        batch.append((i, np.concatenate((prefix, corpus.text(i)[start:end])), len(prefix)))
    if batch:
        yield batch


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
