"""What the guard answered, as files: ``trials.jsonl`` and ``trials-R.safetensors``.

Everything after these two files is pure: the same bytes give the same report.  The side file of
representations is read and written here in plain numpy, so that a report is re-computed without
torch and without the safetensors package.
"""

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from causalguard.attestation.canonical import canonical_json
from causalguard.attestation.digests import sha256_bytes
from causalguard.errors import DataError, InputError
from causalguard.files import raise_faults, read_jsonl, read_whole
from causalguard.records import KINDS, POSITIVE, Kind, Trial

SCHEMA = "trial/1"
TRIALS_NAME = "trials.jsonl"
VECTORS_NAME = "trials-R.safetensors"
MAX_HEADER = 1_000_000

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSet:
    """All trials of one run of one guard, with their representations."""

    trials: tuple[Trial, ...]
    """One row an audit text, in file order."""
    representations: Vectors
    """R at the arg-max-risk token, (n, d) float32; row ``trial.row`` belongs to ``trial``."""
    means: Vectors
    """Mean of R over the arg-max window, (n, d) float32."""
    meta: Mapping[str, str] = field(default_factory=dict)
    """What produced them: ``model`` (root digest of MODEL_DIR), ``data`` (digest), ``noise``."""


def trial_line(trial: Trial) -> bytes:
    """Canonical JSON of one trial, without the line end."""
    return canonical_json(
        {
            "schema": SCHEMA,
            "id": trial.id,
            "cluster": trial.cluster,
            "set_id": trial.set_id,
            "kind": trial.kind,
            "y": trial.y,
            "family": trial.family,
            "group": trial.group,
            "s": trial.s,
            "nuisance": dict(trial.nuisance),
            "n_tokens": trial.n_tokens,
            "risk": trial.risk,
            "flagged": trial.flagged,
            "coverage": trial.coverage,
            "backend": trial.backend,
            "row": trial.row,
        }
    )


def trials_bytes(trials: Sequence[Trial]) -> bytes:
    """The bytes of ``trials.jsonl``."""
    return b"".join(trial_line(trial) + b"\n" for trial in trials)


def vectors_bytes(trial_set: TrialSet) -> bytes:
    """The bytes of ``trials-R.safetensors``: tensors ``R`` and ``mean``, float32, little endian."""
    arrays = {"R": trial_set.representations, "mean": trial_set.means}
    header: dict[str, Any] = {"__metadata__": dict(sorted(trial_set.meta.items()))}
    blobs: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        blob = np.ascontiguousarray(array, dtype="<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(blobs)


def parse_vectors(data: bytes, *, where: str) -> tuple[Vectors, Vectors, dict[str, str]]:
    """Read ``R``, ``mean`` and the metadata back.

    Raises:
        InputError: not a safetensors file with exactly these two float32 matrices, not finite, or
            not to the byte what :func:`vectors_bytes` writes.
    """
    remedy = f"{where}: damaged; take the file that was written with this report"
    if len(data) < 8 or (size := struct.unpack("<Q", data[:8])[0]) > min(MAX_HEADER, len(data) - 8):
        raise InputError(remedy)
    try:
        header = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError):
        raise InputError(remedy) from None
    if not isinstance(header, dict) or set(header) - {"__metadata__"} != {"R", "mean"}:
        raise InputError(f"{where}: needs exactly the tensors R and mean; {remedy}")
    matrices = [_matrix(header[name], data[8 + size :], remedy) for name in ("R", "mean")]
    if matrices[0].shape != matrices[1].shape:
        raise InputError(f"{where}: R and mean have different shapes; {remedy}")
    meta = header.get("__metadata__")
    if not isinstance(meta, dict):
        raise InputError(remedy)
    meta = {key: str(value) for key, value in meta.items()}
    # a digest of what was read speaks for the file only if the file holds nothing else
    again = TrialSet(trials=(), representations=matrices[0], means=matrices[1], meta=meta)
    if vectors_bytes(again) != data:
        raise InputError(remedy)
    return matrices[0], matrices[1], meta


def _matrix(entry: Any, body: bytes, remedy: str) -> Vectors:
    try:
        rows, columns = (int(size) for size in entry["shape"])
        start, end = (int(offset) for offset in entry["data_offsets"])
        wrong = entry["dtype"] != "F32" or not 0 <= start <= end <= len(body)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError(remedy) from None
    if wrong or rows < 0 or columns < 1 or end - start != 4 * rows * columns:
        raise InputError(remedy)
    matrix = np.frombuffer(body[start:end], dtype="<f4").reshape(rows, columns).astype(np.float32)
    if not np.isfinite(matrix).all():
        raise InputError(f"R holds NaN or infinite values; {remedy}")
    return matrix


