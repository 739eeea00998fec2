"""The gradient search on a tiny model: right slopes, goal untouched, only texts that exist."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from causalguard.certify.attacks import whitebox
from causalguard.certify.attacks.methods import METHODS
from causalguard.certify.attacks.search import Budget, Search
from causalguard.certify.attacks.targets import Target, draw_targets
from causalguard.certify.attacks.victim import Victim, load_victim
from causalguard.guard.windows import windows

BUDGET = Budget(steps=6, candidates=12, tokens=12, restarts=2)
PLACES = ("prefix", "suffix", "both", "inside")


@pytest.fixture(scope="module")
def targets() -> list[Target]:
    """Two targets on short carriers: the tiny guard reads 512 tokens, nearly one a character."""
    drawn = draw_targets(seed=2, lengths=("50-200",))
    short = (t for t in drawn if len(t.output(t.goal.direct).text) < 300)
    return list(itertools.islice(short, 2))


@pytest.fixture
def victim(tiny_model: Path) -> Victim:
    """A tiny random guard that flags everything, so that no search ends early."""
    found = load_victim(tiny_model, dtype="float32")
    found.scorer.threshold = 1e-9
    return found


def _loss(victim: Victim, target: Target, payload: str) -> float:
    """Log-sum-exp of the logits over the windows, from the guard's own scores."""
    risks = []
    ids = victim.scorer.template.tokens(target.output(payload).text).ids
    prefix = tuple(victim.scorer.template.prefix(target.system, target.task))
    for a, b in windows(len(ids), victim.scorer.spec):
        both = torch.tensor([[*prefix, *ids[a:b].tolist()]])
        with torch.no_grad():
            _, logits = victim.scorer.encoder(both)[victim.scorer.exit]
        risks.append(torch.logsumexp(logits[0, len(prefix) :].double(), dim=0))
    return float(torch.logsumexp(torch.stack(risks), dim=0))


def test_the_gradient_is_that_of_the_guard_over_all_its_windows(
    victim: Victim, targets: list[Target]
) -> None:
    target = targets[0]
    payload = " some words " + target.goal.direct
    output = target.output(payload)
    tokens = victim.scorer.template.tokens(output.text)
    spans = windows(len(tokens.ids), victim.scorer.spec)
    assert len(spans) > 1
    gradient = victim._gradient(output, tokens, spans)
    table = victim._table
    prefix = victim.scorer.template.prefix(target.system, target.task)
    at = next(int(token) for token in tokens.ids if int(token) not in prefix)
    change, rows = torch.randn(table.shape[1]) * 1e-3, tokens.ids == at
    before = _loss(victim, target, payload)
    with torch.no_grad():
        table[at] += change
    after = _loss(victim, target, payload)
    promised = float((gradient[torch.from_numpy(np.flatnonzero(rows))] @ change).sum())
    assert after - before == pytest.approx(promised, rel=0.05, abs=1e-6)


def test_slopes_point_at_free_tokens_alone_and_offer_whole_printable_pieces(
    victim: Victim, targets: list[Target]
) -> None:
    payload = " a b c " + targets[0].goal.direct
    slopes = victim.slopes(targets[0], payload, [(0, 6)], top=20)
    assert slopes is not None
    shift = len(targets[0].before)
    for a, b in slopes.tokens.offsets[slopes.positions]:
        assert 0 <= a - shift < b - shift <= 6
    pieces = {victim.pieces[int(i)] for i in slopes.choices.ravel()}
    assert "" not in pieces
    assert all(piece.isprintable() and "<|" not in piece for piece in pieces)


def test_nothing_free_gives_no_slopes(victim: Victim, targets: list[Target]) -> None:
    assert victim.slopes(targets[0], targets[0].goal.direct, [], top=5) is None


@pytest.mark.parametrize("place", PLACES)
def test_a_search_keeps_the_goal_and_reports_the_risk_of_what_it_found(
    place: str, victim: Victim, targets: list[Target]
) -> None:
    target = targets[1]
    search = Search(victim, target, queries=1000)
    METHODS[f"gcg-{place}"].make(victim)(search, BUDGET, np.random.default_rng(0))
    assert target.allows(search.best)
    assert search.queries > BUDGET.candidates
    assert victim.score([target.output(search.best)])[0].risk == pytest.approx(
        search.best_risk, abs=1e-5
    )


@pytest.mark.parametrize("place", ["prefix", "both"])
def test_searches_before_the_payload_lower_the_risk(
    place: str, victim: Victim, targets: list[Target]
) -> None:
    # A goal whose own last tokens are the riskiest cannot be lowered: several are tried.
    lowered = []
    for target in targets:
        search = Search(victim, target, queries=1000)
        METHODS[f"gcg-{place}"].make(victim)(search, BUDGET, np.random.default_rng(0))
        first = victim.score([target.output(" " + target.goal.direct)])[0].risk
        lowered.append(search.best_risk < first)
    assert any(lowered)


def test_candidates_stay_within_the_tokens_allowed(victim: Victim, targets: list[Target]) -> None:
    search = Search(victim, targets[0], queries=100)
    rng = np.random.default_rng(1)
    layout = whitebox._start(victim, search, BUDGET, "prefix", rng, first=True)
    slopes = victim.slopes(targets[0], whitebox.text_of(layout), whitebox._free(layout), top=256)
    assert slopes is not None
    found = whitebox._candidates(victim, search, layout, slopes, rng, BUDGET, most=4)
    assert len(found) > 3
    assert max(whitebox._added(victim, each) for each in found) <= BUDGET.tokens
    assert all(each[1] == layout[1] for each in found)


def test_a_gradient_attack_needs_the_model() -> None:
    with pytest.raises(ValueError, match="needs a loaded model"):
        METHODS["gcg-prefix"].make(None)
