"""What a scan costs: against DeBERTa-v3 shapes, against length, inside a turn, and in memory.

    python benchmarks/runtime.py --model DIR --key KEY          # or --uncertified

One run, one process, the same number of threads, subjects in turn.  The DeBERTa-v3 shapes
(xsmall: what PromptGuard 2 22M is; base: PromptGuard 2 86M and ProtectAI's detector) have random
weights, which take the same time; they read as many random tokens as ours reads of the texts, in
windows of 512, which is their limit.  Each shape runs in bfloat16 and float32; the faster counts.
Writes benchmarks/results/runtime.md and runtime.json.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from causalguard.guard import Guard
from causalguard.interventions import engine
from causalguard.records import ToolOutput

RESULTS = Path(__file__).parent / "results"
SHAPES = {
    "DeBERTa-v3-xsmall shape": {"hidden_size": 384, "num_attention_heads": 6,
                                "intermediate_size": 1536},
    "DeBERTa-v3-base shape": {"hidden_size": 768, "num_attention_heads": 12,
                              "intermediate_size": 3072},
}  # fmt: skip
WINDOW = 512
DOCUMENT = 2048
LENGTHS = (1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)
SYSTEM = "You are an assistant with tools.  Answer briefly."
TASK = "Summarise what came in today and tell me what I have to answer."


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    if options.child:
        print(json.dumps(child(options)))
        return
    guard = load(options)
    guard.warmup()
    text = long_text(guard, max(options.lengths))
    result: dict[str, Any] = {
        "command": "python " + shlex.join(sys.argv),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "hardware": hardware(options.threads),
        "model": guard.files.info.name,
        "backend": guard.backend,
        "layers": guard.files.info.base.layers,
        "windows": guard.files.info.windows.model_dump(),
        "load": os.getloadavg()[0],
        "floor": floor(guard),
        "documents": documents(guard, text, options.repeats),
        "turn": turn(guard, options.turns),
        "lengths": against_length(guard, text, options.lengths),
        "memory": memory(),
    }
    if not options.dry:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "runtime.json").write_text(json.dumps(result, indent=1) + "\n")
        (RESULTS / "runtime.md").write_text(page(result))
    print(page(result))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--uncertified", action="store_true")
    parser.add_argument("--policy", action="append")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--lengths", type=int, nargs="+", default=list(LENGTHS))
    parser.add_argument("--child", help="internal: measure the memory of one subject")
    parser.add_argument("--dry", action="store_true", help="print only")
    options = parser.parse_args()
    if options.key is None and not options.uncertified:
        parser.error("give --key, or --uncertified")
    return options


def load(options: argparse.Namespace) -> Guard:
    return Guard.load(
        options.model, trust=options.key, require_certified=options.key is not None,
        policies=options.policy or None, dtype=options.dtype,
    )  # fmt: skip


def hardware(threads: int) -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    amx = ", AMX" if "amx_bf16" in flags else ""
    return f"{names[0] if names else platform.machine()}{amx}, {threads} threads"


def long_text(guard: Guard, tokens: int) -> str:
    """Benign tool outputs, one after the other, of at least so many tokens."""
    parts: list[str] = []
    count = 0
    for triplet in engine.generate(100_000, seed=3, split="dev"):
        parts.append(triplet.benign)
        count += n_tokens(guard, triplet.benign)
        if count > tokens * 1.02:
            break
    return "\n".join(parts)


def n_tokens(guard: Guard, text: str) -> int:
    return len(template(guard).tokens(text).ids)


def template(guard: Guard) -> Any:
    return guard._scorer.template  # noqa: SLF001


def cut(guard: Guard, text: str, tokens: int, start: int = 0) -> str:
    """A piece of a text of so many tokens."""
    offsets = template(guard).tokens(text).offsets
    return text[int(offsets[start, 0]) : int(offsets[start + tokens - 1, 1])]


def output(text: str) -> ToolOutput:
    return ToolOutput(text=text, task=TASK, system=SYSTEM)


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def floor(guard: Guard) -> dict[str, float]:
    """Seconds for 1k tokens if only the layers' matrix products were done, each token once."""
    backbone = guard._scorer.encoder.backbone  # noqa: SLF001
    dtype = next(backbone.parameters()).dtype
    weights = [p for n, p in backbone.named_parameters() if p.ndim == 2 and "embed" not in n]
    flop = 2.0 * sum(p.numel() for p in weights) * 1000
    a, b = (torch.randn(2048, 2048, dtype=dtype) for _ in range(2))
    rate = 2 * 2048**3 / min(seconds(lambda: a @ b) for _ in range(20))
    return {"gflop_per_1k": flop / 1e9, "gflops": rate / 1e9, "seconds_per_1k": flop / rate}


def deberta(name: str, dtype: torch.dtype) -> Callable[[int], object]:
    """A shape with random weights, reading so many random tokens."""
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

    config = DebertaV2Config(
        vocab_size=128_100, num_hidden_layers=12, max_position_embeddings=512, type_vocab_size=0,
        relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm",
        share_att_key=True, pos_att_type=["p2c", "c2p"], max_relative_positions=-1,
        position_biased_input=False, layer_norm_eps=1e-7, num_labels=2, **SHAPES[name],
    )  # fmt: skip
    torch.manual_seed(0)
    model = DebertaV2ForSequenceClassification(config).to(dtype).eval()

    def read(tokens: int) -> object:
        ids = torch.randint(5, 128_000, (1, tokens))
        with torch.inference_mode():
            return [model(input_ids=part).logits for part in ids.split(WINDOW, dim=1)]

    return read


