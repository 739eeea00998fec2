"""Re-make the full-size model: data, training in stages, certificate.

    make default-model SHARED=DIR       (or: python scripts/default_model.py --shared DIR)

Stage one trains on the intervention engine's matched sets, on matched sets rendered on other
people's benign tool outputs, and on the labelled rows themselves.  It then scores fresh sets, of
which the hardest quarter is one more source of stage two: two runs half as long, with other sets
and another order, a quarter of the sets cropped, so that injections also stand at the beginning.
Last, the mean of the changes that the two made to the weights is taken, 70 % of it kept, which
holds better on sources that were left out (docs/experiments.md, i and m), and the threshold chosen,
bounding the engine's outputs and the others apart.  A fifth of the sets are spelt carelessly.
Without ``--shared`` the engine's own carriers are all there is, and the model is worse for it.

On one H200 the first two stages took a quarter of an hour beside two other runs; on CPUs they take
nights.  The last takes five minutes on two cores.
Variants (docs/experiments.md, j): ``--lowest-share`` trains at shares of the adapter between this
one and all of it; ``--mine ''``, ``--noise 0`` and ``--seconds 1`` leave out what the first model
of this recipe did without; ``--steps 1500,750,1000`` adds a stage, whose hard sets are misspelt
until they look safe (n: not better).

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
HARD = 0.25
"""Share of a batch's rows that the hard sets get, likewise."""
QUICK = "calibration.n_sets=300"
"""The first stages' thresholds are not used; as few sets as allow one."""
FIRST = ("steps={}", "data.generate.n_sets=14000", "data.generate.seed=1", QUICK)
MINE = ("--lengths", "50-200,200-800,800-3000")
MINERS = 3
"""Seeds, and processes where there is a GPU."""
SECOND = (
    "steps={}", "data.generate.n_sets=8000", "data.crop=0.25",
    "optimiser.lr=3.0e-4", "optimiser.head_lr=6.0e-4", QUICK,
)  # fmt: skip
THIRD = (
    "steps=0", "lora.interpolate={}", "data.generate.n_sets=200", "data.generate.dev_sets=40",
    "data.generate.seed=11", "data.dev_max=100", "data.crop=0.25", "calibration.apart={}",
    "calibration.n_sets={}",
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
    parser.add_argument("--steps", default="1500,750", help="steps of the stages")
    parser.add_argument("--mine", default="2000,500", help="sets scored and kept, by seed of three")
    parser.add_argument(
        "--spellings", type=int, default=5, help="tried on each set mined for a third stage"
    )
    parser.add_argument("--seconds", type=int, default=2, help="runs of the later stages")
    parser.add_argument("--lowest-share", type=float, default=1.0, help="1: the whole adapter")
    parser.add_argument("--noise", type=float, default=0.2, help="sets with careless spelling")
    parser.add_argument("--share", type=float, default=0.7, help="of the adapter, that is kept")
    parser.add_argument("--calibrate", type=int, default=700, help="sets for the threshold")
    parser.add_argument("--stages", type=int, default=99, help="stop after so many")
    parser.add_argument("--serial", action="store_true", help="second stages one by one on a GPU")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "default")
    parser.add_argument("--key", type=Path, help="private key that signs the report")
    parser.add_argument("--no-certificate", action="store_true")
    given = parser.parse_args()
    first, *later = (int(n) for n in given.steps.split(","))
    extra = labelled(given.shared, set(given.hold_out.split(",")))
    variant = [f"lora.lowest_share={given.lowest_share}", f"data.noise={given.noise}"]
    before = [named(given.output, "stage-1")]
    train(before[0], [*(s.format(first) for s in FIRST), *variant], extra)
    for number, steps in enumerate(later, 2):
        if given.stages < number:
            return
        source = before[0] if number == 2 else named(given.output, f"stage-{number - 1}-kept")
        if number > 2:
            keep(source, before, extra, given)
        tries = given.spellings if number > 2 else 0
        hard = mine(source, given.output, given.mine, tries, number)
        stages = [f"stage-{number}", *(f"stage-{number}-{k}" for k in range(1, given.seconds))]
        init = json.dumps([str(path) for path in before])
        commands = []
        for k, stage in enumerate(stages):
            # Other sets, another order: what these runs do not agree on is averaged away.
            other = [f"data.generate.seed={20 * number - 29 + k}", f"seed={k}", f"init={init}"]
            changes = [*(s.format(steps) for s in SECOND), *other, *variant, *hard]
            commands += training(named(given.output, stage), changes, extra)
        side_by_side(commands, f"stage {number}", serial=given.serial)
        before = [named(given.output, stage) for stage in stages]
    if given.stages <= len(later) + 1:
        return
    keep(given.output, before, extra, given)
    if not given.no_certificate:
        key = ["--key", given.key] if given.key else []
        python("-m", "causalguard.certify.cli", "--model", given.output, "--workers", 2, *key)


