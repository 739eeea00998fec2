"""Tables of guard-eval, as Markdown and JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from causalguard.evaluate.figures import SourceFigures
from causalguard.stats.ranking import Estimate


def markdown(tables: Mapping[str, Sequence[SourceFigures]], notes: Iterable[str]) -> str:
    """One table per detector, intervals in brackets, notes under them."""
    lines: list[str] = []
    for detector, figures in tables.items():
        lines += [
            f"### {detector}",
            "",
            (
                "| source | injected / benign (clusters) | AUROC | twin AUROC | TPR at 1 % FPR "
                "| TPR, frozen threshold | FPR, frozen threshold |"
            ),
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_line(f) for f in figures]
        lines.append("")
    lines += [f"* {note}" for note in notes]
    return "\n".join(lines) + "\n"


def _line(f: SourceFigures) -> str:
    cells = [
        f.source,
        f"{f.n_injected} / {f.n_benign} ({f.clusters})",
        _estimate(f.auroc),
        "-" if f.twin_auroc is None else f"{f.twin_auroc:.4f}",
        _estimate(f.tpr_at_1)
        if f.tpr_at_1 or not f.n_benign or not f.n_injected
        else f"({f.benign_clusters} benign clusters)",
        _rate(f.tpr_frozen),
        _rate(f.fpr_frozen),
    ]
    return "| " + " | ".join(cells) + " |"


def _estimate(value: Estimate | None) -> str:
    return "-" if value is None else f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]"


def _rate(value: tuple[float, float, float] | None) -> str:
    return "-" if value is None else f"{value[0]:.2%} [{value[1]:.2%}, {value[2]:.2%}]"


def as_json(tables: Mapping[str, Sequence[SourceFigures]], facts: Mapping[str, Any]) -> str:
    """The same figures for programs."""
    body = {name: [asdict(f) for f in figures] for name, figures in tables.items()}
    return json.dumps({"facts": dict(facts), "detectors": body}, indent=1) + "\n"
