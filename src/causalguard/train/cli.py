"""``guard-train`` and ``guard-calibrate``."""

import logging
import os
from pathlib import Path
from typing import Any

import click

from causalguard import console
from causalguard.errors import ConfigError, InputError, MissingError

TRAIN_HELP = """Train a guard: matched sets in, MODEL_DIR out.

Bare, it trains the packaged CPU-sized configuration on generated matched sets and writes
./runs/tiny-1 (then tiny-2, ...).  It needs the base model: causalguard base install.

\b
  guard-train                                     # minutes on two cores
  guard-train --config configs/default.yaml --output models/mine
  guard-train --set steps=300 --set lora.r=8      # change single values
  guard-train --config my.yaml --print-config     # resolved, nothing is run
  guard-train --config my.yaml --plan             # memory, part by part, before anything loads
  guard-train --config llama2-7b-6gb --plan --memory 6 --set base=random:llama-2-7b
  guard-train --config my.yaml --dry-run          # data checked, two steps, no model written
  guard-train --config my.yaml --output DIR --resume DIR.work/checkpoint-500
  guard-train --config native --answers sets.jsonl --output answered.jsonl    # for loss.task

--config takes a path, or the name of a packaged configuration (tiny, default, debug, ...).
Every key is explained in docs/training.md.  Next: guard-certify --model DIR.
"""


def packaged_config(name: str) -> Path:
    """Path of a packaged configuration, or of a file given by its path.

    Raises ConfigError naming the packaged ones when there is none.
    """
    path = Path(name)
    if path.is_file():
        return path
    folder = Path(__file__).parent.parent / "configs"
    stem = name.removeprefix("configs/").removesuffix(".yaml")
    if (folder / f"{stem}.yaml").is_file() and "/" not in stem:
        return folder / f"{stem}.yaml"
    known = sorted(p.stem for p in folder.glob("*.yaml") if not p.stem.startswith("policy"))
    raise ConfigError(f"{name}: no such configuration; give a file or one of: {', '.join(known)}")


def numbered(folder: Path, name: str) -> Path:
    """The first of ``folder/name-1, name-2, ...`` that does not exist."""
    number = 1
    while (folder / f"{name}-{number}").exists():
        number += 1
    return folder / f"{name}-{number}"


def _quiet() -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in ("transformers", "bitsandbytes"):
        logging.getLogger(name).setLevel(logging.ERROR)


@click.command(help=TRAIN_HELP, context_settings={"max_content_width": 100})
@click.option("--config", default="tiny", show_default=True, help="YAML file or packaged name.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one value.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="MODEL_DIR to write; must not exist."
)
@click.option(
    "--resume", type=click.Path(exists=True, path_type=Path), help="A checkpoint to go on from."
)
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), help="Default: a GPU if there is one."
)
@click.option("--print-config", is_flag=True, help="Print the resolved configuration and stop.")
@click.option("--dry-run", is_flag=True, help="Check the data, take two steps, write nothing.")
@click.option("--plan", is_flag=True, help="Print the memory that the run needs and stop.")
@click.option("--memory", type=float, metavar="GIB", help="With --plan: for a GPU of this size.")
@click.option("--answers", type=click.Path(path_type=Path), metavar="SETS",
              help="Write these matched sets to --output, with the base's own answers to their "
              "benign texts as responses, and stop.")  # fmt: skip
@click.option("--deterministic", is_flag=True, help="Refuse operations that vary between runs.")
def train_command(
    config: str,
    overrides: tuple[str, ...],
    output: Path | None,
    resume: Path | None,
    device: str | None,
    print_config: bool,
    dry_run: bool,
    plan: bool,
    memory: float | None,
    answers: Path | None,
    deterministic: bool,
) -> None:
    """See TRAIN_HELP."""
    from causalguard.train.config import load_config

    if deterministic:
        overrides = (*overrides, "deterministic=true")
    resolved = load_config(packaged_config(config), overrides)
    if print_config:
        click.echo(resolved.to_yaml(), nl=False)
        return
    _quiet()
    run = _import_run()
    if plan:
        from causalguard.train.plan import plan_text

        click.echo(plan_text(resolved, device=device, memory_gib=memory))
        return
    if answers is not None:
        from causalguard.train.answers import answer_file

        if output is None:
            raise InputError("--answers writes a new file of matched sets; give --output FILE")
        click.echo(answer_file(answers, output, resolved, device=device))
        return
    target = output or numbered(Path("runs"), resolved.name)
    if dry_run:
        click.echo(run.dry_run(resolved, device=device, say=_say))
        return
    figures = run.train(resolved, target, resume=resume, device=device, say=_say)
    told = ", ".join(f"{n.removeprefix('eval_')} {v:.3f}" for n, v in sorted(figures.items()))
    click.echo(f"{target}: dev {told}")
    _say(f"next: guard-certify --model {target}")


