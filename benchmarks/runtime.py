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
from causalguard.guard import base as bases
from causalguard.guard.base import load_config
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
NOTE = (
    "Where the load average exceeds the threads, others used the machine too: wall time then says "
    "little, and processor time is what to compare."
)
PARTS = ("documents", "turn", "lengths", "memory")
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
    kept = RESULTS / "runtime.json"  # parts that are not run now keep their last figures
    result: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "documents": lambda: documents(guard, options.repeats),
        "turn": lambda: turn(guard, options.turns),
        "lengths": lambda: against_length(guard, options.lengths),
        "memory": memory,
    }
    for name in options.parts:
        result[name] = {**facts(guard, options.threads), **measures[name]()}
        if not options.dry:
            RESULTS.mkdir(exist_ok=True)
            kept.write_text(json.dumps(result, indent=1) + "\n")
            (RESULTS / "runtime.md").write_text(page(result))
    print(page(result))


def facts(guard: Guard, threads: int) -> dict[str, Any]:
    """What a part was measured with."""
    info = guard.files.info
    windows = f"windows {info.windows.tokens}/{info.windows.stride}"
    return {
        "command": command(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "hardware": hardware(threads),
        "model": f"{info.name}, {info.base.layers} layers, {guard.backend}, {windows}",
        "load": os.getloadavg()[0],
    }


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
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
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
    return both(call)[0]


def both(call: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of a call; the latter hardly depend on who else is there."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def floor(guard: Guard) -> dict[str, float]:
    """Seconds for 1k tokens if only the layers' matrix products were done, each token once."""
    config = load_config(bases.resolve(guard.files.info.base.name))
    wide, deep = config.hidden_size, guard.files.info.base.layers
    heads = wide + 2 * wide * config.num_key_value_heads // config.num_attention_heads
    weights = deep * (wide * (heads + wide) + 3 * wide * config.intermediate_size)
    flop = 2.0 * weights * 1000
    dtype = getattr(torch, guard.backend.rsplit("-", 1)[1])
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


def documents(guard: Guard, repeats: int) -> dict[str, Any]:
    """Seconds for 1k tokens of 2k-token documents, subjects in turn."""
    text = long_text(guard, DOCUMENT * repeats)
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
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in subjects}
    for i in range(repeats):
        for name, call in subjects.items():
            found[name].append(both(lambda call=call, i=i: call(i)))  # type: ignore[misc]
    scale = 1000 / DOCUMENT
    rows = [
        {
            "subject": name,
            "seconds_per_1k": statistics.median(wall for wall, _ in times) * scale,
            "fastest": min(wall for wall, _ in times) * scale,
            "cpu_per_1k": statistics.median(cpu for _, cpu in times) * scale,
        }
        for name, times in found.items()
    ]
    return {"rows": rows, "floor": floor(guard)}


def turn(guard: Guard, count: int) -> dict[str, float]:
    """Seconds for a 200-token result where S has been read before."""
    text = long_text(guard, 200 * (count + 1))
    pieces = [cut(guard, text, 200, start=200 * i) for i in range(count)]
    guard.scan([output(pieces[0])])
    times = np.array([both(lambda piece=piece: guard.scan([output(piece)])) for piece in pieces])
    p50, p95 = np.quantile(times[:, 0], (0.5, 0.95))
    return {
        "count": count,
        "p50": float(p50),
        "p95": float(p95),
        "fastest": float(times[:, 0].min()),
        "cpu_p50": float(np.quantile(times[:, 1], 0.5)),
    }


def against_length(guard: Guard, lengths: Sequence[int]) -> dict[str, Any]:
    text, rows = long_text(guard, max(lengths)), []
    for tokens in lengths:
        piece = cut(guard, text, tokens)
        wall, cpu = both(lambda piece=piece: guard.scan([output(piece)]))
        rows.append({"tokens": tokens, "seconds": wall, "cpu_s": cpu, "rss_mib": resident()})
    fits = {name: straight(lengths, [row[name] for row in rows]) for name in ("seconds", "cpu_s")}
    return {"rows": rows, "r2": fits["seconds"], "r2_cpu": fits["cpu_s"]}


def straight(lengths: Sequence[int], times: Sequence[float]) -> float:
    """R² of a straight line."""
    x, y = np.array(lengths, dtype=np.float64), np.array(times)
    fit = np.polyval(np.polyfit(x, y, 1), x)
    return float(1 - ((y - fit) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory() -> dict[str, Any]:
    """Resident memory and time to the first verdict, each subject in a process of its own."""
    rows = []
    for name in ("ours", *SHAPES):
        command = [sys.executable, *sys.argv, "--child", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append({"subject": name, **json.loads(done.stdout.splitlines()[-1])})
    return {"rows": rows}


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


def over(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """Ours against a shape in its faster dtype."""
    shape = min(
        (row for row in rows if row["subject"].startswith(name)), key=lambda row: row["fastest"]
    )
    median, fastest, cpu = (
        rows[0][key] / shape[key] for key in ("seconds_per_1k", "fastest", "cpu_per_1k")
    )
    return (
        f"Ours over {name}: **{median:.2f}** (median), {fastest:.2f} (fastest), "
        f"{cpu:.2f} (processor time).  "
    )


def page(result: dict[str, Any]) -> str:
    """The parts that were measured, each with its command, date and hardware."""
    shown = {"documents": of_documents, "turn": of_turn, "lengths": of_lengths, "memory": of_memory}
    lines = ["# What a scan costs", "", NOTE, ""]
    for name, part in result.items():
        title, *body = shown[name](part)
        lines += [
            f"## {title}",
            "",
            f"Command: `{part['command']}`  ",
            f"Date: {part['date']}  ",
            f"Hardware: {part['hardware']}; load average {part['load']:.1f} at the start  ",
            f"Model: {part['model']}",
            "",
            *body,
            "",
        ]
    return "\n".join(lines)


def of_documents(part: dict[str, Any]) -> list[str]:
    rows, floor_s = part["rows"], part["floor"]["seconds_per_1k"]
    ours = rows[0]
    flops = "{gflop_per_1k:.0f} GFLOP at {gflops:.0f} GFLOP/s".format(**part["floor"])
    slow, fast = ours["seconds_per_1k"] / floor_s, ours["fastest"] / floor_s
    return [
        f"1,000 tokens of {DOCUMENT}-token documents",
        "| subject | median ms | fastest ms | processor ms | processor time over ours |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {r['subject']} | {1000 * r['seconds_per_1k']:.0f} | {1000 * r['fastest']:.0f} | "
            f"{1000 * r['cpu_per_1k']:.0f} | {r['cpu_per_1k'] / ours['cpu_per_1k']:.2f} |"
            for r in rows
        ),
        f"| floor: {flops} | {1000 * floor_s:.0f} | | | |",
        "",
        *(over(name, rows) for name in SHAPES),
        f"Ours over the floor: **{slow:.2f}** (median), {fast:.2f} (fastest).",
    ]


def of_turn(part: dict[str, Any]) -> list[str]:
    p50, p95, fastest, cpu = (1000 * part[key] for key in ("p50", "p95", "fastest", "cpu_p50"))
    return [
        "A 200-token result inside a turn (S read before)",
        f"p50 **{p50:.0f} ms**, p95 {p95:.0f} ms, fastest {fastest:.0f} ms; {part['count']} texts.",
        f"Processor time of all threads: p50 {cpu:.0f} ms.",
    ]


def of_lengths(part: dict[str, Any]) -> list[str]:
    return [
        "Against length",
        "| tokens | seconds | processor s | ms per 1k | resident MiB |",
        "|---:|---:|---:|---:|---:|",
        *(
            f"| {r['tokens']:,} | {r['seconds']:.2f} | {r['cpu_s']:.2f} | "
            f"{1e6 * r['seconds'] / r['tokens']:.0f} | {r['rss_mib']:.0f} |"
            for r in part["rows"]
        ),
        "",
        f"Straight line: R² = {part['r2']:.4f}; in processor time {part['r2_cpu']:.4f}.",
    ]


def of_memory(part: dict[str, Any]) -> list[str]:
    return [
        "Memory and start, each in a process of its own",
        "| subject | first verdict s (imports left out) | resident MiB | of these imports |",
        "|---|---:|---:|---:|",
        *(
            f"| {r['subject']} | {r['first_verdict_s']:.1f} | {r['rss_mib']:.0f} | "
            f"{r['imports_mib']:.0f} |"
            for r in part["rows"]
        ),
    ]


def command() -> str:
    """The command line, paths by their last part."""
    return "python " + shlex.join(
        ["benchmarks/" + Path(sys.argv[0]).name, *(Path(a).name for a in sys.argv[1:])]
    )


if __name__ == "__main__":
    main()
