"""What a dishonest report, journal, guard or audit file may try, and what stops it."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from causalguard.certify import evidence, rounding
from causalguard.certify.cli import cli
from causalguard.certify.evidence import Replayed, collect, plan, replay
from causalguard.certify.rounding import replay_allowance
from causalguard.certify.trials import TrialSet, Vectors, trials_bytes, vectors_bytes
from causalguard.errors import CertificateError, InputError, NotCertifiedError, ScanError
from causalguard.interventions import engine
from causalguard.records import ToolOutput, Trial
from support import planted

BF16 = "torch-cpu-bfloat16"
SETS = 20


def _verify(signed: Any, report: object, *more: str) -> str:
    words = ["verify", str(report), "--model", str(signed.model), "--require-result", "any"]
    done = CliRunner().invoke(cli, [*words, "--key", str(signed.public), *more])
    if done.exception is not None:
        raise done.exception
    return done.output


def _sound(backend: str = "torch-cpu-float32", seed: int = 0) -> planted.FakeGuard:
    guard = planted.FakeGuard(planted.sound, seed=seed)
    guard.backend = backend
    return guard


def _collect(guard: planted.FakeGuard, partial: Path) -> TrialSet:
    return collect(guard, planted.small_world(SETS), model_sha256="m", partial=partial)


def _run(guard: planted.FakeGuard, partial: Path) -> Sequence[Trial]:
    return _collect(guard, partial).trials


def _replay(found: TrialSet, *, allowed: float = 1e-4, **changes: float) -> Replayed:
    world, rng = planted.small_world(SETS), np.random.default_rng()
    guard = Shaken(**changes) if changes else _sound()
    return replay(guard, world, found, count=10**6, rng=rng, allowed=allowed)


def _turned(vectors: Vectors, rows: int) -> Vectors:
    """The first rows in another direction."""
    return np.concatenate([-vectors[:rows], vectors[rows:]])


class Shaken(planted.FakeGuard):
    """The sound guard, its risks moved: always, or only when a text is scored alone."""

    def __init__(self, *, by: float = 0.0, alone: float = 0.0) -> None:
        super().__init__(planted.sound)
        self._by, self._alone = by, alone

    def score(self, outputs: list[ToolOutput], /) -> Sequence[planted.FakeScored]:
        by = self._by + (self._alone if len(outputs) == 1 else 0)
        risks = [min(1.0, answer.risk + by) for answer in super().score(outputs)]
        return [
            replace(answer, risk=risk, flagged=risk >= self.threshold)
            for answer, risk in zip(super().score(outputs), risks, strict=True)
        ]


# --- the report that is given -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "/", ".", "none.json", "none.sigstore.json"])
def test_a_report_that_is_no_file_is_refused(signed: Any, name: str) -> None:
    report = signed.model / name if "none" in name else name
    with pytest.raises(InputError, match="give the path of a report"):
        _verify(signed, report)


def test_an_edited_copy_is_refused_whatever_its_name(signed: Any, tmp_path: Path) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir()
    for name in ("safety-report.json", "safety-report.sigstore.json"):
        shutil.copy(signed.model / name, folder / name)
    (folder / "mine.json").write_text('{"result":"FAILED"}')
    assert "signature    good" in _verify(signed, folder / "safety-report.json")
    with pytest.raises(CertificateError, match="differs from the report"):
        _verify(signed, folder / "mine.json")


def test_the_bundle_that_is_given_is_the_one_that_is_read(signed: Any, tmp_path: Path) -> None:
    bundle = tmp_path / "other.sigstore.json"
    bundle.write_bytes((signed.model / "safety-report.sigstore.json").read_bytes())
    assert "signature    good" in _verify(signed, bundle)
    bundle.write_bytes(b"{}")
    with pytest.raises(CertificateError):
        _verify(signed, bundle)


def test_a_bundle_is_not_read_as_an_unsigned_report(signed: Any) -> None:
    with pytest.raises(InputError, match="signed bundle"):
        _verify(signed, signed.model / "safety-report.sigstore.json", "--allow-unsigned")


# --- replay -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"coverage": 0.999, "flagged": True}, "coverage is 0.999 and 1.0"),
        ({"n_tokens": 1}, "n_tokens is 1 and"),
        ({"kind": "counterfactual"}, "kind is 'counterfactual'"),
        ({"y": 1}, "y is 1"),
        ({"cluster": "of-its-own"}, "cluster is 'of-its-own'"),
        ({"nuisance": {}}, "nuisance is {}"),
        ({"backend": BF16}, "backend is"),
    ],
)
def test_a_forged_field_of_one_trial_fails_the_replay(
    tmp_path: Path, changes: dict[str, object], word: str
) -> None:
    found = _collect(_sound(), tmp_path / "p")
    trials = list(found.trials)
    at = next(index for index, trial in enumerate(trials) if trial.kind == "benign")
    trials[at] = replace(trials[at], **changes)  # type: ignore[arg-type]
    with pytest.raises(NotCertifiedError, match=f"{trials[at].id}: {word}"):
        _replay(replace(found, trials=tuple(trials)))


def test_a_verdict_may_differ_only_where_the_risk_is_near_the_threshold(tmp_path: Path) -> None:
    found = _collect(_sound(), tmp_path / "p")
    trials = tuple(replace(trial, flagged=not trial.flagged) for trial in found.trials)
    turned = replace(found, trials=trials)
    assert _replay(turned, allowed=1.0).risk == 0
    with pytest.raises(NotCertifiedError, match="flagged is True and False"):
        _replay(turned)


def test_risks_may_differ_by_what_is_allowed_and_no_more(tmp_path: Path) -> None:
    found = _collect(_sound(), tmp_path / "p")
    assert _replay(found, by=0.01, allowed=0.05).risk == pytest.approx(0.01)
    with pytest.raises(NotCertifiedError, match=r"risks differ by 0\.01"):
        _replay(found, by=0.01, allowed=0.001)


@pytest.mark.parametrize("part", ["representations", "means"])
def test_forged_vectors_fail_the_replay_and_their_trials_are_named(
    tmp_path: Path, part: str
) -> None:
    found = _collect(_sound(), tmp_path / "p")
    turned: dict[str, Any] = {part: _turned(getattr(found, part), 4)}
    forged = replace(found, **turned)
    with pytest.raises(NotCertifiedError, match=f"{found.trials[0].id}: R or its mean is 2 away"):
        _replay(forged)


def test_a_tie_between_tokens_is_no_forgery(tmp_path: Path) -> None:
    found = _collect(_sound(), tmp_path / "p")
    tied = replace(found, representations=_turned(found.representations, 3))
    assert _replay(tied) == Replayed(texts=5 * SETS, risk=0, others=3, vector=0)


def test_ties_never_explain_every_replayed_text(tmp_path: Path) -> None:
    found = _collect(_sound(), tmp_path / "p")
    forged = replace(found, means=-found.means)
    rng = np.random.default_rng()
    for count in (1, 2, 7):
        with pytest.raises(NotCertifiedError, match="R or its mean is 2 away"):
            replay(_sound(), planted.small_world(SETS), forged, count=count, rng=rng)


def test_vectors_of_another_width_fail_the_replay(tmp_path: Path) -> None:
    found = _collect(_sound(), tmp_path / "p")
    twice = np.tile(found.means, 2)
    with pytest.raises(NotCertifiedError, match="R or its mean is inf away"):
        _replay(replace(found, representations=twice, means=twice))


@pytest.mark.parametrize(("backend", "cap"), [("torch-cpu-float32", 2e-3), (BF16, 0.05)])
def test_rounding_of_vectors_is_allowed_by_dtype(tmp_path: Path, backend: str, cap: float) -> None:
    found = _collect(_sound(backend), tmp_path / "p")
    for by, fits in ((0.9 * cap, True), (1.1 * cap, False)):
        moved = found.representations + np.float32(by / 8**0.5)
        rows = [(t, r, r) for t, r in zip(found.trials, found.representations, strict=True)]
        again = [(t, r, r) for t, r in zip(found.trials, moved, strict=True)]
        assert (not rounding.moved(rows, again, backend)) == fits


def test_a_report_cannot_widen_its_own_allowance() -> None:
    assert replay_allowance("torch-cpu-float32", 0.0) == 1e-4
    assert replay_allowance("torch-cpu-float32", 9e-4) == 1e-3
    assert replay_allowance(BF16, 0.0136) == 0.05
    for backend, noise in ((BF16, 0.2), ("torch-cpu-float32", 0.01), ("new-cpu-int8", 0.01)):
        with pytest.raises(NotCertifiedError, match="noise of"):
            replay_allowance(backend, noise)


# --- noise --------------------------------------------------------------------------------------


def test_a_guard_that_answers_otherwise_alone_is_not_certified(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="in a batch and alone"):
        _run(Shaken(alone=0.01), tmp_path / "p")


def test_rounding_is_no_other_answer(tmp_path: Path) -> None:
    assert len(_run(Shaken(alone=5e-4), tmp_path / "p")) == 5 * SETS


def test_a_further_backend_that_answers_otherwise_alone_is_refused(tmp_path: Path) -> None:
    trials = _run(_sound(), tmp_path / "p")
    with pytest.raises(ScanError, match="in a batch and alone"):
        evidence.compare(Shaken(alone=0.01), planted.small_world(SETS), trials, clusters=9)


# --- the journal of an interrupted run ----------------------------------------------------------


def test_a_forged_journal_is_not_continued(tmp_path: Path) -> None:
    honest = trials_bytes(_run(_sound(), tmp_path / "honest"))
    _run(planted.FakeGuard(planted.flag_none), tmp_path / "p")  # same header, other answers
    assert trials_bytes(_run(_sound(), tmp_path / "p")) == honest


def _rewritten(partial: Path, old: bytes, new: bytes) -> None:
    path = partial / "rows.jsonl"
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))


def test_vectors_that_are_not_those_of_their_rows_are_not_continued(tmp_path: Path) -> None:
    honest = vectors_bytes(_collect(_sound(), tmp_path / "p"))
    data = tmp_path / "p" / "vectors.f32"
    data.write_bytes(data.read_bytes()[:-64] + bytes(64))  # as a power cut can leave it
    assert vectors_bytes(_collect(_sound(), tmp_path / "p")) == honest


def test_a_single_changed_row_is_noticed(tmp_path: Path) -> None:
    found = _collect(_sound(), tmp_path / "p")
    risk = next(repr(trial.risk).encode() for trial in found.trials if not trial.flagged)
    _rewritten(tmp_path / "p", b'"risk":' + risk, b'"risk":' + repr(0.123).encode())
    assert trials_bytes(_run(_sound(), tmp_path / "p")) == trials_bytes(found.trials)


def test_a_journal_with_the_vectors_of_another_guard_is_not_continued(tmp_path: Path) -> None:
    honest = vectors_bytes(_collect(_sound(), tmp_path / "honest"))
    _collect(planted.FakeGuard(planted.sound, vector="collapsed"), tmp_path / "p")  # same header
    assert vectors_bytes(_collect(_sound(), tmp_path / "p")) == honest


def test_a_journal_in_which_others_can_write_is_not_continued(tmp_path: Path) -> None:
    guard, again = _sound(), _sound()
    _run(guard, tmp_path / "p")
    assert (tmp_path / "p").stat().st_mode & 0o077 == 0
    (tmp_path / "p").chmod(0o777)
    _run(again, tmp_path / "p")
    assert again.calls == guard.calls
    assert (tmp_path / "p").stat().st_mode & 0o077 == 0


def test_a_journal_behind_a_link_is_not_continued(tmp_path: Path) -> None:
    guard, again = _sound(), _sound()
    _run(guard, tmp_path / "elsewhere")
    (tmp_path / "p").symlink_to(tmp_path / "elsewhere")
    _run(again, tmp_path / "p")
    assert again.calls == guard.calls


def test_one_row_in_fifty_is_scored_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "RESCORED", 1)
    monkeypatch.setattr(evidence, "RESCORED_SHARE", 2)
    _run(_sound(), tmp_path / "p")
    again = _sound()
    _run(again, tmp_path / "p")
    assert again.calls == math.ceil(5 * SETS / 2 / evidence.BATCH) + 32  # and the noise


def test_a_run_interrupted_on_another_backend_begins_again(tmp_path: Path) -> None:
    _run(_sound(), tmp_path / "p")
    assert {trial.backend for trial in _run(_sound(BF16), tmp_path / "p")} == {BF16}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"trial":{', b'{"trial":'),
        (b'"width":8', b'"width":0'),
        (b',"width":8', b""),
        (b'{"trial":', b'{"trail":'),
        (b'"risk":', b'"risk":1e999,"was":'),
        (b'"kind":"', b'"kind":"not-'),
        (b'"cluster":"', b'"cluster":"not-'),
        (b'{"trial":', b"\xff" * 9),
    ],
)
def test_a_damaged_journal_counts_as_absent(tmp_path: Path, old: bytes, new: bytes) -> None:
    honest = trials_bytes(_run(_sound(), tmp_path / "p"))
    rows = tmp_path / "p" / "rows.jsonl"
    rows.write_bytes(rows.read_bytes().replace(old, new))
    assert trials_bytes(_run(_sound(), tmp_path / "p")) == honest


def test_a_file_in_the_place_of_the_journal_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("in the way")
    assert len(_run(_sound(), tmp_path / "p")) == 5 * SETS


# --- copies in an audit file --------------------------------------------------------------------


def test_copies_of_one_document_are_one_cluster() -> None:
    one, two, three = planted.small_world(3)
    copy = replace(one, id="copy", cluster={"carrier": "copied"})
    chained = replace(two, id="chained", cluster={"carrier": "copied"})
    planned = plan([one, two, three, copy, chained])
    cluster = {item.fields["set_id"]: item.fields["cluster"] for item in planned}
    assert len({cluster[row.id] for row in (one, two, copy, chained)}) == 1
    assert cluster[three.id] not in {cluster[one.id], "copied"}


def test_rendered_sets_keep_their_clusters() -> None:
    sets = {triplet.id: triplet for triplet in engine.generate(40, seed=3, split="audit")}
    for item in plan(list(sets.values())):
        assert item.fields["cluster"] == sets[item.fields["set_id"]].cluster["carrier"]
