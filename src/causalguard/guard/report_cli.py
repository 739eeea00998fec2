"""guard-report: a decision log summed up."""

import dataclasses
import json
from pathlib import Path

import click

from causalguard import console
from causalguard.errors import OutputExistsError
from causalguard.files import write_atomic
from causalguard.guard.report_log import read_log, summarise
from causalguard.guard.report_page import to_html, to_text


@click.command(epilog="Exit codes: 0 done, 2 usage or a damaged log, 3 the run failed.")
@click.option("--html", type=click.Path(path_type=Path), help="Write one self-contained page here.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--top", type=click.IntRange(min=0), default=10, show_default=True,
              help="Flagged passages to list.")  # fmt: skip
@click.argument("log", type=click.Path(path_type=Path))
def command(log: Path, html: Path | None, as_json: bool, top: int) -> int:
    """Sum up LOG, the decisions that causalguard.decisions wrote, one JSON object a line.

    \b
    Prints the flag rate by tool, the flagged passages (by digest, unless the log
    carries content), latency, and what was not scanned.  With action: flag (shadow
    mode) "flagged but shown" is what would have been withheld.

    \b
    Examples:
      guard-report decisions.jsonl
      guard-report decisions.jsonl --html decisions.html
    """
    if html is not None and html.exists():
        raise OutputExistsError(f"{html} exists already; give another path or remove it first")
    records, skipped = read_log(log)
    summary = summarise(records, other_lines=skipped, top=top)
    if html is not None:
        write_atomic(html, to_html(summary))
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(summary), indent=1, ensure_ascii=False))
    else:
        click.echo(to_text(summary), nl=False)
    return console.OK


def main() -> None:
    """Entry point of guard-report."""
    console.run(command)


if __name__ == "__main__":
    main()
