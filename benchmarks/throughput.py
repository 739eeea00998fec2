"""Corpora on a GPU: documents and tokens a second, beside a plain padded loop, in one run.

    python benchmarks/throughput.py --device cuda --output benchmarks/results/throughput-h200.md

Documents of 1,000 to 2,000 tokens, made by joining the engine's audit carriers.  Ours is
``Guard.scan`` from text to verdict: views, tokens, windows, spans; with one process and with more,
each with a model of its own.  The plain loop is what one writes in ten lines of transformers: the
base model with all its layers, batches of 32 in the order given, padded to the longest.
Tokens are those of the documents, counted once by the tokenizer, for both.
"""

import argparse
import cProfile
import io
import multiprocessing as mp
import os
import platform
import pstats
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, PreTrainedTokenizerFast

from causalguard.files import write_atomic
from causalguard.guard.api import Guard
from causalguard.guard.base import resolve
from causalguard.interventions import engine
from causalguard.records import ToolOutput

BASE = "smollm2-135m-instruct"
PLAIN_BATCH = 32
WARM_UP = 32


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default", help="MODEL_DIR")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--processes", default="1,2,4,8")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--profile", action="store_true", help="print where one process's time goes"
    )
    parser.add_argument("--output", type=Path, help="a Markdown table; default: print only")
    given = parser.parse_args()
    directory = resolve(BASE).directory
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(directory / "tokenizer.json"))
    tokenizer.pad_token = "<|im_end|>"
    texts, lengths = documents(tokenizer, given.documents, np.random.default_rng(given.seed))
    tokens = sum(lengths)
    seconds = plain(directory, tokenizer, texts, given.device, given.dtype)
    rows = [("plain padded loop, 1 process", seconds)]
    print(*rows[-1], flush=True)
    for number in (int(n) for n in given.processes.split(",")):
        seconds = spread(given, texts, number)
        rows.append((f"Guard.scan, {number} process{'es' if number > 1 else ''}", seconds))
        print(*rows[-1], flush=True)
    if given.profile:
        print(profiled(given, texts))
    name = torch.cuda.get_device_name() if given.device == "cuda" else platform.processor()
    lines = [
        (
            f"{len(texts):,} documents of {min(lengths):,} to {max(lengths):,} tokens (median "
            f"{int(np.median(lengths)):,}), {tokens:,} in all; seed {given.seed}; {given.model};"
        ),
        (
            f"{name}, {os.cpu_count()} cores; torch {torch.__version__}, {given.dtype}; "
            f"{datetime.now(UTC):%Y-%m-%d}."
        ),
        "",
        "| what | seconds | documents a second | tokens a second | against the plain loop |",
        "|---|---|---|---|---|",
    ]
    for what, took in rows:
        rate = f"{len(texts) / took:,.0f} | {tokens / took:,.0f} | {rows[0][1] / took:.2f} x"
        lines.append(f"| {what} | {took:.2f} | {rate} |")
    print("\n".join(lines), flush=True)
    if given.output:
        write_atomic(given.output, "\n".join(lines).encode() + b"\n")


def documents(tokenizer: Any, n: int, rng: np.random.Generator) -> tuple[list[str], list[int]]:
    """``n`` documents and their lengths in tokens."""
    sets = engine.generate(500, seed=int(rng.integers(2**31)), split="audit", lengths=("200-800",))
    pieces = [matched.benign for matched in sets]
    sizes = [len(ids) for ids in tokenizer(pieces, add_special_tokens=False)["input_ids"]]
    texts, lengths = [], []
    while len(texts) < n:
        wanted, parts, length = int(rng.integers(1000, 1900)), [], 0
        while length < wanted:
            k = int(rng.integers(len(pieces)))
            if length + sizes[k] <= 2000:
                parts.append(pieces[k])
                length += sizes[k]
            elif length >= 1000:
                break
        texts.append("\n\n".join(parts))
        lengths.append(length)
    return texts, lengths


def plain(directory: Path, tokenizer: Any, texts: Sequence[str], device: str, dtype: str) -> float:
    """Seconds of the plain loop."""
    model = AutoModel.from_pretrained(directory, dtype=getattr(torch, dtype)).to(device).eval()

    @torch.inference_mode()
    def loop(some: Sequence[str]) -> None:
        for first in range(0, len(some), PLAIN_BATCH):
            part = list(some[first : first + PLAIN_BATCH])
            batch = tokenizer(part, return_tensors="pt", padding=True).to(device)
            model(**batch, use_cache=False).last_hidden_state.float().mean().item()

    loop(texts[:WARM_UP])
    start = time.perf_counter()
    loop(texts)
    return time.perf_counter() - start


def load(given: argparse.Namespace) -> Guard:
    """The guard; the device at hand need not be one that its report lists."""
    return Guard.load(
        given.model, require_certified=False, device=given.device, dtype=given.dtype, num_threads=1
    )


def scan(guard: Guard, texts: Sequence[str]) -> None:
    """All of them, as many at a time as the guard likes."""
    task = "Sum up what the document says."
    for first in range(0, len(texts), guard.at_once):
        part = texts[first : first + guard.at_once]
        guard.scan([ToolOutput(text=text, task=task) for text in part])


def work(given: argparse.Namespace, texts: Sequence[str], ready: Any) -> None:
    """One process: load, warm up, wait for the others, scan."""
    try:
        guard = load(given)
        scan(guard, texts[:WARM_UP])
        ready.wait()
        scan(guard, texts)
        ready.wait()
    except BaseException:
        ready.abort()  # Nobody waits for who does not come.
        raise


def spread(given: argparse.Namespace, texts: list[str], number: int) -> float:
    """Seconds until the last of ``number`` processes has its share done."""
    context = mp.get_context("spawn")
    ready = context.Barrier(number + 1)
    shares = [texts[k::number] for k in range(number)]
    crew = [context.Process(target=work, args=(given, share, ready)) for share in shares]
    for process in crew:
        process.start()
    ready.wait(timeout=300)
    start = time.perf_counter()
    ready.wait(timeout=600)
    seconds = time.perf_counter() - start
    for process in crew:
        process.join()
    return seconds


def profiled(given: argparse.Namespace, texts: list[str]) -> str:
    """Where the time of one process goes."""
    guard = load(given)
    scan(guard, texts[:WARM_UP])
    profile = cProfile.Profile()
    profile.runcall(scan, guard, texts[:500])
    out = io.StringIO()
    pstats.Stats(profile, stream=out).sort_stats("tottime").print_stats(25)
    return out.getvalue()


if __name__ == "__main__":
    main()
