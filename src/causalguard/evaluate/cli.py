"""guard-eval: how a guard does on labelled sets that it was not trained on."""

import json
import platform
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from causalguard import __version__, console
from causalguard.errors import InputError
from causalguard.evaluate import report
from causalguard.evaluate.baselines import Floats, length_risk
from causalguard.evaluate.figures import SourceFigures, one_threshold_tpr, source_figures
from causalguard.evaluate.rows import Labelled, read_all
from causalguard.files import new_directory

BATCH = 64


@click.group(epilog="Exit codes: 0 done, 2 usage, 3 the run failed.")
def command() -> None:
    """Evaluate a guard on labelled sets."""


@command.command()
@click.option("--model", required=True, help="MODEL_DIR, or 'default' for the shipped model.")
@click.option("--key", type=click.Path(path_type=Path), help="Public key for its report.")
@click.option("--policy", multiple=True, help="Packaged policy to accept (default: default).")
@click.option("--uncertified", is_flag=True, help="Load without checking a certificate.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="New directory.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def sources(
    model: str,
    key: Path | None,
    policy: tuple[str, ...],
    uncertified: bool,
    device: str,
    seed: int,
    output: Path,
    files: tuple[Path, ...],
) -> None:
    """Score labelled FILES (JSONL with text and label) and print figures per source.

    The guard's own threshold is frozen: it is read from MODEL_DIR, never chosen here.  The
    length of the text alone stands beside as a baseline.
    """
    from causalguard.guard.api import Guard

    rows = read_all(files)
    guard = Guard.load(
        model,
        trust=key,
        require_certified=not uncertified,
        policies=list(policy) or None,
        device=device,
    )
    risks = score(guard, rows)
    rng = np.random.default_rng(seed)
    tables = {
        "guard": by_source(rows, risks, guard.threshold, rng),
        "length alone": by_source(rows, length_risk(rows), 1.0, rng),
    }
    facts = run_facts(guard, seed, files)
    notes = [f"{name}: {value}" for name, value in facts.items()]
    notes += _one_threshold(rows, risks)
    text = report.markdown(tables, notes)
    with new_directory(output) as fresh:
        (fresh / "risks.jsonl").write_text(
            "".join(
                json.dumps({"id": r.id, "source": r.source, "y": r.y, "pair": r.pair, "risk": x})
                + "\n"
                for r, x in zip(rows, risks.tolist(), strict=True)
            )
        )
        (fresh / "report.md").write_text(text)
        (fresh / "report.json").write_text(report.as_json(tables, facts))
    click.echo(text)


def score(guard: Any, rows: Sequence[Labelled]) -> Floats:
    """Risks of labelled rows, in order, with a progress bar."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].output.text))
    risks = np.zeros(len(rows))
    starts = range(0, len(rows), BATCH)
    for start in console.progress(starts, total=len(starts), label="scoring"):
        part = order[start : start + BATCH]
        for index, verdict in zip(part, guard.scan([rows[i].output for i in part]), strict=True):
            risks[index] = verdict.risk
    return risks


def by_source(
    rows: Sequence[Labelled], risks: Floats, threshold: float, rng: np.random.Generator
) -> list[SourceFigures]:
    """Figures per source, in order of first appearance."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[row.source].append(index)
    return [
        source_figures(name, [rows[i] for i in part], risks[part], threshold=threshold, rng=rng)
        for name, part in groups.items()
    ]


def _one_threshold(rows: Sequence[Labelled], risks: Floats) -> list[str]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[row.source].append(index)
    parts = [([rows[i] for i in part], risks[part]) for part in groups.values()]
    if not any(r.y for r in rows) or all(r.y for r in rows):
        return []
    value = one_threshold_tpr(parts, 0.01)
    return [f"one threshold for all sources, mean FPR 1 %: mean TPR {value:.4f} (not frozen)"]


def run_facts(guard: Any, seed: int, files: Sequence[Path]) -> dict[str, str]:
    """What a reader needs to re-make the figures."""
    if not files:
        raise InputError("no files; give at least one labelled JSONL file")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "causalguard": __version__,
        "machine": f"{platform.machine()}, {platform.system()}",
        "backend": guard.backend,
        "guard": guard.identity[:16],
        "threshold": f"{guard.threshold:.6f}",
        "seed": str(seed),
        "files": ", ".join(path.name for path in files),
    }


def main() -> None:
    """Entry point of guard-eval."""
    console.run(command)


if __name__ == "__main__":
    main()
