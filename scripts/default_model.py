"""Re-make the full-size model: data, two stages of training, certificate.

    make default-model SHARED=DIR       (or: python scripts/default_model.py --shared DIR)

Stage one trains on the intervention engine's matched sets, on matched sets rendered on other
people's benign tool outputs, and on the labelled rows themselves; stage two goes on for half as
long with other sets, half of them cropped, so that injections also stand at the very beginning.
Without ``--shared`` the engine's own carriers are all there is, and the model is worse for it.

On one H200 the two stages took about five and three minutes, run by hand with nearly these
settings (benchmarks/results/heldout.md); this script as a whole has not been run there.
On CPUs: a night or more.
``--hold-out`` leaves labelled files out; models made so tell what the recipe does on sources it
never saw (benchmarks/heldout.py).  Rows whose licence does not let weights trained on them be given
away are left out, and so is whatever this project only tests on.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES: dict[str, dict[str, float]] = {
    "injecagent": {"weight": 0.10},
    "asb": {"weight": 0.04, "max_rows": 1000},
    "purplellama_indirect": {"weight": 0.05},
    "bipia": {"weight": 0.08, "sets": 6, "sets_weight": 0.06},
    "agent_logs": {"weight": 0.05, "sets": 4, "sets_weight": 0.20},
    "apibank": {"weight": 0.02, "sets": 5, "sets_weight": 0.10},
    "tau": {"weight": 0.04, "sets": 3, "sets_weight": 0.12},
    "llmail_benign": {"weight": 0.02, "sets": 6, "sets_weight": 0.12},
    "benign_docs": {"weight": 0.06, "sets": 3, "sets_weight": 0.30},
}
"""Shares of a batch's rows against 0.7 for the engine, and matched sets per benign row."""
FIRST = ("steps={}", "data.generate.n_sets=14000", "data.generate.seed=1")
SECOND = (
    "steps={}", "data.generate.n_sets=8000", "data.generate.seed=11", "data.crop=0.25",
    "optimiser.lr=3.0e-4", "optimiser.head_lr=6.0e-4",
)  # fmt: skip


def main() -> None:
    """Run the steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, help="directory of labelled sets, NAME.jsonl.gz")
    parser.add_argument(
        "--hold-out", default="", help="names of sets to leave out, comma-separated"
    )
    parser.add_argument("--steps", default="1500,750", help="steps of the two stages")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "default")
    parser.add_argument("--key", type=Path, help="private key that signs the report")
    parser.add_argument("--no-certificate", action="store_true")
    given = parser.parse_args()
    first, second = (int(n) for n in given.steps.split(","))
    extra = f"data.extra={json.dumps(labelled(given.shared, set(given.hold_out.split(','))))}"
    start = given.output.with_name(given.output.name + ".stage-1")
    train(start, [s.format(first) for s in FIRST], extra)
    train(given.output, [*(s.format(second) for s in SECOND), f"init={start}"], extra)
    if not given.no_certificate:
        key = ["--key", given.key] if given.key else []
        python("-m", "causalguard.certify.cli", "--model", given.output, *key)


def labelled(shared: Path | None, held_out: set[str]) -> list[dict[str, object]]:
    """The labelled files to train on, as the configuration wants them."""
    if shared is None:
        return []
    common = {"licences": "shippable", "calibrate": 0.1}
    return [
        {"path": str(shared / f"{name}.jsonl.gz"), **common, **shares}
        for name, shares in FILES.items()
        if name not in held_out
    ]


def train(output: Path, changes: list[str], extra: str) -> None:
    """One stage, unless it has been run before."""
    if output.exists():
        print(f"{output} exists and is kept")
        return
    every = next(c for c in changes if c.startswith("steps=")).removeprefix("steps=")
    settings = [*changes, extra, "data.generate.weight=0.7", f"watch.every={every}"]
    arguments = [part for change in settings for part in ("--set", change)]
    python("-m", "causalguard.train.cli", "--config", "default", "--output", output, *arguments)


def python(*arguments: object) -> None:
    """Run this Python; leave with its exit code when it fails."""
    done = subprocess.run([sys.executable, *(str(a) for a in arguments)], check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
