"""The run of the guard: once a text, unnamed, resumable, and strict about what comes back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from causalguard.certify.crew import Crew
from causalguard.certify.evidence import (
    RESCORED,
    collect,
    data_digest,
    forget,
    plan,
    replay,
)
from causalguard.certify.trials import TrialSet, trials_bytes, vectors_bytes
from causalguard.errors import DataError, NotCertifiedError, ScanError
from causalguard.records import ToolOutput
from support import planted


class Spying(planted.FakeGuard):
    """Remembers what it was shown; stops after some batches if asked to."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        super().__init__(planted.sound)
        self.seen: list[ToolOutput] = []
        self._stop_after = stop_after

    def score(self, outputs: list[ToolOutput], /) -> Sequence[planted.FakeScored]:
        if self._stop_after is not None and self.calls >= self._stop_after:
            raise KeyboardInterrupt
        self.seen.extend(outputs)
        return super().score(outputs)


class Broken(planted.FakeGuard):
    """A sound guard whose answers are changed on the way out."""

    def __init__(self, **changes: object) -> None:
        super().__init__(planted.sound)
        self._changes = changes

    def score(self, outputs: list[ToolOutput], /) -> Sequence[planted.FakeScored]:
        answers = super().score(outputs)
        return [replace(answer, **self._changes) for answer in answers]  # type: ignore[arg-type]


def _collect(guard: planted.FakeGuard, sets: int, partial: Path, model: str = "m") -> TrialSet:
    return collect(guard, planted.small_world(sets), model_sha256=model, partial=partial)


def test_every_member_of_every_set_becomes_one_trial(tmp_path: Path) -> None:
    found = _collect(planted.FakeGuard(planted.sound), 12, tmp_path / "p")
    counts = Counter(trial.kind for trial in found.trials)
    assert counts == dict.fromkeys(
        ("benign", "counterfactual", "injected", "imperative", "authorised"), 12
    )
    assert [trial.row for trial in found.trials] == list(range(60))
    assert all(trial.y == (trial.kind == "injected") for trial in found.trials)


def test_the_guard_is_told_neither_the_name_of_a_text_nor_its_place(tmp_path: Path) -> None:
    guard = Spying()
    found = _collect(guard, 30, tmp_path / "p")
    assert {output.id for output in guard.seen} == {""}
    kinds = [trial.kind for trial in found.trials]
    assert len({tuple(kinds[i : i + 5]) for i in range(0, 150, 5)}) > 20


def test_the_authorised_member_has_another_context(tmp_path: Path) -> None:
    found = _collect(planted.FakeGuard(planted.sound), 3, tmp_path / "p")
    for name in {trial.set_id for trial in found.trials}:
        s = {trial.kind: trial.s for trial in found.trials if trial.set_id == name}
        assert s["injected"] == s["benign"] == s["imperative"] != s["authorised"]


