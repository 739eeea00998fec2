"""Level, power, time and memory of the independence tests, beside the installed peers.

    python benchmarks/independence.py [--quick] [--peers] [--only level,power,time,conditional]

One thread (set OMP_NUM_THREADS=1).  Each section overwrites its part of
results/independence.json; results/independence.md is made from the whole.  ``--peers`` also
runs causal-learn, hyppo and scikit-learn, which must be installed:
``pip install causal-learn hyppo scikit-learn``.
"""

import argparse
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import designs
import independence_report
import numpy as np
import peer_tests
from scipy import stats

from causalguard.certify.independence import (
    TestResult,
    conditional_test,
    independence_test,
    paired_test,
    simulated_level,
)
from causalguard.certify.independence.bank import Bank, make_bank
from causalguard.certify.independence.fuse import p_value
from causalguard.certify.independence.hsic import _prepare, permutation_tables
from causalguard.stats.bounds import clopper_pearson

RESULTS = Path(__file__).parent / "results"
ALPHA = 0.05
Test = Callable[[designs.Sample, int], float]
Section = dict[str, Any]


def ours(permutations: int) -> Test:
    """The test a user would call for that sample."""

    def test(sample: designs.Sample, seed: int) -> float:
        rng = np.random.default_rng(seed)
        if sample.twin is not None:
            result = paired_test(sample.R, sample.twin, rng=rng, permutations=permutations)
        elif sample.Z is not None:
            result = conditional_test(sample.R, sample.x, sample.Z, rng=rng, draws=permutations)
        else:
            result = independence_test(
                sample.R,
                sample.x,
                strata=sample.z,
                clusters=sample.clusters,
                rng=rng,
                permutations=permutations,
                kind="auto",
            )
        return result.p_value

    return test


def median_only(permutations: int) -> Test:
    """Plain HSIC at the median width, same permutation code: the usual choice."""

    def test(sample: designs.Sample, seed: int) -> float:
        rng = np.random.default_rng(seed)
        units, features = _prepare(sample.R, sample.x, sample.z, None, "auto")
        bank: Bank = make_bank(sample.R[units.order], units.row_bounds)
        tables = permutation_tables({"R": bank}, features, units, permutations, rng=rng)
        names = [(x, r) for x in features for r in bank.names()]
        wanted = ("delta" if "delta" in features else "gauss", "gauss*1 pooled")
        return p_value(tables["R"][names.index(wanted)])

    return test


def rate(test: Test, design: str, n: int, sets: int) -> dict[str, Any]:
    """Share of p <= 0.05, with its exact 95 % interval and CPU seconds per test."""
    rejected, started = 0, time.process_time()
    for repetition in range(sets):
        rejected += test(designs.make(design, n, repetition), repetition) <= ALPHA + 1e-12
    low, high = clopper_pearson(rejected, sets, confidence=0.95)
    return {
        "design": design,
        "n": n,
        "sets": sets,
        "rate": rejected / sets,
        "low": low,
        "high": high,
        "cpu_s": (time.process_time() - started) / sets,
    }


NULLS = designs.CONTINUOUS_NULLS + designs.DISCRETE_NULLS


def level(options: argparse.Namespace, earlier: Section) -> Iterator[Section]:
    """Level in each cell; with ``--designs``, the other cells are kept from earlier runs."""
    sets, permutations = (200 if options.quick else 2000), 99
    names = options.designs.split(",") if options.designs else NULLS
    cells = [c for c in earlier.get("cells", []) if c["design"] not in names]
    tail = 0.01 / (3 * len(NULLS)) / 2
    low, high = (float(stats.binom.ppf(q, sets, ALPHA)) / sets for q in (tail, 1 - tail))
    for design, n in itertools.product(names, (100, 200, 500)):
        cell = rate(ours(permutations), design, n, sets)
        one_sided = design in designs.DISCRETE_NULLS
        cell["inside"] = cell["rate"] <= high and (one_sided or cell["rate"] >= low)
        cells.append(cell)
        cells.sort(key=lambda cell: (NULLS.index(cell["design"]), cell["n"]))
        yield {"permutations": permutations, "sets": sets, "band": [low, high], "cells": cells}


POWER_CELLS = (
    ("D32-null", 500), ("D32-mean", 500), ("D32-flip", 500), ("D32-scale", 500),
    ("U576-weak", 200), ("U1-sine", 200),
)  # fmt: skip


def power(options: argparse.Namespace, _: Section) -> Iterator[Section]:
    quick, peers = options.quick, options.peers
    sets, permutations = (50 if quick else 500), 999
    rows = []
    for design, n in POWER_CELLS:
        rows.append({"test": "causalguard", **rate(ours(permutations), design, n, sets)})
        rows.append({"test": "HSIC, median width", **rate(median_only(199), design, n, sets)})
        if peers:
            for name, test in peer_tests.for_design(design).items():
                rows.append({"test": name, **rate(test, design, n, 10 if quick else 200)})
                yield {"permutations": permutations, "rows": rows}
        yield {"permutations": permutations, "rows": rows}


