"""PC over mixed nodes beside causal-learn: distance to the truth, time, and the oracle check.

    python benchmarks/discovery.py --peers-python PYTHON_WITH_CAUSAL_LEARN

Writes benchmarks/results/discovery.json and discovery.md.  Both sides see the same data sets;
causal-learn runs in its own interpreter, for it is no dependency of this project.
"""

import argparse
import json
import os
import pickle
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from discovery_nets import (
    CLASSICS,
    GUARD7,
    GUARD7_TIERS,
    LEVELS,
    Parents,
    chickering,
    guard7,
    random_dag,
    tables,
)

from causalguard.certify.discovery import (
    CiResult,
    Graph,
    MixedTest,
    d_separated,
    make_graph,
    make_variables,
    pc_stable,
    shd,
    true_graph,
)

NOTE = (
    "SHD counts pairs that are missing, extra or marked differently, against the true CPDAG "
    "(with tiers: the CPDAG with the tiers' arrows and what follows from them). guard7 has seven "
    "mixed nodes with a 32-d block and six edges; guard7-weak halves what the causes do to the "
    "block. causal-learn takes one column a node: the block enters as its first principal "
    "component. Both sides get the same data and, where said, the same tiers."
)
RESULTS = Path(__file__).parent / "results"
Row = dict[str, Any]


def net(name: str, seed: int, n: int) -> dict[str, Any]:
    """One data set, by name and seed."""
    rng = np.random.default_rng([seed, n, len(name)])
    if name.startswith("guard7"):
        return guard7(n, rng, effect=0.5 if name.endswith("weak") else 1.0)
    return tables(CLASSICS[name], LEVELS[name], n, rng)


def truth(name: str, *, tiers: bool) -> Graph:
    if name.startswith("guard7"):
        return true_graph(GUARD7, tiers=GUARD7_TIERS if tiers else None)
    return true_graph(CLASSICS[name])


def ours(name: str, seeds: int, n: int, *, alpha: float, tiers: bool) -> Row:
    distances, seconds, asked = [], [], []
    for seed in range(seeds):
        nodes = make_variables(net(name, seed, n))
        start = time.process_time()
        test = MixedTest(nodes, alpha=alpha, seed=seed)
        known = GUARD7_TIERS if tiers else None
        run = pc_stable(list(nodes), test, alpha=alpha, tiers=known, max_given=3)
        seconds.append(time.process_time() - start)
        distances.append(shd(run.graph, truth(name, tiers=tiers)))
        asked.append(len(run.tests))
    row = {"net": name, "n": n, "method": "causalguard", "alpha": alpha, "tiers": tiers}
    return row | summary(distances, seconds) | {"ci_tests": float(np.mean(asked))}


def summary(distances: list[int], seconds: list[float]) -> Row:
    return {
        "seeds": len(distances),
        "shd_mean": float(np.mean(distances)),
        "shd_se": float(np.std(distances, ddof=1) / np.sqrt(len(distances))),
        "cpu_mean_s": float(np.mean(seconds)),
        "cpu_max_s": float(np.max(seconds)),
        "shd": distances,
    }


def peers(python: str, wanted: list[tuple[str, int, int, Row]]) -> list[Row]:
    """Rows of causal-learn for (net, seeds, n, setting), in one process of its interpreter."""
    jobs = [
        {"columns": net(name, seed, n), "tiers": GUARD7_TIERS, "seed": seed, "setting": setting}
        for name, seeds, n, setting in wanted
        for seed in range(seeds)
    ]
    with tempfile.TemporaryDirectory() as place:
        asked, answered = Path(place) / "jobs.pkl", Path(place) / "answers.json"
        asked.write_bytes(pickle.dumps(jobs))
        script = str(Path(__file__).parent / "discovery_peers.py")
        subprocess.run([python, script, str(asked), str(answered)], check=True)
        answers = iter(json.loads(answered.read_text(encoding="utf-8")))
    rows = []
    for name, seeds, n, setting in wanted:
        found = [next(answers) for _ in range(seeds)]
        row = {"net": name, "n": n, "method": f"causal-learn {setting['test']}"}
        row |= {"alpha": setting["alpha"], "tiers": setting["tiers"]}
        good = [a for a in found if "edges" in a]
        row["failed"] = len(found) - len(good)
        target = truth(name, tiers=setting["tiers"])
        graphs = [graph_of(target.nodes, a["edges"]) for a in good]
        row |= summary([shd(g, target) for g in graphs], [a["cpu"] for a in good])
        rows.append(row)
    return rows


