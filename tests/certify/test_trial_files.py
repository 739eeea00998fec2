"""trials.jsonl and its side file: read back what was written, and refuse everything else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from causalguard.certify.evidence import collect
from causalguard.certify.trials import (
    TrialSet,
    parse_vectors,
    read_trials,
    trials_bytes,
    vectors_bytes,
)
from causalguard.errors import DataError, InputError
from causalguard.interventions import engine
from causalguard.records import KINDS
from support import planted

Scores = Callable[[planted.FakeGuard, int, int], TrialSet]


@pytest.fixture
def written(tmp_path: Path, score_world: Scores) -> tuple[Path, TrialSet]:
    """Trials of a few sets on disk."""
    trial_set = score_world(planted.FakeGuard(planted.sound), 4, 0)
    (tmp_path / "trials.jsonl").write_bytes(trials_bytes(trial_set.trials))
    (tmp_path / "trials-R.safetensors").write_bytes(vectors_bytes(trial_set))
    return tmp_path / "trials.jsonl", trial_set


def test_trials_come_back_as_they_were_written(written: tuple[Path, TrialSet]) -> None:
    path, trial_set = written
    again = read_trials(path)
    assert again.trials == trial_set.trials
    assert np.array_equal(again.representations, trial_set.representations)
    assert dict(again.meta) == dict(trial_set.meta)
    assert trials_bytes(again.trials) == path.read_bytes()


def test_trials_of_every_member_that_the_engine_makes_are_read(tmp_path: Path) -> None:
    sets = list(engine.generate(40, seed=3, split="audit", lengths=["50-200"]))
    guard = planted.FakeGuard(planted.sound)
    made = collect(guard, sets, model_sha256="m", partial=tmp_path / "p")
    (tmp_path / "trials.jsonl").write_bytes(trials_bytes(made.trials))
    (tmp_path / "trials-R.safetensors").write_bytes(vectors_bytes(made))
    assert {t.kind for t in read_trials(tmp_path / "trials.jsonl").trials} == set(KINDS)


@given(arrays.arrays(np.float32, (3, 2), elements=st.floats(-1, 1, width=32)))
def test_vectors_survive_writing_to_the_bit(matrix: Any) -> None:
    data = vectors_bytes(TrialSet(trials=(), representations=matrix, means=-matrix))
    first, second, _ = parse_vectors(data, where="x")
    assert first.tobytes() == np.asarray(matrix).tobytes()
    assert np.array_equal(second, -np.asarray(matrix))


def test_safetensors_itself_reads_the_side_file(written: tuple[Path, TrialSet]) -> None:
    numpy_loader = pytest.importorskip("safetensors.numpy")
    path, trial_set = written
    loaded = numpy_loader.load_file(path.with_name("trials-R.safetensors"))
    assert np.array_equal(loaded["R"], trial_set.representations)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"risk": 1.5}, "risk must be a number in"),
        ({"risk": "0.5"}, "risk must be a number in"),
        ({"kind": "attack"}, "kind must be one of"),
        ({"y": 1}, "y is 1 but kind is"),
        ({"flagged": 1}, "flagged must be true or false"),
        ({"colour": "red"}, "field colour is unknown"),
        ({"cluster": ""}, "cluster must be a text"),
        ({"n_tokens": True}, "n_tokens must be a whole number"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(
    written: tuple[Path, TrialSet], change: dict[str, Any], word: str
) -> None:
    path, trial_set = written
    lines = path.read_text().splitlines()
    place = next(i for i, trial in enumerate(trial_set.trials) if trial.kind == "benign")
    lines[place] = json.dumps(json.loads(lines[place]) | change)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=f"trials.jsonl:{place + 1}: {word}"):
        read_trials(path)


def test_a_risk_that_is_not_a_number_is_refused(written: tuple[Path, TrialSet]) -> None:
    path, trial_set = written
    text = path.read_text().replace(f'"risk":{trial_set.trials[0].risk!r}', '"risk":NaN')
    path.write_text(text)
    with pytest.raises(DataError, match="risk must be a number in"):
        read_trials(path)


def test_an_id_that_is_there_twice_is_refused(written: tuple[Path, TrialSet]) -> None:
    path, _ = written
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[0]]) + "\n")
    with pytest.raises(DataError, match="is there twice"):
        read_trials(path)


def test_a_missing_row_is_noticed_against_the_side_file(written: tuple[Path, TrialSet]) -> None:
    path, trial_set = written
    path.write_bytes(trials_bytes(trial_set.trials[:-1]))
    with pytest.raises(DataError, match="not of one run"):
        read_trials(path)


@pytest.mark.parametrize("cut", [0, 7, 40, -1])
def test_a_cut_side_file_is_refused(written: tuple[Path, TrialSet], cut: int) -> None:
    path, _ = written
    side = path.with_name("trials-R.safetensors")
    side.write_bytes(side.read_bytes()[:cut])
    with pytest.raises(InputError, match="damaged"):
        read_trials(path)


def test_vectors_with_nan_are_refused(written: tuple[Path, TrialSet]) -> None:
    _, trial_set = written
    bad = trial_set.representations.copy()
    bad[0, 0] = np.nan
    data = vectors_bytes(TrialSet(trials=(), representations=bad, means=trial_set.means))
    with pytest.raises(InputError, match="NaN"):
        parse_vectors(data, where="x")


def test_a_risk_of_four_hundred_digits_is_refused_by_its_line(
    written: tuple[Path, TrialSet],
) -> None:
    path, trial_set = written
    huge = f'"risk":1{"0" * 400}'
    path.write_text(path.read_text().replace(f'"risk":{trial_set.trials[0].risk!r}', huge))
    with pytest.raises(DataError, match=r"trials\.jsonl:1: risk must be a number in"):
        read_trials(path)


def _side(**changes: Any) -> bytes:
    """A side file of one row, with other entries in its header."""
    entry = {"dtype": "F32", "shape": [1, 2]}
    header = {
        "__metadata__": {},
        "R": entry | {"data_offsets": [0, 8]},
        "mean": entry | {"data_offsets": [8, 16]},
    }
    text = json.dumps(header | changes, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(16)


def _shape(*sizes: float, end: int = 8) -> dict[str, Any]:
    entry = {"dtype": "F32", "shape": list(sizes), "data_offsets": [0, end]}
    return {"R": entry, "mean": entry}


@pytest.mark.parametrize(
    "changes",
    [
        _shape(-1, -2),
        _shape(float("inf"), 2),
        _shape(1.9, 2),
        _shape(1, 0, end=0),
        {"__metadata__": ["x"]},
        {"__metadata__": None},
    ],
)
def test_a_header_that_describes_no_matrices_is_damage(changes: dict[str, Any]) -> None:
    assert parse_vectors(_side(), where="x")[0].shape == (1, 2)
    with pytest.raises(InputError, match="damaged"):
        parse_vectors(_side(**changes), where="x")
