"""One model of the protocol: train it without its held-out sources, then score them."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalguard.errors import ConfigError
from causalguard.evaluate import probes
from causalguard.evaluate.detectors import FITTED, build_detectors
from causalguard.evaluate.protocol import BASE, EngineFold, FoldConfig, Protocol
from causalguard.evaluate.rows import Case, Labelled, read_labelled, thin, to_json
from causalguard.files import read_jsonl, write_atomic
from causalguard.guard.template import Template
from causalguard.train.config import TrainConfig, load_config
from causalguard.train.run import prepare, train, work_directory
from causalguard.train.tokens import Corpus

Floats = NDArray[np.float64]
Say = Callable[[str], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One model to train and score."""

    protocol: Protocol
    """The whole protocol."""
    model: str
    """Which of its models."""
    variant: str
    """Which of its variants, or BASE."""
    train_config: Path
    """Training configuration that every model starts from."""
    overrides: tuple[str, ...]
    """Further ``section.key=value`` changes, for all models."""
    shared: Path
    """Folder of the labelled files."""
    output: Path
    """Folder of the whole evaluation."""
    limit: int | None
    """Score at most this many rows per source and class; None: all."""
    device: str | None
    """cpu, cuda, or None for a GPU if there is one."""

    @property
    def directory(self) -> Path:
        """Where this model's files go."""
        return self.output / self.variant / self.model

    @property
    def model_dir(self) -> Path:
        """The trained model."""
        return self.directory / "model"


def training_config(job: Job) -> TrainConfig:
    """The training configuration of a model: its own sources, nothing of what it holds out.

    ``data.extra`` is replaced by the protocol's sources and ``data.files`` is emptied;
    calibration files of held-out or test-only sources are dropped.

    Raises:
        ConfigError: a file is missing, or the configuration is wrong.
    """
    p, model = job.protocol, job.protocol.models[job.model]
    extra = []
    for name in p.trained(job.model):
        spec = p.sources[name]
        path = training_file(job, name)
        shares = spec.model_dump(include={"weight", "max_rows", "sets", "sets_weight", "calibrate"})
        extra.append({"path": str(path), **shares})
    # Files of matched sets may be made from any source: what they hold out is not known here.
    changes = [*job.overrides, f"data.extra={json.dumps(extra)}", "data.files=[]"]
    if model.groups_out:
        changes.append(f"data.generate.families={json.dumps(_families(model.groups_out))}")
    if job.variant != BASE:
        changes += p.variants[job.variant].set
    config = load_config(job.train_config, changes)
    unseen = {
        name
        for source in p.sources
        if source not in p.trained(job.model)
        for name in (source, p.path(source, job.shared).name.split(".")[0])
    }
    kept = tuple(f for f in config.calibration.files if f.name.split(".")[0] not in unseen)
    calibration = config.calibration.model_copy(update={"files": kept})
    return config.model_copy(update={"calibration": calibration})


def _families(groups_out: Sequence[str]) -> list[str]:
    from causalguard.interventions.families import FAMILIES

    kept = [f.name for f in FAMILIES if f.trained and f.group not in groups_out]
    unknown = sorted(set(groups_out) - {f.group for f in FAMILIES})
    if unknown or not kept:
        raise ConfigError(f"groups_out: unknown {unknown}, or no family is left; correct the names")
    return kept


def training_file(job: Job, source: str) -> Path:
    """File of a source to train on: without the rows that quote a test-only source."""
    path = job.protocol.path(source, job.shared)
    clean = job.protocol.sources[source].clean
    if clean is None:
        return path
    made = job.output / "data" / path.name.removesuffix(".gz")
    if not made.is_file():
        tests = read_jsonl(job.protocol.path(clean.against, job.shared))
        haystack = "\n".join(str(row.get("text") or "") for _, row in tests)
        kept = [
            json.dumps(row)
            for _, row in read_jsonl(path)
            if not _quotes((row.get("meta") or {}).get(clean.meta), haystack)
        ]
        write_atomic(made, "\n".join(kept) + "\n")
    return made


