"""One model of the protocol: train it without its held-out sources, then score them."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from causalguard.errors import ConfigError
from causalguard.evaluate import probes, scoring
from causalguard.evaluate.baselines import Probe, Words, fit_probe, length_risk
from causalguard.evaluate.protocol import BASE, EngineFold, FoldConfig, Protocol
from causalguard.evaluate.rows import Case, Labelled, read_labelled, thin, to_json
from causalguard.files import read_jsonl, write_atomic
from causalguard.guard.api import build_scorer
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.encoder import Encoder, load_backbone
from causalguard.guard.head import RiskHead
from causalguard.guard.template import Template, load_tokenizer
from causalguard.guard.windows import WindowSpec, windows
from causalguard.records import ToolOutput
from causalguard.stats.clusters import extreme
from causalguard.stats.thresholds import fpr_threshold
from causalguard.train.batches import IGNORE, label_window
from causalguard.train.config import TrainConfig, load_config
from causalguard.train.run import Prepared, prepare, train, work_directory
from causalguard.train.tokens import Corpus

Floats = NDArray[np.float64]
Say = Callable[[str], None]
log = logging.getLogger(__name__)

GUARD, PROBE, WORDS, LENGTH = "guard", "frozen probe", "words", "length"
FITTED = 12_000
"""Training texts that the baselines are fitted on, at most."""


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
        extra.append({"path": str(path), "weight": spec.weight, "max_rows": spec.max_rows})
    # Files of matched sets may be made from any source: what they hold out is not known here.
    changes = [*job.overrides, f"data.extra={json.dumps(extra)}", "data.files=[]"]
    if model.groups_out:
        changes.append(f"data.generate.families={json.dumps(_families(model.groups_out))}")
    if job.variant != BASE:
        changes += p.variants[job.variant].set
    config = load_config(job.train_config, changes)
    unseen = {s for s in p.sources if s not in p.trained(job.model)}
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
    detectors = build_detectors(job, config, prepared, baselines=job.variant == BASE)
    write_atomic(job.directory / "facts.json", json.dumps(detectors.facts, indent=1))
    for name in missing:
        say(f"{job.variant}/{job.model}: scoring {name}")
        rows = gather(job, name, detectors.template)
        risks, counts = detectors.score([r.output for r in rows])
        lines = [
            json.dumps(to_json(replace(r.case, tokens=int(n)), {d: v[i] for d, v in risks.items()}))
            for i, (r, n) in enumerate(zip(rows, counts, strict=True))
        ]
        write_atomic(score_file(job, name), "\n".join(lines) + "\n")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectors:
    """The guard and its baselines, ready to score."""

    template: Template
    """The guard's rendering."""
    spec: WindowSpec
    """The guard's windows."""
    encoder: Encoder
    """Guard with adapter merged in."""
    frozen: Encoder | None
    """The same layers without the adapter; None: no baselines."""
    probe: Probe | None
    """Linear probe on the frozen layers."""
    words: Words | None
    """Naive Bayes."""
    facts: Mapping[str, Any]
    """Thresholds and what a reader needs to know of the model."""

    def score(self, outputs: Sequence[ToolOutput]) -> tuple[dict[str, Floats], NDArray[np.int64]]:
        """Risks per detector and token counts, in order."""
        risks, counts = scoring.guard_risks(self.encoder, self.template, self.spec, outputs)
        found = {GUARD: risks}
        if self.probe is not None and self.frozen is not None:
            found[PROBE] = probe_risks(self.probe, self.frozen, self.template, self.spec, outputs)
        if self.words is not None:
            found[WORDS] = self.words.risk(outputs)
            found[LENGTH] = length_risk(outputs)
        return found, counts


