"""Two processes on the CPU, under accelerate, train one model."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from causalguard.interventions import triplets
from causalguard.records import Triplet
from causalguard.train.config import TrainConfig, parse_config
from causalguard.train.run import batch_source, make_trainer, prepare
from support import ranks


@pytest.fixture
def alone(
    config: TrainConfig, make_sets: Callable[..., list[Triplet]], tmp_path: Path
) -> TrainConfig:
    """No contrasts: the other losses of two ranks are those of two accumulated micro-batches.

    One set in four has a response, so that some micro-batches have a task term and others not.
    """
    sets = [
        replace(t, response="the mail says friday" * (k % 4 == 0))
        for k, t in enumerate(make_sets(60))
    ]
    triplets.write(tmp_path / "sets.jsonl", sets)
    changes: dict[str, Any] = {
        "loss": {"contrastive": 0.0, "matched": 0.0, "task": 0.5},
        "data": {"files": [{"path": str(tmp_path / "sets.jsonl")}], "dev_share": 0.3},
        "steps": 3,
    }
    return parse_config(config.model_dump(mode="json") | changes, where="test")


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def launch(config: TrainConfig, out: Path) -> list[dict[str, Tensor]]:
    """Two ranks of tests/support/ranks.py; what each of them left."""
    out.mkdir()
    (out / "c.yaml").write_text(config.to_yaml())
    script = Path(ranks.__file__)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    environment = os.environ | {
        "PYTHONPATH": str(script.parent.parent),
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "true",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    # Another process can take the free port before the ranks do: they then wait for each other.
    for _ in range(3):
        address = ["--master_addr", "127.0.0.1", "--master_port", free_port()]
        if ran([*command, *address, str(script), str(out / "c.yaml"), str(out)], environment):
            break
    return [load_file(out / f"rank{k}.safetensors") for k in (0, 1)]


def ran(command: list[str], environment: dict[str, str]) -> bool:
    """Whether the ranks ended in time; they are ended with their launcher if not."""
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _, errors = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False
    assert process.returncode == 0, errors[-3000:]
    return True


def test_two_processes_take_the_steps_of_one_and_share_their_negatives(
    alone: TrainConfig, tmp_path: Path
) -> None:
    found = launch(alone, tmp_path / "two")
    whole_batches = alone.model_copy(update={"accumulation": 2})
    prepared = prepare(alone)
    batches = batch_source(whole_batches, prepared)
    assert {"task_ids" in batches[i] for i in range(6)} == {True, False}
    single = make_trainer(whole_batches, prepared, tmp_path / "one", device="cpu")
    single.train()
    for name, weight in single.model.trainable().items():
        assert torch.equal(found[0][name], found[1][name])
        assert torch.allclose(found[0][name], weight.detach(), atol=1e-5), name
    assert len(found[0]["curve"]) == 3
    r, y, roles, groups = ranks.whole_batch()
    whole = r.clone().requires_grad_()
    loss = ranks.contrast(whole, y, roles, groups)
    loss.backward()  # type: ignore[no-untyped-call]
    assert whole.grad is not None
    for rank, rows in enumerate(ranks.ROWS):
        assert torch.allclose(found[rank]["loss"], loss.detach(), atol=1e-6)
        # Each rank's gradient is the sum over both ranks' copies of the one loss.
        wanted = 2 * whole.grad[slice(*rows)]
        assert torch.allclose(found[rank]["gradient"], wanted, atol=1e-5)
