"""guard-scan --engine ray: options, and the way from them to a scan."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from causalguard import console
from causalguard.attestation.digests import sha256_bytes
from causalguard.errors import InputError, MissingError
from causalguard.guard.corpora.plan import Limits
from causalguard.guard.options import ModelChoice

if TYPE_CHECKING:
    from causalguard.guard.corpora.store import Summary

LIMITS = Limits()
NAMES = (
    "resume", "workers", "threads", "num_gpus", "ray_address",
    "text_field", "max_chars", "block_rows",
)  # fmt: skip
"""Options that --engine ray alone has."""


def corpus_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of --engine ray to a click command."""
    options = (
        click.option("--engine", type=click.Choice(["local", "ray"]), default="local",
                     show_default=True, help="local: here, in memory. ray: corpora, see above."),
        click.option("--resume", is_flag=True, help="ray: continue what is in --output."),
        click.option("--workers", type=click.IntRange(1), show_default="as many as fit",
                     help="ray: scorers, each with a model of its own (0.6 GB on a CPU)."),
        click.option("--threads", type=click.IntRange(1), default=1, show_default=True,
                     help="ray: processors of each worker."),
        click.option("--num-gpus", type=click.FloatRange(0), show_default="1 with --device cuda",
                     help="ray: GPUs of each worker; a fraction shares one."),
        click.option("--ray-address", default="", show_default="a cluster of its own, here",
                     help="ray: a running cluster: auto, HOST:PORT or ray://HOST:PORT."),
        click.option("--text-field", default=LIMITS.text_field, show_default=True,
                     help="ray: field or column that holds the text."),
        click.option("--max-chars", type=click.IntRange(1), default=LIMITS.max_chars,
                     show_default=True, help="ray: longer texts are set aside."),
        click.option("--block-rows", type=click.IntRange(1), default=LIMITS.block_rows,
                     show_default=True, help="ray: rows of a part; done again if a worker dies."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def refuse_corpus_options(context: click.Context, engine: str) -> None:
    """Refuse options that the chosen engine would ignore.

    Raises InputError that names them.
    """
    if engine == "ray":
        return
    source = click.core.ParameterSource.COMMANDLINE
    given = [name for name in NAMES if context.get_parameter_source(name) == source]
    if given:
        flags = ", ".join("--" + name.replace("_", "-") for name in given)
        raise InputError(f"{flags}: only with --engine ray; add it or leave them out")


def scan_with_ray(
    sources: Sequence[str],
    output: Path | None,
    choice: ModelChoice,
    *,
    task: str,
    system: str,
    resume: bool,
    **sizes: Any,
) -> int:
    """Scan a corpus with workers on Ray and say what came of it.

    Args:
        sources: files, folders and URIs.
        output: the folder to write.
        choice: the model.
        task: the user's task, for rows without one.
        system: the system prompt, likewise.
        resume: continue what is in ``output``.
        sizes: the other options of :func:`corpus_options`.

    Returns:
        0 when every row was scored and none flagged, else 1.

    Raises:
        InputError: no source, no output, or one that is wrong.
        MissingError: Ray or torch is not installed.
        ScanError: the scan failed.
    """
    if output is None or not sources or "-" in sources:
        raise InputError("--engine ray needs --output FOLDER and files, folders or URIs to scan")
    load_facts = _checked(choice, sizes["threads"])
    from causalguard.guard.corpora.job import scan_corpus
    from causalguard.guard.corpora.ray_pool import RayPool, Workers, cluster

    load, facts = load_facts
    facts |= {"task": sha256_bytes(task.encode()), "system": sha256_bytes(system.encode())}
    gpus = sizes["num_gpus"]
    workers = Workers(
        count=sizes["workers"] or 0,
        threads=sizes["threads"],
        gpus=float(choice.device.startswith("cuda")) if gpus is None else gpus,
        address=sizes["ray_address"],
    )
    limits = Limits(
        text_field=sizes["text_field"],
        max_chars=sizes["max_chars"],
        block_rows=sizes["block_rows"],
    )
    with cluster(workers) as ray:
        pool = RayPool(ray, workers, load, task=task, system=system)
        summary = scan_corpus(sources, output, pool, facts=facts, limits=limits, resume=resume)
    return _say(summary, output)


def _checked(choice: ModelChoice, threads: int) -> Any:
    try:
        from causalguard.guard.corpora.model import check_model
    except ImportError as error:
        message = f"{error.name} is needed to scan; pip install 'causalguard[ray]'"
        raise MissingError(message) from None
    return check_model(choice, threads=threads)


def _say(summary: "Summary", output: Path) -> int:
    click.echo(f"{summary.flagged} of {summary.verdicts} flagged", err=True)
    if summary.set_aside:
        where = output / "set-aside"
        click.echo(f"{summary.set_aside} rows were not scored: {where} says why", err=True)
    return console.NEGATIVE if summary.flagged or summary.set_aside else console.OK
