"""How much of the adapter's change of the weights to keep: held-out sources against the engine.

    python scripts/default_model.py --shared DIR --output runs/half-a --steps 750,320 \\
        --stages 2 \\
        --hold-out bipia,purplellama_indirect,tau,llmail_benign,benign_docs
    python benchmarks/interpolation.py --shared DIR --half a runs/half-a.stage-2 1 0.7 0.5

Half ``a`` scores sources that the first held-out model of benchmarks/heldout.py never saw, half
``b`` those of the second, ``engine`` sets of the calibration split (with the model's own cut at
1 % false alarms).  Texts below 6,000 characters, drawn with seed 0.
"""

import argparse
import gzip
import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from causalguard import Guard, ToolOutput
from causalguard.interventions import engine, triplets
from causalguard.stats.ranking import auroc

LONGEST = 6000
"""Characters."""
DRAWN: dict[str, list[tuple[str, int, int]]] = {
    "a": [
        ("purplellama_indirect", 1, 110), ("bipia", 1, 150), ("bipia", 0, 110),
        ("benign_docs", 0, 150), ("llmail_benign", 0, 50), ("tau", 0, 50),
    ],
    "b": [
        ("injecagent", 1, 130), ("injecagent", 0, 130), ("asb", 1, 100), ("asb", 0, 40),
        ("agent_logs", 0, 130), ("apibank", 0, 70),
    ],
}  # fmt: skip
"""Rows by half: source, label, how many."""
FEW = 100
"""Benign rows below which a source is set against all benign rows."""


def drawn(shared: Path, half: str, n_sets: int) -> list[tuple[str, int, ToolOutput]]:
    """The rows of a half, or of the engine: source or member, label, text."""
    if half == "engine":
        sets = engine.generate(n_sets, seed=77, split="calibration", lengths=["50-200", "200-800"])
        return [(k, y, o) for t in sets for k, y, o, _ in triplets.trial_texts(t)]
    rng, found = random.Random(0), []
    for name, label, count in DRAWN[half]:
        with gzip.open(shared / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [r for r in map(json.loads, lines) if r["label"] == label]
        rows = [r for r in rows if len(r["text"]) < LONGEST]
        rng.shuffle(rows)
        found += [(name, label, output(r)) for r in rows[:count]]
    return found


def output(row: dict[str, Any]) -> ToolOutput:
    """A labelled row as the guard takes it."""
    given = {n: row[n] or "" for n in ("text", "task", "system")}
    return ToolOutput(tool=row["tool"] or "tool", **given)


def scaled(model: Path, share: float, folder: Path) -> Path:
    """A copy of a model that keeps this share of its adapter."""
    copy = folder / f"share-{share:g}"
    shutil.copytree(model, copy)
    path = copy / "adapter_model.safetensors"
    tensors = {n: t * share if "lora_B" in n else t for n, t in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})
    return copy


def line(rows: list[tuple[str, int, ToolOutput]], risk: NDArray[np.float64]) -> str:
    """Figures of one model: by source, AUROC and the rate above the 99 % quantile of benign."""
    source = np.array([name for name, _, _ in rows])
    y = np.array([label for _, label, _ in rows])
    clean = np.isin(source, ["benign", "counterfactual"]) if "benign" in source else y == 0
    cut, cells = np.quantile(risk[clean], 0.99), []
    for name in sorted(set(source[y == 1])):
        own = clean & (source == name)
        against = own if own.sum() >= FEW else clean
        both = against | ((source == name) & (y == 1))
        above = np.mean(risk[(source == name) & (y == 1)] > cut)
        cells.append(f"{name} {auroc(y[both], risk[both]):.4f} / {above:.3f}")
    return f"{' | '.join(cells)} | cut {cut:.3f}"


def main() -> None:
    """Print a line per share."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--half", choices=[*DRAWN, "engine"], required=True)
    parser.add_argument("--sets", type=int, default=90, help="of the engine")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("model", type=Path)
    parser.add_argument("shares", type=float, nargs="+")
    given = parser.parse_args()
    rows = drawn(given.shared, given.half, given.sets)
    for share in given.shares:
        with tempfile.TemporaryDirectory() as folder:
            model = scaled(given.model, share, Path(folder))
            guard = Guard.load(model, require_certified=False, device=given.device)
            risk = np.array([v.risk for v in guard.scan([o for _, _, o in rows])])
        print(f"| {share:g} | {line(rows, risk)} |", flush=True)


if __name__ == "__main__":
    main()
