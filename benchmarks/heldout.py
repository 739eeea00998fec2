"""What the recipe of the shipped model does on sources it never saw: score a model, print a table.

    python scripts/default_model.py --shared DIR --output runs/half-a --steps 750,320 \\
        --no-certificate --hold-out bipia,purplellama_indirect,tau,llmail_benign,benign_docs
    python benchmarks/heldout.py score --model runs/half-a --shared DIR --output half-a.json.gz \\
        bipia purplellama_indirect tau llmail_benign benign_docs
    python benchmarks/heldout.py table --shared DIR half-a.json.gz half-b.json.gz

Positives-only sources, and sources with few benign rows, are set against the benign rows of the
other held-out sources of the same model.  The threshold is the model's own; beside it stands the
true-positive rate at 1 % false positives.  The interval of alarms is exact (Clopper-Pearson) over
pairs, where a pair counts as alarmed when any of its benign rows is.
"""

import argparse
import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from causalguard.console import progress
from causalguard.files import write_atomic
from causalguard.stats.bounds import clopper_pearson
from causalguard.stats.ranking import auroc, tpr_at_fpr

BLOCK = 64
"""Texts scored between two moves of the bar, unless the guard takes more at once."""
FEW = 100
"""Benign rows below which a source is set against the pooled benign rows."""


def rows_of(shared: Path, name: str) -> list[dict[str, Any]]:
    """The labelled rows of a set."""
    with gzip.open(shared / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def score(model: Path, shared: Path, names: Sequence[str], device: str) -> dict[str, Any]:
    """Risks of all rows of the sets."""
    from causalguard import Guard, ToolOutput

    guard = Guard.load(model, require_certified=False, device=device)
    found: dict[str, Any] = {"threshold": guard.threshold, "risks": {}}
    for name in names:
        rows, risks = rows_of(shared, name), []
        size = max(BLOCK, guard.at_once)
        for start in progress(range(0, len(rows), size), total=None, label=name):
            outputs = [
                ToolOutput(
                    text=r["text"],
                    task=r["task"] or "",
                    system=r["system"] or "",
                    tool=r["tool"] or "tool",
                )
                for r in rows[start : start + size]
            ]
            # A text that was not scanned in full is flagged whatever its risk.
            risks += [v.risk if v.coverage == 1.0 else 1.0 for v in guard.scan(outputs)]
        found["risks"][name] = risks
    return found


def twins(risks: np.ndarray, y: np.ndarray, pairs: Sequence[str]) -> float:
    """Mean over pairs of P(injected ranks above its benign twin); NaN without twins."""
    members: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for risk, label, pair in zip(risks, y, pairs, strict=True):
        members[pair][label].append(risk)
    each = [
        np.mean([(p > n) + 0.5 * (p == n) for p in positive for n in negative])
        for negative, positive in members.values()
        if negative and positive
    ]
    return float(np.mean(each)) if each else float("nan")


def interval(flagged: np.ndarray, pairs: Sequence[str]) -> str:
    """Share of pairs with any row flagged, with its exact interval."""
    by: dict[str, list[bool]] = defaultdict(list)
    for flag, pair in zip(flagged, pairs, strict=True):
        by[pair].append(bool(flag))
    hits = sum(any(f) for f in by.values())
    low, high = clopper_pearson(hits, len(by), confidence=0.95)
    return f"{100 * hits / len(by):.1f} [{100 * low:.1f}, {100 * high:.1f}] of {len(by)}"


def table(shared: Path, files: Sequence[Path]) -> str:
    """The table in Markdown."""
    heads = (
        "source (held out with its benign rows)", "benign / injected", "AUROC", "twins",
        "TPR at 1 % FPR", "TPR at the threshold", "FPR at the threshold", "pairs alarmed, %",
    )  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for path in files:
        with gzip.open(path, "rt", encoding="utf-8") as handle:
            found = json.load(handle)
        lines += section(shared, found)
    return "\n".join(lines) + "\n"


def section(shared: Path, found: dict[str, Any]) -> list[str]:
    """Rows of the table for one model."""
    threshold, data = found["threshold"], {}
    for name, risks in found["risks"].items():
        rows = rows_of(shared, name)
        labels = np.array([r["label"] for r in rows])
        data[name] = (np.array(risks), labels, [str(r["pair"] or r["id"]) for r in rows])
    alone = [risks[y == 0] for risks, y, _ in data.values() if not (y == 1).any()]
    pooled = np.concatenate(alone) if alone else np.zeros(0)
    lines = []
    for name, (risks, y, pairs) in sorted(data.items()):
        negative, positive = risks[y == 0], risks[y == 1]
        against = negative if len(negative) >= FEW or not len(positive) else pooled
        cells = ["-", "-", "-", "-"]
        if len(positive) and len(against):
            both = np.r_[against, positive]
            truth = np.r_[np.zeros(len(against)), np.ones(len(positive))].astype(int)
            cells = [
                f"{auroc(truth, both):.4f}" + ("" if against is negative else " (pooled benign)"),
                f"{twins(risks, y, pairs):.4f}",
                f"{tpr_at_fpr(truth, both, 0.01):.3f}",
                "-",
            ]
        if len(positive):
            cells[3] = f"{np.mean(positive >= threshold):.3f}"
        rate, alarms = "-", "-"
        if len(negative):
            kept = [p for p, label in zip(pairs, y, strict=True) if label == 0]
            rate = f"{np.mean(negative >= threshold):.4f}"
            alarms = interval(negative >= threshold, kept)
        sizes = f"{len(negative)} / {len(positive)}"
        lines.append(f"| {name} | {sizes} | {' | '.join(cells)} | {rate} | {alarms} |")
    rate = np.mean(pooled >= threshold) if len(pooled) else float("nan")
    return [
        *lines,
        f"| benign sources together | {len(pooled)} / 0 | - | - | - | - | {rate:.4f} | |",
    ]


def main() -> None:
    """Score, or print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("score", help="score sets with a model")
    one.add_argument("--model", type=Path, required=True)
    one.add_argument("--device", default="cpu")
    one.add_argument("--output", type=Path, required=True)
    one.add_argument("names", nargs="+")
    two = commands.add_parser("table", help="print the table of scored sets")
    two.add_argument("files", type=Path, nargs="+")
    for command in (one, two):
        command.add_argument("--shared", type=Path, required=True)
    given = parser.parse_args()
    if given.command == "table":
        print(table(given.shared, given.files), end="")
        return
    found = score(given.model, given.shared, given.names, given.device)
    write_atomic(given.output, gzip.compress(json.dumps(found).encode()))


if __name__ == "__main__":
    main()
