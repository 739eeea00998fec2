"""guard-scan: score texts with a certified guard."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from causalguard import console
from causalguard.errors import InputError, MissingError, OutputExistsError
from causalguard.files import write_atomic
from causalguard.guard.rows import read_rows, read_text, row_of, table, to_jsonl
from causalguard.records import ToolOutput

if TYPE_CHECKING:
    from causalguard.guard.api import Guard

"""Rows per call of the guard: long enough to fill its batches, short enough for a smooth bar."""


@click.command(epilog="Exit codes: 0 clean, 1 something flagged, 2 usage, 3 the run failed.")
@click.option("--model", default="default", show_default="the shipped one",
              help="MODEL_DIR of a guard.")  # fmt: skip
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Public key (PEM) that you trust for this model's report.",
)
@click.option("--policy", multiple=True, help="Packaged policy to accept (default: default).")
@click.option(
    "--uncertified",
    is_flag=True,
    help="Load without checking a certificate: verdicts then carry no guarantee.",
)
@click.option(
    "--input", "source", type=click.Path(path_type=Path), help="JSONL file (.gz too); '-' is stdin."
)
@click.option("--output", type=click.Path(path_type=Path), help="Write verdicts here as JSONL.")
@click.option("--task", default="", help="The user's task, for texts and for rows without one.")
@click.option("--system", default="", help="The system prompt, likewise.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def command(
    model: str,
    key: Path | None,
    policy: tuple[str, ...],
    uncertified: bool,
    source: Path | None,
    output: Path | None,
    task: str,
    system: str,
    device: str,
    dtype: str,
    files: tuple[Path, ...],
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
    """
    if output is not None and output.exists():
        raise OutputExistsError(f"{output} exists already; give another path or remove it first")
    outputs = [_with_context(o, task, system) for o in _read(source, files)]
    guard = _load(model, key, policy, uncertified=uncertified, device=device, dtype=dtype)
    rows = []
    starts = range(0, len(outputs), guard.at_once)
    for start in console.progress(starts, total=len(starts), label="scanning"):
        part = outputs[start : start + guard.at_once]
        rows += [row_of(o, v) for o, v in zip(part, guard.scan(part), strict=True)]
    if output is not None:
        write_atomic(output, to_jsonl(rows))
    elif sys.stdout.isatty():
        click.echo("\n".join(table(rows)))
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
    if source is not None and str(source) != "-":
        return read_rows(source)
    raw = sys.stdin.buffer.read()
    return [ToolOutput(text=raw.decode("utf-8", errors="replace"), id="stdin")]


def _with_context(output: ToolOutput, task: str, system: str) -> ToolOutput:
    return ToolOutput(
        text=output.text,
        tool=output.tool,
        id=output.id,
        task=output.task or task,
        system=output.system or system,
    )


def _load(
    model: str,
    key: Path | None,
    policy: tuple[str, ...],
    *,
    uncertified: bool,
    device: str,
    dtype: str,
) -> "Guard":
    try:
        from causalguard.guard.api import Guard
    except ImportError as error:
        message = f"{error.name} is needed to scan; pip install 'causalguard[guard]'"
        raise MissingError(message) from None
    return Guard.load(
        model,
        trust=key,
        require_certified=not uncertified,
        policies=list(policy) or None,
        device=device,
        dtype=dtype,
    )


def main() -> None:
    """Entry point of guard-scan."""
    console.run(command)


if __name__ == "__main__":
    main()
