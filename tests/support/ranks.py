"""One of two processes that train together: run by torchrun, see tests/train/test_train_ranks."""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from causalguard.train.batches import IGNORE
from causalguard.train.config import load_config
from causalguard.train.gather import gather_rows, many_processes
from causalguard.train.losses import matched_contrast, supervised_contrastive
from causalguard.train.run import make_trainer, prepare

ROWS = ((0, 4), (4, 10))
"""Which rows of the whole batch each rank has."""


def whole_batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ten unit vectors with labels, roles and groups."""
    r = torch.randn(10, 4, generator=torch.Generator().manual_seed(3))
    y = torch.tensor([0, 0, 1, IGNORE, 0, 0, 1, 0, 1, 0])
    roles = torch.tensor([0, 1, 2, 0, 0, 1, 2, 4, 2, 1])
    groups = torch.tensor([0, 0, 0, 1, 2, 2, 2, 2, 3, 3])
    return torch.nn.functional.normalize(r, dim=-1), y, roles, groups


def contrast(r: Tensor, y: Tensor, roles: Tensor, groups: Tensor) -> Tensor:
    """Both contrasts over some rows."""
    return supervised_contrastive(r, y) + matched_contrast(r, y, roles, groups)


def main() -> None:
    """Train with the configuration given; leave losses, weights and a gathered gradient."""
    torch.set_num_threads(1)
    config = load_config(Path(sys.argv[1]))
    out = Path(sys.argv[2])
    trainer: Any = make_trainer(config, prepare(config), out / "work", device="cpu")
    trainer.args.logging_steps = 1
    trainer.train()
    rank = trainer.args.process_index
    assert many_processes()
    r, y, roles, groups = (t[slice(*ROWS[rank])] for t in whole_batch())
    own = r.clone().requires_grad_()
    loss = contrast(*gather_rows(own, y, roles, groups))
    loss.backward()  # type: ignore[no-untyped-call]
    assert own.grad is not None
    curve = [e["loss"] for e in trainer.state.log_history if "loss" in e]
    found = {"loss": loss.detach(), "gradient": own.grad, "curve": torch.tensor(curve)}
    found |= {n: p.detach().contiguous() for n, p in trainer.model.trainable().items()}
    save_file(found, out / f"rank{rank}.safetensors")
    torch.distributed.barrier()
    # Taking the group down now and then waits for a peer that has gone: everything is on disk.
    os._exit(0)


if __name__ == "__main__":
    main()
