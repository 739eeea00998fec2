"""Rows of all processes as one batch for the contrasts, with gradients to each process's own.

Each process computes the contrast over the whole batch.  DistributedDataParallel then averages
gradients over processes, and the sum in the backward pass below makes that average the gradient
of the one global contrast.
"""

from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional

from causalguard.train.batches import IGNORE


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        ctx.rows = len(own)
        return torch.cat(_collect(own))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        whole = gradients[0].contiguous()
        distributed.all_reduce(whole)
        start = distributed.get_rank() * ctx.rows
        return whole[start : start + ctx.rows]


def _collect(own: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, own.contiguous())
    return parts


def gather_rows(
    r: Tensor, y: Tensor, roles: Tensor, groups: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The rows of all processes, this one's with their gradients.

    Args:
        r: (B, W), B may differ between processes.
        y: (B,) labels.
        roles: (B,).
        groups: (B,), one numbering for all processes.

    Returns: the same four over all processes; rows that fill up a smaller batch have y = IGNORE,
    and no contrast looks at them.
    """
    rows = torch.tensor([len(r)], device=r.device)
    missing = max(int(n) for n in _collect(rows)) - len(r)
    facts = torch.stack((y, roles, groups), dim=1)
    facts = functional.pad(facts, (0, 0, 0, missing), value=IGNORE)
    whole: Tensor = _AllGather.apply(functional.pad(r, (0, 0, 0, missing)))  # type: ignore[no-untyped-call]
    every = torch.cat(_collect(facts))
    return whole, every[:, 0], every[:, 1], every[:, 2]


def many_processes() -> bool:
    """Whether this process trains beside others."""
    ready = distributed.is_available() and distributed.is_initialized()
    return ready and distributed.get_world_size() > 1