def named(output: Path, part: str) -> Path:
    """Where a part of the run stands: beside the model."""
    return output.with_name(f"{output.name}.{part}")


def keep(
    output: Path, stages: list[Path], extra: list[dict[str, object]], given: argparse.Namespace
) -> None:
    """The mean of what some runs changed, a share of it, and a threshold."""
    rows = [{n: v for n, v in e.items() if n not in ("sets", "sets_weight")} for e in extra]
    # With files left out, too few rows remain for a bound of their own.
    apart = str(not given.hold_out).lower()
    third = [*THIRD[:1], THIRD[1].format(given.share), *THIRD[2:-2]]
    third += [THIRD[-2].format(apart), THIRD[-1].format(given.calibrate)]
    train(output, [*third, f"init={json.dumps([str(path) for path in stages])}"], rows)


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


def train(output: Path, changes: list[str], extra: list[dict[str, object]]) -> None:
    """One stage, unless it has been run before."""
    side_by_side(training(output, changes, extra), str(output))


def training(output: Path, changes: list[str], extra: list[dict[str, object]]) -> list[list[str]]:
    """The command of one stage; none if it has been run before."""
    if output.exists():
        print(f"{output} exists and is kept")
        return []
    every = next(c for c in changes if c.startswith("steps=")).removeprefix("steps=")
    settings = [*changes, f"data.extra={json.dumps(extra)}", f"watch.every={every}"]
    settings += ["data.generate.weight=0.7", f"compile={str(_compiles(int(every))).lower()}"]
    arguments = [part for change in settings for part in ("--set", change)]
    names = ["--config", "default", "--output", str(output)]
    return [[sys.executable, "-m", "causalguard.train.cli", *names, *arguments]]


def _compiles(steps: int) -> bool:
    """Whether compiling's minute is worth it: 2.6 times the speed (training-h200.md)."""
    import torch

    return torch.cuda.is_available() and steps > 300


def side_by_side(commands: list[list[str]], what: str, *, serial: bool = False) -> None:
    """Run commands, at once where there is a GPU: one process of these does not fill it."""
    import torch

    running: list[subprocess.Popen[bytes]] = []
    for command in commands:
        running.append(subprocess.Popen(command))
        if serial or not torch.cuda.is_available():
            running[-1].wait()
    codes = [process.wait() for process in running]  # all of them, whatever the first one says
    if any(codes):
        sys.exit(f"{what} failed; see above")


def mine(model: Path, output: Path, sizes: str, spellings: int, stage: int) -> list[str]:
    """The setting that adds the hardest of some fresh sets, drawn unless they are there."""
    if not sizes:
        return []
    drawn, kept = sizes.split(",")
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    seeds = [20 * stage - 19 + k for k in range(MINERS)]
    files = [named(output, f"hard-{seed}.jsonl") for seed in seeds]
    commands = []
    for seed, file in zip(seeds, files, strict=True):
        if file.exists():
            continue
        where = ("--seed", seed, "--device", device, "-o", file)
        how = (*MINE, "--spellings", spellings)
        arguments = (model, "-n", drawn, "--keep", kept, *how, *where)
        command = [sys.executable, "-m", "causalguard.train.mining_cli"]
        commands.append([*command, *(str(a) for a in arguments)])
    side_by_side(commands, "mining")
    sources = [{"path": str(file), "weight": HARD / len(files)} for file in files]
    return [f"data.files={json.dumps(sources)}"]


def python(*arguments: object) -> None:
    """Run this Python; leave with its exit code when it fails."""
    done = subprocess.run([sys.executable, *(str(a) for a in arguments)], check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
