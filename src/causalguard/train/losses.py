"""Loss terms: small functions, computed in float32, none of which a constant R or risk minimises.

Shapes: B rows, T tokens, W the width of R.  Labels are 1, 0 or IGNORE.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from causalguard.train.batches import IGNORE
from causalguard.train.examples import ROLES

CHUNK = 128
"""Tokens whose logits exist at a time: a vocabulary of 32,000 makes 16 MB of them in float32."""

BENIGN, COUNTERFACTUAL, INJECTED, _, IMPERATIVE, _ = (ROLES.index(k) for k in ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights and shapes of the terms."""

    token: float = 1.0
    """Per-token detection on known spans, >= 0."""
    document: float = 1.0
    """Detection on the maximum over a window, >= 0."""
    contrastive: float = 0.3
    """Supervised contrast over Y on R, >= 0."""
    matched: float = 0.1
    """Contrast inside matched sets, >= 0."""
    task: float = 0.0
    """Next token of the answers, >= 0; see train/language.py."""
    temperature: float = 0.1
    """Of both contrasts, [0.01, 1]."""
    positive_share: float = 0.5
    """Share of the token term that span tokens get, (0, 1)."""
    focal_gamma: float = 0.0
    """Exponent of the focal factor, >= 0; 0: none."""
    smooth_max: float = 0.0
    """Temperature of the maximum, >= 0; 0: exact."""


def token_loss(
    logits: Tensor, labels: Tensor, *, positive_share: float = 0.5, focal_gamma: float = 0.0
) -> Tensor:
    """Binary cross-entropy per token, classes averaged apart and then mixed.

    ``share * mean over span tokens + (1 - share) * mean over the others``: a batch of long benign
    texts cannot swamp the few tokens of an instruction.  With a class missing, the other one alone.

    Args:
        logits: (B, T), any float type.
        labels: (B, T) in {1, 0, IGNORE}.
        positive_share: in (0, 1).
        focal_gamma: >= 0; each term is multiplied by (1 - p of the true class) ** gamma.

    Returns: scalar >= 0; 0 when no token has a label.

    Source: Lin et al. 2017 (focal loss), equation 4, with class means in place of alpha.
    """
    known = labels != IGNORE
    logits = logits.float() if logits.dtype != torch.float64 else logits
    target = (labels == 1).to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if focal_gamma > 0:
        each = each * (1 - torch.exp(-each)) ** focal_gamma
    positive, negative = known & (labels == 1), known & (labels == 0)
    n1, n0 = positive.sum(), negative.sum()
    share = torch.where(n0 == 0, 1.0, torch.where(n1 == 0, 0.0, positive_share)).to(each.dtype)
    mean1 = (each * positive).sum() / n1.clamp(min=1)
    mean0 = (each * negative).sum() / n0.clamp(min=1)
    return share * mean1 + (1 - share) * mean0


def window_max(logits: Tensor, mask: Tensor, *, smooth: float = 0.0) -> Tensor:
    """Maximum over a window's tokens, or a smooth lower bound of it.

    Args:
        logits: (B, T).
        mask: (B, T), true on the window's tokens.
        smooth: temperature s >= 0; > 0: ``s * log(mean(exp(logit / s)))``, which is at most the
            maximum and tends to it as s goes to 0.

    Returns: (B,); the lowest finite number for a row without tokens.
    """
    low = torch.finfo(logits.dtype).min
    if smooth <= 0:
        return logits.masked_fill(~mask, low).amax(dim=-1)
    count = mask.sum(dim=-1).clamp(min=1).to(logits.dtype)
    whole = torch.logsumexp((logits / smooth).masked_fill(~mask, low), dim=-1)
    return smooth * (whole - count.log())