def graph_of(nodes: tuple[str, ...], edges: list[list[str]]) -> Graph:
    by_mark: dict[str, list[tuple[str, str]]] = {"directed": [], "undirected": [], "conflict": []}
    for source, target, mark in edges:
        by_mark[mark].append((source, target))
    return make_graph(
        nodes, by_mark["directed"], by_mark["undirected"], conflicts=by_mark["conflict"]
    )


def oracle(dags: int, orders: int) -> Row:
    """Runs with perfect answers: every one must give the true CPDAG exactly."""
    wrong = wrong_tiers = runs = 0
    for seed in range(dags):
        rng = np.random.default_rng(seed)
        parents = random_dag(rng)
        goal = chickering(parents)
        for _ in range(orders):
            order = [str(name) for name in rng.permutation(list(parents))]
            wrong += shd(pc_stable(order, answers_of(parents)).graph, goal) != 0
            runs += 1
        tiers = {name: index // 2 for index, name in enumerate(parents)}
        tiered = pc_stable(list(parents), answers_of(parents), tiers=tiers).graph
        wrong_tiers += shd(tiered, true_graph(parents, tiers=tiers)) != 0
    return {
        "dags": dags, "orders_each": orders, "runs": runs, "runs_with_shd_above_0": wrong,
        "tiered_runs": dags, "tiered_runs_with_shd_above_0": wrong_tiers,
    }  # fmt: skip


def answers_of(parents: Parents) -> Any:
    def test(x: str, y: str, given: frozenset[str]) -> CiResult:
        p_value = float(d_separated(parents, x, y, given))
        return CiResult(x=x, y=y, given=tuple(sorted(given)), p_value=p_value, method="oracle")

    return test


def run_all(options: argparse.Namespace) -> Row:
    few = max(2, options.seeds * 2 // 5)
    rows = [
        ours("guard7", options.seeds, 500, alpha=alpha, tiers=tiers)
        for tiers in (True, False)
        for alpha in (0.01, 0.05)
    ]
    rows += [ours("guard7-weak", few, 500, alpha=0.01, tiers=tiers) for tiers in (True, False)]
    classics = [(name, n) for name in CLASSICS for n in (1000, 5000)]
    rows += [ours(name, few, n, alpha=0.01, tiers=False) for name, n in classics]
    wanted: list[tuple[str, int, int, Row]] = []
    for tiers in (True, False):
        for test, alpha in (("fisherz", 0.01), ("fisherz", 0.05), ("rcit", 0.01), ("rcit", 0.05)):
            setting = {"test": test, "alpha": alpha, "tiers": tiers}
            wanted.append(("guard7", options.seeds, 500, setting))
            if alpha == 0.05:
                wanted.append(("guard7-weak", few, 500, setting))
        if options.kci_seeds > 1:
            setting = {"test": "kci", "alpha": 0.05, "tiers": tiers}
            wanted.append(("guard7", options.kci_seeds, 500, setting))
    for name, n in classics:
        for test in ("chisq", "gsq"):
            wanted += [
                (name, few, n, {"test": test, "alpha": a, "tiers": False}) for a in (0.01, 0.05)
            ]
    if options.peers_python:
        rows += peers(options.peers_python, wanted)
    return {
        "command": shlex.join(["python", "benchmarks/discovery.py", *map(masked, sys.argv[1:])]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "hardware": f"{cpu_name()}, {os.cpu_count()} cores, one BLAS thread; CPU seconds",
        "versions": {"python": platform.python_version(), "numpy": np.__version__,
                     "scipy": scipy.__version__, "causal-learn": peer_version(options)},
        "seeds": f"0 to {options.seeds - 1}",
        "oracle": oracle(options.dags, 5),
        "rows": rows,
    }  # fmt: skip


def masked(argument: str) -> str:
    return "PYTHON_WITH_CAUSAL_LEARN" if argument.endswith("/python") else argument


def cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def peer_version(options: argparse.Namespace) -> str:
    if not options.peers_python:
        return "not run"
    code = "import importlib.metadata as m; print(m.version('causal-learn'))"
    done = subprocess.run(
        [options.peers_python, "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def verdict(report: Row) -> list[str]:
    """The targets, and whether this run meets them."""
    rows = [r for r in report["rows"] if r["net"] == "guard7"]
    lines = []
    for tiers in (True, False):
        mine = min(
            (r for r in rows if r["method"] == "causalguard" and r["tiers"] == tiers
             and r["alpha"] == 0.01), key=lambda r: r["shd_mean"],
        )  # fmt: skip
        theirs = [r for r in rows if r["method"] != "causalguard" and r["tiers"] == tiers]
        text = (
            f"- guard7, {'tiers given to both' if tiers else 'no tiers'}: mean SHD "
            f"{mine['shd_mean']:.2f} at our default alpha 0.01 (target <= 3)"
        )
        if theirs:
            best = min(theirs, key=lambda r: r["shd_mean"])
            bound = 0.6 * best["shd_mean"]
            met = "met" if mine["shd_mean"] <= bound else "NOT met"
            text += (
                f"; best causal-learn row ({best['method']}, alpha {best['alpha']}) "
                f"{best['shd_mean']:.2f}, target <= 0.6 x that = {bound:.2f}: {met}"
            )
        lines.append(text + f"; slowest run {mine['cpu_max_s']:.2f} CPU s (target <= 2).")
    found = report["oracle"]
    lines.append(
        f"- Oracle: {found['runs_with_shd_above_0']} of {found['runs']} runs over "
        f"{found['dags']} DAGs x {found['orders_each']} column orders differ from the true CPDAG "
        f"(Chickering's labelling, independent of Meek's rules); "
        f"with tiers {found['tiered_runs_with_shd_above_0']} of {found['tiered_runs']} (target 0)."
    )
    return lines


def markdown(report: Row) -> str:
    lines = [
        "# Discovery: PC over mixed nodes, beside causal-learn", "",
        f"Command: `{report['command']}`  ", f"Date: {report['date']}  ",
        f"Hardware: {report['hardware']}  ",
        "Versions: " + ", ".join(f"{k} {v}" for k, v in report["versions"].items()) + "  ",
        f"Seeds: {report['seeds']} (rows with fewer seeds use the first ones)", "",
        NOTE, "",
        "## Targets", "", *verdict(report), "", "## All rows", "",
        "| net | n | method | alpha | tiers | seeds | mean SHD (s.e.) | CPU s, mean / max |",
        "|---|---:|---|---:|---|---:|---:|---:|",
    ]  # fmt: skip
    key = lambda r: (r["net"], r["n"], not r["tiers"], r["shd_mean"])  # noqa: E731
    lines += [
        f"| {r['net']} | {r['n']} | {r['method']} | {r['alpha']} | "
        f"{'yes' if r['tiers'] else 'no'} | {r['seeds']} | {r['shd_mean']:.2f} "
        f"({r['shd_se']:.2f}) | {r['cpu_mean_s']:.2f} / {r['cpu_max_s']:.2f} |"
        for r in sorted(report["rows"], key=key)
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", default="", help="interpreter that has causal-learn")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--kci-seeds", type=int, default=10, help="KCI takes seconds a run")
    parser.add_argument("--dags", type=int, default=500)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    report = run_all(options)
    options.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1) + "\n"
    (options.output / "discovery.json").write_text(text, encoding="utf-8")
    (options.output / "discovery.md").write_text(markdown(report), encoding="utf-8")
    print(markdown(report))


if __name__ == "__main__":
    main()
