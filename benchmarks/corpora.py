"""Scaling of guard-scan --engine ray from one worker to two, in one run.

    OMP_NUM_THREADS=1 python benchmarks/corpora.py

Writes benchmarks/results/corpora.md.  Each worker has one processor and one torch thread.  The
rate is taken between outcomes, after every worker has loaded its model; the whole time, with the
start of the workers, stands beside it.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import IO, Any, cast

from causalguard.guard.corpora.index import index_file
from causalguard.guard.corpora.model import check_model
from causalguard.guard.corpora.plan import Block, Limits, pack
from causalguard.guard.corpora.ray_pool import RayPool, Workers, cluster
from causalguard.guard.corpora.scoring import read_block, score_rows
from causalguard.guard.corpora.sources import list_files
from causalguard.guard.options import ModelChoice
from causalguard.interventions import engine

NOTE = (
    "Rows/s leave out the start: processes, torch and the model take some seconds once a scan, "
    "which the whole run includes. *Plain*: processes without Ray, each scoring its share of the "
    "same blocks after all have loaded; what this machine gives to a second worker at best. "
    "*Load*: the machine's one-minute average when the run began, other work and the run before. "
    "Where *processors got* is less than the workers, other work had the rest, and rows/s says "
    "little about scaling; rows per CPU second still does."
)
RESULTS = Path(__file__).parent / "results"
ORDER = (1, 2, 2, 1)
"""Workers of each run: in turns, so that a drift of the machine hits both."""
WARM = 2
"""Blocks a worker that are not timed: the first has waited for the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One pass over the corpus."""

    workers: int
    """Scorers."""
    rate: float
    """Rows a second once all workers are at work."""
    whole: float
    """Seconds from the start of the workers to the last outcome."""
    cores: float
    """Processors that the scorers got in the timed part: CPU seconds over seconds."""
    load: float
    """Load average of the last minute when it began."""
    verdicts: dict[tuple[str, int], dict[str, Any]]
    """By source and row."""


def corpus(directory: Path, rows: int, seed: int) -> list[Block]:
    """Tool outputs of the intervention engine as a JSONL file, cut into small blocks."""
    path = directory / "rows.jsonl"
    with path.open("w") as stream:
        for n, triplet in enumerate(engine.generate(rows // 2, seed=seed, split="train")):
            for kind, text in (("benign", triplet.benign), ("injected", triplet.injected)):
                row = {"id": f"{n}-{kind}", "text": text, "task": triplet.task}
                stream.write(json.dumps(row) + "\n")
    return blocks_of(path)


def blocks_of(path: Path) -> list[Block]:
    """The plan of one file."""
    limits = Limits(block_rows=8)
    (file,) = list_files([str(path)])
    return list(pack(index_file(file, limits).pieces, limits))


def measure(pool: RayPool, blocks: Sequence[Block], workers: int) -> Run:
    """Score the blocks once, noting when each outcome came."""
    load, begin, times = os.getloadavg()[0], time.perf_counter(), []
    verdicts: dict[tuple[str, int], dict[str, Any]] = {}
    seen: dict[str, int] = {}
    for outcome in pool.outcomes(blocks, Limits(block_rows=8)):
        if outcome.error:
            raise SystemExit(f"{outcome.error}: {outcome.message}")
        times.append((time.perf_counter(), len(outcome.verdicts), scorer_seconds(seen)))
        verdicts |= {(row["source"], row["row"]): row for row in outcome.verdicts}
    skip = WARM * workers
    (first, _, cpu_before), (last, _, cpu_after) = times[skip - 1], times[-1]
    rate = sum(n for _, n, _ in times[skip:]) / (last - first)
    cores = (cpu_after - cpu_before) / (last - first)
    whole = times[-1][0] - begin
    return Run(workers=workers, rate=rate, whole=whole, cores=cores, load=load, verdicts=verdicts)


def scorer_seconds(seen: dict[str, int]) -> float:
    """CPU seconds of all scorers so far, one that ended keeps its last count."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended
            if b"_Scorer" in (entry / "cmdline").read_bytes():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                seen[entry.name] = int(fields[11]) + int(fields[12])
    return sum(seen.values()) / os.sysconf("SC_CLK_TCK")


