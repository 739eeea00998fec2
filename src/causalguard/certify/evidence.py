"""The one place where the certifier runs the guard: audit texts in, trials out.

Every member of every matched set is scored once, without its identifier and in an order that a
seed shuffles: neither name nor place in the batch can tell the guard what a text is.  The run can
be interrupted: what is scored is kept beside the output, and the next run of the same model on the
same audit set and backend continues there, if a sample of it scores the same again.
"""

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from causalguard import __version__
from causalguard.attestation.canonical import canonical_json
from causalguard.attestation.digests import sha256_bytes
from causalguard.certify.attachments import BackendRow
from causalguard.certify.crew import Crew
from causalguard.certify.journal import Journal
from causalguard.certify.rounding import (
    REPLAY_FLOOR,
    Row,
    contradiction,
    distance,
    moved,
    noise_cap,
    vector_cap,
)
from causalguard.certify.trials import TrialSet, context_digest
from causalguard.console import progress
from causalguard.errors import DataError, NotCertifiedError, ScanError
from causalguard.interventions.triplets import to_row, trial_texts
from causalguard.records import Kind, ToolOutput, Trial, Triplet

BATCH = 16
NOISE_SAMPLE = 32
RESCORED = 16
"""Rows of an interrupted run that are scored again before it is continued, at least."""
RESCORED_SHARE = 50
"""One row in so many is, where that is more."""
MAX_LISTED = 5


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
    clusters = _clusters(triplets)
    for triplet, cluster in zip(triplets, clusters, strict=True):
        if triplet.id in seen:
            raise DataError(f"audit set: the id {triplet.id!r} is there twice; make ids unique")
        seen.add(triplet.id)
        for kind, y, output, _span in trial_texts(triplet):
            unnamed = replace(output, id="")
            fields = _assigned(triplet, kind, y, output) | {"cluster": cluster}
            planned.append(Planned(output=unnamed, fields=fields))
    order = np.random.default_rng(int(data_digest(triplets)[:16], 16)).permutation(len(planned))
    return [planned[int(index)] for index in order]


def _clusters(triplets: Sequence[Triplet]) -> list[str]:
    """The independent unit of each set; sets around the very same benign text share one."""
    names = [triplet.cluster.get("carrier") or triplet.id for triplet in triplets]
    merged = {name: name for name in names}

    def head(name: str) -> str:
        while merged[name] != name:
            name = merged[name]
        return name

    first: dict[str, str] = {}
    for triplet, name in zip(triplets, names, strict=True):
        # a copy under another id is no second draw: it would make the bounds too narrow
        earlier = first.setdefault(sha256_bytes(triplet.benign.encode()), name)
        merged[head(name)] = head(earlier)
    return [head(name) for name in names]


