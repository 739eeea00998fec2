"""From the scores of a leave-one-source-out run to its figures; needs no torch."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalguard import __version__
from causalguard.errors import DataError, InputError
from causalguard.evaluate import figures
from causalguard.evaluate.figures import (
    DilutionFigures,
    GroupFigures,
    Part,
    SourceFigures,
    by_group,
    dilution_figures,
    length_bucket,
    one_threshold_tpr,
    source_figures,
)
from causalguard.evaluate.protocol import BASE, Protocol
from causalguard.evaluate.rows import Case, from_json
from causalguard.files import read_jsonl
from causalguard.stats.ranking import Estimate

Floats = NDArray[np.float64]
GUARD = "guard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All scores of one fold or probe by one model."""

    fold: str
    """Name of the fold or probe."""
    cases: tuple[Case, ...]
    """Shape (n,)."""
    risks: Mapping[str, Floats]
    """Per detector, shape (n,)."""
    thresholds: Mapping[str, float]
    """Per detector, frozen before scoring."""

    def take(self, rows: Sequence[int], detector: str) -> Part:
        """Cases and risks of some rows."""
        return [self.cases[i] for i in rows], self.risks[detector][list(rows)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One source as it is reported: its own rows, and those with held-out benign rows added."""

    name: str
    """Fold, or fold-part."""
    scores: Scores
    """Where the rows are."""
    own: tuple[int, ...]
    """Rows of the source itself."""
    paired: tuple[int, ...]
    """The same and the held-out benign rows; equal to ``own`` without a benign source."""
    benign: str
    """Names of the benign sources added; empty without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything the report says."""

    facts: Mapping[str, Any]
    """Date, version, models."""
    sources: Mapping[str, list[SourceFigures]]
    """Per detector, one line per held-out source."""
    macro: Mapping[str, Mapping[str, float]]
    """Per detector: means over sources, the worst, and one-threshold figures."""
    false_alarms: Mapping[str, Estimate]
    """Per detector: pooled benign rows of all held-out sources at the frozen threshold."""
    engine: Mapping[str, list[SourceFigures]]
    """The engine's own families, counted apart."""
    groups: Mapping[str, list[GroupFigures]]
    """Guard alone: per fold and breakdown."""
    triggers: Mapping[str, Mapping[str, Estimate]]
    """Per ``fold: probe``, per detector: share of benign texts flagged."""
    dilution: Mapping[str, list[DilutionFigures]]
    """Guard alone, per probe."""
    rocs: Mapping[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Guard alone: points of the ROC curve near zero FPR, per source."""


def read_scores(output: Path) -> tuple[dict[str, list[Scores]], dict[str, Any]]:
    """Scores by variant, and the facts of each VARIANT/MODEL.

    Raises:
        InputError: no scores, none of the facts, or two models scored the same fold.
        DataError: a file of scores is empty.
    """
    by_variant: dict[str, list[Scores]] = {}
    facts: dict[str, Any] = {}
    for path in sorted(output.glob("*/*/scores/*.jsonl")):
        folder = path.parent.parent
        name = f"{folder.parent.name}/{folder.name}"
        if name not in facts:
            facts[name] = _facts(folder / "facts.json")
        rows = [from_json(row) for _, row in read_jsonl(path)]
        if not rows:
            raise DataError(f"{path}: holds no scores; remove it and run guard-eval loso again")
        detectors = list(rows[0][1])
        others = by_variant.setdefault(folder.parent.name, [])
        if any(other.fold == path.stem for other in others):
            raise InputError(
                f"{path}: another model of {folder.parent.name} has scores of {path.stem} too; "
                "remove those that the protocol no longer asks for"
            )
        others.append(
            Scores(
                fold=path.stem,
                cases=tuple(case for case, _ in rows),
                risks={d: np.array([risk[d] for _, risk in rows]) for d in detectors},
                thresholds=facts[name]["thresholds"],
            )
        )
    if not by_variant:
        raise InputError(f"{output}: no scores there; run guard-eval loso without --report-only")
    return by_variant, facts


def _facts(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; copy it along with the scores beside it")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def lines_of(protocol: Protocol, scores: Sequence[Scores]) -> list[Line]:
    """Sources in the protocol's order, those with parts split into them."""
    by_fold = {s.fold: s for s in scores}
    made = []
    for name, fold in protocol.folds.items():
        if name not in by_fold or fold.engine is not None:
            continue
        s = by_fold[name]
        extra = [i for i, c in enumerate(s.cases) if c.source in fold.benign]
        own = [i for i, c in enumerate(s.cases) if c.source in fold.test]
        for part in fold.parts or ("",):
            rows = [i for i in own if not part or s.cases[i].part == part]
            if rows:
                made.append(
                    Line(
                        name=f"{name}-{part}" if part else name,
                        scores=s,
                        own=tuple(rows),
                        paired=tuple(rows + extra),
                        benign=", ".join(fold.benign) if extra else "",
                    )
                )
    return made


def detectors_of(by_variant: Mapping[str, list[Scores]]) -> Iterator[tuple[str, str, str]]:
    """(printed name, variant, detector), the unchanged guard first, then baselines, ablations."""
    for variant in sorted(by_variant, key=lambda v: v != BASE):
        for detector in max((s.risks for s in by_variant[variant]), key=len):
            yield (detector if variant == BASE else f"{detector}: {variant}"), variant, detector


def summarise(protocol: Protocol, output: Path, *, seed: int) -> Summary:
    """All figures of a run."""
    by_variant, models = read_scores(output)
    rng = np.random.default_rng(seed)
    sources: dict[str, list[SourceFigures]] = {}
    macro: dict[str, dict[str, float]] = {}
    alarms: dict[str, Estimate] = {}
    for printed, variant, detector in detectors_of(by_variant):
        lines = lines_of(protocol, by_variant[variant])
        if not lines:
            continue
        own, paired = source_lines(lines, detector, rng)
        sources[printed] = [f for pair in zip(own, paired, strict=True) for f in pair if f]
        macro[printed] = macro_figures(lines, own, paired, detector)
        pooled = false_alarms(lines, detector)
        if pooled is not None:
            alarms[printed] = pooled
    base = by_variant.get(BASE, [])
    return Summary(
        facts={
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "causalguard": __version__,
            "bootstrap seed": seed,
            "models": models,
        },
        sources=sources,
        macro=macro,
        false_alarms=alarms,
        engine=engine_lines(protocol, base, rng),
        groups=breakdowns(protocol, base),
        triggers=trigger_lines(protocol, base),
        dilution=dilution_lines(protocol, base, rng),
        rocs=roc_curves(lines_of(protocol, base)),
    )


def source_lines(
    lines: Sequence[Line], detector: str, rng: np.random.Generator
) -> tuple[list[SourceFigures], list[SourceFigures | None]]:
    """Figures on each source alone, and with its held-out benign sources (None without)."""
    own: list[SourceFigures] = []
    paired: list[SourceFigures | None] = []
    for line in lines:
        t = line.scores.thresholds[detector]
        cases, risks = line.scores.take(line.own, detector)
        own.append(source_figures(line.name, cases, risks, threshold=t, rng=rng))
        if not line.benign:
            paired.append(None)
            continue
        cases, risks = line.scores.take(line.paired, detector)
        name = f"{line.name} + {line.benign}"
        paired.append(source_figures(name, cases, risks, threshold=t, rng=rng))
    return own, paired


def macro_figures(
    lines: Sequence[Line],
    own: Sequence[SourceFigures],
    paired: Sequence[SourceFigures | None],
    detector: str,
) -> dict[str, float]:
    """Means over sources with injections, every source counting once.

    AUROC is the source's own (with its benign source only where it has no benign rows); the TPR
    at 1 % FPR takes the benign source in where that gives enough benign clusters.
    """
    attacked = [(o, p) for o, p in zip(own, paired, strict=True) if o.n_injected]
    auroc = [e.value for o, p in attacked if (e := o.auroc or (p.auroc if p else None))]
    twin = [o.twin_auroc.value for o, _ in attacked if o.twin_auroc]
    at_1 = [e.value for o, p in attacked if (e := _best_at_1(o, p))]
    frozen = [o.tpr_frozen.value for o, _ in attacked if o.tpr_frozen]
    alarms = [o.fpr_frozen.value for o in own if o.fpr_frozen]
    found = {"sources": float(len(attacked))}
    for name, values in (("AUROC", auroc), ("twin AUROC", twin), ("TPR at 1 % FPR", at_1),
                         ("TPR frozen", frozen)):  # fmt: skip
        if values:
            found |= {f"mean {name}": float(np.mean(values)), f"worst {name}": min(values)}
    if alarms:
        found |= {"mean FPR frozen": float(np.mean(alarms)), "worst FPR frozen": max(alarms)}
    parts = [line.scores.take(line.own, detector) for line in lines]
    if any(c.y == 0 for cases, _ in parts for c in cases) and attacked:
        mean, worst = one_threshold_tpr(parts, 0.01)
        found |= {"one-threshold mean TPR": mean, "one-threshold worst TPR": worst}
    return found


def _best_at_1(own: SourceFigures, paired: SourceFigures | None) -> Estimate | None:
    if own.tpr_at_1 and own.enough(0.01):
        return own.tpr_at_1
    return (paired.tpr_at_1 if paired else None) or own.tpr_at_1


def false_alarms(lines: Sequence[Line], detector: str) -> Estimate | None:
    """Share of the benign rows of all held-out sources that are flagged, each row once."""
    hits: list[float] = []
    clusters: list[str] = []
    for line in lines:
        t = line.scores.thresholds[detector]
        for i in line.own:
            case = line.scores.cases[i]
            if case.y == 0:
                hits.append(float(line.scores.risks[detector][i] >= t))
                clusters.append(f"{case.source}/{case.pair}")
    return figures.cluster_rate(np.array(hits), clusters)


def engine_lines(
    protocol: Protocol, scores: Sequence[Scores], rng: np.random.Generator
) -> dict[str, list[SourceFigures]]:
    """Figures on the engine's own families, per detector."""
    found: dict[str, list[SourceFigures]] = {}
    for s in scores:
        if s.fold not in protocol.folds or protocol.folds[s.fold].engine is None:
            continue
        for detector, risks in s.risks.items():
            t = s.thresholds[detector]
            made = source_figures(s.fold, s.cases, risks, threshold=t, rng=rng)
            found.setdefault(detector, []).append(made)
    return found


def breakdowns(protocol: Protocol, scores: Sequence[Scores]) -> dict[str, list[GroupFigures]]:
    """Guard alone: rates per family, format, length (and kind and place, for the engine)."""
    keys = {
        "family": lambda c: c.family,
        "part": lambda c: c.part,
        "format": lambda c: c.format,
        "length in tokens": length_bucket,
        "member of the set": lambda c: c.kind,
        "place": lambda c: c.position,
    }
    found: dict[str, list[GroupFigures]] = {}
    for s in scores:
        if s.fold not in protocol.folds:
            continue
        mine = [i for i, c in enumerate(s.cases) if c.source not in protocol.folds[s.fold].benign]
        cases, risks = s.take(mine, GUARD)
        for title, key in keys.items():
            groups = by_group(cases, risks, s.thresholds[GUARD], key)
            if len(groups) > 1:
                found[f"{s.fold} by {title}"] = sorted(groups, key=_order)
    return found


def _order(group: GroupFigures) -> tuple[int, str]:
    """Buckets of length by their lower end, everything else by name."""
    head = group.group.lstrip("> ").split("-")[0]
    number = int(head) + group.group.startswith(">") if head.isdigit() else 0
    return number, group.group


def trigger_lines(protocol: Protocol, scores: Sequence[Scores]) -> dict[str, dict[str, Estimate]]:
    """Share flagged per probe of trigger words, per detector."""
    found: dict[str, dict[str, Estimate]] = {}
    for s in scores:
        if s.fold not in protocol.triggers:
            continue
        for probe in dict.fromkeys(c.probe for c in s.cases):
            rows = [i for i, c in enumerate(s.cases) if c.probe == probe]
            clusters = [s.cases[i].pair for i in rows]
            for detector, risks in s.risks.items():
                hits = (risks[rows] >= s.thresholds[detector]).astype(float)
                rate = figures.cluster_rate(hits, clusters)
                if rate is not None:
                    found.setdefault(f"{s.fold}: {probe}", {})[detector] = rate
    return found


def dilution_lines(
    protocol: Protocol, scores: Sequence[Scores], rng: np.random.Generator
) -> dict[str, list[DilutionFigures]]:
    """Recall per length, guard alone."""
    return {
        s.fold: dilution_figures(
            s.cases,
            s.risks[GUARD],
            threshold=s.thresholds[GUARD],
            fpr=protocol.dilution[s.fold].fpr,
            rng=rng,
        )
        for s in scores
        if s.fold in protocol.dilution
    }


def roc_curves(
    lines: Sequence[Line], *, up_to: float = 0.05
) -> dict[str, list[tuple[float, float]]]:
    """ROC near zero FPR of the guard, per source with injections and benign rows."""
    found = {}
    for line in lines:
        cases, risks = line.scores.take(line.paired, GUARD)
        y = np.array([c.y for c in cases])
        if 0 < y.sum() < len(y):
            name = f"{line.name} + {line.benign}" if line.benign else line.name
            found[name] = figures.roc(y, risks, up_to=up_to)
    return found
