"""The guard of a fold and its baselines, fitted on the same examples, thresholds frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from causalguard.evaluate import scoring
from causalguard.evaluate.baselines import Floats, Probe, Words, fit_probe, length_risk
from causalguard.guard.api import build_scorer
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.encoder import Encoder, load_backbone
from causalguard.guard.head import RiskHead
from causalguard.guard.scorer import Scorer
from causalguard.guard.template import load_tokenizer
from causalguard.guard.windows import WindowSpec, windows
from causalguard.records import ToolOutput
from causalguard.stats.clusters import extreme
from causalguard.stats.thresholds import fpr_threshold
from causalguard.train.batches import IGNORE, label_window
from causalguard.train.config import TrainConfig
from causalguard.train.run import Prepared
from causalguard.train.tokens import Corpus

GUARD, PROBE, WORDS, LENGTH = "guard", "frozen probe", "words", "length"
FITTED = 12_000
"""Training texts that the baselines are fitted on, at most."""
NEVER = 2.0
"""Threshold of a baseline that has none: above every risk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectors:
    """The guard and its baselines, ready to score."""

    scorer: Scorer
    """The guard's own; its rendering and windows serve the baselines too."""
    frozen: Encoder | None
    """The same layers without the adapter; None: no baselines."""
    probe: Probe | None
    """Linear probe on the frozen layers."""
    words: Words | None
    """Naive Bayes."""
    facts: Mapping[str, Any]
    """Thresholds and what a reader needs to know of the model."""

    def score(
        self, outputs: Sequence[ToolOutput], *, baselines: bool = True
    ) -> tuple[dict[str, Floats], NDArray[np.int64]]:
        """Risks per detector (the guard's alone on demand) and token counts, in order."""
        risks, counts = scoring.guard_risks(self.scorer, outputs)
        found = {GUARD: risks}
        if not baselines:
            return found, counts
        if self.probe is not None and self.frozen is not None:
            found[PROBE] = probe_risks(self.probe, self.frozen, self.scorer, outputs)
        if self.words is not None:
            found[WORDS] = self.words.risk(outputs)
            found[LENGTH] = length_risk(outputs)
        return found, counts


def build_detectors(
    model_dir: Path,
    config: TrainConfig,
    prepared: Prepared,
    *,
    device: str | None,
    baselines: bool,
    fitted: int = FITTED,
) -> Detectors:
    """Load the guard, fit the baselines on its training examples, freeze all thresholds.

    ``fitted`` bounds the training texts that the baselines see.

    The baselines' thresholds come from the same calibration texts by the same rule.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    files = read_model_dir(model_dir)
    scorer = build_scorer(files, device=device, dtype=torch.float32)
    found = Detectors(
        scorer=scorer,
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
            probe=train_probe(frozen, prepared, scorer.spec, config.seed, fitted),
            words=train_words(prepared, config.seed, fitted),
        )
    thresholds = {GUARD: files.info.threshold.value}
    if baselines:
        thresholds |= baseline_thresholds(found, config, prepared)
    facts = {
        "families_trained": len(prepared.families),
        "thresholds": thresholds,
        "threshold_rule": files.info.threshold.rule,
        "calibration_clusters": len({b.cluster for b in prepared.calibration}),
        "files_sha256": dict(sorted(files.digests.items())),
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "steps": config.steps,
        "seed": config.seed,
        "depth": config.depth,
    }
    return replace(found, facts=facts)


def baseline_thresholds(
    detectors: Detectors, config: TrainConfig, prepared: Prepared
) -> dict[str, float]:
    """Thresholds of the baselines, from the guard's calibration texts by the guard's rule."""
    risks, _ = detectors.score([b.output for b in prepared.calibration])
    clusters = [b.cluster for b in prepared.calibration]
    c = config.calibration
    chosen = {
        name: fpr_threshold(
            extreme(risks[name], clusters, keep="max"), alpha=c.alpha, delta=c.delta
        ).threshold
        for name in (PROBE, WORDS, LENGTH)
    }
    return {name: NEVER if value is None else value for name, value in chosen.items()}


def frozen_encoder(prepared: Prepared, config: TrainConfig, device: str) -> Encoder:
    """The backbone as downloaded, cut at the guard's depth; its head is never used."""
    backbone, _ = load_backbone(prepared.base, config.depth, torch.float32)
    hidden = int(backbone.config.hidden_size)  # type: ignore[union-attr,arg-type]
    return Encoder(backbone, {config.depth: RiskHead(hidden)}).to(device).eval()


def training_windows(
    corpus: Corpus, spec: WindowSpec, rng: np.random.Generator, *, limit: int
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


def train_probe(
    frozen: Encoder, prepared: Prepared, spec: WindowSpec, seed: int, fitted: int
) -> Probe:
    """Logistic regression on pooled hidden states of the frozen layers."""
    rng = np.random.default_rng(seed)
    parts = []
    for corpus in (prepared.train, prepared.dev):
        made, y = training_windows(corpus, spec, rng, limit=fitted)
        x = scoring.reduce_windows(frozen, made, scoring.pooled, label="frozen features")
        parts.append((x, y))
    return fit_probe(parts[0][0], parts[0][1], dev=parts[1])


def probe_risks(
    probe: Probe,
    frozen: Encoder,
    scorer: Scorer,
    outputs: Sequence[ToolOutput],
) -> Floats:
    """Document risks of the probe: the maximum over windows, as for the guard."""
    made, _ = scoring.cut(outputs, scorer.template, scorer.spec)
    device = next(frozen.parameters()).device
    center = torch.tensor(probe.center, dtype=torch.float32, device=device)
    scaled = torch.tensor(probe.weight / probe.scale, dtype=torch.float32, device=device)

    def reduce(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits = (scoring.pooled(hidden, mask) - center) @ scaled + probe.bias
        return torch.sigmoid(logits.double()).unsqueeze(-1)

    values = scoring.reduce_windows(frozen, made, reduce, label="frozen probe")
    return scoring.per_text(made, values, len(outputs), empty=0.0)


def train_words(prepared: Prepared, seed: int, fitted: int) -> Words:
    """Naive Bayes on the words of training texts, read back from their tokens."""
    tokenizer = load_tokenizer(prepared.base.directory / "tokenizer.json")
    order = np.random.default_rng(seed).permutation(len(prepared.train))[:fitted]
    texts = tokenizer.decode_batch(
        [prepared.train.text(int(i)).tolist() for i in order], skip_special_tokens=False
    )
    return Words.fit(texts, [int(prepared.train.y[i]) for i in order])
