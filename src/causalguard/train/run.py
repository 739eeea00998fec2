"""A training run, top to bottom: configuration in, MODEL_DIR out."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from causalguard.errors import ConfigError, OutputExistsError
from causalguard.guard.base import BaseFiles
from causalguard.guard.template import Template, load_tokenizer, tokenizer_digest
from causalguard.records import ToolOutput
from causalguard.train.batches import BatchSource, Drawing
from causalguard.train.calibrate import BenignOutput, check_enough, choose_threshold
from causalguard.train.chats import describe, make_chats
from causalguard.train.config import TrainConfig
from causalguard.train.examples import describe_lengths
from causalguard.train.limits import check_lengths, longest_row
from causalguard.train.resume import check_resumed
from causalguard.train.shapes import find_base, is_random
from causalguard.train.sources import load_calibration, load_sources
from causalguard.train.tokens import Corpus, default_cache, make_corpus

if TYPE_CHECKING:
    from causalguard.train.model import Build, TrainedModel
    from causalguard.train.trainer import GuardTrainer

log = logging.getLogger(__name__)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything a run needs, but the model."""

    base: BaseFiles
    """Files of the base model."""
    template: Template
    """The guard's rendering."""
    tokenizer_sha256: str
    """Digest of the tokenizer."""
    train: Corpus
    """Texts trained on."""
    dev: Corpus
    """Texts the checkpoint is chosen on."""
    weights: tuple[float, ...]
    """Share of rows per source of ``train``."""
    calibration: tuple[BenignOutput, ...]
    """Benign outputs that the threshold is chosen on."""
    families: tuple[str, ...]
    """Attack families trained on."""
    probes: tuple[ToolOutput, ...]
    """A few texts to compare models on."""


def prepare(config: TrainConfig, *, say: Say = log.info, cache: Path | None = None) -> Prepared:
    """Read and generate data, split, tokenise; every fault of the data is reported here.

    Args:
        config: the run.
        say: gets one line per step.
        cache: folder of the token cache; None: the default one.
    """
    base = find_base(config.base)
    tokenizer = load_tokenizer(base.directory / "tokenizer.json")
    template = Template(tokenizer, config.template.spec())
    digest = tokenizer_digest(tokenizer)
    data = load_sources(config, say=say)
    calibration = load_calibration(config)
    c = config.calibration
    check_enough(calibration, alpha=c.alpha, delta=c.delta)
    for name, part in (("training", data.train), ("dev", data.dev)):
        if {e.y for e in part} != {0, 1}:
            raise ConfigError(f"data: the {name} split lacks one class; give more data")
    folder = cache or default_cache()
    made = [
        make_corpus(p, template, tokenizer_sha256=digest, cache=folder)
        for p in (data.train, data.dev)
    ]
    if config.loss.task > 0:
        chats = make_chats(
            data.train,
            base,
            limit=config.data.task_tokens,
            tokenizer_sha256=digest,
            cache=folder,
        )
        say(describe(chats, data.train))
        made[0] = replace(made[0], chats=chats)
    corpora = [trim(corpus, config.windows.tokens, say) for corpus in made]
    longest = longest_row(corpora, config.windows.tokens)
    check_lengths(base, longest, packed=config.packed)
    say(f"training: {describe_lengths(corpora[0].lengths, config.windows.tokens)}")
    say(f"dev: {describe_lengths(corpora[1].lengths, config.windows.tokens)}")
    return Prepared(
        base=base,
        template=template,
        tokenizer_sha256=digest,
        train=corpora[0],
        dev=corpora[1],
        weights=tuple(data.weights[name] for name in corpora[0].sources),
        calibration=tuple(calibration),
        families=data.families,
        probes=tuple(e.output for e in data.dev[:8]),
    )


def trim(corpus: Corpus, window: int, say: Say) -> Corpus:
    """Drop texts that teach nothing: empty ones, and long attacks that nobody located."""
    lost = (corpus.y == 1) & (corpus.spans[:, 0] < 0) & (corpus.lengths > window)
    keep = np.flatnonzero((corpus.lengths > 0) & ~lost)
    if lost.any():
        say(f"left out {int(lost.sum())} long injected texts whose injection is not located")
    return corpus.take(keep) if len(keep) < len(corpus) else corpus


def batch_source(config: TrainConfig, prepared: Prepared, *, world: int = 1) -> BatchSource:
    """The batches of a run."""
    n = config.steps * config.accumulation * world
    return BatchSource(prepared.train, drawing(config, prepared, config.batch), n_batches=n)


