"""The one place where the certifier runs the guard: audit texts in, trials out.

Every member of every matched set is scored once, without its identifier and in an order that a
seed shuffles: neither name nor place in the batch can tell the guard what a text is.  The run can
be interrupted: what is scored is kept beside the output, and the next run of the same model on the
same audit set continues there.
"""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from causalguard.attestation.canonical import canonical_json
from causalguard.attestation.digests import sha256_bytes
from causalguard.certify.attachments import BackendRow
from causalguard.certify.crew import Crew
from causalguard.certify.trials import TrialSet, Vectors, context_digest, trial_line
from causalguard.console import progress
from causalguard.errors import DataError, ScanError
from causalguard.interventions.triplets import to_row, trial_texts
from causalguard.records import Kind, ToolOutput, Trial, Triplet

BATCH = 16
NOISE_SAMPLE = 32
HEADER_NAME = "header.json"
ROWS_NAME = "rows.jsonl"
DATA_NAME = "vectors.f32"


class ScoredLike(Protocol):
    """What the certifier needs of one scored tool output."""

    @property
    def risk(self) -> float:
        """Document risk, [0, 1]."""

    @property
    def flagged(self) -> bool:
        """Risk >= threshold, or coverage < 1."""

    @property
    def coverage(self) -> float:
        """Share of tokens scored, [0, 1]."""

    @property
    def n_tokens(self) -> int:
        """Tokens of the tool output, >= 0."""

    @property
    def representation(self) -> NDArray[np.float32]:
        """R at the token of highest risk, shape (d,)."""

    @property
    def mean(self) -> NDArray[np.float32]:
        """Mean of R over the window of that token, shape (d,)."""


class GuardLike(Protocol):
    """What the certifier needs of a guard; tests give it fakes of this form."""

    @property
    def backend(self) -> str:
        """Backend and dtype, e.g. ``torch-cpu-float32``."""

    @property
    def threshold(self) -> float:
        """The cut in force, (0, 1]."""

    def score(self, outputs: list[ToolOutput], /) -> Sequence[ScoredLike]:
        """Score tool outputs, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One audit text before it is scored."""

    output: ToolOutput
    fields: Mapping[str, Any]
    """The trial's assigned fields."""


def load_guard(model_dir: Path, *, device: str = "cpu", dtype: str = "float32") -> GuardLike:
    """Load a MODEL_DIR for certification: its files are checked, a certificate is not asked for.

    One that is calibrated for native mode is read as native mode reads it.
    """
    from causalguard.guard.native import load_as_written

    guard: GuardLike = load_as_written(model_dir, device=device, dtype=dtype)
    return guard


def plan(triplets: Sequence[Triplet]) -> list[Planned]:
    """Every member of every matched set, unnamed and shuffled by the audit set's own digest.

    Raises:
        DataError: no sets, or an id that is there twice.
    """
    if not triplets:
        raise DataError("the audit set is empty; render one, or give --data with at least one row")
    planned: list[Planned] = []
    seen: set[str] = set()
    for triplet in triplets:
        if triplet.id in seen:
            raise DataError(f"audit set: the id {triplet.id!r} is there twice; make ids unique")
        seen.add(triplet.id)
        for kind, y, output, _span in trial_texts(triplet):
            unnamed = replace(output, id="")
            planned.append(Planned(output=unnamed, fields=_assigned(triplet, kind, y, output)))
    order = np.random.default_rng(int(data_digest(triplets)[:16], 16)).permutation(len(planned))
    return [planned[int(index)] for index in order]


def _assigned(triplet: Triplet, kind: Kind, y: int, output: ToolOutput) -> dict[str, Any]:
    nuisance = dict(triplet.nuisance)
    nuisance.setdefault("tool", triplet.tool)
    # a user's rows seldom say what kind of output a tool gives: each tool is then its own kind
    nuisance.setdefault("kind", nuisance["tool"])
    nuisance.setdefault("source", triplet.source.split("/")[0])
    nuisance |= {f"cluster.{name}": label for name, label in triplet.cluster.items()}
    return {
        "id": f"{triplet.id}/{kind}",
        "cluster": triplet.cluster.get("carrier") or triplet.id,
        "set_id": triplet.id,
        "kind": kind,
        "y": y,
        "family": triplet.family,
        "group": triplet.group,
        "s": context_digest(output.system, output.task),
        "nuisance": {name: label for name, label in sorted(nuisance.items()) if label},
    }


def data_digest(triplets: Sequence[Triplet]) -> str:
    """Digest of an audit set's content, whatever file it came in."""
    return sha256_bytes(b"".join(canonical_json(to_row(t)) + b"\n" for t in triplets))


