"""Several GPUs: triplets a second, each GPU's batch held; DDP, and FSDP with QLoRA.

    torchrun --nproc_per_node 1 benchmarks/training_scale.py --kind ddp
    torchrun --nproc_per_node 2 benchmarks/training_scale.py --kind ddp
    torchrun --nproc_per_node 2 benchmarks/training_scale.py --kind fsdp

Each command prints one row of the table; ``--device cpu`` tries the script out without GPUs.
DDP trains SmolLM2-135M's first 20 layers on the default configuration's batches; FSDP shards
configs/llama2-7b-6gb.yaml over random weights, its packed weights stored as bfloat16, which is
what FSDP shards.
"""

import argparse
import json
import os
import statistics
from typing import Any

import numpy as np
import torch
from torch.distributed.tensor import DTensor
from training import ROWS, Clock, batches_of, configuration, free, make, triplets

from causalguard.train.cli import packaged_config
from causalguard.train.config import TrainConfig, load_config

WARM, STEPS = 4, 12
FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "LlamaDecoderLayer",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
    "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
}
"""What ``accelerate launch --use_fsdp`` would set."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=["ddp", "fsdp"], required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    if options.device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"
    if options.kind == "fsdp":
        os.environ.update(FSDP)
    world, rank = int(os.environ["WORLD_SIZE"]), int(os.environ["RANK"])
    config, batches = ddp(options.device) if options.kind == "ddp" else fsdp(options.device)
    config = config.model_copy(update={"steps": WARM + STEPS})
    # Each rank takes every world-th of them, so every rank sees batches of its own.
    trainer = make(config, batches, options.device)
    clock = Clock(options.device)
    trainer.add_callback(clock)
    trainer.train()
    seconds = statistics.median(np.diff(clock.times)[WARM:])
    sets = float(np.mean([len(b["groups"].unique()) for b in batches]))
    rate = world * config.accumulation * sets / seconds
    if rank == 0:
        shards = sum(isinstance(p, DTensor) for p in trainer.model_wrapped.parameters())
        print(f"{shards} parameters are sharded")
        gib = torch.cuda.max_memory_allocated() / 2**30 if options.device == "cuda" else 0.0
        print("| kind | GPUs | s/step | triplets/s | GiB a GPU |\n|---|---|---|---|---|")
        print(f"| {options.kind} | {world} | {seconds:.3f} | {rate:.1f} | {gib:.2f} |")
    free()
    torch.distributed.destroy_process_group()


def ddp(device: str) -> tuple[TrainConfig, list[Any]]:
    """The default configuration's batches."""
    if device == "cpu":
        config = configuration("random:tiny-llama", 4)
        return config, batches_of([triplets(2, prefix=32, window=64)], config, packed=False)
    config = configuration("random:smollm2-135m", 20)
    return config, batches_of(json.loads(ROWS.read_text()), config, packed=False)


def fsdp(device: str) -> tuple[TrainConfig, list[Any]]:
    """One triplet of 1024 tokens a GPU, four bits."""
    shape = "tiny-llama" if device == "cpu" else "llama-2-7b"
    changes = [f"base=random:{shape}", "watch.every=0", "watch.patience=0", "accumulation=1"]
    # Paged states and sharded weights do not go together.
    changes.append("optimiser.name=adamw_torch")
    if device == "cpu":
        changes += ["exits.0.layer=4", "windows.tokens=64", "windows.stride=48"]
    config = load_config(packaged_config("llama2-7b-6gb"), changes)
    facts = [triplets(1, prefix=272, window=config.windows.tokens)]
    return config, batches_of(facts, config, packed=True)


if __name__ == "__main__":
    main()
