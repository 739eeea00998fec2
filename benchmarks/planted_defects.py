"""Mutation test of the certifier at full size: every planted defect, many seeds.

    python benchmarks/planted_defects.py --seeds 20 --output benchmarks/results/planted_defects.json

Each fake guard has one defect, planted in its scorer; the certifier sees only its answers.  A
defect is caught when every gate meant for it fails.  The sound guard must pass.  "Leaked audit
rows" knows one audit set by heart, but the set that counts follows from the finished model.
Target: each defect caught in at least 19 of 20 seeds; the sound guard refused in at most 5 %.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from causalguard.certify.analysis import analyse
from causalguard.certify.assemble import held_out_families
from causalguard.certify.evidence import collect
from causalguard.certify.policy import parse
from causalguard.certify.report.model import Results, audit_seed
from causalguard.errors import ScanError
from support import planted


def certify(make: Callable[[int], planted.FakeGuard], seed: int) -> Results:
    """One certification of one fake guard."""
    root = f"{seed:064x}"
    policy = parse(planted.FULL_POLICY.encode(), where="planted").policy
    with tempfile.TemporaryDirectory() as directory:
        trial_set = collect(
            make(seed),
            planted.small_world(policy.audit_sets, audit_seed(root), misled=True),
            model_sha256=root,
            partial=Path(directory) / "partial",
        )
    trained = {"families_trained": list(planted.TRAINED)}
    return analyse(trial_set, policy, held_out_families(trained, trial_set.trials))


def sound(seed: int) -> planted.FakeGuard:
    """The guard without a defect."""
    return planted.FakeGuard(planted.sound, seed=seed)


def no_verdict(seed: int) -> bool:
    """Whether a guard with risks that are no numbers gets an error in place of a report."""
    try:
        certify(lambda seed: planted.FakeGuard(planted.no_number, seed=seed), seed)
    except ScanError:
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--sound-seeds", type=int, default=200)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    refused = sum(certify(sound, seed).result != "PASSED" for seed in range(options.sound_seeds))
    rows = {"sound guard refused": f"{refused} of {options.sound_seeds}"}
    print(f"{'sound guard refused':32} {refused:3d} of {options.sound_seeds}")
    for defect in planted.DEFECTS:
        caught = 0
        for seed in range(options.seeds):
            found = certify(defect.make, seed)
            failed = {gate.id for gate in found.gates if gate.outcome == "FAILED"}
            caught += set(defect.gates) <= failed and found.result == "FAILED"
        rows[defect.name] = f"{caught} of {options.seeds}"
        print(f"{defect.name:32} {caught:3d} of {options.seeds}   gates: {', '.join(defect.gates)}")
    refused = sum(no_verdict(seed) for seed in range(options.seeds))
    rows["NaN risks (typed error, no report)"] = f"{refused} of {options.seeds}"
    print(f"{'NaN risks':32} {refused:3d} of {options.seeds}   ScanError")
    if options.output is not None:
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
