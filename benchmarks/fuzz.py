"""Hostile texts: no crash, no hang, no open failure.

    python benchmarks/fuzz.py                  # 10,000 texts
    python benchmarks/fuzz.py --first 4321 --count 1
    python benchmarks/fuzz.py --state FILE --seconds 240       # in parts: again until it is done

Through the guard, the wrapped chat model and sanitising, with the real tokenizer and a model of
random weights, whose threshold flags about half.  A text is made from the seed and its number
alone, so a fault repeats.  Writes benchmarks/results/fuzz.md.
"""

import argparse
import faulthandler
import json
import logging
import math
import os
import platform
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import numpy as np
import torch
import transformers

from causalguard.guard import base as bases
from causalguard.guard.api import Guard
from causalguard.guard.bundle import WindowInfo
from causalguard.guard.template import load_tokenizer
from support import hostile, tiny

FULL = 10_000
RESULTS = Path(__file__).parent / "results"
TOKENIZER = "smollm2-135m-instruct"
WINDOWS = WindowInfo(tokens=64, stride=48, max_tokens=1024)


@dataclass(slots=True)
class Row:
    """What happened to one kind of text."""

    texts: int = 0
    flagged: int = 0
    characters: int = 0
    """Of all texts together."""
    slowest: float = 0.0
    """Seconds for everything that is done with one text."""
    cpu: float = 0.0
    """Seconds for all of them."""
    errors: int = 0
    """Typed errors."""
    refused: int = 0
    """Chats that LangChain itself does not make."""
    crashes: list[str] = field(default_factory=list)
    """Number of the text and the exception."""
    hangs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def build(directory: Path, seed: int) -> Guard:
    """A guard of random weights over the real tokenizer."""
    tokenizer = load_tokenizer(bases.resolve(TOKENIZER).directory / "tokenizer.json")
    base = tiny.tiny_base(directory / "base", tokenizer=tokenizer)
    model = tiny.tiny_model_dir(directory / "model", base, windows=WINDOWS)
    guard = Guard.load(model, require_certified=False, dtype="float32", num_threads=1)
    return hostile.centred(guard, np.random.default_rng(seed))


class Worker:
    """One process's guard, and what every text is put through."""

    checker: hostile.Checker
    seed: int
    limit: float

    @classmethod
    def start(cls, directory: str, seed: int, limit: float) -> None:
        logging.disable(logging.CRITICAL)
        cls.seed, cls.limit = seed, limit
        cls.checker = hostile.Checker(build(Path(directory) / str(os.getpid()), seed))

    @classmethod
    def attack(cls, number: int) -> tuple[str, Row]:
        """One text through everything."""
        text, kind = hostile.hostile(np.random.default_rng([cls.seed, number]))
        checker, row = cls.checker, Row(texts=1, characters=len(text))
        checker.flagged = checker.typed = checker.refused = 0
        checker.faults.clear()
        faulthandler.dump_traceback_later(10 * cls.limit, exit=True)
        started = time.process_time()
        try:
            checker.check(text)
        except Exception as error:  # noqa: BLE001  # what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            row.crashes.append(f"{number}: {type(error).__name__} in {where.name}")
        row.cpu = row.slowest = time.process_time() - started
        faulthandler.cancel_dump_traceback_later()
        if row.slowest > cls.limit:
            row.hangs.append(f"{number}: {row.slowest:.0f} s")
        row.flagged, row.errors, row.refused = checker.flagged, checker.typed, checker.refused
        row.faults = [f"{number}: {fault}" for fault in checker.faults]
        return kind, row


def add(total: Row, row: Row) -> None:
    """Add one text to its kind."""
    total.texts += row.texts
    total.flagged += row.flagged
    total.characters += row.characters
    total.errors += row.errors
    total.refused += row.refused
    total.cpu += row.cpu
    total.slowest = max(total.slowest, row.slowest)
    for name in ("crashes", "hangs", "faults"):
        getattr(total, name).extend(getattr(row, name))