def _assigned(triplet: Triplet, kind: Kind, y: int, output: ToolOutput) -> dict[str, Any]:
    nuisance = dict(triplet.nuisance)
    nuisance.setdefault("tool", triplet.tool)
    # a user's rows seldom say what kind of output a tool gives: each tool is then its own kind
    nuisance.setdefault("kind", nuisance["tool"])
    nuisance.setdefault("source", triplet.source.split("/")[0])
    nuisance |= {f"cluster.{name}": label for name, label in triplet.cluster.items()}
    return {
        "id": f"{triplet.id}/{kind}",
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
        ScanError: the guard gave a risk or a vector that is no number, or the wrong count, or it
            answers otherwise when a text is scored alone.
        DataError: a faulty audit set.
    """
    planned = plan(triplets)
    data = data_digest(triplets)
    header = {
        "model": model_sha256,
        "data": data,
        "n": str(len(planned)),
        "backend": guard.backend,
        "threshold": repr(float(guard.threshold)),
        "causalguard": __version__,
    }
    journal = Journal.open(
        partial,
        header,
        accept=lambda row, answer: _trial(planned[row], answer, guard, row),
        holds=lambda kept: _holds(guard, planned, kept),
    )
    done = len(journal.rows)
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


def _trial(item: Planned, scored: ScoredLike, guard: GuardLike, row: int) -> Row:
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

    Raises:
        ScanError: a text gets another answer when it is scored alone, by more than rounding.
    """
    step = max(1, len(planned) // NOISE_SAMPLE)
    chosen = range(0, len(planned), step)[:NOISE_SAMPLE]
    cap = noise_cap(guard.backend)
    noise = 0.0
    for index in chosen:
        ((again, _, _),) = _again(guard, planned, [index])
        if wrong := contradiction(trials[index], again, guard.threshold, cap):
            raise ScanError(
                f"scored in a batch and alone, {wrong} (up to {cap:g} is rounding on "
                f"{guard.backend}); what is measured in batches would not hold in use"
            )
        noise = max(noise, abs(again.risk - trials[index].risk))
    return noise, len(chosen)


def _again(guard: GuardLike, planned: Sequence[Planned], chosen: Sequence[int]) -> list[Row]:
    """Score some rows once more, together."""
    scored = _score(guard, [planned[index] for index in chosen])
    return [
        _trial(item, answer, guard, index)
        for index, (item, answer) in zip(chosen, scored, strict=True)
    ]


def _holds(guard: GuardLike, planned: Sequence[Planned], kept: Sequence[Row]) -> bool:
    """Score a sample of kept rows again; nobody can know beforehand which."""
    size = min(len(kept), max(RESCORED, len(kept) // RESCORED_SHARE))
    drawn = np.random.default_rng().choice(len(kept), size=size, replace=False)
    chosen = [int(index) for index in np.sort(drawn)]
    fresh: list[Row] = []
    for start in range(0, size, BATCH):
        fresh += _again(guard, planned, chosen[start : start + BATCH])
    said = [kept[index] for index in chosen]
    cap = noise_cap(guard.backend)
    pairs = zip(said, fresh, strict=True)
    if any(contradiction(one[0], two[0], guard.threshold, cap) for one, two in pairs):
        return False
    return not moved(said, fresh, guard.backend)


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
        ScanError: the guard gave a risk that is no number, or answers otherwise when a text is
            scored alone.
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
    answered: list[Trial] = []
    starts = range(0, len(chosen), BATCH)
    for start in progress(starts, total=len(starts), label=guard.backend):
        part = _again(guard, planned, chosen[start : start + BATCH])
        answered += [trial for trial, _, _ in part]
    rows = [
        BackendRow(id=trial.id, backend=guard.backend, risk=trial.risk, flagged=trial.flagged)
        for trial in answered
    ]
    noise = measure_noise(guard, [planned[index] for index in chosen], answered)
    return rows, noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay found, all of it within what is allowed."""

    texts: int
    """Texts that were scored again, >= 1."""
    risk: float
    """Largest absolute difference of a risk."""
    others: int
    """Texts whose vectors are those of another token of nearly the same risk."""
    vector: float
    """Largest distance of R, or of its mean, on all other texts."""


def replay(
    guard: GuardLike,
    triplets: Sequence[Triplet],
    trial_set: TrialSet,
    *,
    count: int,
    rng: np.random.Generator,
    allowed: float = REPLAY_FLOOR,
) -> Replayed:
    """Compare trials with the audit set, every row, and score a random sample of it again.

    Args:
        guard: the model at hand.
        triplets: the audit set, read or rendered again.
        trial_set: what the report was made from, with its vectors.
        count: texts to score, >= 1; all of them when there are fewer.
        rng: chooses the sample.
        allowed: absolute difference of a risk, and distance of one from the threshold at which
            the verdict may differ, from :func:`causalguard.certify.rounding.replay_allowance`.

    Raises:
        DataError: the audit set is not the one of the trials.
        NotCertifiedError: a row is labelled otherwise than its text, or the guard answers
            otherwise: in its verdict, or in R on more texts than ties between tokens explain; the
            first such rows are named.
    """
    planned, trials = plan(triplets), trial_set.trials
    if [item.fields["id"] for item in planned] != [trial.id for trial in trials]:
        raise DataError("the audit set does not give these trials; use the report's seed and sets")
    _check_assigned(planned, trials, guard.backend)
    size = min(count, len(planned))
    chosen = [int(index) for index in np.sort(rng.choice(len(planned), size=size, replace=False))]
    fresh: list[Row] = []
    for start in progress(range(0, size, BATCH), total=None, label="replaying"):
        fresh += _again(guard, planned, chosen[start : start + BATCH])
    said = [_kept(trial_set, index) for index in chosen]
    pairs = list(zip(said, fresh, strict=True))
    found = (contradiction(one[0], two[0], guard.threshold, allowed) for one, two in pairs)
    wrong = [line for line in found if line] or moved(said, fresh, guard.backend)
    if wrong:
        raise NotCertifiedError(
            f"{len(wrong)} of {size} replayed texts differ from their trials (risks may by "
            f"{allowed:.3g}): the trials did not come from this model on this backend\n  "
            + "\n  ".join(wrong[:MAX_LISTED])
        )
    apart = [distance(one, two) for one, two in pairs]
    near = [far for far in apart if far <= vector_cap(guard.backend)]
    return Replayed(
        texts=size,
        risk=max(abs(two[0].risk - one[0].risk) for one, two in pairs),
        others=size - len(near),
        vector=max(near),  # never empty: not every text may be a tie
    )


def _kept(trial_set: TrialSet, index: int) -> Row:
    trial = trial_set.trials[index]
    return trial, trial_set.representations[trial.row], trial_set.means[trial.row]


def _check_assigned(planned: Sequence[Planned], trials: Sequence[Trial], backend: str) -> None:
    """What was assigned needs no model to be checked: all of it is, not a sample."""
    wrong = [
        f"{trial.id}: {name} is {getattr(trial, name)!r:.80}, the audit set gives {value!r:.80}"
        for item, trial in zip(planned, trials, strict=True)
        for name, value in {**item.fields, "backend": backend}.items()
        if getattr(trial, name) != value
    ]
    if wrong:
        raise NotCertifiedError(
            f"{len(wrong)} fields of the trials are not those of the audit set:\n  "
            + "\n  ".join(wrong[:MAX_LISTED])
        )
