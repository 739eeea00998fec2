"""Where examples come from: the intervention engine, files of matched sets, labelled files."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from causalguard.errors import DataError
from causalguard.guard.template import Template
from causalguard.records import Triplet
from causalguard.train import carriers
from causalguard.train.calibrate import BenignOutput, read_benign
from causalguard.train.config import DataConfig, ExtraConfig, TrainConfig
from causalguard.train.examples import (
    Example,
    from_triplets,
    read_examples,
    share,
    split_dev,
)
from causalguard.train.noise import noisy
from causalguard.train.shapes import find_base
from causalguard.train.tokens import with_whole_tasks

log = logging.getLogger(__name__)

GENERATED = "generated"
"""Name of the engine as a source of examples."""
ENGINE, TRAINING = "engine/", "engine/train-"
"""What the source of a set of the engine begins with, and that of one of its training split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Examples of all sources."""

    train: tuple[Example, ...]
    """Trained on."""
    dev: tuple[Example, ...]
    """The checkpoint is chosen on these; no cluster is in both."""
    weights: dict[str, float]
    """Share of a batch's rows, by source."""
    families: tuple[str, ...]
    """Attack families of the matched sets trained on, sorted."""


def load_sources(config: TrainConfig, *, say: Callable[[str], None] = log.info) -> Sources:
    """Read and generate all examples, dev split apart.

    Raises:
        DataError: faults of the files, with line numbers.
    """
    data = config.data
    train, dev, sets = _generated(data, say)
    weights = {GENERATED: data.generate.weight} if data.generate else {}
    whole: list[Example] = []
    for file in data.files:
        from causalguard.interventions import triplets

        found = triplets.read(file.path)
        _refuse_held_out(found, file.path)
        sets += found
        whole += from_triplets(noisy(found, data.noise, seed=config.seed), str(file.path))
        weights[str(file.path)] = file.weight
        say(f"{file.path}: {len(found)} matched sets")
    for examples, made, extra in _labelled(data, config.seed):
        whole += examples
        sets += made
        weights[examples[0].source] = extra.weight
        if made:
            name = f"sets on {examples[0].source}"
            whole += from_triplets(noisy(made, data.noise, seed=config.seed), name)
            weights[name] = extra.sets_weight
        say(f"{extra.path.name}: {len(examples)} examples, {len(made)} matched sets on them")
    kept, held = split_dev(whole, dev_share=data.dev_share, seed=config.seed)
    train, dev = _apart([*train, *kept], [*dev, *held])
    train, dev = _uncut([e for e in train if e.kind in data.kinds], dev, config, say)
    return Sources(
        train=tuple(train),
        dev=tuple(_limit(dev, data.dev_max, config.seed)),
        weights=weights,
        families=tuple(sorted({t.family for t in sets})),
    )


def _refuse_held_out(found: Iterable[Triplet], path: Path) -> None:
    """Raise DataError for sets that the engine made to choose or check the guard with."""
    for t in found:
        if t.source.startswith(ENGINE) and not t.source.startswith(TRAINING):
            split = t.source.removeprefix(ENGINE).partition("-")[0]
            raise DataError(
                f"{path}: {t.id} is of the engine's {split} split, which is not trained on; "
                "render what is trained on with --split train"
            )


def _apart(train: list[Example], dev: list[Example]) -> tuple[list[Example], list[Example]]:
    """Train on what shares a cluster with the training part: a file can repeat carriers."""
    known = {e.cluster for e in train}
    back = [e for e in dev if e.cluster in known]
    return [*train, *back], [e for e in dev if e.cluster not in known]


def _uncut(
    train: list[Example], dev: list[Example], config: TrainConfig, say: Callable[[str], None]
) -> tuple[list[Example], list[Example]]:
    """Both parts without authorised members whose task the template cuts."""
    if not any(e.kind == "authorised" for e in (*train, *dev)):
        return train, dev
    template = Template.from_directory(find_base(config.base).directory, config.template.spec())
    whole = with_whole_tasks(train, template), with_whole_tasks(dev, template)
    if cut := len(train) + len(dev) - sum(map(len, whole)):
        most = template.spec.task_tokens
        say(f"left out {cut} authorised texts whose task is longer than {most} tokens")
    return whole


