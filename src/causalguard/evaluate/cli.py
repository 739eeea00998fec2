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
from causalguard.evaluate.agentdojo_cli import agentdojo
from causalguard.evaluate.baselines import Floats, length_risk
from causalguard.evaluate.figures import SourceFigures, one_threshold_tpr, source_figures
from causalguard.evaluate.generation_cli import generation
from causalguard.evaluate.probes_cli import probes_command
from causalguard.evaluate.rows import Case, Labelled, read_all, to_json
from causalguard.files import new_directory
from causalguard.guard.options import ModelChoice, model_options

BATCH = 64


@click.group(epilog="Exit codes: 0 done, 2 usage, 3 the run failed.")
def command() -> None:
    """Evaluate a guard on labelled sets."""


@command.command()
@model_options()
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="New directory.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def sources(*, chosen: ModelChoice, seed: int, output: Path, files: tuple[Path, ...]) -> None:
    """Score labelled FILES (JSONL with text and label) and print figures per source.

    The guard's own threshold is frozen: it is read from MODEL_DIR, never chosen here.  The
    length of the text alone stands beside as a baseline.
    """
    rows = read_all(files)
    guard = chosen.load()
    cases, risks = [row.case for row in rows], score(guard, rows)
    rng = np.random.default_rng(seed)
    plain = length_risk([row.output for row in rows])
    tables = {
        "guard": by_source(cases, risks, guard.threshold, rng),
        "length alone": by_source(cases, plain, 1.0, rng),
    }
    facts = run_facts(guard, seed, files)
    notes = [f"{name}: {value}" for name, value in facts.items()]
    notes += _one_threshold(cases, risks)
    text = report.tables_markdown(tables) + report.notes_markdown(notes)
    with new_directory(output) as fresh:
        lines = [
            json.dumps(to_json(c, {"guard": r})) for c, r in zip(cases, risks.tolist(), strict=True)
        ]
        (fresh / "risks.jsonl").write_text("\n".join(lines) + "\n")
        (fresh / "report.md").write_text(text)
        (fresh / "report.json").write_text(report.as_json({"facts": facts, "detectors": tables}))
    click.echo(text)


def score(guard: Any, rows: Sequence[Labelled]) -> Floats:
    """Risks of labelled rows, in order, with a progress bar."""
    order = sorted(range(len(rows)), key=lambda i: _context(rows[i]))
    risks = np.zeros(len(rows))
    size = getattr(guard, "at_once", BATCH)
    starts = range(0, len(rows), size)
    for start in console.progress(starts, total=len(starts), label="scoring"):
        part = order[start : start + size]
        for index, verdict in zip(part, guard.scan([rows[i].output for i in part]), strict=True):
            # A text that was not scanned in full is flagged whatever its risk.
            risks[index] = verdict.risk if verdict.coverage == 1.0 else 1.0
    return risks


def _context(row: Labelled) -> tuple[str, str, int]:
    """Rows with the same trusted context stand together, short ones first."""
    return row.output.system, row.output.task, len(row.output.text)


def groups_of(cases: Sequence[Case]) -> dict[str, list[int]]:
    """Row numbers per source, in order of first appearance."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, case in enumerate(cases):
        groups[case.source].append(index)
    return groups


def by_source(
    cases: Sequence[Case], risks: Floats, threshold: float, rng: np.random.Generator
) -> list[SourceFigures]:
    """Figures per source, in order of first appearance."""
    return [
        source_figures(name, [cases[i] for i in part], risks[part], threshold=threshold, rng=rng)
        for name, part in groups_of(cases).items()
    ]


def _one_threshold(cases: Sequence[Case], risks: Floats) -> list[str]:
    parts = [([cases[i] for i in part], risks[part]) for part in groups_of(cases).values()]
    if len({c.y for c in cases}) < 2:
        return []
    mean, worst = one_threshold_tpr(parts, 0.01)
    what = "one threshold for all sources, mean FPR 1 % (not frozen)"
    return [f"{what}: mean TPR {mean:.4f}, worst source {worst:.4f}"]


def run_facts(guard: Any, seed: int, files: Sequence[Path]) -> dict[str, str]:
    """What a reader needs to re-make the figures."""
    if not files:
        raise InputError("no files; give at least one labelled JSONL file")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "causalguard": __version__,
        "machine": f"{platform.machine()}, {platform.system()}",
        "backend": guard.backend,
        "model": f"{guard.model_sha256[:16]} (root digest)",
        "guard": guard.identity[:16],
        "threshold": f"{guard.threshold:.6f}",
        "seed": str(seed),
        "files": ", ".join(path.name for path in files),
    }


LOSO_HELP = """Leave-one-source-out: train without a source, score it, report.

