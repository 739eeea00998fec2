"""guard-review: look at withheld texts, and let a person's decision on them stand."""

import getpass
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from causalguard import console
from causalguard.console import printable
from causalguard.errors import InputError
from causalguard.guard.quarantine import Entry, Quarantine
from causalguard.guard.review import ANY, Choice, Review, now

MAX_DAYS = 365
STORE = click.option(
    "--store",
    required=True,
    envvar="CAUSALGUARD_QUARANTINE",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the quarantine (or CAUSALGUARD_QUARANTINE).",
)
BY = click.option("--by", default=getpass.getuser, show_default="your login", help="Who decides.")
REASON = click.option("--reason", required=True, help="Why, one line; it is recorded.")


@click.group(epilog="Exit codes: 0 done, 2 usage or a damaged store, 3 the run failed.")
def command() -> None:
    """Review texts that the guard withheld.

    \b
    Texts are named by their sha256; eight digits are enough where they are unique.
    They are untrusted: what is not printable is shown as an escape.
    """


@command.command("list")
@STORE
def list_(store: Path) -> int:
    """List what is stored and what was decided, without content."""
    quarantine = Quarantine(store)
    entries = quarantine.entries()
    for entry in entries:
        click.echo(_line(entry))
    click.echo(f"{len(entries)} texts withheld")
    when = now()
    for review in quarantine.reviews.all():
        ended = "" if review.holds(review.text_sha256, review.context_sha256, when) else "ENDED "
        end = f" until {review.until}" if review.until else ""
        where = "every task" if review.context_sha256 == ANY else review.context_sha256[:12]
        click.echo(
            printable(
                f"{ended}{review.choice} {review.text_sha256[:16]} for {where}{end}, "
                f"by {review.by} at {review.at}: {review.reason}"
            )
        )
    return console.OK


@command.command()
@STORE
@click.option("--raw", is_flag=True, help="Print the bytes of the text alone, unescaped.")
@click.argument("sha256")
def show(store: Path, sha256: str, raw: bool) -> int:
    """Show a text and the decisions on it."""
    entry = Quarantine(store).get(sha256)
    if raw:
        click.echo(entry.text.encode("utf-8", "surrogatepass"), nl=False)
        return console.OK
    click.echo(_line(entry))
    for record in entry.records:
        click.echo(
            printable(
                f"  {record.get('tool') or '(unnamed)'}: {record.get('reason', '')}, "
                f"under context {str(record.get('context_sha256', ''))[:12]}"
            )
        )
        for start, end in record.get("spans") or []:
            click.echo(f"  [{start}:{end}] {printable(entry.text[start:end])}")
    click.echo(printable(entry.text, keep="\n"))
    return console.OK


@command.command()
@STORE
@BY
@REASON
@click.option("--days", type=click.FloatRange(0, MAX_DAYS, min_open=True), default=30.0,
              show_default=True, help="How long the text may pass.")  # fmt: skip
@click.option("--any-task", is_flag=True, help="Under every task, not only where it was withheld.")
@click.argument("sha256")
def release(
    store: Path, by: str, reason: str, days: float, any_task: bool, sha256: str
) -> int:  # fmt: skip
    """Let a text pass from now on, until a date.

    It then reaches the model although the guard flags it: read it first (guard-review show).
    The certificate does not cover it.  Every use is recorded with who allowed it.
    """
    quarantine = Quarantine(store)
    if any_task and len(sha256) == 64:  # an allow-list needs no stored text
        contexts: Sequence[str] = [ANY]
    else:
        entry = quarantine.get(sha256)
        sha256, contexts = entry.text_sha256, [ANY] if any_task else entry.contexts
    until = (now() + timedelta(days=days)).isoformat(timespec="seconds")
    _decide(quarantine, sha256, "allow", contexts, by=by, reason=reason, until=until)
    click.echo(f"{sha256} may pass until {until}")
    return console.OK


@command.command()
@STORE
@BY
@REASON
@click.option("--keep", is_flag=True, help="Keep the text in the store.")
@click.argument("sha256")
def deny(store: Path, by: str, reason: str, keep: bool, sha256: str) -> int:
    """Never let a text pass, under any task, whatever the guard says; delete it."""
    quarantine = Quarantine(store)
    if len(sha256) != 64:
        sha256 = quarantine.get(sha256).text_sha256
    _decide(quarantine, sha256, "deny", [ANY], by=by, reason=reason)
    if not keep:
        quarantine.remove(sha256)
    click.echo(f"{sha256} is denied")
    return console.OK


@command.command()
@STORE
@click.argument("sha256")
def revoke(store: Path, sha256: str) -> int:
    """Take back what was decided on a text: the guard alone decides again."""
    reviews = Quarantine(store).reviews
    matching = {r.text_sha256 for r in reviews.all() if r.text_sha256.startswith(sha256)}
    if len(matching) != 1 or len(sha256) < 8:
        raise InputError(
            f"{sha256}: not one text that was decided on; guard-review list shows them"
        )
    count = reviews.remove(matching.pop())
    click.echo(f"{count} decisions taken back")
    return console.OK


def _decide(
    quarantine: Quarantine, sha256: str, choice: Choice, contexts: Sequence[str], **facts: Any
) -> None:
    at = now().isoformat(timespec="seconds")
    quarantine.reviews.add(
        [
            Review(text_sha256=sha256, context_sha256=context, choice=choice, at=at, **facts)
            for context in contexts
        ]
    )


def _line(entry: Entry) -> str:
    risks = [r["risk"] for r in entry.records if isinstance(r.get("risk"), int | float)]
    risk = f"risk {max(risks):.3f}" if risks else "not scored"
    tools = ", ".join(sorted({str(r.get("tool") or "(unnamed)") for r in entry.records}))
    return printable(
        f"{entry.text_sha256[:16]}  {risk}  {len(entry.text):,} characters  {tools}  "
        f"last {entry.last}, kept until {entry.expires}"
    )


def main() -> None:
    """Entry point of guard-review."""
    console.run(command)


if __name__ == "__main__":
    main()