def _labelled(
    data: DataConfig, seed: int
) -> Iterator[tuple[list[Example], list[Triplet], ExtraConfig]]:
    """Rows that are trained on, and matched sets on them, file by file."""
    parts = [_parts(extra) for extra in data.extra]
    quotations = [
        q for (rows, _), extra in zip(parts, data.extra, strict=True) if extra.quote
        # Only of rows that are trained on: the dev split's own attacks would be known there.
        for q in carriers.quoted(split_dev(rows, dev_share=data.dev_share, seed=seed)[0])
    ]  # fmt: skip
    for (rows, _), extra in zip(parts, data.extra, strict=True):
        made = []
        if extra.sets:
            made = carriers.matched_sets(rows, quotations, per_row=extra.sets, seed=seed)
        yield rows, made, extra


def _parts(extra: ExtraConfig) -> tuple[list[Example], list[Example]]:
    """Rows to train on, and benign rows of other pairs for the threshold."""
    rows = read_examples(
        extra.path,
        licences=extra.licences,
        exclude_sources=extra.exclude_sources,
        max_rows=extra.max_rows,
    )
    kept = [e for e in rows if share(e.cluster, "calibration") >= extra.calibrate]
    held = [e for e in rows if share(e.cluster, "calibration") < extra.calibrate and e.y == 0]
    if not kept:
        raise DataError(f"{extra.path}: calibrate leaves no row to train on; lower it")
    return kept, held


def _generated(
    data: DataConfig, say: Callable[[str], None]
) -> tuple[list[Example], list[Example], list[Triplet]]:
    if data.generate is None:
        return [], [], []
    g = data.generate
    say(f"generating {g.n_sets} matched sets (seed {g.seed}) ...")
    sets = list(_sets(g.n_sets, g.seed, "train", g.families, g.lengths))
    dev = _sets(g.dev_sets, g.seed, "dev", g.families, g.lengths) if g.dev_sets else ()
    worn = noisy(sets, data.noise, seed=g.seed)
    return from_triplets(worn, GENERATED), from_triplets(dev, GENERATED), sets


def _sets(
    n_sets: int,
    seed: int,
    split: str,
    families: str | Sequence[str] | None = None,
    lengths: Sequence[str] | None = None,
) -> Iterable[Triplet]:
    """Matched sets of the engine, by several processes where there are many."""
    from causalguard.interventions import parallel

    return parallel.generate(n_sets, seed=seed, split=split, families=families, lengths=lengths)


def _limit(examples: list[Example], most: int, seed: int) -> list[Example]:
    """At most about so many examples, whole groups, the same ones for the same seed."""
    if len(examples) <= most:
        return examples
    groups = sorted({e.group for e in examples}, key=lambda g: share(g, f"limit{seed}"))
    kept = set(groups[: max(1, round(len(groups) * most / len(examples)))])
    return [e for e in examples if e.group in kept]


def load_calibration(config: TrainConfig) -> list[BenignOutput]:
    """Benign outputs of the engine's calibration split, and of the user's files."""
    c = config.calibration
    sets: Iterable[Triplet] = ()
    if c.n_sets:
        sets = _sets(c.n_sets, c.seed, "calibration", lengths=c.lengths)
    made = [
        BenignOutput(output=e.output, cluster=e.cluster)
        for e in from_triplets(sets, "calibration")
        if e.y == 0 and e.kind in c.kinds
    ]
    held = [e for extra in config.data.extra if extra.calibrate for e in _parts(extra)[1]]
    given = [BenignOutput(output=e.output, cluster=e.cluster) for e in held]
    given += [b for path in c.files for b in read_benign(path)]
    if not c.apart:
        return made + given
    return [replace(b, stratum="engine") for b in made] + [
        replace(b, stratum="rows") for b in given
    ]
