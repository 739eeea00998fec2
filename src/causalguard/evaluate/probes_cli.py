"""``guard-eval probes``: over-defence and dilution of one guard, nothing trained."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from causalguard.errors import ConfigError
from causalguard.evaluate import probes, report
from causalguard.evaluate.figures import cluster_rate, dilution_figures
from causalguard.evaluate.rows import Case, Labelled, read_labelled, to_json
from causalguard.files import new_directory
from causalguard.guard.options import ModelChoice, model_options
from causalguard.stats.ranking import Estimate

HELP = """Probe a guard: benign trigger words, and injections in more and more benign text.

CARRIERS are labelled files whose benign rows (label 0) the guard has not seen in training.

\b
  --triggers FILE   benign prompts full of trigger words (NotInject's form: meta.trigger_words):
                    as the user's task over a benign output, as a text, their words in an output
  --payloads FILE   injected rows with "injection": documents of each length, joined from benign
                    texts, once with the injection and once without
\b
  guard-eval probes --triggers notinject.jsonl.gz --output runs/probes my_outputs.jsonl
  guard-eval probes --payloads bipia.jsonl.gz --lengths 128,2048,8192 --output runs/dilution \\
      tau.jsonl.gz
"""
LENGTHS = "128,256,512,1024,2048,4096,8192,16384"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for."""

    carriers: Sequence[Labelled]
    """Rows of the carrier files."""
    triggers: Path | None
    """Prompts full of trigger words."""
    payloads: Path | None
    """Rows with an ``injection``."""
    lengths: tuple[int, ...]
    """Tokens of a diluted document."""
    documents: int
    """Per length."""
    fpr: float
    """Document-level false-positive rate at which recall is read off."""
    seed: int
    """Of every draw."""

    def rows(self, template: Any) -> list[Labelled]:
        """The texts of both probes."""
        made: list[Labelled] = []
        if self.triggers is not None:
            rng = np.random.default_rng([self.seed, 1])
            made += probes.trigger_cases(self.triggers, "trigger_words", self.carriers, rng)
        if self.payloads is not None:
            made += probes.dilution_cases(
                probes.payload_rows(self.payloads, read_labelled(self.payloads)),
                self.carriers,
                template,
                lengths=self.lengths,
                documents=self.documents,
                rng=np.random.default_rng([self.seed, 2]),
            )
        return made


@click.command(help=HELP)
@model_options()
@click.option("--triggers", type=click.Path(path_type=Path), help="See above.")
@click.option("--payloads", type=click.Path(path_type=Path), help="See above.")
@click.option("--lengths", default=LENGTHS, show_default=True, help="Tokens of a document.")
@click.option("--documents", default=300, show_default=True, type=click.IntRange(10),
              help="Per length, each with and without the injection.")  # fmt: skip
@click.option("--fpr", default=0.01, show_default=True, type=click.FloatRange(0.0, 0.5),
              help="Document false-positive rate at which recall is read off.")  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="New directory.")
@click.argument("carriers", nargs=-1, required=True, type=click.Path(path_type=Path))
def probes_command(  # one argument an option
    *, chosen: ModelChoice, triggers: Path | None, payloads: Path | None, lengths: str,
    documents: int, fpr: float,
    seed: int, output: Path, carriers: tuple[Path, ...],
) -> None:  # fmt: skip
    """See HELP."""
    from causalguard.evaluate.cli import run_facts, score
    from causalguard.guard.base import resolve
    from causalguard.guard.template import Template, load_tokenizer

    if triggers is None and payloads is None:
        raise ConfigError("nothing to probe; give --triggers, --payloads or both")
    asked = Asked(
        carriers=[row for path in carriers for row in read_labelled(path)],
        triggers=triggers,
        payloads=payloads,
        lengths=_lengths(lengths),
        documents=documents,
        fpr=fpr,
        seed=seed,
    )
    guard = chosen.load()
    info = guard.files.info
    tokenizer = load_tokenizer(resolve(info.base.name).directory / "tokenizer.json")
    rows = asked.rows(Template(tokenizer, info.template.spec()))
    risks = score(guard, rows)
    cases = [row.case for row in rows]
    files = [*carriers, *(path for path in (triggers, payloads) if path is not None)]
    facts = run_facts(guard, seed, files)
    text, figures = figures_of(cases, risks, guard.threshold, asked)
    text += report.notes_markdown(f"{name}: {value}" for name, value in facts.items())
    with new_directory(output) as fresh:
        lines = [
            json.dumps(to_json(c, {"guard": r})) for c, r in zip(cases, risks.tolist(), strict=True)
        ]
        (fresh / "risks.jsonl").write_text("\n".join(lines) + "\n")
        (fresh / "report.md").write_text(text)
        (fresh / "report.json").write_text(report.as_json({"facts": facts, **figures}))
    click.echo(text)


def _lengths(text: str) -> tuple[int, ...]:
    try:
        found = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        found = ()
    if not found or found[0] < 16:
        raise ConfigError(f"--lengths: give numbers of at least 16, comma-separated, not {text!r}")
    return found


def figures_of(
    cases: Sequence[Case], risks: NDArray[np.float64], threshold: float, asked: Asked
) -> tuple[str, dict[str, Any]]:
    """Tables as Markdown, and the figures in them by name."""

    def part(keep: Callable[[Case], bool]) -> tuple[list[Case], NDArray[np.float64]]:
        at = [i for i, case in enumerate(cases) if keep(case)]
        return [cases[i] for i in at], risks[at]

    text, figures = "", dict[str, Any]()
    if asked.triggers is not None:
        rates: dict[str, Estimate | None] = {}
        for probe in (probes.CARRIER, probes.TASK_SLOT, probes.IN_CARRIER, probes.AS_TEXT):
            some, own = part(lambda case, probe=probe: case.probe == probe)  # type: ignore[misc]
            flagged = (own >= threshold).astype(float)
            rates[probe] = cluster_rate(flagged, [case.pair for case in some])
        lines = ["#### Benign trigger words", "", "| probe | flagged |", "|---|---|"]
        lines += [f"| {probe} | {report.percent(rate)} |" for probe, rate in rates.items()]
        text += "\n".join(lines) + "\n\n"
        figures["triggers"] = rates
    if asked.payloads is not None:
        some, own = part(lambda case: case.probe == "dilution")
        rng = np.random.default_rng([asked.seed, 3])
        table = dilution_figures(some, own, threshold=threshold, fpr=asked.fpr, rng=rng)
        text += report.dilution_markdown("Injections in benign text", table)
        figures["dilution"] = table
    return text, figures