def table(rows: dict[str, Row]) -> str:
    """One line a kind, and the sum."""
    first = (
        "| kind | texts | million characters | flagged | slowest, CPU s | typed errors | crashes "
        "| over the time limit | open failures and broken laws |"
    )
    lines = [
        first,
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    whole = Row()
    for row in rows.values():
        add(whole, row)
    for name, row in [*sorted(rows.items()), ("**all**", whole)]:
        lines.append(
            f"| {name} | {row.texts:,} | {row.characters / 1e6:.1f} | {row.flagged:,} "
            f"| {row.slowest:.1f} | {row.errors} | {len(row.crashes)} | {len(row.hangs)} "
            f"| {len(row.faults)} |"
        )
    found = [f"* {x}" for x in (*whole.crashes, *whole.hangs, *whole.faults)][:50]
    return "\n".join([*lines, "", "## Found", "", *(found or ["Nothing."])]) + "\n"


def report(rows: dict[str, Row], options: argparse.Namespace) -> str:
    """The page."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    part = (
        "" if options.count >= FULL else f"  The full run has {FULL:,} texts: this is a part of it."
    )
    cpu = sum(row.cpu for row in rows.values())
    names = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    last = options.first + options.count - 1
    head = f"""# Hostile texts: no crash, no hang, no open failure

Command: `python benchmarks/fuzz.py --count {options.count} --seed {options.seed}`
Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC
Hardware: {names[0] if names else platform.machine()}, {os.cpu_count()} cores, one thread each, \
{cpu:.0f} CPU s
Versions: python {platform.python_version()}, torch {torch.__version__}, transformers \
{transformers.__version__}
Seed: numpy default_rng([{options.seed}, number]), texts {options.first} to {last}; time limit \
{options.limit:g} CPU s a text

Tokenizer of {TOKENIZER}, a Llama of random weights, views on, windows of {WINDOWS.tokens} tokens,
at most {WINDOWS.max_tokens:,} tokens a text.  Each text goes through `Guard.scan`, and through
`CausalGuardLLM` as a string, as blocks or in nested blocks, once with `withhold` and once with
`sanitise`; what the inner model was shown is scanned again.  Broken laws: a number outside its
range, a span outside the text, a letter that no token covers, a text not read in full and not
flagged or said to be covered, a flagged text that was shown.
LangChain itself refused {sum(row.refused for row in rows.values())} chats.{part}

"""
    head = head.replace("\nDate", "  \nDate").replace("\nHard", "  \nHard")
    return head.replace("\nVers", "  \nVers").replace("\nSeed", "  \nSeed") + table(rows)


def restore(path: Path | None) -> tuple[dict[str, Row], int]:
    """Rows of an earlier part, and how many texts it did."""
    if path is None or not path.exists():
        return {}, 0
    kept = json.loads(path.read_text(encoding="utf-8"))
    return {k: Row(**row) for k, row in kept["rows"].items()}, kept["done"]


def run(options: argparse.Namespace) -> tuple[dict[str, Row], int]:
    """Texts one after the other, in several processes, until all are done or the time is up."""
    rows, done = restore(options.state)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as directory,
        ProcessPoolExecutor(
            options.workers,
            mp_context=get_context("spawn"),
            initializer=Worker.start,
            initargs=(directory, options.seed, options.limit),
        ) as pool,
    ):
        numbers = range(options.first + done, options.first + options.count)
        for kind, row in pool.map(Worker.attack, numbers):
            add(rows.setdefault(kind, Row()), row)
            done += 1
            if time.monotonic() - started > options.seconds:
                pool.shutdown(cancel_futures=True)
                break
    if options.state is not None:
        kept = {"done": done, "rows": {k: asdict(row) for k, row in rows.items()}}
        options.state.write_text(json.dumps(kept), encoding="utf-8")
    return rows, done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=FULL)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--limit", type=float, default=60.0, help="CPU seconds a text")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--state", type=Path, help="file to go on from, and to keep a part in")
    parser.add_argument("--seconds", type=float, default=math.inf, help="length of a part")
    options = parser.parse_args()
    rows, done = run(options)
    if done < options.count:
        print(f"{done} texts; the same command goes on", file=sys.stderr)
        return 3
    page = report(rows, options)
    print(page)
    if options.count >= 1000:  # not when a fault is looked into
        (RESULTS / "fuzz.md").write_text(page, encoding="utf-8")
    return int(any(row.crashes or row.hangs or row.faults for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
