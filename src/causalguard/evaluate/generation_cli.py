"""``guard-eval generation``."""

import json
import math
import platform
from pathlib import Path
from typing import Any

import click

from causalguard import __version__
from causalguard.evaluate import generation_report
from causalguard.files import write_atomic
from causalguard.guard.options import ModelChoice, model_options

HELP = """What native mode does to answers: goals carried out, refusals, benign loss, do(I).

Every case is answered with and without an injected order, by the base model alone and by the
guarded one.  Whether an attack succeeded is judged by a check of what was asked for.  One JSON file
a case under OUTPUT/cases; a run that was stopped goes on when the command is repeated.

\b
  guard-eval generation --model NATIVE_DIR --key signer.pub.pem --output runs/generation
  guard-eval generation --model NATIVE_DIR --uncertified --set cases=12 --output runs/try
"""


@click.command(help=HELP)
@model_options(required=True, what="Native MODEL_DIR (guard-calibrate --native).")
@click.option("--config", default="generation", show_default=True, help="File or packaged name.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one value.")
@click.option("--output", required=True, type=click.Path(path_type=Path),
              help="Folder; may hold an unfinished run.")  # fmt: skip
def generation(
    *,
    chosen: ModelChoice,
    config: str,
    overrides: tuple[str, ...],
    output: Path,
) -> None:
    """See HELP."""
    from causalguard.evaluate import generation as runs
    from causalguard.evaluate.generation_cases import load_config
    from causalguard.guard.native import NativeGuard
    from causalguard.train.cli import packaged_config

    resolved = load_config(packaged_config(config), parse_overrides(overrides))
    guard = NativeGuard.load(chosen.model, **chosen.arguments())
    facts = {"guard": guard.identity[:16], "threshold": f"{guard.threshold:.6f}", **guard.facts}
    records = runs.run(resolved, lambda: make_arms(guard), output, identity=facts)
    facts |= {
        "causalguard": __version__,
        "machine": f"{platform.machine()}, {platform.system()}",
        "config": json.dumps(resolved.model_dump(mode="json")),
    }
    text = generation_report.markdown(records, facts, seed=resolved.seed)
    values = {"facts": facts, **generation_report.summary(records, seed=resolved.seed)}
    write_atomic(output / "report.md", text)
    write_atomic(output / "report.json", json.dumps(plain(values), indent=1, allow_nan=False))
    click.echo(text)


def make_arms(guard: Any) -> dict[str, Any]:
    """The base alone and the guarded model; they share their weights when these are the base's."""
    from causalguard.evaluate.generation import BaseArm, GuardedArm
    from causalguard.guard import base as bases
    from causalguard.guard.native_model import load_base

    plain = guard.model
    if guard.adapted:
        base = bases.resolve(guard.files.info.base.name)
        dtype = next(guard.model.model.parameters()).dtype
        plain = load_base(base, dtype)
        plain.model.to(guard.model.device)
    return {"base": BaseArm(plain, guard.end_ids), "guarded": GuardedArm(guard)}


def plain(value: Any) -> Any:
    """Values as strict JSON takes them: what is infinite or undefined becomes null."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def parse_overrides(overrides: tuple[str, ...]) -> dict[str, Any]:
    """``KEY=VALUE`` as a mapping; values are YAML."""
    import yaml

    found: dict[str, Any] = {}
    for text in overrides:
        key, sign, value = text.partition("=")
        if not sign:
            raise click.UsageError(f"--set {text}: give KEY=VALUE")
        found[key.strip()] = yaml.safe_load(value)
    return found