def collect(
    guard: GuardLike,
    triplets: Sequence[Triplet],
    *,
    model_sha256: str,
    partial: Path,
    batch: int = BATCH,
    crew: Crew | None = None,
) -> TrialSet:
    """Run the guard once over an audit set.

    Args:
        guard: what is certified.
        triplets: matched sets.
        model_sha256: root digest of MODEL_DIR; a partial run of another model is refused.
        partial: directory for what is already scored; removed by :func:`forget`.
        batch: texts given to the guard at a time, >= 1.
        crew: processes with the same guard that score in its place.

    Raises:
        ScanError: the guard gave a risk or a vector that is no number, or the wrong count.
        DataError: a faulty audit set.
    """
    planned = plan(triplets)
    data = data_digest(triplets)
    journal = _Journal.open(partial, {"model": model_sha256, "data": data, "n": str(len(planned))})
    done = len(journal.trials)
    starts = range(done, len(planned), batch)
    parts = [planned[start : start + batch] for start in starts]
    answered = _answered(guard, parts, crew)
    for start, part in zip(
        starts, progress(answered, total=len(parts), label="scoring audit texts"), strict=True
    ):
        rows = enumerate(part, start)
        journal.append([_trial(item, scored, guard, row) for row, (item, scored) in rows])
    noise, sample = measure_noise(guard, planned, journal.trials)
    return TrialSet(
        trials=tuple(journal.trials),
        representations=journal.matrix("R"),
        means=journal.matrix("mean"),
        meta={
            "model": model_sha256,
            "data": data,
            "backend": guard.backend,
            "threshold": repr(float(guard.threshold)),
            "noise": repr(noise),
            "noise_sample": str(sample),
        },
    )


def forget(partial: Path) -> None:
    """Remove the partial run once its trials are safely written."""
    shutil.rmtree(partial, ignore_errors=True)


def _answered(
    guard: GuardLike, parts: Sequence[Sequence[Planned]], crew: Crew | None
) -> Iterator[list[tuple[Planned, ScoredLike]]]:
    """The parts in their order, scored here or by a crew."""
    if crew is None:
        yield from (list(_score(guard, part)) for part in parts)
        return
    texts = [[item.output for item in part] for part in parts]
    for part, answers in zip(parts, crew.answers(texts), strict=True):
        yield list(_paired(part, answers))


def _score(guard: GuardLike, part: Sequence[Planned]) -> Iterator[tuple[Planned, ScoredLike]]:
    yield from _paired(part, guard.score([item.output for item in part]))


def _paired(
    part: Sequence[Planned], answers: Sequence[ScoredLike]
) -> Iterator[tuple[Planned, ScoredLike]]:
    if len(answers) != len(part):
        raise ScanError(f"the guard answered {len(answers)} of {len(part)} texts; it is defective")
    yield from zip(part, answers, strict=True)


def _trial(
    item: Planned, scored: ScoredLike, guard: GuardLike, row: int
) -> tuple[Trial, Vectors, Vectors]:
    vectors = [
        np.asarray(v, dtype=np.float32).ravel() for v in (scored.representation, scored.mean)
    ]
    name = item.fields["id"]
    risk, coverage = float(scored.risk), float(scored.coverage)
    if not (math.isfinite(risk) and 0 <= risk <= 1 and 0 <= coverage <= 1):
        raise ScanError(
            f"{name}: the guard gave risk {risk} and coverage {coverage}, not in [0, 1]; "
            "the model is damaged or was trained to NaN: it cannot be certified"
        )
    if not all(np.isfinite(vector).all() for vector in vectors):
        raise ScanError(f"{name}: the representation holds NaN; the model cannot be certified")
    if bool(scored.flagged) != (risk >= guard.threshold or coverage < 1):
        raise ScanError(
            f"{name}: flagged is {scored.flagged} at risk {risk} and threshold {guard.threshold}; "
            "the guard contradicts itself and cannot be certified"
        )
    trial = Trial(
        **item.fields,
        n_tokens=int(scored.n_tokens),
        risk=risk,
        flagged=bool(scored.flagged),
        coverage=coverage,
        backend=guard.backend,
        row=row,
    )
    return trial, vectors[0], vectors[1]