def documents(guard: Guard, text: str, repeats: int) -> list[dict[str, Any]]:
    """Seconds for 1k tokens of 2k-token documents, subjects in turn."""
    pieces = [cut(guard, text, DOCUMENT, start=i * DOCUMENT) for i in range(repeats)]
    subjects: dict[str, Callable[[int], object]] = {
        f"ours, {guard.backend}": lambda i: guard.scan([output(pieces[i])])
    }
    for name in SHAPES:
        for dtype in (torch.bfloat16, torch.float32):
            read = deberta(name, dtype)
            label = f"{name}, {str(dtype).removeprefix('torch.')}"
            subjects[label] = lambda _, read=read: read(DOCUMENT)  # type: ignore[misc]
    for call in subjects.values():
        call(0)
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for i in range(repeats):
        for name, call in subjects.items():
            found[name].append(seconds(lambda call=call, i=i: call(i)))  # type: ignore[misc]
    scale = 1000 / DOCUMENT
    return [
        {"subject": name, "seconds_per_1k": statistics.median(times) * scale,
         "fastest": min(times) * scale}
        for name, times in found.items()
    ]  # fmt: skip


def turn(guard: Guard, count: int) -> dict[str, float]:
    """Seconds for a 200-token result where S has been read before."""
    text = long_text(guard, 200 * (count + 1))
    pieces = [cut(guard, text, 200, start=200 * i) for i in range(count)]
    guard.scan([output(pieces[0])])
    times = [seconds(lambda piece=piece: guard.scan([output(piece)])) for piece in pieces]
    p50, p95 = np.quantile(times, (0.5, 0.95))
    return {"count": count, "p50": float(p50), "p95": float(p95)}


def against_length(guard: Guard, text: str, lengths: Sequence[int]) -> dict[str, Any]:
    rows = []
    for tokens in lengths:
        piece = cut(guard, text, tokens)
        rows.append(
            {"tokens": tokens, "seconds": seconds(lambda piece=piece: guard.scan([output(piece)])),
             "rss_mib": resident()}
        )  # fmt: skip
    x = np.array([row["tokens"] for row in rows], dtype=np.float64)
    y = np.array([row["seconds"] for row in rows])
    fit = np.polyval(np.polyfit(x, y, 1), x)
    r2 = 1 - ((y - fit) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    return {"rows": rows, "r2": float(r2)}


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory() -> list[dict[str, Any]]:
    """Resident memory and time to the first verdict, each subject in a process of its own."""
    rows = []
    for name in ("ours", *SHAPES):
        command = [sys.executable, *sys.argv, "--child", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append({"subject": name, **json.loads(done.stdout.splitlines()[-1])})
    return rows


def child(options: argparse.Namespace) -> dict[str, float]:
    begin = time.perf_counter()
    before = resident()
    if options.child == "ours":
        guard = load(options)
        guard.scan([output("hello " * 150)])
        first = time.perf_counter() - begin
        guard.scan([output("the mail from ana says friday " * 700)])
    else:
        read = deberta(options.child, torch.bfloat16)
        read(200)
        first = time.perf_counter() - begin
        read(4096)
    return {"first_verdict_s": first, "rss_mib": resident(), "imports_mib": before}


def page(result: dict[str, Any]) -> str:
    rows = result["documents"]
    ours = rows[0]["seconds_per_1k"]
    best = {
        name: min(r["seconds_per_1k"] for r in rows if r["subject"].startswith(name))
        for name in SHAPES
    }
    windows = "windows {tokens}/{stride}".format(**result["windows"])
    flops = "{gflop_per_1k:.0f} GFLOP at {gflops:.0f} GFLOP/s".format(**result["floor"])
    floor_s, t, lengths = result["floor"]["seconds_per_1k"], result["turn"], result["lengths"]
    lines = [
        "# What a scan costs",
        "",
        f"Command: `{result['command']}`  ",
        f"Date: {result['date']}  ",
        f"Hardware: {result['hardware']}; load before the run {result['load']:.1f}  ",
        f"Model: {result['model']}, {result['layers']} layers, {result['backend']}, {windows}",
        "",
        f"## 1,000 tokens of {DOCUMENT}-token documents",
        "",
        "| subject | median ms | fastest ms | ratio to ours |",
        "|---|---:|---:|---:|",
        *(
            f"| {r['subject']} | {1000 * r['seconds_per_1k']:.0f} | {1000 * r['fastest']:.0f} | "
            f"{r['seconds_per_1k'] / ours:.2f} |"
            for r in rows
        ),
        f"| floor: {flops} | {1000 * floor_s:.0f} | | {floor_s / ours:.2f} |",
        "",
        *(f"Ours over {name}: **{ours / cost:.2f}**.  " for name, cost in best.items()),
        f"Ours over the floor: **{ours / floor_s:.2f}**.",
        "",
        "## A 200-token result inside a turn (S read before)",
        "",
        f"p50 **{1000 * t['p50']:.0f} ms**, p95 {1000 * t['p95']:.0f} ms; {t['count']} texts.",
        "",
        f"## Against length (linear: R² = {lengths['r2']:.4f})",
        "",
        "| tokens | seconds | ms per 1k | resident MiB |",
        "|---:|---:|---:|---:|",
        *(
            f"| {r['tokens']:,} | {r['seconds']:.2f} | {1e6 * r['seconds'] / r['tokens']:.0f} | "
            f"{r['rss_mib']:.0f} |"
            for r in lengths["rows"]
        ),
        "",
        "## Memory and start, each in a process of its own",
        "",
        "| subject | first verdict s (imports left out) | resident MiB | of these imports |",
        "|---|---:|---:|---:|",
        *(
            f"| {r['subject']} | {r['first_verdict_s']:.1f} | {r['rss_mib']:.0f} | "
            f"{r['imports_mib']:.0f} |"
            for r in result["memory"]
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
