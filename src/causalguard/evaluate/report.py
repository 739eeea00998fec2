"""Tables of guard-eval, as Markdown and JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from causalguard.evaluate.figures import DilutionFigures, GroupFigures, SourceFigures
from causalguard.stats.ranking import Estimate

WEAK = "†"
"""Marks a figure at a false-positive rate that too few benign clusters support."""
HEAD = (
    "| source | injected / benign (clusters; benign clusters) | AUROC | twin AUROC "
    "| TPR at 1 % FPR | TPR at 0.1 % FPR | TPR, frozen threshold | FPR, frozen threshold |"
)


def tables_markdown(tables: Mapping[str, Sequence[SourceFigures]]) -> str:
    """One table per detector, 95 % intervals in brackets."""
    lines: list[str] = []
    for detector, figures in tables.items():
        lines += [f"### {detector}", "", HEAD, "|---" * 8 + "|"]
        lines += ["| " + " | ".join(source_cells(f)) + " |" for f in figures]
        lines.append("")
    return "\n".join(lines) + "\n"


def source_cells(f: SourceFigures) -> list[str]:
    """One line of the table as text."""
    return [
        f.source,
        f"{f.n_injected} / {f.n_benign} ({f.clusters}; {f.benign_clusters})",
        estimate(f.auroc),
        estimate(f.twin_auroc),
        estimate(f.tpr_at_1, weak=not f.enough(0.01)),
        estimate(f.tpr_at_01, weak=not f.enough(0.001)),
        percent(f.tpr_frozen),
        percent(f.fpr_frozen),
    ]


def groups_markdown(title: str, groups: Sequence[GroupFigures]) -> str:
    """Rates per group at the frozen threshold."""
    lines = [f"#### {title}", "", "| group | TPR | FPR | twin AUROC |", "|---|---|---|---|"]
    lines += [
        f"| {g.group} | {percent(g.tpr)} | {percent(g.fpr)} | {estimate(g.twin)} |" for g in groups
    ]
    return "\n".join(lines) + "\n\n"


def dilution_markdown(title: str, figures: Sequence[DilutionFigures]) -> str:
    """Recall per length."""
    positions = sorted({p for f in figures for p in f.by_position})
    head = ["tokens", "documents", "recall at fixed document FPR", *(f"{p}" for p in positions)]
    head += ["recall, frozen threshold", "FPR, frozen threshold"]
    lines = [f"#### {title}", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for f in figures:
        cells = [str(f.level), str(f.documents), percent(f.recall)]
        cells += [f"{f.by_position[p]:.1%}" for p in positions]
        lines.append(
            "| " + " | ".join([*cells, percent(f.recall_frozen), percent(f.fpr_frozen)]) + " |"
        )
    return "\n".join(lines) + "\n\n"


def notes_markdown(notes: Iterable[str]) -> str:
    """Notes as a list."""
    return "\n".join(f"* {note}" for note in notes) + "\n"


def estimate(value: Estimate | None, *, weak: bool = False) -> str:
    """A figure with its interval; marked when weak."""
    if value is None:
        return "-"
    return f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]{WEAK if weak else ''}"


def percent(value: Estimate | None) -> str:
    """A rate with its interval, in per cent."""
    return "-" if value is None else f"{value.value:.2%} [{value.low:.2%}, {value.high:.2%}]"


def as_json(value: Any) -> str:
    """Figures for programs; dataclasses become objects."""
    return json.dumps(value, indent=1, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    message = f"{type(value).__name__} cannot be written as JSON"
    raise TypeError(message)
