"""The one place where the certifier runs the guard: audit texts in, trials out.

Every member of every matched set is scored once, without its identifier and in an order that a
seed shuffles: neither name nor place in the batch can tell the guard what a text is.  The run can
be interrupted: what is scored is kept beside the output, and the next run of the same model on the
same audit set and backend continues there, if a sample of it scores the same again.
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

from causalguard import __version__
from causalguard.attestation.canonical import canonical_json
from causalguard.attestation.digests import sha256_bytes
from causalguard.certify.attachments import BackendRow
from causalguard.certify.crew import Answer, Crew
from causalguard.certify.trials import TrialSet, Vectors, context_digest, trial_line
from causalguard.console import progress
from causalguard.errors import DataError, NotCertifiedError, ScanError
from causalguard.interventions.triplets import to_row, trial_texts
from causalguard.records import Kind, ToolOutput, Trial, Triplet

BATCH = 16
NOISE_SAMPLE = 32
NOISE_CAPS = {"float32": 1e-3, "bfloat16": 0.05, "float16": 0.05}
"""Largest change of a risk that rounding explains, by dtype."""
REPLAY_FLOOR = 1e-4
"""Difference of a risk that other hardware may make, whatever noise was measured."""
RESCORED = 16
"""Rows of an interrupted run that are scored again before it is continued."""
MAX_LISTED = 5
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
    journal = _Journal.open(partial, header, guard, planned)
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

    Raises:
        ScanError: a text gets another answer when it is scored alone, by more than rounding.
    """
    step = max(1, len(planned) // NOISE_SAMPLE)
    chosen = range(0, len(planned), step)[:NOISE_SAMPLE]
    cap = noise_cap(guard.backend)
    noise = 0.0
    for index in chosen:
        (again,) = _again(guard, planned, [index])
        if wrong := _contradiction(trials[index], again, guard.threshold, cap):
            raise ScanError(
                f"scored in a batch and alone, {wrong} (up to {cap:g} is rounding on "
                f"{guard.backend}); what is measured in batches would not hold in use"
            )
        noise = max(noise, abs(again.risk - trials[index].risk))
    return noise, len(chosen)


def noise_cap(backend: str) -> float:
    """Largest change of a risk that rounding explains on a backend, ``...-DTYPE``."""
    return NOISE_CAPS.get(backend.rsplit("-", 1)[-1], min(NOISE_CAPS.values()))


def replay_allowance(backend: str, noise: float) -> float:
    """How far a replayed risk may be from the reported one, given the reported noise.

    Raises:
        NotCertifiedError: the noise is more than rounding makes: nothing could be told by it.
    """
    cap = noise_cap(backend)
    if not 0 <= noise <= cap:
        raise NotCertifiedError(
            f"the report states a noise of {noise:.3g} on {backend}, where rounding makes {cap:g} "
            "at most: its trials cannot be checked by replay"
        )
    return min(cap, max(REPLAY_FLOOR, 10 * noise))


def _again(guard: GuardLike, planned: Sequence[Planned], chosen: Sequence[int]) -> list[Trial]:
    """Score some rows once more, together."""
    scored = _score(guard, [planned[index] for index in chosen])
    return [
        _trial(item, answer, guard, index)[0]
        for index, (item, answer) in zip(chosen, scored, strict=True)
    ]


def _contradiction(said: Trial, again: Trial, threshold: float, allowed: float) -> str:
    """What of a second answer rounding does not explain; empty when it explains all."""
    for name in ("coverage", "n_tokens"):
        one, two = getattr(said, name), getattr(again, name)
        if one != two:
            return f"{said.id}: {name} is {one} and {two}"
    if abs(again.risk - said.risk) > allowed:
        return f"{said.id}: risks differ by {abs(again.risk - said.risk):.3g}"
    if said.flagged != again.flagged and abs(said.risk - threshold) > allowed:
        return f"{said.id}: flagged is {said.flagged} and {again.flagged} at risk {said.risk:.3g}"
    return ""


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
        answered += _again(guard, planned, chosen[start : start + BATCH])
    rows = [
        BackendRow(id=trial.id, backend=guard.backend, risk=trial.risk, flagged=trial.flagged)
        for trial in answered
    ]
    noise = measure_noise(guard, [planned[index] for index in chosen], answered)
    return rows, noise


def replay(
    guard: GuardLike,
    triplets: Sequence[Triplet],
    trials: Sequence[Trial],
    *,
    count: int,
    rng: np.random.Generator,
    allowed: float = REPLAY_FLOOR,
) -> float:
    """Compare trials with the audit set, every row, and score a random sample of it again.

    Args:
        guard: the model at hand.
        triplets: the audit set, read or rendered again.
        trials: what the report was made from.
        count: texts to score, >= 1; all of them when there are fewer.
        rng: chooses the sample.
        allowed: absolute difference of a risk, and distance of one from the threshold at which
            the verdict may differ, from :func:`replay_allowance`.

    Returns:
        Largest absolute difference of a risk.

    Raises:
        DataError: the audit set is not the one of the trials.
        NotCertifiedError: a row is labelled otherwise than its text, or the guard answers
            otherwise; the first such rows are named.
    """
    planned = plan(triplets)
    if [item.fields["id"] for item in planned] != [trial.id for trial in trials]:
        raise DataError("the audit set does not give these trials; use the report's seed and sets")
    _check_assigned(planned, trials, guard.backend)
    size = min(count, len(planned))
    chosen = [int(index) for index in np.sort(rng.choice(len(planned), size=size, replace=False))]
    fresh: list[Trial] = []
    for start in progress(range(0, size, BATCH), total=None, label="replaying"):
        fresh += _again(guard, planned, chosen[start : start + BATCH])
    pairs = [(trials[index], again) for index, again in zip(chosen, fresh, strict=True)]
    found = (_contradiction(said, again, guard.threshold, allowed) for said, again in pairs)
    if wrong := [line for line in found if line]:
        raise NotCertifiedError(
            f"{len(wrong)} of {size} replayed texts differ from their trials (risks may by "
            f"{allowed:.3g}): the trials did not come from this model on this backend\n  "
            + "\n  ".join(wrong[:MAX_LISTED])
        )
    return max(abs(again.risk - said.risk) for said, again in pairs)


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


class _Journal:
    """What is scored already: rows and vectors, appended batch by batch."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.trials: list[Trial] = []
        self._vectors: list[tuple[Vectors, Vectors]] = []

    @classmethod
    def open(
        cls,
        directory: Path,
        header: Mapping[str, str],
        guard: GuardLike,
        planned: Sequence[Planned],
    ) -> "_Journal":
        """What an earlier run left, where it can be trusted; an empty journal otherwise.

        Whoever can write beside the output could have written it: the rows must be those of the
        plan, and a sample of them is scored again.
        """
        journal = cls(directory)
        wanted = canonical_json(dict(header))
        if journal._read(wanted, guard, planned) and journal._holds(guard, planned):
            return journal
        journal = cls(directory)
        if directory.is_symlink() or directory.is_file():
            directory.unlink()
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        (directory / HEADER_NAME).write_bytes(wanted)
        return journal

    def _read(self, header: bytes, guard: GuardLike, planned: Sequence[Planned]) -> bool:
        """Take over the rows; False: they are of another run, or damaged."""
        try:
            if (self.directory / HEADER_NAME).read_bytes() != header:
                return False
            self._resume(guard, planned)
        except (OSError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError):
            return False
        except ScanError:  # a kept answer that no guard may give
            return False
        return True

    def _holds(self, guard: GuardLike, planned: Sequence[Planned]) -> bool:
        """Score a sample again; nobody can know beforehand which rows."""
        size = min(RESCORED, len(self.trials))
        if not size:
            return True
        drawn = np.random.default_rng().choice(len(self.trials), size=size, replace=False)
        chosen = [int(index) for index in np.sort(drawn)]
        cap = noise_cap(guard.backend)
        return not any(
            _contradiction(self.trials[index], again, guard.threshold, cap)
            for index, again in zip(chosen, _again(guard, planned, chosen), strict=True)
        )

    def _resume(self, guard: GuardLike, planned: Sequence[Planned]) -> None:
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
        for row, (line, vectors) in enumerate(zip(rows[:kept], table, strict=True)):
            said = json.loads(line)["trial"]
            answer = Answer(
                risk=said["risk"],
                flagged=said["flagged"],
                coverage=said["coverage"],
                n_tokens=said["n_tokens"],
                representation=vectors[0].copy(),
                mean=vectors[1].copy(),
            )
            trial, first, second = _trial(planned[row], answer, guard, row)
            if line != _journal_line(trial, width):
                raise ValueError(f"row {row} is not the one planned")
            self.trials.append(trial)
            self._vectors.append((first, second))
        rows_path.write_bytes(b"".join(line + b"\n" for line in rows[:kept]))
        data_path.write_bytes(data[: kept * 8 * width])

    def append(self, rows: Sequence[tuple[Trial, Vectors, Vectors]]) -> None:
        """Keep a batch, on disk and in memory."""
        widths = {len(v) for _, first, second in rows for v in (first, second)}
        widths |= {len(first) for first, _ in self._vectors[:1]}
        if len(widths) != 1:
            raise ScanError(f"the guard gave vectors of several widths: {sorted(widths)}")
        width = widths.pop()
        lines = [_journal_line(trial, width) + b"\n" for trial, _, _ in rows]
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


def _journal_line(trial: Trial, width: int) -> bytes:
    return b'{"trial":%s,"width":%d}' % (trial_line(trial), width)
