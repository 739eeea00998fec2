"""Time of a scan beside stackone-defender (rules and a 23 MB int8 MiniLM), on the same real texts.

    python benchmarks/peer_speed.py --shared DATA --cache CACHE

The texts are a sample of detection.py's sets.  Each subject gets them one at a time, as in an
agent's turn, in a process of its own with the same number of threads; the subjects take turns,
and the middle of the rounds counts.  Loading and the first text are left out.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from detection import PEERS, environment, hardware, sample

from causalguard.files import write_atomic
from causalguard.records import ToolOutput

HERE = Path(__file__).parent
PEER = PEERS[0]


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.option("--shared", type=click.Path(exists=True, path_type=Path), help="Labelled files.")
@click.option("--cache", type=click.Path(path_type=Path), help="Environments of the peers.")
@click.option("--each", default=12, show_default=True, help="Rows per set and class.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--ours", is_flag=True, hidden=True, help="Internal: our process.")
def command(
    *,
    shared: Path | None,
    cache: Path | None,
    each: int,
    rounds: int,
    seed: int,
    threads: int,
    ours: bool,
) -> None:
    """See the module docstring."""
    if ours:
        _ours([json.loads(line) for line in sys.stdin], threads)
        return
    if shared is None or cache is None:
        raise click.UsageError("--shared and --cache are needed")
    rows = [{"text": r.output.text, "task": r.output.task} for r in sample(shared, each, seed)]
    peer = [str(environment(PEER, cache)), str(HERE / "peers" / PEER.script)]
    mine = [sys.executable, __file__, "--ours", "--threads", str(threads)]
    subjects = {"CausalGuard (default)": mine, PEER.name: peer}
    taken: dict[str, list[list[float]]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, line in subjects.items():
            taken[name].append(_run(line, rows, threads))
    write_atomic(HERE / "results" / "peer_speed.md", _page(taken, rows, seed, threads, each))
    click.echo((HERE / "results" / "peer_speed.md").read_text())


def _ours(rows: Sequence[dict[str, str]], threads: int) -> None:
    from causalguard.guard.api import Guard

    guard = Guard.load("default", num_threads=threads)
    guard.warmup()
    for row in rows:
        output = ToolOutput(text=row["text"], task=row["task"])
        begin = time.perf_counter()
        guard.scan([output])
        click.echo(json.dumps([0.0, False, 1000 * (time.perf_counter() - begin)]))


def _run(line: Sequence[str], rows: Sequence[dict[str, str]], threads: int) -> list[float]:
    """Milliseconds of each text."""
    done = subprocess.run(
        line,
        input="".join(json.dumps(row) + "\n" for row in rows),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    return [json.loads(answer)[2] for answer in done.stdout.splitlines()]


def _page(
    taken: dict[str, list[list[float]]],
    rows: Sequence[dict[str, str]],
    seed: int,
    threads: int,
    each: int,
) -> str:
    sizes = sorted(len(row["text"]) for row in rows)
    lines = [
        "# Time of a scan beside the best installable peer", "",
        f"Command: `python benchmarks/peer_speed.py --each {each} --seed {seed}`  ",
        f"Date: {datetime.now(UTC):%Y-%m-%d}  ",
        f"Hardware: {hardware('cpu')}; {threads} threads  ",
        f"Texts: {len(rows)}; characters: median {sizes[len(sizes) // 2]}, most {sizes[-1]}.", "",
        "| subject | ms a text, mean | median | 95 % below | mean by round |",
        "|---|---:|---:|---:|---|",
    ]  # fmt: skip
    means = {}
    for name, passes in taken.items():
        each_text = sorted(statistics.median(times) for times in zip(*passes, strict=True))
        means[name] = statistics.median(statistics.mean(times) for times in passes)
        by_round = ", ".join(f"{statistics.mean(times):.0f}" for times in passes)
        lines.append(
            f"| {name} | {means[name]:.0f} | {each_text[len(each_text) // 2]:.0f} | "
            f"{each_text[int(0.95 * len(each_text))]:.0f} | {by_round} |"
        )
    mine, peer = means.values()
    lines += ["", f"Ours over the peer's: **{mine / peer:.2f}** (target: at most 1).", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    command()