def build_detectors(
    job: Job, config: TrainConfig, prepared: Prepared, *, baselines: bool
) -> Detectors:
    """Load the guard, fit the baselines on its training examples, freeze all thresholds.

    The baselines' thresholds come from the same calibration texts by the same rule.
    """
    device = job.device or ("cuda" if torch.cuda.is_available() else "cpu")
    files = read_model_dir(job.model_dir)
    scorer = build_scorer(files, device=device, dtype=torch.float32)
    found = Detectors(
        template=scorer.template,
        spec=scorer.spec,
        encoder=scorer.encoder,
        frozen=None,
        probe=None,
        words=None,
        facts={},
    )
    if baselines:
        frozen = frozen_encoder(prepared, config, device)
        found = replace(
            found,
            frozen=frozen,
            probe=train_probe(frozen, prepared, scorer.spec, config.seed),
            words=train_words(prepared, config.seed),
        )
    outputs = [b.output for b in prepared.calibration]
    clusters = [b.cluster for b in prepared.calibration]
    thresholds = {GUARD: files.info.threshold.value}
    if baselines:
        risks, _ = replace(found, facts={}).score(outputs)
        c = config.calibration
        for name in (PROBE, WORDS, LENGTH):
            chosen = fpr_threshold(
                extreme(risks[name], clusters, keep="max"), alpha=c.alpha, delta=c.delta
            )
            thresholds[name] = chosen.threshold if chosen.threshold is not None else 1.1
    facts = {
        "model": job.model,
        "variant": job.variant,
        "trained_on": list(job.protocol.trained(job.model)),
        "families_trained": len(prepared.families),
        "thresholds": thresholds,
        "threshold_rule": files.info.threshold.rule,
        "calibration_clusters": len(set(clusters)),
        "files_sha256": dict(sorted(files.digests.items())),
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "steps": config.steps,
        "seed": config.seed,
        "depth": config.depth,
    }
    return replace(found, facts=facts)


def frozen_encoder(prepared: Prepared, config: TrainConfig, device: str) -> Encoder:
    """The backbone as downloaded, cut at the guard's depth; its head is never used."""
    backbone, _ = load_backbone(prepared.base, config.depth, torch.float32)
    hidden = int(backbone.config.hidden_size)  # type: ignore[union-attr,arg-type]
    return Encoder(backbone, {config.depth: RiskHead(hidden)}).to(device).eval()


def training_windows(
    corpus: Corpus, spec: WindowSpec, rng: np.random.Generator, *, limit: int = FITTED
) -> tuple[list[scoring.Window], NDArray[np.int64]]:
    """One window of each text (the one that holds the instruction, if there is one), and labels."""
    order = rng.permutation(len(corpus))[:limit]
    made: list[scoring.Window] = []
    labels: list[int] = []
    for i in (int(k) for k in order):
        span = (int(corpus.spans[i, 0]), int(corpus.spans[i, 1]))
        n = int(corpus.lengths[i])
        grid = windows(min(n, spec.max_tokens), spec)
        rows = [
            (a, b, label_window(a, b, y=int(corpus.y[i]), span=span, n_tokens=n, grace=0)[1])
            for a, b in grid
        ]
        rows = [r for r in rows if r[2] == 1] or [r for r in rows if r[2] != IGNORE]
        if rows:
            a, b, label = rows[int(rng.integers(len(rows)))]
            ids = corpus.text(i)[a:b].astype(np.int64)
            made.append(scoring.Window(len(made), corpus.prefix(i).astype(np.int64), ids))
            labels.append(label)
    return made, np.array(labels, dtype=np.int64)


def train_probe(frozen: Encoder, prepared: Prepared, spec: WindowSpec, seed: int) -> Probe:
    """Logistic regression on pooled hidden states of the frozen layers."""
    rng = np.random.default_rng(seed)
    parts = []
    for corpus in (prepared.train, prepared.dev):
        made, y = training_windows(corpus, spec, rng)
        x = scoring.reduce_windows(frozen, made, scoring.pooled, label="frozen features")
        parts.append((x, y))
    return fit_probe(parts[0][0], parts[0][1], dev=parts[1])


def probe_risks(
    probe: Probe,
    frozen: Encoder,
    template: Template,
    spec: WindowSpec,
    outputs: Sequence[ToolOutput],
) -> Floats:
    """Document risks of the probe: the maximum over windows, as for the guard."""
    made, _ = scoring.cut(outputs, template, spec)
    device = next(frozen.parameters()).device
    center = torch.tensor(probe.center, dtype=torch.float32, device=device)
    scaled = torch.tensor(probe.weight / probe.scale, dtype=torch.float32, device=device)

    def reduce(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits = (scoring.pooled(hidden, mask) - center) @ scaled + probe.bias
        return torch.sigmoid(logits.double()).unsqueeze(-1)

    values = scoring.reduce_windows(frozen, made, reduce, label="frozen probe")
    return scoring.per_text(made, values, len(outputs), empty=0.0)


def train_words(prepared: Prepared, seed: int) -> Words:
    """Naive Bayes on the words of training texts, read back from their tokens."""
    tokenizer = load_tokenizer(prepared.base.directory / "tokenizer.json")
    order = np.random.default_rng(seed).permutation(len(prepared.train))[:FITTED]
    texts = tokenizer.decode_batch(
        [prepared.train.text(int(i)).tolist() for i in order], skip_special_tokens=False
    )
    return Words.fit(texts, [int(prepared.train.y[i]) for i in order])


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
        return made[: 3 * job.limit] if job.limit else made
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