For each model of the protocol: train on the intervention engine and the other sources, take the
threshold from the training side alone, score what was held out.  Everything goes to
OUTPUT/VARIANT/MODEL; what is finished there is not done again, so a stopped run goes on when the
command is repeated.  The report (HTML, Markdown, JSON) is re-made from all scores found.

\b
  guard-eval loso --shared data --output runs/loso                   # all folds, the base variant
  guard-eval loso --shared data --output runs/loso --fold injecagent # one fold and its model
  guard-eval loso --shared data --output runs/loso --variant all     # ablations too
  guard-eval loso --shared data --output runs/loso --report-only     # no GPU, no torch
"""


@command.command(help=LOSO_HELP)
@click.option(
    "--config", default="loso", show_default=True, help="Protocol: file or packaged name."
)
@click.option("--train", "train_config", default="default", show_default=True,
              help="Training configuration of every model: file or packaged name.")  # fmt: skip
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
              help="Change one value of the training configuration, for all models.")  # fmt: skip
@click.option("--shared", required=True, type=click.Path(path_type=Path),
              help="Folder of the labelled files.")  # fmt: skip
@click.option("--fold", "folds", multiple=True, help="Only these folds and probes.")
@click.option("--variant", "variants", multiple=True, help="Ablations by name, or 'all'.")
@click.option("--no-base", is_flag=True, help="Only the variants named.")
@click.option("--limit", type=click.IntRange(min=2), help="Rows per source and class at most.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(min=1),
              help="Models at the same time, each in a process of its own.")  # fmt: skip
@click.option("--device", type=click.Choice(["cpu", "cuda"]),
              help="Default: a GPU if there is one.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@click.option("--report-only", is_flag=True, help="Train and score nothing.")
@click.option("--one", "one", hidden=True, help="VARIANT/MODEL: this job alone, no report.")
@click.option("--output", required=True, type=click.Path(path_type=Path),
              help="Folder; may hold an unfinished run.")  # fmt: skip
def loso(
    config: str,
    train_config: str,
    overrides: tuple[str, ...],
    shared: Path,
    folds: tuple[str, ...],
    variants: tuple[str, ...],
    no_base: bool,
    limit: int | None,
    jobs: int,
    device: str | None,
    seed: int,
    report_only: bool,
    one: str | None,
    output: Path,
) -> None:
    """See LOSO_HELP."""
    from causalguard.evaluate import loso_report, runner
    from causalguard.train.cli import packaged_config

    protocol_path = packaged_config(config)
    plan = runner.Plan(
        protocol_path=protocol_path,
        train_config=packaged_config(train_config),
        overrides=overrides,
        shared=shared,
        output=output,
        folds=folds,
        variants=variants,
        base=not no_base,
        limit=limit,
        device=device,
    )
    if one:
        runner.run_one(plan, one, say=_say)
        return
    if not report_only:
        runner.run_all(plan, jobs=jobs, say=_say)
    text = loso_report.write_report(plan.protocol(), output, seed=seed)
    click.echo(text)


command.add_command(generation)


command.add_command(agentdojo)
command.add_command(probes_command, name="probes")


def _say(line: str) -> None:
    click.echo(line, err=True)


def main() -> None:
    """Entry point of guard-eval."""
    console.run(command)


if __name__ == "__main__":
    main()
