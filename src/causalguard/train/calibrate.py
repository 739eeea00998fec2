"""Choosing the threshold on benign outputs: what the guard itself would give them as risk.

Fixed-sequence Learn-then-Test on the false-positive side, counted over independent clusters
(see stats/thresholds.py).  The calibration texts must not have been trained on, and the bound on
the resulting rates comes from other texts again: that is what guard-certify does.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from causalguard.console import progress
from causalguard.errors import ConfigError, DataError, InputError, TrainingError
from causalguard.files import new_directory, read_jsonl
from causalguard.guard.bundle import ModelFiles, NativeInfo, ThresholdInfo
from causalguard.guard.scorer import Scored
from causalguard.records import ToolOutput
from causalguard.stats.bounds import sample_size
from causalguard.stats.clusters import extreme
from causalguard.stats.thresholds import fpr_threshold

SOME = 64
"""Texts scored between two moves of the progress bar, unless the scorer wants more."""


class Scoring(Protocol):
    """What calibration needs: the windowed scorer, or native mode's."""

    def score(self, outputs: Sequence[ToolOutput], /) -> Sequence[Scored]:
        """Score tool outputs, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenignOutput:
    """A tool output known to be benign."""

    output: ToolOutput
    """The text and its context."""
    cluster: str
    """Outputs of one cluster may depend on each other; the cluster is the unit counted."""
    stratum: str = ""
    """The population it is from: the rate is bounded in each of them on its own."""


def check_enough(benign: Sequence[BenignOutput], *, alpha: float, delta: float) -> None:
    """Raise ConfigError when no threshold can be had from so few clusters, before any work."""
    needed = sample_size(alpha, delta, 0)
    for name, rows in _strata(benign).items():
        clusters = len({benign[k].cluster for k in rows})
        if clusters >= needed:
            continue
        whose = f" of {name}" if name else ""
        message = (
            f"{clusters} independent benign clusters{whose} cannot bound a false-positive rate of "
            f"{alpha:g} at confidence {1 - delta:g}: {needed} are needed; give more outputs "
            "(calibration.n_sets, files; copies of one text count once) or a larger alpha"
        )
        raise ConfigError(message)


def choose_threshold(
    scorer: Scoring, benign: Sequence[BenignOutput], *, alpha: float, delta: float
) -> ThresholdInfo:
    """Score benign outputs and choose the smallest threshold whose false-positive rate is bounded.

    Args:
        scorer: the guard as it will run.
        benign: outputs it was not trained on.
        alpha: false-positive rate per cluster not to be exceeded, (0, 1).
        delta: probability, over calibration sets, that it is exceeded.

    Where the outputs are of several strata, each has a threshold that keeps its own rate, and the
    highest of these is taken: easy outputs then make no room for errors among hard ones.

    Raises:
        ConfigError: too few clusters, of some stratum.
        TrainingError: so many benign risks are at 1 that no threshold is left.
    """
    check_enough(benign, alpha=alpha, delta=delta)
    risks: list[float] = []
    size = getattr(scorer, "at_once", SOME)
    blocks = [benign[k : k + size] for k in range(0, len(benign), size)]
    for block in progress(blocks, total=len(blocks), label="calibrate"):
        risks += [s.risk for s in scorer.score([b.output for b in block])]
    strata = _strata(benign)
    highest = {
        name: extreme([risks[k] for k in rows], [benign[k].cluster for k in rows], keep="max")
        for name, rows in strata.items()
    }
    found = [fpr_threshold(some, alpha=alpha, delta=delta).threshold for some in highest.values()]
    value = max((t for t in found if t is not None), default=None)
    if value is None or value > 1.0:
        message = (
            f"more than {alpha:g} of the benign outputs have risk 1: the guard is not trained well "
            "enough to have a threshold; train longer or on more varied benign texts"
        )
        raise TrainingError(message)
    return ThresholdInfo(
        value=value,
        rule=f"learn-then-test: FPR <= {alpha:g} per cluster at confidence {1 - delta:g}"
        + (f", in each of {', '.join(strata)}" if len(strata) > 1 else ""),
        benign_clusters=sum(len(some) for some in highest.values()),
        false_positives=sum(int((some >= value).sum()) for some in highest.values()),
        data_sha256=data_digest(benign),
    )


def _strata(benign: Sequence[BenignOutput]) -> dict[str, list[int]]:
    """Numbers of the outputs by stratum, names in order."""
    names = sorted({b.stratum for b in benign})
    return {name: [k for k, b in enumerate(benign) if b.stratum == name] for name in names}


def data_digest(benign: Sequence[BenignOutput]) -> str:
    """Sha256 over the calibration rows, in hex."""
    whole = sha256()
    for b in benign:
        o = b.output
        row = json.dumps([o.system, o.task, o.text, b.cluster])
        whole.update(row.encode() + b"\n")
    return whole.hexdigest()


def read_benign(source: Path) -> list[BenignOutput]:
    """Benign outputs of one's own tools; copies of one text, and whatever they are clustered
    with, are one cluster.

    Args:
        source: a JSONL file of rows with ``text`` and, if known, ``task, system, tool, id`` and
            ``cluster`` (or ``pair``); or a directory whose files are one output each.

    Raises:
        InputError: nothing is there.
        DataError: rows without text, or rows labelled as injected.
    """
    if source.is_dir():
        paths = sorted(p for p in source.rglob("*") if p.is_file() and not p.name.startswith("."))
        found = [_from_file(p) for p in paths]
    else:
        found = _from_rows(source)
    found = [b for b in found if b.output.text.strip()]
    if not found:
        raise InputError(f"{source}: no text in it; give benign outputs of your tools")
    return join_copies(found)


def join_copies(benign: Sequence[BenignOutput]) -> list[BenignOutput]:
    """Outputs that say the same, but for white space, put into one cluster, whatever their task.

    A text that was fetched a hundred times tells as much about a rate as one that was fetched
    once.  Clusters with such a text in common become one, which is named like the first of them.
    """
    first: dict[str, int] = {}
    names: dict[tuple[str, str], int] = {}
    links = []
    for k, b in enumerate(benign):
        same = first.setdefault(" ".join(b.output.text.split()), k)
        links += [(k, same), (k, names.setdefault((b.stratum, b.cluster), k))]
    rows, columns = zip(*links, strict=True)
    graph = coo_array((np.ones(len(links)), (rows, columns)), shape=(len(benign),) * 2)
    _, labels = connected_components(graph, directed=False)
    leaders: dict[int, str] = {}
    return [
        replace(b, cluster=leaders.setdefault(int(label), b.cluster))
        for b, label in zip(benign, labels, strict=True)
    ]


def _from_file(path: Path) -> BenignOutput:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}:1: not valid UTF-8; save it as UTF-8 or remove it") from None
    return BenignOutput(output=ToolOutput(text=text, id=path.name), cluster=str(path))


def _from_rows(path: Path) -> list[BenignOutput]:
    found, faults = [], []
    for number, row in read_jsonl(path):
        if not isinstance(row.get("text"), str):
            faults.append(f"{path}:{number}: text is missing; each row needs one")
        elif row.get("label", 0) != 0:
            faults.append(f"{path}:{number}: label is not 0; only benign outputs belong here")
        else:
            values = {k: str(row.get(k) or "") for k in ("task", "system", "tool", "id")}
            cluster = str(row.get("cluster") or row.get("pair") or f"{path}:{number}")
            output = ToolOutput(text=row["text"], **values)
            found.append(BenignOutput(output=output, cluster=cluster))
    if faults:
        raise DataError(faults)
    return found


def write_with_threshold(
    files: ModelFiles, threshold: ThresholdInfo, output: Path, *, native: NativeInfo | None = None
) -> None:
    """Write a MODEL_DIR that differs in guard.json alone; the other files byte for byte.

    Reports and card are not copied: they speak of the model as it was.

    Args:
        files: the model as read.
        threshold: the new one.
        output: must not exist.
        native: set when the threshold is for native mode; None: for the windowed guard.
    """
    info = files.info.model_copy(update={"threshold": threshold, "native": native})
    with new_directory(output) as fresh:
        for name in files.digests:
            if name != "guard.json":
                (fresh / name).write_bytes((files.directory / name).read_bytes())
        (fresh / "guard.json").write_bytes(info.to_bytes())