def plain(path: Path, model: str, workers: int) -> tuple[float, float, float]:
    """Rows a second of processes without Ray, processors they got, load average before."""
    load = os.getloadavg()[0]
    own = [sys.executable, __file__, "--model", model, "--share"]
    started = [
        subprocess.Popen(
            [*own, f"{n}/{workers}", str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for n in range(workers)
    ]
    pipes = [(cast("IO[bytes]", p.stdin), cast("IO[bytes]", p.stdout)) for p in started]
    for _, out in pipes:
        out.readline()
    begin = time.perf_counter()
    for into, _ in pipes:
        into.write(b"go\n")
        into.flush()
    said = [out.readline().split() for _, out in pipes]
    seconds = time.perf_counter() - begin
    for process in started:
        process.communicate()
    rows, cpu = sum(int(n) for n, _ in said), sum(float(used) for _, used in said)
    return rows / seconds, cpu / seconds, load


def share(path: Path, model: str, which: str) -> None:
    """Score a share of the blocks as soon as a line comes in."""
    number, of = map(int, which.split("/"))
    load, _ = check_model(ModelChoice(model=model), threads=1)
    guard, limits, rows = load(), Limits(block_rows=8), 0
    guard.warmup()
    print("ready", flush=True)
    sys.stdin.readline()
    before = time.process_time()
    for block in blocks_of(path)[number::of]:
        rows += len(score_rows(guard, block.number, read_block(block, limits)).verdicts)
    print(rows, time.process_time() - before, flush=True)


def report(
    runs: Sequence[Run],
    plains: dict[int, tuple[float, float, float]],
    arguments: argparse.Namespace,
    facts: dict[str, Any],
) -> str:
    """The result as Markdown."""
    rates = {n: [run.rate for run in runs if run.workers == n] for n in (1, 2)}
    ratio = median(rates[2]) / median(rates[1])
    same = all(run.verdicts == runs[0].verdicts for run in runs)
    words = (
        ("python", platform.python_version()),
        *((name, version(name)) for name in ("ray", "pyarrow", "torch")),
    )
    versions = ", ".join(" ".join(pair) for pair in words)
    hardware = (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, one and one torch thread each"
    )
    texts = f"{arguments.rows} outputs of the intervention engine, seed {arguments.seed}"
    each = {n: median(run.rate / run.cores for run in runs if run.workers == n) for n in (1, 2)}
    thrift = f"Rows per CPU second of the scorers, two against one: {each[2] / each[1]:.2f}"
    gain = (
        f"**Two workers score {ratio:.2f} times the rows of one** (medians of {len(rates[1])} runs"
    )
    control = f"each); two plain processes {plains[2][0] / plains[1][0]:.2f} times."
    lines = [
        "# guard-scan --engine ray: one worker and two",
        "",
        f"Command: `OMP_NUM_THREADS=1 python {shlex.join(sys.argv)}`  ",
        f"Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC  ",
        f"Hardware: {hardware}  ",
        f"Versions: {versions}  ",
        f"Model: {arguments.model} ({facts['model'][:16]}), {facts['backend']}  ",
        f"Corpus: {texts}, {arguments.characters} characters; blocks of 8 rows",
        "",
        f"{gain} {control}",
        f"{thrift} (1 is linear).",
        f"One verdict a row in every run; equal in all runs of Ray: {'yes' if same else 'no'}.",
        "",
        "| run | workers | rows/s | processors got | rows per CPU second | whole, s | load |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for n, run in enumerate(runs, 1):
        cells = f"{run.workers} | {run.rate:.2f} | {run.cores:.2f} | {run.rate / run.cores:.2f}"
        cells += f" | {run.whole:.1f} | {run.load:.1f}"
        lines.append(f"| {n} | {cells} |")
    for workers, (rate, cores, load) in plains.items():
        cells = f"{workers} | {rate:.2f} | {cores:.2f} | {rate / cores:.2f} | | {load:.1f}"
        lines.append(f"| plain | {cells} |")
    return "\n".join([*lines, "", NOTE]) + "\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rows", type=int, default=80)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--share", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.share:
        share(Path(arguments.share[1]), arguments.model, arguments.share[0])
        return
    load, facts = check_model(ModelChoice(model=arguments.model), threads=1)
    runs = []
    with tempfile.TemporaryDirectory() as folder, cluster(Workers(count=2)) as ray:
        blocks = corpus(Path(folder), arguments.rows, arguments.seed)
        arguments.characters = sum(
            len(json.loads(line)["text"]) for line in (Path(folder) / "rows.jsonl").open()
        )
        for workers in ORDER:
            runs.append(measure(RayPool(ray, Workers(count=workers), load), blocks, workers))
            if len(runs[-1].verdicts) != arguments.rows:
                raise SystemExit("a row has no verdict")
            print(
                f"{workers} workers: {runs[-1].rate:.1f} rows/s, {runs[-1].whole:.1f} s", flush=True
            )
        plains = {n: plain(Path(folder) / "rows.jsonl", arguments.model, n) for n in (1, 2)}
    (RESULTS / "corpora.md").write_text(report(runs, plains, arguments, facts))


if __name__ == "__main__":
    main()