def _say(line: str) -> None:
    if os.environ.get("RANK", "0") == "0":  # of several processes, one speaks
        click.echo(line, err=True)


def _import_run() -> Any:
    try:
        from causalguard.train import run, trainer  # noqa: F401
    except ImportError as error:
        message = f"{error.name} is needed to train; pip install 'causalguard[train]'"
        raise MissingError(message) from None
    return run


CALIBRATE_HELP = """Choose a guard's threshold anew, on benign outputs of your own tools.

SOURCE is a JSONL file (rows with text and, if known, task, system, tool, cluster) or a directory
of text files; copies of one text count once.  The model's weights stay as they are; a new
MODEL_DIR is written, for the certificate of the old one does not hold for another threshold.  No
GPU is needed.

\b
  guard-calibrate --model models/default --output models/ours outputs.jsonl
  guard-calibrate --native --model runs/native-1 --output models/native outputs.jsonl

With --native the threshold is for native mode, where the base model itself answers and is read in
its own prefill; the new MODEL_DIR serves CausalGuardLLM.from_pretrained and nothing else.
"""


@click.command(help=CALIBRATE_HELP, context_settings={"max_content_width": 100})
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--model", required=True, type=click.Path(path_type=Path), help="MODEL_DIR to start from."
)
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), help="MODEL_DIR to write."
)
@click.option(
    "--alpha", default=0.01, show_default=True, help="False-positive rate not to be exceeded."
)
@click.option(
    "--delta", default=0.05, show_default=True, help="Probability that it is all the same."
)
@click.option("--native", is_flag=True, help="For native mode: read in the model's own prefill.")
def calibrate_command(
    source: Path, model: Path, output: Path, alpha: float, delta: float, *, native: bool
) -> None:
    """See CALIBRATE_HELP."""
    if not (0 < alpha < 1 and 0 < delta < 1):
        raise InputError("--alpha and --delta must lie between 0 and 1")
    from causalguard.guard.bundle import read_model_dir
    from causalguard.train import calibrate
    from causalguard.train.run import refuse_existing

    _quiet()
    refuse_existing(output)
    files = read_model_dir(model)
    benign = calibrate.read_benign(source)
    calibrate.check_enough(benign, alpha=alpha, delta=delta)
    scorer, info = _scorer(files, native=native)
    threshold = calibrate.choose_threshold(scorer, benign, alpha=alpha, delta=delta)
    calibrate.write_with_threshold(files, threshold, output, native=info)
    click.echo(
        f"{output}: threshold {threshold.value:.6f} (was {files.info.threshold.value:.6f}), "
        f"{threshold.false_positives} of {threshold.benign_clusters} clusters flagged"
    )
    _say(f"next: guard-certify --model {output}")


def _scorer(files: Any, *, native: bool) -> tuple[Any, Any]:
    """The scorer to calibrate, and what guard.json says of native mode."""
    import torch

    from causalguard.guard import api
    from causalguard.guard import native as natives

    if not native:
        return api.build_scorer(files, device="cpu", dtype=torch.float32), None
    scorer = natives.build_native(files, device="cpu", dtype=torch.float32)
    return scorer, natives.info_of(scorer)


def main() -> None:
    """Run ``guard-train``."""
    console.run(train_command)


def calibrate_main() -> None:
    """Run ``guard-calibrate``."""
    console.run(calibrate_command)


if __name__ == "__main__":
    main()
