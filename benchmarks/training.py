"""Training step: packed against padded batches, with memory, on the machine at hand.

    python benchmarks/training.py --config tiny --steps 8 --device cpu --output FILE.md

Random weights would do for time; the embedded base is used so that shapes are the shipped ones.
Each row is one kind of batch; both kinds see the same rows in the same order, one after the other
in one process, and use the same attention entry point (SDPA).
"""

import argparse
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from causalguard.train.cli import packaged_config
from causalguard.train.config import TrainConfig, load_config
from causalguard.train.run import Prepared, make_trainer, prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="tiny")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    config = load_config(packaged_config(options.config), options.overrides)
    prepared = prepare(config, say=print)
    lines = [
        (
            f"Configuration {config.name}: layers {config.depth}, window {config.windows.tokens}, "
            f"{config.batch} rows a batch; {machine(options.device)}; torch {torch.__version__}."
        ),
        "",
        "| batches | rows/s | triplets/s | tokens computed | s/step | peak GiB | matmul share |",
        "|---|---|---|---|---|---|---|",
    ]
    ceiling = matmul_rate(options.device)
    for packed in (False, True):
        changed = config.model_copy(update={"packed": packed})
        lines.append(measure(changed, prepared, options.device, options.steps, ceiling))
        print(lines[-1])
    text = "\n".join(lines) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


def machine(device: str) -> str:
    """Name of the processor that does the work."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def timed(call: Callable[[], object], device: str) -> float:
    """Wall seconds of a call, the device's queue drained on both sides."""
    if device == "cuda":
        torch.cuda.synchronize()
    begin = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def matmul_rate(device: str) -> float:
    """Operations a second of a large bfloat16 matrix product here: the ceiling of any model."""
    n = 8192 if device == "cuda" else 2048
    a = torch.randn(n, n, device=device, dtype=torch.bfloat16)
    for _ in range(3):
        a @ a
    return 10 * 2 * n**3 / timed(lambda: [a @ a for _ in range(10)], device)


def measure(
    config: TrainConfig, prepared: Prepared, device: str, steps: int, ceiling: float
) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as scratch:
        trainer = make_trainer(config, prepared, Path(scratch), device=device)
        trainer.create_optimizer()
        model, source = trainer.model, trainer.train_dataset
        where = trainer.args.device
        batches = [
            {name: value.to(where) for name, value in source[i].items()} for i in range(steps + 2)
        ]

        def step(i: int) -> None:
            trainer.training_step(model, batches[i])
            trainer.optimizer.step()
            trainer.optimizer.zero_grad()

        trainer.current_gradient_accumulation_steps = 1
        for i in range(2):
            step(i)
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        seconds = timed(lambda: [step(i) for i in range(2, steps + 2)], device)
    used = batches[2:]
    rows = sum(len(b["input_ids"]) for b in used)
    sets = sum(len(b["groups"].unique()) for b in used)
    tokens = sum(b.get("packed_ids", b["input_ids"]).numel() for b in used)
    weights = sum(
        p.numel() for n, p in model.encoder.backbone.named_parameters() if "embed" not in n
    )
    # Forward and the backward pass to the activations: 4 operations a weight and token.
    share = 4 * weights * tokens / seconds / ceiling
    name = "packed trees" if config.packed else "padded, bucketed by length"
    return (
        f"| {name} | {rows / seconds:.1f} | {sets / seconds:.2f} | {tokens} | "
        f"{seconds / steps:.3f} | {peak(device):.2f} | {share:.1%} |"
    )


def peak(device: str) -> float:
    """Peak memory in GiB: of the GPU, or of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
