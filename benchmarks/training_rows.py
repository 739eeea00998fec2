"""Shapes of the default configuration's batches, without their texts.

    python benchmarks/training_rows.py --sets 340 --output benchmarks/results/training_rows.json

``benchmarks/training.py`` rebuilds batches of the same lengths and the same sharing from them, on
machines without data and base model.  A row is [group, role, label, prefix, length, parent, shared,
first, last]: it shares its first ``shared`` tokens with row ``parent`` of its batch, and tokens
first..last carry an instruction (-1: none).
"""

import argparse
import json
from pathlib import Path

import numpy as np

from causalguard.train.batches import CHUNK, Row
from causalguard.train.cli import packaged_config
from causalguard.train.config import load_config
from causalguard.train.packing import common_prefix
from causalguard.train.run import batch_source, prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="default")
    parser.add_argument("--sets", type=int, default=340)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    small = ["data.generate.dev_sets=20", "calibration.n_sets=20", "calibration.alpha=0.3"]
    small.append(f"data.generate.n_sets={options.sets}")
    config = load_config(packaged_config(options.config), small)
    source = batch_source(config, prepare(config, say=print))
    batches = []
    for k in range(CHUNK):
        groups = source._chunk(0)[k]  # noqa: SLF001
        rng = np.random.default_rng([config.seed, 1, k])
        batches.append(shapes([row for g in groups for row in source._rows(g, rng)]))  # noqa: SLF001
    options.output.write_text(json.dumps(batches, separators=(",", ":")).replace("]],", "]],\n"))
    print(histogram(batches))


def shapes(rows: list[Row]) -> list[list[int]]:
    """One batch as numbers."""
    whole = [np.concatenate((r.prefix, r.window)) for r in rows]
    made = []
    for k, row in enumerate(rows):
        kin = [j for j in range(k) if rows[j].group == row.group]
        shared = [common_prefix(whole[k], whole[j]) for j in kin]
        best = int(np.argmax(shared)) if shared else -1
        inside = np.flatnonzero(row.labels == 1) + len(row.prefix)
        span = [int(inside[0]), int(inside[-1])] if inside.size else [-1, -1]
        facts = [row.group, row.role, row.document, len(row.prefix), len(whole[k])]
        made.append([*facts, kin[best] if kin else -1, shared[best] if kin else 0, *span])
    return made


def histogram(batches: list[list[list[int]]]) -> str:
    """Lengths and sharing in words."""
    rows = [row for batch in batches for row in batch]
    lines = []
    for name, column in (("prefix", 3), ("row", 4), ("shared with a member", 6)):
        cuts = np.quantile([row[column] for row in rows], [0, 0.25, 0.5, 0.75, 0.95, 1]).astype(int)
        lines.append(f"{name}: min, quartiles, p95, max in tokens {cuts.tolist()}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
