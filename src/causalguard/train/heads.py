"""Heads first: the frozen backbone runs once over some windows, the heads train on what it gave.

A head costs a hundredth of a forward, so it can see each window many times.  The adapter then
starts from a head that knows what to ask for, instead of being pulled about by a random one.

Source: Kumar et al. 2022, "Fine-tuning can distort pretrained features" (probe, then fine-tune).
With ``steps: 0`` the result is the frozen probe itself, the baseline of every adapter.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalguard.console import progress
from causalguard.train.batches import IGNORE, BatchSource
from causalguard.train.losses import LossWeights, guard_loss
from causalguard.train.model import TrainedModel

ROW_FACTS = ("document_labels", "roles", "groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One batch after the frozen backbone; windows left-aligned, prefixes gone."""

    states: dict[int, Tensor]
    """Hidden states per exit, bfloat16, (B, T, H)."""
    facts: dict[str, Tensor]
    """What the losses read: see :func:`causalguard.train.batches.collate`."""


def warm_heads(
    model: TrainedModel,
    source: BatchSource,
    *,
    steps: int,
    lr: float,
    weights: LossWeights,
    exit_weights: Mapping[int, float],
    seed: int,
) -> float:
    """Train the heads alone, in place.

    Args:
        model: its adapter must still be zero, as it is at the start.
        source: every batch of it is run through the backbone once and kept.
        steps: of the heads, one batch each.
        lr: peak learning rate; warm-up over a tenth of the steps, then cosine to 0.
        weights: of the loss terms.
        exit_weights: by layer.
        seed: fixes the order of the batches.

    Returns: mean loss of the last tenth of the steps.
    """
    pool = [run_frozen(model, source[i]) for i in _counted(len(source), "frozen backbone")]
    heads = [p for layer in exit_weights for p in model.encoder.head(layer).parameters()]
    optimiser = torch.optim.AdamW(heads, lr=lr, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: _rate(k, steps))
    generator = torch.Generator().manual_seed(seed)
    rounds = -(-steps // len(pool))
    order = torch.cat([torch.randperm(len(pool), generator=generator) for _ in range(rounds)])
    last: list[float] = []
    for k in _counted(steps, "heads"):
        loss = _loss(model, pool[int(order[k])], weights, exit_weights)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(heads, 1.0)
        optimiser.step()
        schedule.step()
        last.append(float(loss.detach()))
    tail = last[-max(1, steps // 10) :]
    return sum(tail) / len(tail)


def _rate(step: int, steps: int) -> float:
    """Share of the peak rate: up over a tenth of the steps, then along a cosine to 0."""
    return min(1.0, 10 * (step + 1) / steps) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _counted(n: int, label: str) -> Iterable[int]:
    return progress(range(n), total=n, label=label)


def _loss(
    model: TrainedModel, kept: Kept, weights: LossWeights, exit_weights: Mapping[int, float]
) -> Tensor:
    device = next(model.parameters()).device
    facts = {name: value.to(device) for name, value in kept.facts.items()}
    total = torch.zeros((), device=device)
    for layer, weight in exit_weights.items():
        r, logits = model.encoder.head(layer)(kept.states[layer].to(device))
        total = total + weight * guard_loss(r, logits, facts, weights)[0]
    return total


def run_frozen(model: TrainedModel, batch: Mapping[str, Tensor]) -> Kept:
    """One batch through the backbone without gradients; windows are moved to the left edge."""
    device = next(model.parameters()).device
    mask = batch["window_mask"]
    packed = {n: v.to(device) for n, v in batch.items() if n.startswith("packed_")}
    with torch.no_grad():
        states = model.hidden(batch["input_ids"].to(device), packed or None)
    lengths = mask.sum(dim=1)
    longest = int(lengths.max())
    kept_mask = torch.arange(longest)[None, :] < lengths[:, None]
    labels = torch.full(kept_mask.shape, IGNORE, dtype=torch.long)
    labels[kept_mask] = batch["token_labels"][mask]
    left: dict[int, Tensor] = {}
    for layer, state in states.items():
        whole = state.to(torch.bfloat16).cpu()
        left[layer] = torch.zeros(*kept_mask.shape, whole.shape[-1], dtype=torch.bfloat16)
        left[layer][kept_mask] = whole[mask]
    facts = {name: batch[name] for name in ROW_FACTS}
    return Kept(states=left, facts=facts | {"window_mask": kept_mask, "token_labels": labels})
