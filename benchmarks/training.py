"""Training step: packed against padded, memory predicted and measured, growth, and 7B in 6 GB.

    python benchmarks/training.py --device cpu  --output benchmarks/results/training-cpu.md
    python benchmarks/training.py --device cuda --output benchmarks/results/training-h200.md

Needs torch, transformers, peft (and bitsandbytes for the part ``6gb``); no data and no base model:
weights are random, and batches have the lengths and the sharing of the default configuration
(``training_rows.json``, made by training_rows.py).  Every row of the table is the real training
loop over batches made beforehand; seconds are the median step after the warm-up.
"""

import argparse
import gc
import json
import platform
import statistics
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import TrainerCallback, set_seed

from causalguard.train.batches import Row, collate, pack_rows
from causalguard.train.config import TrainConfig, parse_config
from causalguard.train.examples import ROLES
from causalguard.train.measure import Measure, shape_of
from causalguard.train.memory import GIB, predict
from causalguard.train.model import TrainedModel, build_model, pick_precision
from causalguard.train.run import build_of
from causalguard.train.shapes import SHAPES, find_base
from causalguard.train.trainer import GuardTrainer, training_arguments

ROWS = Path(__file__).parent / "results" / "training_rows.json"
HEAD = (
    "| what | rows x tokens | s/step | triplets/s | rows/s | computed tokens/s | share of matmul "
    "| GiB predicted | GiB measured |\n|---|---|---|---|---|---|---|---|---|"
)
Batch = dict[str, Tensor]


class Fixed(Dataset[Batch]):
    """Batches made beforehand, over and over."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, i: int) -> Batch:
        return self.batches[i % len(self.batches)]


class Clock(TrainerCallback):  # type: ignore[misc]
    """Notes the time after each step, the device's queue drained."""

    def __init__(self, device: str) -> None:
        self.device, self.times = device, [0.0]

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        if len(self.times) == 1:
            self._note(replace=True)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._note()

    def _note(self, *, replace: bool = False) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
        if replace:
            self.times.clear()
        self.times.append(time.perf_counter())