def measure_noise(
    guard: GuardLike, planned: Sequence[Planned], trials: Sequence[Trial]
) -> tuple[float, int]:
    """Largest change of a risk when texts are scored one at a time instead of in a batch.

    Returns:
        (epsilon, texts compared): the backend's numeric noise, as measured.
    """
    step = max(1, len(planned) // NOISE_SAMPLE)
    chosen = range(0, len(planned), step)[:NOISE_SAMPLE]
    noise = 0.0
    for index in chosen:
        (_, scored), *_ = _score(guard, [planned[index]])
        noise = max(noise, abs(float(scored.risk) - trials[index].risk))
    return noise, len(chosen)


def compare(
    guard: GuardLike,
    triplets: Sequence[Triplet],
    trials: Sequence[Trial],
    *,
    clusters: int,
) -> tuple[list[BackendRow], tuple[float, int]]:
    """Score one injected and one benign text a carrier on a further backend.

    Args:
        guard: the same model on that backend.
        triplets: the audit set.
        trials: what the first backend gave on all of it.
        clusters: carriers to take, spread over the trials; all when there are fewer.

    Returns:
        Rows in the order of the trials; the backend's own numeric noise and the texts behind it.

    Raises:
        ScanError: the guard gave a risk that is no number.
    """
    planned = plan(triplets)
    first: dict[tuple[str, Kind], int] = {}
    for index, trial in enumerate(trials):
        if trial.kind in {"injected", "benign"}:
            first.setdefault((trial.cluster, trial.kind), index)
    whole = [c for c, kind in first if kind == "injected" and (c, "benign") in first]
    step = max(1, len(whole) // clusters)
    kept = whole[::step][:clusters]
    kinds: tuple[Kind, Kind] = ("injected", "benign")
    chosen = sorted(first[c, kind] for c in kept for kind in kinds)
    rows: list[BackendRow] = []
    starts = range(0, len(chosen), BATCH)
    for start in progress(starts, total=len(starts), label=guard.backend):
        part = [planned[index] for index in chosen[start : start + BATCH]]
        for index, (item, scored) in enumerate(_score(guard, part), start):
            trial, _, _ = _trial(item, scored, guard, index)
            rows.append(
                BackendRow(
                    id=trial.id, backend=guard.backend, risk=trial.risk, flagged=trial.flagged
                )
            )
    again = [replace(trials[i], risk=row.risk) for i, row in zip(chosen, rows, strict=True)]
    noise = measure_noise(guard, [planned[index] for index in chosen], again)
    return rows, noise


def replay(
    guard: GuardLike,
    triplets: Sequence[Triplet],
    trials: Sequence[Trial],
    *,
    count: int,
    rng: np.random.Generator,
) -> float:
    """Score a random sample of the audit set again.

    Args:
        guard: the model at hand.
        triplets: the audit set, read or rendered again.
        trials: what the report was made from.
        count: texts to score, >= 1; all of them when there are fewer.
        rng: chooses the sample.

    Returns:
        Largest absolute difference of a risk.

    Raises:
        DataError: the audit set is not the one of the trials.
    """
    planned = plan(triplets)
    if [item.fields["id"] for item in planned] != [trial.id for trial in trials]:
        raise DataError("the audit set does not give these trials; use the report's seed and sets")
    size = min(count, len(planned))
    chosen = np.sort(rng.choice(len(planned), size=size, replace=False))
    worst = 0.0
    for start in progress(range(0, size, BATCH), total=None, label="replaying"):
        part = [int(index) for index in chosen[start : start + BATCH]]
        for index, (_, scored) in zip(
            part, _score(guard, [planned[index] for index in part]), strict=True
        ):
            worst = max(worst, abs(float(scored.risk) - trials[index].risk))
    return worst


class _Journal:
    """What is scored already: rows and vectors, appended batch by batch."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.trials: list[Trial] = []
        self._vectors: list[tuple[Vectors, Vectors]] = []

    @classmethod
    def open(cls, directory: Path, header: Mapping[str, str]) -> "_Journal":
        journal = cls(directory)
        wanted = canonical_json(dict(header))
        path = directory / HEADER_NAME
        if path.is_file() and path.read_bytes() == wanted:
            journal._resume()
        else:  # none, or of another model or audit set: begin again
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            path.write_bytes(wanted)
        return journal

    def _resume(self) -> None:
        rows_path, data_path = self.directory / ROWS_NAME, self.directory / DATA_NAME
        if not (rows_path.is_file() and data_path.is_file()):
            return
        rows = [line for line in rows_path.read_bytes().split(b"\n")[:-1] if line]
        data = data_path.read_bytes()
        if not rows:
            return
        width = json.loads(rows[0])["width"]
        # an interruption can cut either file: keep what both hold whole
        kept = min(len(rows), len(data) // (8 * width))
        table = np.frombuffer(data[: kept * 8 * width], dtype="<f4").reshape(kept, 2, width)
        for line, vectors in zip(rows[:kept], table, strict=True):
            values = json.loads(line)["trial"]
            del values["schema"]
            self.trials.append(Trial(**values))
            self._vectors.append((vectors[0].copy(), vectors[1].copy()))
        rows_path.write_bytes(b"".join(line + b"\n" for line in rows[:kept]))
        data_path.write_bytes(data[: kept * 8 * width])

    def append(self, rows: Sequence[tuple[Trial, Vectors, Vectors]]) -> None:
        """Keep a batch, on disk and in memory."""
        widths = {len(v) for _, first, second in rows for v in (first, second)}
        widths |= {len(first) for first, _ in self._vectors[:1]}
        if len(widths) != 1:
            raise ScanError(f"the guard gave vectors of several widths: {sorted(widths)}")
        width = widths.pop()
        lines = [b'{"trial":%s,"width":%d}\n' % (trial_line(t), width) for t, _, _ in rows]
        with (self.directory / DATA_NAME).open("ab") as stream:
            for _, first, second in rows:
                stream.write(np.stack([first, second]).astype("<f4").tobytes())
        with (self.directory / ROWS_NAME).open("ab") as stream:
            stream.write(b"".join(lines))
        self.trials.extend(trial for trial, _, _ in rows)
        self._vectors.extend((first, second) for _, first, second in rows)

    def matrix(self, name: str) -> Vectors:
        """All vectors of one kind, (n, d)."""
        place = 0 if name == "R" else 1
        return np.stack([vectors[place] for vectors in self._vectors]).astype(np.float32)