def document_loss(logits: Tensor, mask: Tensor, labels: Tensor, *, smooth: float = 0.0) -> Tensor:
    """Binary cross-entropy on the maximum over each window.

    Args:
        logits: (B, T).
        mask: (B, T), the window's tokens.
        labels: (B,) in {1, 0, IGNORE}.
        smooth: see :func:`window_max`.

    Returns: scalar >= 0, mean over labelled rows that hold a token; 0 when there are none.
    """
    logits = logits.float() if logits.dtype != torch.float64 else logits
    known = (labels != IGNORE) & mask.any(dim=-1)
    top = window_max(logits, mask, smooth=smooth).masked_fill(~known, 0.0)
    target = (labels == 1).to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(top, target, reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def at_maximum(r: Tensor, logits: Tensor, mask: Tensor) -> Tensor:
    """R at the token of highest risk of each window: (B, T, W), (B, T), (B, T) to (B, W)."""
    at = logits.detach().masked_fill(~mask, torch.finfo(logits.dtype).min).argmax(dim=-1)
    return r[torch.arange(len(r), device=r.device), at]


def supervised_contrastive(r: Tensor, y: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Pull rows of one Y together on the sphere, push the two Y apart.

    ``- mean over anchors i of mean over p in P(i) of log softmax_{a != i}(r_i . r_a / tau)[p]``.
    With all r equal it is log(B - 1), its value at no information, not its minimum.

    Args:
        r: (B, W) unit vectors.
        y: (B,) in {1, 0, IGNORE}; ignored rows take no part.
        temperature: tau in [0.01, 1].

    Returns: scalar >= 0; 0 when no two rows share a Y.

    Source: Khosla et al. 2020, equation 2 (L_out).
    """
    known = y != IGNORE
    same = (y[:, None] == y[None, :]) & known[:, None] & known[None, :]
    other = known[None, :] & ~torch.eye(len(y), dtype=torch.bool, device=y.device)
    log_p = _log_softmax(r @ r.T / temperature, other)
    positive = same & other
    count = positive.sum(dim=-1)
    each = -(log_p.masked_fill(~positive, 0.0)).sum(dim=-1) / count.clamp(min=1)
    anchors = count > 0
    return (each * anchors).sum() / anchors.sum().clamp(min=1)


def _log_softmax(similarity: Tensor, allowed: Tensor) -> Tensor:
    low = torch.finfo(similarity.dtype).min
    return torch.log_softmax(similarity.masked_fill(~allowed, low), dim=-1)


def matched_contrast(
    r: Tensor, y: Tensor, roles: Tensor, groups: Tensor, *, temperature: float = 0.1
) -> Tensor:
    """InfoNCE inside matched sets: stable under do(D), apart under do(I).

    Anchor: the benign member a of a set.  Positives p: its counterfactual and its benign
    imperative.  Negatives N: every injected row of the batch, its own (the hard one) included; not
    windows of injected texts that miss the instruction, which say the same as the benign ones.
    ``mean over (a, p) of - log exp(a.p/tau) / (exp(a.p/tau) + sum_{n in N} exp(a.n/tau))``.
    A collapsed R gives log(1 + |N|) > 0 while R that tells the two apart tends to 0.

    Args:
        r: (B, W) unit vectors.
        y: (B,) document labels in {1, 0, IGNORE}; ignored rows take no part.
        roles: (B,) indices into ROLES.
        groups: (B,) matched set of each row.
        temperature: tau in [0.01, 1].

    Returns: scalar >= 0; 0 when the batch has no pair or no injected row.

    Source: van den Oord et al. 2018, equation 4, with explicit hard negatives.
    """
    similarity = r @ r.T / temperature
    anchor = (roles == BENIGN) & (y == 0)
    friend = ((roles == COUNTERFACTUAL) | (roles == IMPERATIVE)) & (y == 0)
    enemy = (roles == INJECTED) & (y == 1)
    pairs = anchor[:, None] & friend[None, :] & (groups[:, None] == groups[None, :])
    low = torch.finfo(similarity.dtype).min
    against = torch.logsumexp(similarity.masked_fill(~enemy[None, :], low), dim=-1)
    each = functional.softplus(against[:, None] - similarity)
    pairs = pairs & enemy.any()
    return each.masked_fill(~pairs, 0.0).sum() / pairs.sum().clamp(min=1)


def triplet_margin(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, margin: float = 0.2
) -> Tensor:
    """``mean max(0, margin - a.p + a.n)`` on unit vectors; a collapse costs the whole margin.

    Args:
        anchor: (N, W) unit vectors.
        positive: (N, W) unit vectors.
        negative: (N, W) unit vectors.
        margin: in cosine, 0.1 to 0.5 suits unit vectors.

    Source: Schroff et al. 2015, equation 3 (||a-b||^2 = 2 - 2 a.b; this margin is half of theirs).
    """
    gap = (anchor * positive).sum(dim=-1) - (anchor * negative).sum(dim=-1)
    return functional.relu(margin - gap).mean()


def next_token_loss(
    states: Tensor, targets: Tensor, logits: Callable[[Tensor], Tensor], *, chunk: int = CHUNK
) -> Tensor:
    """``- mean over n of log softmax(logits(states[n]))[targets[n]]``, a chunk of logits at a time.

    The logits of all tokens never exist together: those of a chunk are made again in the backward
    pass.

    Args:
        states: (N, H) hidden states that predict the targets, N >= 1.
        targets: (N,) token ids.
        logits: hidden states to logits, (n, H) to (n, vocabulary).
        chunk: tokens at a time, >= 1.

    Returns: scalar >= 0, in float32 (float64 for logits in float64).

    Source: the negative log-likelihood of a causal LM; Chen et al. 2016 (arXiv:1604.06174) for the
    recomputation.
    """

    def part(some: Tensor, wanted: Tensor) -> Tensor:
        made = logits(some)
        made = made.float() if made.dtype != torch.float64 else made
        return functional.cross_entropy(made, wanted, reduction="sum")

    parts = [
        checkpoint(part, some, wanted, use_reentrant=False)
        for some, wanted in zip(
            torch.split(states, chunk), torch.split(targets, chunk), strict=True
        )
    ]
    return torch.stack(parts).sum() / len(targets)


Gather = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor, Tensor]]


def guard_loss(
    r: Tensor,
    logits: Tensor,
    batch: dict[str, Tensor],
    weights: LossWeights,
    gather: Gather | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """All terms of one exit.

    Args:
        r: (B, T, W) unit vectors, float32.
        logits: (B, T), float32.
        batch: see :func:`causalguard.train.batches.collate`.
        weights: of the terms.
        gather: brings the rows of other processes into the contrasts; see train/gather.py.

    Returns: (weighted sum, the terms by name, detached).
    """
    mask, y = batch["window_mask"], batch["document_labels"]
    w = weights
    terms = {
        "token": token_loss(
            logits,
            batch["token_labels"],
            positive_share=w.positive_share,
            focal_gamma=w.focal_gamma,
        ),
        "document": document_loss(logits, mask, y, smooth=w.smooth_max),
    }
    total = w.token * terms["token"] + w.document * terms["document"]
    if w.contrastive > 0 or w.matched > 0:
        rows = (at_maximum(r, logits, mask), y, batch["roles"], batch["groups"])
        top, y, roles, groups = rows if gather is None else gather(*rows)
        terms["contrastive"] = supervised_contrastive(top, y, temperature=w.temperature)
        terms["matched"] = matched_contrast(top, y, roles, groups, temperature=w.temperature)
        total = total + w.contrastive * terms["contrastive"] + w.matched * terms["matched"]
    return total, {name: value.detach() for name, value in terms.items()}