def drawing(config: TrainConfig, prepared: Prepared, rows: int) -> Drawing:
    """How a run draws groups and windows, for batches of about so many rows."""
    data = config.data
    return Drawing(
        windows=config.windows.spec(),
        rows=rows,
        seed=config.seed,
        weights=prepared.weights,
        shift=data.shift,
        off_span=data.off_span,
        crop=data.crop,
        grace=data.grace,
        packed=config.packed,
    )


def build_of(
    config: TrainConfig, device: torch.device, *, precision: str, say: Say = log.info
) -> "Build":
    """How the model is put together here; what cannot be had is said and replaced."""
    from causalguard.train.kernels import choose_attention
    from causalguard.train.model import Build

    kernel, reason = choose_attention(
        config.attn, device=device, packed=config.packed, precision=precision
    )
    if reason is not None:
        say(reason)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    if sharded and config.loss.task > 0:
        # Batches without a chat would leave one process waiting for the others' layers.
        raise ConfigError("loss.task does not train under FSDP; use DDP, or set loss.task: 0")
    return Build(
        dtype=dtype,
        storage=dtype if sharded else torch.uint8,
        device=device,
        nf4=config.quantisation == "nf4",
        attention=kernel,
        compiled=config.compile,
        checkpointing=config.checkpointing,
        offload=config.offload and device.type == "cuda",
        bf16_heads=config.head_precision == "bf16",
        language=config.loss.task > 0,
    )


def make_trainer(
    config: TrainConfig,
    prepared: Prepared,
    work: Path,
    *,
    device: str | None = None,
    say: Say = log.info,
) -> "GuardTrainer":
    """Model, batches and arguments put together.

    Args:
        config: the run.
        prepared: its data.
        work: where checkpoints go.
        device: ``cpu`` or ``cuda``; None: a GPU if there is one.
        say: gets a line where something asked for cannot be had.
    """
    from transformers import set_seed

    from causalguard.train.model import build_model, pick_precision
    from causalguard.train.trainer import Dev, GuardTrainer, training_arguments
    from causalguard.train.warm import start_from

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    precision = pick_precision(config.precision, where)
    # Before the model: the arguments find this process's GPU where there are several.
    args = training_arguments(config, work, precision=precision, cpu=where.type == "cpu")
    how = build_of(config, args.device, precision=precision, say=say)
    set_seed(config.seed)
    model = build_model(prepared.base, config.exits, config.lora, how)
    if config.init:
        start_from(model, config.init)
    return GuardTrainer(
        model,
        args,
        batches=batch_source(config, prepared, world=args.world_size),
        config=config,
        dev=Dev(corpus=prepared.dev, windows=config.windows.spec()),
        say=say,
    )