def _quotes(value: object, haystack: str) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value in haystack


def run_job(job: Job, folds: Sequence[str], *, say: Say = log.info) -> None:
    """Train the model unless it is there, then score what has not been scored yet.

    Args:
        job: model and variant.
        folds: names of folds and probes to score; those of other models are ignored.
        say: gets one line per step.
    """
    wanted = [n for n, m in job.protocol.tests().items() if m == job.model and n in folds]
    missing = [n for n in wanted if not score_file(job, n).is_file()]
    if not missing:
        say(f"{job.variant}/{job.model}: nothing left to do")
        return
    config = training_config(job)
    keep_settings(job, config)
    prepared = prepare(config, say=say)
    if job.variant != BASE and not job.protocol.variants[job.variant].matched:
        prepared = replace(prepared, train=unmatched(prepared.train, job.protocol.seed))
    if not (job.model_dir / "guard.json").is_file():
        say(f"{job.variant}/{job.model}: training")
        train(
            config,
            job.model_dir,
            resume=_checkpoint(job.model_dir),
            device=job.device,
            say=say,
            prepared=prepared,
        )
    detectors = build_detectors(
        job.model_dir,
        config,
        prepared,
        device=job.device,
        baselines=job.variant == BASE,
        fitted=FITTED if job.limit is None else min(FITTED, 50 * job.limit),
    )
    trained_on = list(job.protocol.trained(job.model))
    facts = {"model": job.model, "variant": job.variant, "trained_on": trained_on}
    keep_facts(job, {**facts, **detectors.facts})
    for name in missing:
        say(f"{job.variant}/{job.model}: scoring {name}")
        rows = gather(job, name, detectors.scorer.template)
        # Dilution is reported for the guard alone, and its documents are most of the tokens.
        risks, counts = detectors.score(
            [r.output for r in rows], baselines=name not in job.protocol.dilution
        )
        lines = [
            json.dumps(to_json(replace(r.case, tokens=int(n)), {d: v[i] for d, v in risks.items()}))
            for i, (r, n) in enumerate(zip(rows, counts, strict=True))
        ]
        write_atomic(score_file(job, name), "\n".join(lines) + "\n")


def keep_settings(job: Job, config: TrainConfig) -> None:
    """Write what a model is made and scored with; refuse a folder that was begun otherwise.

    Folders of files are left out, so that results can be finished on another machine.

    Raises:
        ConfigError: the folder holds results of other settings; says which differ.
    """
    settings = {
        **_flat(json.loads(config.model_dump_json())),
        "limit": str(job.limit),
        "protocol.seed": str(job.protocol.seed),
    }
    path = job.directory / "settings.json"
    if not path.is_file():
        write_atomic(path, json.dumps(settings, indent=1, sort_keys=True) + "\n")
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    differ = sorted(k for k in settings.keys() | before.keys() if settings.get(k) != before.get(k))
    if differ:
        shown = ", ".join(f"{k}: {before.get(k)}, now {settings.get(k)}" for k in differ[:3])
        raise ConfigError(
            f"{job.directory} was begun with other settings ({shown}); results of both would stand "
            "in one table: give another --output, or delete that folder"
        )


def keep_facts(job: Job, facts: Mapping[str, Any]) -> None:
    """Write the facts of a model; refuse scores of another one beside them.

    Raises:
        ConfigError: the model was trained again after folds had been scored with the one before;
            its threshold would be applied to their scores.
    """
    path = job.directory / "facts.json"
    if path.is_file() and any((job.directory / "scores").glob("*.jsonl")):
        before = json.loads(path.read_text(encoding="utf-8"))
        if before["files_sha256"] != facts["files_sha256"]:
            raise ConfigError(
                f"{job.directory / 'scores'} are of another model than {job.model_dir}; delete "
                "those scores and run again, or bring that model back"
            )
    write_atomic(path, json.dumps(facts, indent=1))