class Separate(GuardTrainer):
    """The members of each set in forwards of their own: one padded forward per role."""

    def compute_loss(self, model: Any, inputs: Batch, *rest: Any, **more: Any) -> Any:
        total = torch.zeros((), device=inputs["input_ids"].device)
        for role in inputs["roles"].unique().tolist():
            at = inputs["roles"] == role
            part = {n: v[at] for n, v in inputs.items() if not n.startswith("packed_")}
            longest = -(-int(part.pop("lengths").max()) // 8) * 8
            cut = {n: v[:, :longest] if v.dim() > 1 else v for n, v in part.items()}
            total = total + super().compute_loss(model, cut, *rest, **more)
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all rows of the table share."""

    device: str
    steps: int
    warm: int
    matmul: float
    """Operations a second of a large matrix product in the run's type."""


def configuration(base: str, layers: int, **changes: Any) -> TrainConfig:
    """A run over random weights."""
    raw: dict[str, Any] = {
        "name": "benchmark",
        "base": base,
        "exits": [{"layer": layers}],
        "data": {"generate": {"n_sets": 1}},
        "watch": {"explosion": 1e9},
    }
    return parse_config(raw | changes, where="benchmark")


def sequences(facts: list[list[int]], vocabulary: int, rng: np.random.Generator) -> list[Row]:
    """Rows of random tokens with the lengths and the sharing of real ones."""
    whole: list[np.ndarray] = []
    rows = []
    for group, role, label, prefix, length, parent, shared, first, last in facts:
        own = rng.integers(5, vocabulary, size=length - shared, dtype=np.int32)
        ids = np.concatenate((whole[parent][:shared], own)) if shared else own
        whole.append(ids)
        labels = np.zeros(length, dtype=np.int8)
        if first >= 0:
            labels[first : last + 1] = 1
        rows.append(
            Row(
                prefix=ids[:prefix],
                window=ids[prefix:],
                labels=labels[prefix:],
                document=label,
                role=role,
                group=group,
            )
        )
    return rows


def triplets(n: int, *, prefix: int, window: int) -> list[list[int]]:
    """Sets of benign, counterfactual and injected; the first and last share half a window."""
    injected = ROLES.index("injected")
    length, half = prefix + window, prefix + window // 2
    made = []
    for k in range(n):
        a = 3 * k
        made.append([k, 0, 0, prefix, length, -1, 0, -1, -1])
        made.append([k, 1, 0, prefix, length, a, prefix, -1, -1])
        made.append([k, injected, 1, prefix, length, a, half, half, half + 12])
    return made


def batches_of(
    facts: Sequence[list[list[int]]], config: TrainConfig, *, packed: bool
) -> list[Batch]:
    """Batches as the trainer gets them."""
    rng = np.random.default_rng(0)
    vocabulary = int(SHAPES[config.base.removeprefix("random:")]["vocab_size"])
    made = []
    for each in facts:
        rows = sequences(each, vocabulary, rng)
        batch = collate(rows)
        batch["lengths"] = torch.tensor([len(r.prefix) + len(r.window) for r in rows])
        made.append(batch | pack_rows(rows, batch) if packed else batch)
    return made


def run(name: str, config: TrainConfig, batches: list[Batch], bench: Bench, **kinds: Any) -> str:
    """One row of the table; a row that fails says why, and the others are still measured."""
    try:
        return measured(name, config, batches, bench, **kinds)
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        return f"| {name} | {type(error).__name__}: {str(error).splitlines()[0][:150]} |||||||| "
    finally:
        free()


def measured(
    name: str, config: TrainConfig, batches: list[Batch], bench: Bench, **kinds: Any
) -> str:
    """Train a few steps and write them up."""
    config = config.model_copy(update={"steps": bench.warm + bench.steps})
    trainer = make(config, batches, bench.device, **kinds)
    clock = Clock(bench.device)
    trainer.add_callback(clock)
    if bench.device == "cuda":
        with Measure(trainer) as measure:
            trainer.train()
    else:
        trainer.train()
    seconds = statistics.median(np.diff(clock.times)[bench.warm :])
    if bench.device == "cpu":
        # Counting tensors takes time of its own, so the memory is measured in a second run.
        largest = max(batches, key=lambda b: b["input_ids"].numel())
        again = make(config.model_copy(update={"steps": 2}), [largest], "cpu", **kinds)
        with Measure(again) as measure:
            again.train()
    peak = measure.parts()["total"]
    used = [batches[i % len(batches)] for i in range(config.steps * config.accumulation)]
    used = used[bench.warm * config.accumulation :]
    rate = config.accumulation / seconds / len(used)
    tokens = sum(b.get("packed_ids", b["input_ids"]).numel() for b in used) * rate
    rows = sum(len(b["input_ids"]) for b in used) * rate
    sets = sum(len(b["groups"].unique()) for b in used) * rate
    share = operations(trainer.model) * tokens / bench.matmul
    guessed = planned(config, batches, bench.device)
    shape = shape_of(max(batches, key=lambda b: b["input_ids"].numel()))
    size = f"{shape.rows} x {shape.length}"
    if shape.packed:
        size += f" as {shape.packed[0]} x {shape.packed[1]}"
    return (
        f"| {name} | {size} | {seconds:.3f} | {sets:.1f} | {rows:.1f} | {tokens:,.0f} | "
        f"{share:.1%} | {guessed / GIB:.2f} | {peak / GIB:.2f}{card(bench.device)} |"
    )


def card(device: str) -> str:
    """What the card itself reports in use: pools and context included, other processes too."""
    if device == "cpu":
        return ""
    left, whole = torch.cuda.mem_get_info()
    return f" (card {(whole - left) / GIB:.2f})"


def make(
    config: TrainConfig,
    batches: list[Batch],
    device: str,
    *,
    kind: type[GuardTrainer] = GuardTrainer,
) -> GuardTrainer:
    """A trainer over fixed batches."""
    where = torch.device(device)
    precision = pick_precision(config.precision, where)
    scratch = Path(tempfile.mkdtemp())
    cpu = device == "cpu"
    args = training_arguments(config, scratch, precision=precision, cpu=cpu, log_every=10**6)
    set_seed(0)
    how = build_of(config, args.device, precision=precision, say=print)
    model = build_model(find_base(config.base), config.exits, config.lora, how)
    return kind(model, args, batches=Fixed(batches), config=config, dev=None)  # type: ignore[arg-type]


def planned(config: TrainConfig, batches: list[Batch], device: str) -> int:
    """Predicted peak of the largest batch."""
    shape = max((shape_of(b) for b in batches), key=lambda s: s.rows * s.length)
    bf16 = pick_precision(config.precision, torch.device(device)) == "bf16"
    gpu = device == "cuda"
    return predict(config, find_base(config.base), bf16=bf16, gpu=gpu, shape=shape).total


def operations(model: TrainedModel) -> int:
    """Operations a token without attention: forward and backward to the inputs, adapter whole."""
    shapes = model.adapter.shapes
    total = 0
    for name, (rank, wide) in shapes.items():
        if "lora_A" in name:
            tall = shapes[name.replace("lora_A", "lora_B")][0]
            total += 4 * wide * tall + 6 * rank * (wide + tall)
    return total


def free() -> None:
    """Give back what the last run held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def matmul_rate(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product here: the ceiling of any model."""
    n, repeats = (8192, 20) if device == "cuda" else (1024, 5)
    a = torch.randn(n, n, device=device, dtype=dtype)
    times = []
    for _ in range(repeats):
        if device == "cuda":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        a @ a
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return float(2 * n**3 / statistics.median(times))


def part_packed(bench: Bench) -> Iterator[str]:
    """The same rows padded, packed, and by each kernel."""
    gpu = bench.device == "cuda"
    layers = 20 if gpu else 3
    real = json.loads(ROWS.read_text())
    if not gpu:
        real = [smaller(batch, 8) for batch in real[:3]]
    config = configuration("random:smollm2-135m", layers)
    padded = batches_of(real, config, packed=False)
    packed = batches_of(real, config, packed=True)
    tree = config.model_copy(update={"packed": True})
    yield f"\n## The default configuration's batches, {layers} layers of SmolLM2-135M\n\n{HEAD}"
    yield run("a padded forward per member", config, padded, bench, kind=Separate)
    yield run("one padded forward", config, padded, bench)
    yield run("packed, SDPA under a tree mask", tree, packed, bench)
    eager = config.model_copy(update={"attn": "eager"})
    yield run("one padded forward, eager attention", eager, padded, bench)
    recomputed = config.model_copy(update={"checkpointing": True})
    yield run("one padded forward, checkpointing", recomputed, padded, bench)


def part_kernels(bench: Bench) -> Iterator[str]:
    """The same batches by kernels that have to be compiled first."""
    real = json.loads(ROWS.read_text())
    config = configuration("random:smollm2-135m", 20)
    tree = config.model_copy(update={"packed": True})
    yield f"\n## Compiled kernels on the same batches\n\n{HEAD}"
    if bench.device == "cpu":
        yield "| FlexAttention trains on GPUs only; layers: run this part on a GPU |||||||||"
        return
    padded = batches_of(real, config, packed=False)
    packed = batches_of(real, config, packed=True)
    compiled = {"compile": True}
    yield run("one padded forward, compiled", config.model_copy(update=compiled), padded, bench)
    yield run("packed, SDPA, compiled", tree.model_copy(update=compiled), packed, bench)
    flex = tree.model_copy(update={"attn": "flex"})
    yield run("packed, FlexAttention", flex, packed, bench)


def smaller(batch: list[list[int]], rows: int) -> list[list[int]]:
    """The first sets of a batch, about so many rows."""
    keep = [k for k, row in enumerate(batch) if k < rows or (row[5] >= 0 and row[5] < rows)]
    groups = {batch[k][0] for k in range(rows)}
    keep = [k for k, row in enumerate(batch) if row[0] in groups]
    new = {k: i for i, k in enumerate(keep)}
    return [[*batch[k][:5], new.get(batch[k][5], -1), *batch[k][6:]] for k in keep]


def part_prefix(bench: Bench) -> Iterator[str]:
    """Where packing begins to pay: the same windows under longer and longer context."""
    gpu = bench.device == "cuda"
    n, layers = (32, 20) if gpu else (2, 2)
    config = configuration("random:smollm2-135m", layers)
    tree = config.model_copy(update={"packed": True})
    yield f"\n## When packing pays: {n} triplets with windows of 256 tokens\n\n{HEAD}"
    for prefix in (32, 256, 768):
        facts = [triplets(n, prefix=prefix, window=256)]
        for name, how, packed in (("padded", config, False), ("packed", tree, True)):
            batches = batches_of(facts, how, packed=packed)
            yield run(f"context {prefix}, {name}", how, batches, bench)


def part_growth(bench: Bench) -> Iterator[str]:
    """Time and memory as one size grows, the others held."""
    gpu = bench.device == "cuda"
    n, layers, grid = (16, 10, (256, 512, 1024)) if gpu else (2, 2, (128, 256))
    yield f"\n## Growth ({n} triplets, {layers} layers, 256 tokens but where said)\n\n{HEAD}"
    sizes = [(f"{length} tokens", n, layers, length) for length in grid]
    sizes += [(f"{k * n} triplets", k * n, layers, 256) for k in (2, 4)]
    sizes += [(f"{depth} layers", n, depth, 256) for depth in ((20, 30) if gpu else (4, 8))]
    for name, sets, depth, length in sizes:
        config = configuration("random:smollm2-135m", depth)
        facts = [triplets(sets, prefix=length // 4, window=length - length // 4)]
        yield run(name, config, batches_of(facts, config, packed=False), bench)


def part_6gb(bench: Bench) -> Iterator[str]:
    """Llama-2-7B's shape in NF4: configs/llama2-7b-6gb.yaml with random weights."""
    from causalguard.train.cli import packaged_config
    from causalguard.train.config import load_config

    gpu = bench.device == "cuda"
    shape = "llama-2-7b" if gpu else "tiny-llama"
    alone = ["watch.every=0", "watch.patience=0", f"base=random:{shape}"]
    given = load_config(packaged_config("llama2-7b-6gb"), alone)
    depth = 32 if gpu else 4
    context = given.template.system_tokens + given.template.task_tokens + 16
    title = f"configs/llama2-7b-6gb.yaml over random:{shape}, one triplet of 1024 tokens"
    yield f"\n## {title}, accumulation 2\n\n{HEAD}"
    if gpu:
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(5.5 * GIB / whole)
    few = Bench(device=bench.device, steps=4, warm=2, matmul=bench.matmul)
    for packed, layers in ((True, depth), (False, depth), (True, depth // 2)):
        exits = (given.exits[0].model_copy(update={"layer": layers}),)
        changes = {"packed": packed, "exits": exits, "accumulation": 2}
        config = given.model_copy(update=changes)
        facts = [triplets(1, prefix=context, window=given.windows.tokens)]
        batches = batches_of(facts, config, packed=packed)
        name = f"{layers} layers, {'packed' if packed else 'padded'}, NF4"
        yield run(name, config, batches, few)
    if gpu:
        torch.cuda.set_per_process_memory_fraction(1.0)
        yield "\nAll under a limit of 5.5 GiB for the process's tensors."


PARTS = {
    "packed": part_packed,
    "prefix": part_prefix,
    "growth": part_growth,
    "6gb": part_6gb,
    "kernels": part_kernels,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, help="timed steps of a row")
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    gpu = options.device == "cuda"
    dtype = (
        torch.bfloat16 if pick_precision("auto", torch.device(options.device)) == "bf16" else None
    )
    rate = matmul_rate(options.device, dtype or torch.float32)
    steps = options.steps or (16 if gpu else 3)
    bench = Bench(device=options.device, steps=steps, warm=4 if gpu else 1, matmul=rate)
    name = torch.cuda.get_device_name() if gpu else f"{platform.machine()} CPU"
    if not gpu:
        name += f", {torch.get_num_threads()} threads"
    lines = [
        "# Training step",
        "",
        (
            f"{name}; torch {torch.__version__}; {dtype}; a large matrix product "
            f"here: {rate / 1e12:.2f} TFLOP/s. Command: `python benchmarks/training.py --device "
            f"{options.device} --parts {options.parts}`."
        ),
        "",
        "A triplet is a matched set, of up to five members. Share of matmul: operations of the",
        "linear maps (forward, backward to the inputs, adapter) over what a large product reaches.",
    ]
    begin = time.perf_counter()
    for part in options.parts.split(","):
        for line in PARTS[part](bench):
            lines.append(line)
            print(line, flush=True)
            if options.output:
                options.output.write_text("\n".join(lines) + "\n")
    print(f"{time.perf_counter() - begin:.0f} s in all")


if __name__ == "__main__":
    main()
