"""Matched sets on real benign tool outputs: the engine's interventions on other people's carriers.

    python scripts/real_carriers.py SHARED OUTPUT [--per-carrier 1.5] [--seed 1]

SHARED holds labelled sets (``*.jsonl.gz`` rows with text, label, licence, source).  Benign rows
whose licence lets a model trained on them be given away are taken; sets that this project only
tests on never are.  OUTPUT gets, per source, ``SOURCE.triplets.jsonl`` for training and
``SOURCE.calibration.jsonl`` with benign outputs of other carriers for the threshold.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from causalguard.files import read_jsonl, write_atomic
from causalguard.interventions import engine, triplets
from causalguard.interventions.carriers.files import FileCarrier, from_directory, of_split
from causalguard.interventions.licenses import only_for_tests, shippable


def benign_rows(path: Path) -> list[dict[str, object]]:
    """Rows of a shared set that may be trained on and carry no injection."""
    return [
        {key: row.get(key) or "" for key in ("text", "task", "system", "tool")}
        for _, row in read_jsonl(path)
        if row["label"] == 0
        and row["text"].strip()
        and shippable(row["license"])
        and not only_for_tests(row["source"], row["license"])
    ]


def carriers(path: Path, scratch: Path) -> tuple[FileCarrier, ...]:
    """The benign rows of a set as carriers of the engine."""
    folder = scratch / path.name.split(".")[0]
    folder.mkdir(parents=True)
    rows = "".join(json.dumps(row) + "\n" for row in benign_rows(path))
    (folder / "rows.jsonl").write_text(rows)
    return from_directory(folder)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--per-carrier", type=float, default=1.5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    scratch = given.output / "carriers"
    for path in sorted(given.shared.glob("*.jsonl.gz")):
        name = path.name.split(".")[0]
        if only_for_tests(name) or len(benign_rows(path)) < 100:
            continue
        found = carriers(path, scratch)
        held = of_split(found, "calibration")
        kept = tuple(c for split in ("train", "dev", "audit") for c in of_split(found, split))
        plan = replace(engine.make_plan(given.seed, "train", None, None, None), files=kept)
        sets = [engine.nth(i, plan) for i in range(int(len(kept) * given.per_carrier))]
        triplets.write(given.output / f"{name}.triplets.jsonl", sets)
        rows = [{"text": c.text, "task": c.task, "system": c.system, "id": c.name} for c in held]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomic(given.output / f"{name}.calibration.jsonl", text)
        print(f"{name}: {len(kept)} carriers, {len(sets)} sets; {len(held)} for calibration")


if __name__ == "__main__":
    sys.exit(main())
