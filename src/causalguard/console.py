"""What all commands share: exit codes, error lines, progress bars.

Exit codes: 0 done and good, 1 done and bad (flagged, not certified), 2 usage or configuration,
3 the run failed.  An uncaught exception is 3, never 1: a crash must not read as a verdict.
"""

import sys
import traceback
from collections.abc import Iterable
from typing import NoReturn, TypeVar

import click

from causalguard.errors import CausalGuardError, CertificateError, InputError

OK = 0
NEGATIVE = 1
USAGE = 2
FAILED = 3

T = TypeVar("T")


def run(command: click.Command) -> NoReturn:
    """Run a click command as a process: map errors to the exit codes above and leave."""
    try:
        code = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; nothing was half-written", err=True)
        sys.exit(130)
    except CertificateError as error:
        _say(error)
        sys.exit(NEGATIVE)
    except InputError as error:
        _say(error)
        sys.exit(USAGE)
    except CausalGuardError as error:
        _say(error)
        sys.exit(FAILED)
    except OSError as error:  # no room, no right: a trace would not say more
        where = f": {error.filename}" if error.filename else ""
        message = f"the system refused: {error.strerror or error}{where}; mend that and run again"
        click.echo(click.style(message, fg="red"), err=True)
        sys.exit(FAILED)
    except SystemExit:  # click's, with 1, when whoever read stdout has gone: no verdict either
        sys.exit(FAILED)
    except Exception:  # noqa: BLE001  # the edge of the process: a crash is reported as a failed run
        traceback.print_exc()
        sys.exit(FAILED)
    sys.exit(code if isinstance(code, int) else OK)


def _say(error: Exception) -> None:
    click.echo(click.style(f"{type(error).__name__}: ", fg="red", bold=True) + str(error), err=True)


def printable(text: str, *, keep: str = "") -> str:
    """Escape what could drive a terminal or hide (controls, bidi marks, zero-width)."""
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def progress(items: Iterable[T], *, total: int | None, label: str) -> Iterable[T]:
    """Iterate with a tqdm bar on stderr; plain iteration when tqdm is not installed."""
    try:
        from tqdm import tqdm  # optional: comes with transformers
    except ImportError:
        return items
    bar: Iterable[T] = tqdm(
        items, total=total, desc=label, file=sys.stderr, mininterval=0.5, leave=True
    )
    return bar