def train_heads(
    config: TrainConfig, prepared: Prepared, model: "TrainedModel", *, say: Say = log.info
) -> None:
    """The heads on the frozen backbone, in place."""
    from causalguard.train.heads import warm_heads
    from causalguard.train.losses import LossWeights

    first = config.heads_first
    if first is None:
        return
    n = max(1, first.windows // first.batch)
    loss = warm_heads(
        model,
        BatchSource(prepared.train, drawing(config, prepared, first.batch), n_batches=n),
        steps=first.steps,
        lr=first.lr,
        weights=LossWeights(**config.loss.model_dump()),
        exit_weights={e.layer: e.weight for e in config.exits},
        seed=config.seed,
    )
    say(f"heads on the frozen backbone: loss {loss:.3f}")


def train(
    config: TrainConfig,
    output: Path,
    *,
    resume: Path | None = None,
    device: str | None = None,
    say: Say = log.info,
    prepared: Prepared | None = None,
) -> dict[str, float]:
    """Train a guard and write it to ``output``.

    Args:
        config: the run.
        output: MODEL_DIR, must not exist; checkpoints go to ``OUTPUT.work`` beside it.
        resume: a checkpoint of the same configuration.
        device: ``cpu`` or ``cuda``; None: a GPU if there is one.
        say: gets one line per step.
        prepared: data made beforehand; None: made here.

    Returns: figures on the dev split.

    Raises:
        OutputExistsError: the output exists.
        ConfigError: the checkpoint is of another configuration.
        TrainingError: the run went wrong; the message says what was kept.
    """
    from causalguard.train.recover import within_memory

    refuse_existing(output)
    refuse_random(config)
    if resume is not None:
        check_resumed(config, resume)
    data = prepared or prepare(config, say=say)
    work = work_directory(output)

    def attempt(tried: TrainConfig, checkpoint: Path | None) -> "GuardTrainer":
        trainer = make_trainer(tried, data, work, device=device, say=say)
        say(
            f"training on {trainer.args.device}: {tried.steps} steps of about {tried.batch} windows"
        )
        if tried.heads_first is not None and checkpoint is None:
            train_heads(tried, data, trainer.model, say=say)
        if tried.steps:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        return trainer

    trainer, used = within_memory(attempt, config, work, resume=resume, say=say)
    if config.lora.interpolate < 1:
        trainer.model.interpolate(config.lora.interpolate)
        say(f"kept {config.lora.interpolate:g} of the adapter's change of the weights")
    figures = trainer.evaluate()
    if trainer.is_world_process_zero():
        write(trainer, used, data, output, say=say)
    return figures


def write(
    trainer: "GuardTrainer", config: TrainConfig, prepared: Prepared, output: Path, *, say: Say
) -> None:
    """Choose the threshold of a trained model, write MODEL_DIR and read it back."""
    from causalguard.guard.api import DTYPES, choose_dtype
    from causalguard.train.export import export, guard_info, merged_scorer

    model: TrainedModel = trainer.model
    device = scoring_device(config, trainer)
    build = partial(merged_scorer, model, prepared.base, prepared.template, config, device)
    # As Guard.load picks it here: several times faster where bfloat16 is computed in hardware.
    fast = DTYPES[choose_dtype(torch.device(device).type, None)]
    c = config.calibration
    threshold = choose_threshold(
        build(dtype=fast), prepared.calibration, alpha=c.alpha, delta=c.delta
    )
    say(f"threshold {threshold.value:.6f}: {threshold.rule}")
    scorer = build()
    info = guard_info(
        model,
        config,
        prepared.template,
        tokenizer_sha256=prepared.tokenizer_sha256,
        threshold=threshold,
        families=prepared.families,
    )
    gap = export(output, model, config, info, scorer=scorer, probes=prepared.probes)
    say(f"wrote {output}; read back, its risks agree within {gap:.1g}")


def scoring_device(config: TrainConfig, trainer: "GuardTrainer") -> str:
    """Where the finished guard is scored: NF4 is for GPUs that its float32 base would not fit."""
    return "cpu" if config.quantisation == "nf4" else str(trainer.args.device)


def refuse_existing(output: Path) -> None:
    """Raise OutputExistsError before any work when the output is there already."""
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise OutputExistsError(f"{output} exists already; give another --output or remove it")


def refuse_random(config: TrainConfig) -> None:
    """Raise ConfigError for a base of random weights: a guard over it would guard nothing."""
    if is_random(config.base):
        raise ConfigError(
            f"base {config.base} has random weights: it is for --plan, --dry-run and benchmarks; "
            "name a real base model to train a guard"
        )


def work_directory(output: Path) -> Path:
    """Where checkpoints of a run go: beside MODEL_DIR, which holds nothing but the model."""
    return output.with_name(output.name + ".work")


DRY_STEPS = 2


def dry_run(config: TrainConfig, *, device: str | None = None, say: Say = log.info) -> str:
    """Prepare the data, take two steps, write nothing.

    Returns: a few lines: throughput, and peak memory by part, predicted and measured.
    """
    import tempfile
    import time

    from causalguard.train.measure import Measure
    from causalguard.train.plan import table

    prepared = prepare(config, say=say)
    short = config.model_copy(
        update={"steps": DRY_STEPS, "watch": config.watch.model_copy(update={"every": 0})}
    )
    with tempfile.TemporaryDirectory() as scratch:
        trainer = make_trainer(short, prepared, Path(scratch), device=device, say=say)
        measure = Measure(trainer)
        begin = time.monotonic()
        with measure:
            trainer.train()
        seconds = (time.monotonic() - begin) / DRY_STEPS
    rows = config.batch * config.accumulation
    lines = [f"{seconds:.2f} s a step ({rows / seconds:.1f} windows/s), first step included"]
    lines.append(f"{config.steps} steps: about {config.steps * seconds / 60:.1f} minutes at most")
    lines += table(measure.predicted(short, prepared.base), measure.parts())
    return "\n".join(lines)