def conditional(options: argparse.Namespace, _: Section) -> Iterator[Section]:
    quick, peers = options.quick, options.peers
    sets = 50 if quick else 500
    rows = []
    cells = [(d, n) for d in ("Z1-null", "Z3-null") for n in (200, 500)]
    for design, n in [*cells, ("Z1-alt", 200), ("Z3-alt", 200)]:
        rows.append({"test": "causalguard", **rate(ours(199), design, n, sets)})
        if peers and n == 200:
            for name, test in peer_tests.for_design(design).items():
                rows.append({"test": name, **rate(test, design, n, 5 if quick else 200)})
        yield {"rows": rows}
    sample = designs.make("Z3-null", 200, 0)
    level = simulated_level(
        sample.R, sample.x, sample.Z, rng=np.random.default_rng(0), sets=50 if quick else 200
    )
    yield {"rows": rows, "simulated_level_Z3_200": level}


TIMES: tuple[tuple[str, int, bool], ...] = (
    ("ours", 2000, False), ("ours", 5000, False), ("ours", 50_000, False),
    ("ours residual", 2000, False), ("ours residual", 10_000, False),
    ("hyppo.Hsic", 2000, True), ("causal-learn KCI", 2000, True),
    ("causal-learn KCI-U", 5000, True), ("causal-learn KCI residual", 2000, True),
)  # fmt: skip


def timing(options: argparse.Namespace, _: Section) -> Iterator[Section]:
    quick, peers = options.quick, options.peers
    rows = []
    for what, n, is_peer in TIMES:
        if (is_peer and not peers) or (quick and (n > 5000 or is_peer)):
            continue
        command = [sys.executable, __file__, "--single", f"{what}:{n}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append({"test": what, "n": n, **json.loads(output.splitlines()[-1])})
        yield {"permutations": 1000, "rows": rows}


def single(what: str, n: int) -> dict[str, Any]:
    """CPU seconds and peak extra memory of one test, alone in this process."""
    design = "Z3-null" if "residual" in what else "D32-null"
    sample = designs.make(design, n, 0)
    warm = designs.make(design, 200, 1)
    run: Callable[[designs.Sample], float]
    if what.startswith("ours"):
        test = ours(1000)
        run = lambda s: test(s, 0)  # noqa: E731
    else:
        run = peer_tests.timed(what)
    run(warm)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    run(sample)
    seconds = (time.process_time() - started) * peer_tests.SCALE.get(what, 1.0)
    extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"cpu_s": seconds, "extra_mib": extra, "scaled": peer_tests.SCALE.get(what, 1.0)}


class TorchOps:
    """The products of the kernel forms on an accelerator, through PyTorch."""

    def __init__(self, device: str) -> None:
        import torch

        self.torch, self.device = torch, device

    def put(self, array: Any) -> Any:
        return self.torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def get(self, array: Any) -> Any:
        return array.double().cpu().numpy()

    def exp(self, array: Any) -> Any:
        return array.exp_()

    def dots(self, a: Any, b: Any) -> Any:
        return (a * b).sum(0)


def accelerator(options: argparse.Namespace, _: Section) -> Iterator[Section]:
    """All kernels, block by block, at 50,000 rows on a GPU; and agreement with the host."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    ops = TorchOps(device)

    def run(n: int, **extra: Any) -> tuple[float, TestResult]:
        sample = designs.make("D32-flip", n, 0)
        started = time.perf_counter()
        result = independence_test(
            sample.R, sample.x, strata=sample.z, rng=np.random.default_rng(0),
            permutations=1000, path="kernel", **extra,
        )  # fmt: skip
        return time.perf_counter() - started, result

    run(1000, ops=ops)
    ours, host = run(1000, ops=ops)[1], run(1000)[1]
    # Every kernel's own statistic: linear ones are made on the host and agree in any case.
    agreement = max(
        abs(float(value) - float(host.details[name]))
        for name, value in ours.details.items()
        if name.startswith("z ")
    )
    rows = []
    for n in (5000, 10_000, 50_000)[: 1 if options.quick else 3]:
        seconds, result = run(n, ops=ops)
        rows.append({"n": n, "wall_s": seconds, "statistic": result.statistic})
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    yield {"device": name, "torch": torch.__version__, "difference": agreement, "rows": rows}


SECTIONS = {
    "level": level,
    "power": power,
    "conditional": conditional,
    "time": timing,
    "gpu": accelerator,
}


def hardware() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return f"{os.cpu_count()} cores, {model}; one BLAS thread"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few sets; writes nothing")
    parser.add_argument("--peers", action="store_true", help="also run the installed peers")
    parser.add_argument("--only", default="level,power,conditional,time", help="also: gpu")
    parser.add_argument("--designs", help="of the level section only; others are kept")
    parser.add_argument("--single", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.single:
        what, n = options.single.rsplit(":", 1)
        print(json.dumps(single(what, int(n))))
        return
    for name in options.only.split(","):
        for section in SECTIONS[name](options, read().get(name, {})):
            section |= {
                "command": "OMP_NUM_THREADS=1 python benchmarks/independence.py "
                f"--only {name}{' --peers' if options.peers else ''}",
                "date": datetime.now(UTC).strftime("%Y-%m-%d"),
                "hardware": hardware(),
                "versions": peer_tests.versions(peers=options.peers),
                "seed": "data set r of size n has seed 1000003 r + n; permutations have seed r",
            }
            if not options.quick:
                write(name, section)
        print(json.dumps(section, indent=1))


def read() -> dict[str, Section]:
    path = RESULTS / "independence.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write(name: str, section: Section) -> None:
    """After every cell, for a long run may be stopped; other sections are kept."""
    results = read()
    results[name] = section
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "independence.json").write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / "independence.md").write_text(independence_report.markdown(results))


if __name__ == "__main__":
    main()
