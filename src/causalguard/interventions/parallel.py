"""Matched sets made by several processes: the same sets in the same order as by one.

The processes run this module as a command of their own, so the caller's main module is not
imported again (as multiprocessing's spawn would) and no thread is forked.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from causalguard.errors import MissingError
from causalguard.interventions import engine, triplets
from causalguard.records import Triplet

WORTH_IT = 500
"""Fewer sets than this are made by the calling process."""


def generate(
    n_sets: int,
    *,
    seed: int,
    split: str,
    families: str | Sequence[str] | None = None,
    lengths: Sequence[str] | None = None,
    processes: int | None = None,
) -> Iterator[Triplet]:
    """Yield what :func:`engine.generate` yields, made by several processes.

    Args:
        n_sets: how many, >= 1.
        seed: >= 0.
        split: one of ``engine.SPLITS``.
        families: as for :func:`engine.generate`.
        lengths: likewise.
        processes: how many; None: one per processor.  One, or few sets: no process is started.

    Raises:
        MissingError: a process could not be run; the message holds what it printed.
    """
    count = processes or os.cpu_count() or 1
    if count == 1 or n_sets < WORTH_IT:
        yield from engine.generate(
            n_sets, seed=seed, split=split, families=families, lengths=lengths
        )
        return
    engine.make_plan(seed, split, families, None, lengths)  # faults are the caller's to see
    order = {"n": n_sets, "step": count, "seed": seed, "split": split}
    order |= {"families": families, "lengths": lengths}
    running = [_start(order | {"first": k}) for k in range(count)]
    try:
        for index in range(n_sets):
            yield _next(running[index % count])
    finally:
        for process in running:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


def _start(order: dict[str, object]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "causalguard.interventions.parallel", json.dumps(order)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")


def _next(process: "subprocess.Popen[str]") -> Triplet:
    line = process.stdout.readline() if process.stdout else ""
    if not line.endswith("\n"):
        raise MissingError("a generating process ended early; see its message above and try again")
    return triplets.from_row(json.loads(line))


def _serve(order: dict[str, object]) -> None:
    """Make sets first, first + step, ... and print them as rows."""
    plan = engine.make_plan(
        order["seed"],  # type: ignore[arg-type]
        order["split"],  # type: ignore[arg-type]
        order["families"],  # type: ignore[arg-type]
        None,
        order["lengths"],  # type: ignore[arg-type]
    )
    for index in range(int(order["first"]), int(order["n"]), int(order["step"])):  # type: ignore[call-overload]
        row = triplets.to_row(engine.nth(index, plan))
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
