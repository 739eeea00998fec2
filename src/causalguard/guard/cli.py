"""guard-scan: score texts with a certified guard."""

import sys
from pathlib import Path
from typing import Any

import click

from causalguard import console
from causalguard.errors import InputError, OutputExistsError
from causalguard.files import write_atomic
from causalguard.guard.corpora.command import corpus_options, refuse_corpus_options, scan_with_ray
from causalguard.guard.options import ModelChoice, model_options
from causalguard.guard.rows import read_rows, read_text, row_of, table, to_jsonl
from causalguard.records import ToolOutput


@click.command(
    epilog="Exit codes: 0 clean, 1 something flagged (or set aside), 2 usage, 3 the run failed."
)
@model_options()
@click.option(
    "--input",
    "source",
    help="JSONL file (.gz too); '-' reads it on stdin. With ray: a source more.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write verdicts here as JSONL; with ray: the folder for parts and manifest.",
)
@click.option("--task", default="", help="The user's task, for texts and for rows without one.")
@click.option("--system", default="", help="The system prompt, likewise.")
@corpus_options
@click.argument("files", nargs=-1)
def command(
    *,
    chosen: ModelChoice,
    source: str | None,
    output: Path | None,
    task: str,
    system: str,
    files: tuple[str, ...],
    engine: str,
    **corpus: Any,
) -> int:
    """Score tool outputs: JSONL rows (--input), text FILES, or text on stdin.

    \b
    A row needs "text"; "task", "system", "tool" and "id" are optional.
    Out come rows with id, risk, threshold, flagged, spans, coverage, reason:
    risk is in [0, 1], higher is worse; spans are character offsets in the text.
    Without --output a terminal gets a table, a pipe gets JSONL.

    \b
    Examples:
      guard-scan --model runs/tiny --key mykey.pub --input rows.jsonl --output out.jsonl
      curl -s SOME_PAGE | guard-scan --model runs/tiny --key mykey.pub --task "Summarise this page"

    \b
    --engine ray scores whole corpora with a pool of workers on Ray.  FILES are then
    files, folders or URIs (s3://, gs://, file://): .jsonl, .jsonl.gz, .ndjson and
    .parquet are tables of rows as above, every other file is one text.  Folders are
    read to the bottom.  --output is a folder:
      verdicts/part-*.jsonl    one verdict a row, with source and row number
      set-aside/part-*.jsonl   rows that cannot be scored, each with its reason
      manifest.json            model, threshold, policy and input they belong to
      summary.json             the counts, written when every row is accounted for
    A worker that dies is replaced.  A run that dies is continued by --resume with the
    same command: what is written stays, and another model, option or changed input is
    refused.  A row set aside is not clean: it counts for exit code 1.

    \b
      guard-scan --engine ray --output runs/mail --workers 8 mail/ s3://bucket/pages
      guard-scan --engine ray --output runs/mail --workers 8 mail/ s3://bucket/pages --resume
      guard-scan --engine ray --device cuda --num-gpus 0.5 --output runs/gpu rows.parquet
      cat runs/mail/verdicts/*.jsonl | jq 'select(.flagged)'
    """
    refuse_corpus_options(click.get_current_context(), engine)
    if engine == "ray":
        sources = [*files, *([source] if source else [])]
        return scan_with_ray(sources, output, chosen, task=task, system=system, **corpus)
    if output is not None and output.exists():
        raise OutputExistsError(f"{output} exists already; give another path or remove it first")
    paths = tuple(Path(name) for name in files)
    origin = Path(source) if source is not None else None
    outputs = [_with_context(o, task, system) for o in _read(origin, paths)]
    guard = chosen.load()
    rows = []
    starts = range(0, len(outputs), guard.at_once)
    for start in console.progress(starts, total=len(starts), label="scanning"):
        part = outputs[start : start + guard.at_once]
        rows += [row_of(o, v) for o, v in zip(part, guard.scan(part), strict=True)]
    if output is not None:
        write_atomic(output, to_jsonl(rows))
    elif _terminal():
        click.echo("\n".join(map(console.printable, table(rows))))
    else:
        click.echo(to_jsonl(rows), nl=False)
    flagged = sum(row["flagged"] for row in rows)
    click.echo(f"{flagged} of {len(rows)} flagged", err=True)
    return console.NEGATIVE if flagged else console.OK


def _read(source: Path | None, files: tuple[Path, ...]) -> list[ToolOutput]:
    if source is not None and files:
        raise InputError("give either --input or FILES, not both")
    if files:
        return [read_text(path) for path in files]
    if source is not None:
        stdin = sys.stdin.buffer if str(source) == "-" else None
        return read_rows(Path("stdin") if stdin else source, stdin)
    raw = sys.stdin.buffer.read()
    return [ToolOutput(text=raw.decode("utf-8", errors="replace"), id="stdin")]


def _terminal() -> bool:
    return sys.stdout.isatty()


def _with_context(output: ToolOutput, task: str, system: str) -> ToolOutput:
    return ToolOutput(
        text=output.text,
        tool=output.tool,
        id=output.id,
        task=output.task or task,
        system=output.system or system,
    )


def main() -> None:
    """Entry point of guard-scan."""
    console.run(command)


if __name__ == "__main__":
    main()