def read_trials(trials_path: Path, vectors_path: Path | None = None) -> TrialSet:
    """Read and check both files; ``vectors_path`` defaults to the sibling of ``trials_path``.

    Raises:
        DataError: rows that are wrong, every one named by its line; or a file that is not to the
            byte what :func:`trials_bytes` writes.
        InputError: a missing or damaged file.
    """
    side = vectors_path or trials_path.with_name(VECTORS_NAME)
    if not side.is_file():
        raise InputError(f"{side}: no such file; it is written beside {TRIALS_NAME}: give both")
    matrix, means, meta = parse_vectors(side.read_bytes(), where=str(side))
    faults: list[str] = []
    trials: list[Trial] = []
    seen: set[str] = set()
    for number, row in read_jsonl(trials_path):
        where = f"{trials_path}:{number}:"
        found = _row_faults(row)
        if not found and row["id"] in seen:
            found = [f"id {row['id']!r} is there twice"]
        if not found and row["row"] != len(trials) and not faults:
            found = [f"row is {row['row']}, the file's order asks for {len(trials)}"]
        faults.extend(f"{where} {fault}" for fault in found)
        if not found:
            seen.add(row["id"])
            trials.append(_trial(row))
    raise_faults(faults)
    if trials_bytes(trials) != read_whole(trials_path):
        raise DataError(
            f"{trials_path}: not in the form it was written in (a key twice, blanks, or another "
            "order of keys); take the file that was written with this report"
        )
    if len(trials) != matrix.shape[0]:
        raise DataError(
            f"{trials_path}: {len(trials)} trials, but {side.name} has {matrix.shape[0]} rows; "
            "the two files are not of one run"
        )
    return TrialSet(trials=tuple(trials), representations=matrix, means=means, meta=meta)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: Any) -> bool:
    # an integer is finite, and may be too large for math.isfinite
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (isinstance(value, float) and math.isfinite(value))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _in_unit(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_labels(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(label, str) for label in value.values())


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "schema": (lambda value: value == SCHEMA, f"must be {SCHEMA!r}"),
    "id": (_is_text, "must be a text that is not empty"),
    "cluster": (_is_text, "must be a text that is not empty"),
    "set_id": (_is_text, "must be a text that is not empty"),
    "kind": (lambda value: value in KINDS, f"must be one of {', '.join(KINDS)}"),
    "y": (lambda value: _is_count(value) and value <= 1, "must be 0 or 1"),
    "family": (_is_text, "must be a text that is not empty"),
    "group": (_is_text, "must be a text that is not empty"),
    "s": (_is_text, "must be a text that is not empty"),
    "nuisance": (_is_labels, "must be an object of texts"),
    "n_tokens": (_is_count, "must be a whole number >= 0"),
    "risk": (_in_unit, "must be a number in [0, 1], not NaN"),
    "flagged": (lambda value: isinstance(value, bool), "must be true or false"),
    "coverage": (_in_unit, "must be a number in [0, 1]"),
    "backend": (_is_text, "must be a text that is not empty"),
    "row": (_is_count, "must be a whole number >= 0"),
}


def _row_faults(row: dict[str, Any]) -> list[str]:
    faults = [f"field {name} is missing" for name in _CHECKS if name not in row]
    faults += [f"field {name} is unknown" for name in row if name not in _CHECKS]
    for name, (good, rule) in _CHECKS.items():
        if name in row and not good(row[name]):
            faults.append(f"{name} {rule}")
    if not faults and row["y"] != int(row["kind"] in POSITIVE):
        faults.append(f"y is {row['y']} but kind is {row['kind']}")
    return faults


def _trial(row: dict[str, Any]) -> Trial:
    values = {name: row[name] for name in _CHECKS if name != "schema"}
    values["kind"] = cast("Kind", row["kind"])
    values["risk"] = float(row["risk"])
    values["coverage"] = float(row["coverage"])
    return Trial(**values)


def context_digest(system: str, task: str) -> str:
    """Identifier of the trusted context S: 16 hex digits of a digest that keeps the two apart."""
    return sha256_bytes(canonical_json([system, task]))[:16]