def test_an_interrupted_run_continues_and_gives_the_same_bytes(tmp_path: Path) -> None:
    whole = _collect(planted.FakeGuard(planted.sound), 20, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        _collect(Spying(stop_after=3), 20, tmp_path / "part")
    rest = Spying()
    again = _collect(rest, 20, tmp_path / "part")
    assert trials_bytes(again.trials) == trials_bytes(whole.trials)
    assert vectors_bytes(again) == vectors_bytes(whole)
    noise_sample = int(again.meta["noise_sample"])
    assert len(rest.seen) == RESCORED + 100 - 3 * 16 + noise_sample


def test_a_partial_run_cut_in_the_middle_of_a_row_is_repaired(tmp_path: Path) -> None:
    whole = _collect(planted.FakeGuard(planted.sound), 10, tmp_path / "p")
    data = tmp_path / "p" / "vectors.f32"
    data.write_bytes(data.read_bytes()[:-5])
    rows = tmp_path / "p" / "rows.jsonl"
    rows.write_bytes(rows.read_bytes()[:-9])
    again = _collect(planted.FakeGuard(planted.sound), 10, tmp_path / "p")
    assert vectors_bytes(again) == vectors_bytes(whole)


def test_a_partial_run_of_another_model_is_not_continued(tmp_path: Path) -> None:
    _collect(planted.FakeGuard(planted.flag_none), 6, tmp_path / "p", model="one")
    found = _collect(planted.FakeGuard(planted.sound), 6, tmp_path / "p", model="two")
    assert any(trial.flagged for trial in found.trials)


def test_forgetting_removes_the_partial_run(tmp_path: Path) -> None:
    _collect(planted.FakeGuard(planted.sound), 2, tmp_path / "p")
    forget(tmp_path / "p")
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"risk": float("nan")}, "gave risk nan"),
        ({"risk": 1.2}, "gave risk 1.2"),
        ({"coverage": -0.1}, "coverage -0.1"),
        ({"flagged": True}, "contradicts itself"),
        ({"coverage": 0.5, "flagged": False}, "contradicts itself"),
        ({"representation": np.full(8, np.nan, np.float32)}, "holds NaN"),
    ],
)
def test_a_guard_that_answers_nonsense_is_not_certified(
    tmp_path: Path, changes: dict[str, object], word: str
) -> None:
    with pytest.raises(ScanError, match=word):
        _collect(Broken(**changes), 4, tmp_path / "p")


def test_a_guard_that_skips_texts_is_not_certified(tmp_path: Path) -> None:
    class Lazy(planted.FakeGuard):
        def score(self, outputs: list[ToolOutput], /) -> Sequence[planted.FakeScored]:
            return super().score(outputs[:-1])

    with pytest.raises(ScanError, match="answered 15 of 16"):
        _collect(Lazy(planted.sound), 10, tmp_path / "p")


def test_sets_with_the_same_id_are_refused() -> None:
    one = planted.small_world(1)
    with pytest.raises(DataError, match="there twice"):
        plan([*one, *one])


def test_an_empty_audit_set_is_refused() -> None:
    with pytest.raises(DataError, match="empty"):
        plan([])


def test_the_data_digest_sees_every_field() -> None:
    world = planted.small_world(2)
    changed = [world[0], replace(world[1], license="MIT")]
    assert data_digest(world) != data_digest(changed)


def test_a_replay_of_the_same_model_agrees_and_of_another_does_not(tmp_path: Path) -> None:
    world = planted.small_world(10)
    found = _collect(planted.FakeGuard(planted.sound), 10, tmp_path / "p")
    rng = np.random.default_rng(1)
    same = planted.FakeGuard(planted.sound)
    other = planted.FakeGuard(planted.sound, seed=9)
    assert replay(same, world, found, count=20, rng=rng).risk == 0
    with pytest.raises(NotCertifiedError, match="did not come from this model"):
        replay(other, world, found, count=20, rng=rng)


def test_a_replay_on_another_audit_set_is_refused(tmp_path: Path) -> None:
    found = _collect(planted.FakeGuard(planted.sound), 10, tmp_path / "p")
    with pytest.raises(DataError, match="does not give these trials"):
        replay(
            planted.FakeGuard(planted.sound),
            planted.small_world(9),
            found,
            count=3,
            rng=np.random.default_rng(1),
        )


def _one() -> planted.FakeGuard:
    return planted.FakeGuard(planted.sound)


def test_two_processes_make_the_trials_of_one(tmp_path: Path) -> None:
    sets = planted.small_world(20)
    one = collect(_one(), sets, model_sha256="m", partial=tmp_path / "one")
    with Crew(_one, 2) as crew:
        two = collect(_one(), sets, model_sha256="m", partial=tmp_path / "two", crew=crew)
    assert trials_bytes(one.trials) == trials_bytes(two.trials)
    assert np.array_equal(one.representations, two.representations)


def _dies() -> planted.FakeGuard:
    raise MemoryError


def test_a_worker_that_dies_stops_the_run_readably(tmp_path: Path) -> None:
    with Crew(_dies, 1) as crew, pytest.raises(ScanError, match="fewer --workers"):
        collect(_one(), planted.small_world(3), model_sha256="m", partial=tmp_path / "p", crew=crew)
