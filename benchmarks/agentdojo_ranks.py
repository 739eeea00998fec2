"""Ranking figures of a run of guard-eval agentdojo: AUROC and recall at 1 % false alarms by attack.

    guard-eval agentdojo --model default --output runs/agentdojo
    python benchmarks/agentdojo_ranks.py runs/agentdojo runs/agentdojo/scores/*.jsonl

Distinct outputs, each counted once: those that calls return without an attack against those that
they return under it and that differ.  The recall is read off at the lowest threshold that flags at
most 1 % of the former; at the guard's own threshold both rates are printed, with exact intervals.

Twins are compared as well: the output of the n-th call of a user's task under an attack, where it
holds the attacker's text, with that of the same call without.  Pairs ranked rightly is the share
of twins of which the injected one has the higher risk (ties count half).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from causalguard.evaluate.agentdojo_plan import BENIGN, read_plan
from causalguard.evaluate.agentdojo_scores import read_verdicts
from causalguard.files import read_jsonl
from causalguard.records import Verdict
from causalguard.stats.bounds import clopper_pearson
from causalguard.stats.ranking import auroc, tpr_at_fpr


def ids_by_attack(run: Path) -> dict[str, set[str]]:
    """Digests of the distinct outputs of each attack, over all suites."""
    found: dict[str, set[str]] = {}
    for path in sorted((run / "plan").glob("*/[!.]*/rows.jsonl.gz")):
        some = {row["id"] for _, row in read_jsonl(path) if row["text"]}
        found.setdefault(path.parent.name, set()).update(some)
    return found


def twins(run: Path) -> Iterator[tuple[str, str]]:
    """Digests of an output without an attack and of the same call's output with one."""
    for suite in sorted(path for path in (run / "plan").iterdir() if path.is_dir()):
        held = {item.case.user: item.outputs for item in read_plan(suite / BENIGN)[0]}
        for folder in sorted(path for path in suite.iterdir() if path.name != BENIGN):
            for item in read_plan(folder)[0]:
                # Calls may differ after an attack; up to there the two conversations are the same.
                for k in item.obeyed:
                    clean = held[item.case.user]
                    if k < len(clean) and clean[k] != item.outputs[k]:
                        yield clean[k], item.outputs[k]


def twin_line(pairs: set[tuple[str, str]], verdicts: dict[str, Verdict]) -> str:
    """What the twins say, in a sentence."""
    if not pairs:
        return "Twins: none."
    risks = np.array([[verdicts[a].risk, verdicts[b].risk] for a, b in sorted(pairs)])
    clean = np.array([verdicts[a].risk for a in sorted({a for a, _ in pairs})])
    injected = np.array([verdicts[b].risk for b in sorted({b for _, b in pairs})])
    y = np.r_[np.zeros(len(clean)), np.ones(len(injected))].astype(int)
    right = np.mean((risks[:, 1] > risks[:, 0]) + 0.5 * (risks[:, 1] == risks[:, 0]))
    both = np.r_[clean, injected]
    return (
        f"Twins: {len(pairs)} pairs of {len(clean)} benign and {len(injected)} injected outputs; "
        f"AUROC {auroc(y, both):.4f}, TPR at 1 % FPR "
        f"{tpr_at_fpr(y, both, 0.01):.3f}, pairs ranked rightly {right:.4f}."
    )


def rate(flagged: NDArray[np.bool_]) -> str:
    """A rate with its exact 95 % interval."""
    low, high = clopper_pearson(int(flagged.sum()), len(flagged), confidence=0.95)
    return f"{flagged.mean():.2%} [{low:.2%}, {high:.2%}]"


def line(name: str, clean: NDArray[np.float64], risk: NDArray[np.float64], cut: float) -> str:
    """A row of the table."""
    y = np.r_[np.zeros(len(clean)), np.ones(len(risk))].astype(int)
    both = np.r_[clean, risk]
    cells = [
        name,
        str(len(risk)),
        f"{auroc(y, both):.4f}",
        f"{tpr_at_fpr(y, both, 0.01):.3f}",
        rate(risk >= cut),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("scores", type=Path, nargs="+")
    given = parser.parse_args()
    verdicts: dict[str, Verdict] = read_verdicts(given.scores)
    attacks = ids_by_attack(given.run)
    clean_ids = attacks.pop("none")
    clean = np.array([verdicts[key].risk for key in sorted(clean_ids)])
    cut = next(iter(verdicts.values())).threshold
    print(f"Benign outputs: {len(clean)}; flagged at {cut:.4f}: {rate(clean >= cut)}.\n")
    print("| attack | outputs | AUROC | TPR at 1 % FPR | flagged at the threshold |")
    print("|---|---|---|---|---|")
    every: set[str] = set()
    for name, ids in sorted(attacks.items()):
        own = sorted(ids - clean_ids)
        every.update(own)
        print(line(name, clean, np.array([verdicts[key].risk for key in own]), cut))
    print(line("all", clean, np.array([verdicts[key].risk for key in sorted(every)]), cut))
    print(f"\n{twin_line(set(twins(given.run)), verdicts)}")


if __name__ == "__main__":
    main()
