"""Draw matched pairs from a labelled set, so that a big one can be scored on a CPU.

    python benchmarks/sample_pairs.py agentdojo.jsonl.gz pairs.jsonl --per-pair 4 --seed 0
    guard-eval sources --model demo-output/model --key demo-output/demo-key.pub.pem --policy demo \\
        --output OUT pairs.jsonl

Each pair with both classes gives its first benign row and up to --per-pair injected ones.
"""

import argparse
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

from causalguard.files import read_jsonl, write_atomic


def main() -> None:
    """Write the sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--per-pair", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    pairs: dict[str, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for _, row in read_jsonl(given.source):
        if row["pair"]:
            pairs[row["pair"]][row["label"]].append(row)
    rng = random.Random(given.seed)
    rows: list[Any] = []
    for benign, injected in pairs.values():
        if benign and injected:
            rows += benign[:1] + rng.sample(injected, min(given.per_pair, len(injected)))
    write_atomic(given.output, "".join(json.dumps(row) + "\n" for row in rows))
    print(f"{len(rows)} rows, {sum(row['label'] for row in rows)} of them injected")


if __name__ == "__main__":
    main()