def _flat(value: object, name: str = "") -> dict[str, str]:
    """Settings by their dotted names; of paths only the last part."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        parts = (_flat(inner, f"{name}.{key}" if name else str(key)) for key, inner in pairs)
        return {key: text for part in parts for key, text in part.items()}
    return {name: str(value).rpartition("/")[2]}


def score_file(job: Job, name: str) -> Path:
    """Where the scores of a fold or probe go."""
    return job.directory / "scores" / f"{name}.jsonl"


def unmatched(corpus: Corpus, seed: int) -> Corpus:
    """Of each matched set either the benign text or the injected one, by a coin per set."""
    from causalguard.train.examples import ROLES

    coin = np.random.default_rng(seed).random(int(corpus.group.max()) + 1) < 0.5
    benign, injected = ROLES.index("benign"), ROLES.index("injected")
    wanted = np.where(coin[corpus.group], injected, benign)
    return corpus.take(np.flatnonzero(corpus.role == wanted))


def _checkpoint(model_dir: Path) -> Path | None:
    """The newest checkpoint of an unfinished run."""
    found = sorted(
        work_directory(model_dir).glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1])
    )
    return found[-1] if found else None


def gather(job: Job, name: str, template: Template) -> list[Labelled]:
    """The texts of a fold or probe."""
    p = job.protocol
    rng = np.random.default_rng([p.seed, len(name), *name.encode()])
    if name in p.folds:
        return _fold_rows(job, p.folds[name], rng)
    if name in p.triggers:
        t = p.triggers[name]
        carriers = [r for s in t.carriers for r in read_source(job, s)]
        made = probes.trigger_cases(p.path(t.source, job.shared), t.words, carriers, rng)
        return made[: 4 * job.limit] if job.limit else made
    d = p.dilution[name]
    carriers = [r for s in d.carriers for r in read_source(job, s)]
    path = p.path(d.payloads, job.shared)
    return probes.dilution_cases(
        probes.payload_rows(path, read_source(job, d.payloads)),
        carriers,
        template,
        lengths=d.lengths,
        documents=min(d.documents, job.limit or d.documents),
        rng=rng,
    )


def read_source(job: Job, source: str) -> list[Labelled]:
    """Rows of a source file, under the protocol's name for it."""
    spec = job.protocol.sources[source]
    return read_labelled(job.protocol.path(source, job.shared), spec.columns(), source=source)


def _fold_rows(job: Job, fold: FoldConfig, rng: np.random.Generator) -> list[Labelled]:
    if fold.engine is not None:
        return engine_rows(fold.engine, limit=job.limit)
    made: list[Labelled] = []
    for source in (*fold.test, *fold.benign):
        rows = read_source(job, source)
        if source in fold.benign:
            rows = [r for r in rows if r.case.y == 0]
        made += thin(rows, job.limit, rng)
    return made


def engine_rows(spec: EngineFold, *, limit: int | None = None) -> list[Labelled]:
    """Members of matched sets of the engine's audit split, as labelled rows."""
    from causalguard.interventions import engine
    from causalguard.interventions.families import FAMILIES
    from causalguard.interventions.triplets import trial_texts

    wanted = {"held-out": (False,), "trained": (True,), "all": (True, False)}[spec.families]
    names = [
        f.name
        for f in FAMILIES
        if f.trained in wanted and (not spec.groups or f.group in spec.groups)
    ]
    n_sets = min(spec.n_sets, limit or spec.n_sets)
    made: list[Labelled] = []
    for triplet in engine.generate(n_sets, seed=spec.seed, split="audit", families=names):
        for kind, y, output, _ in trial_texts(triplet):
            case = Case(
                id=f"{triplet.id}/{kind}",
                source="engine",
                y=y,
                pair=triplet.id,
                part=triplet.group,
                family=triplet.family if y else "",
                format=triplet.nuisance.get("format", ""),
                kind=kind,
                position=triplet.nuisance.get("position", ""),
            )
            made.append(Labelled(case=case, output=output))
    return made
