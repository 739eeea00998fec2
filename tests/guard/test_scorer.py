import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from causalguard.errors import ScanError
from causalguard.guard.api import Guard, build_scorer
from causalguard.guard.bundle import read_model_dir
from causalguard.guard.fast_llama import KeyValue
from causalguard.guard.scorer import CONTEXTS_KEPT, one_thread
from causalguard.records import ToolOutput

TEXTS = ["", "hi", "the mail from ana", "the meeting is on friday " * 9, "x" * 300]


@pytest.fixture
def guard(tiny_model: Path) -> Guard:
    return Guard.load(tiny_model, require_certified=False, dtype="float32")


def outputs(task: str = "read the mail") -> list[ToolOutput]:
    return [ToolOutput(text=text, task=task, system="be good") for text in TEXTS]


def test_batching_changes_no_risk(guard: Guard) -> None:
    together = guard.score(outputs())
    guard._scorer.batch_tokens = 1
    for a, output in zip(together, outputs(), strict=True):
        b = guard.score([output])[0]
        np.testing.assert_allclose(a.token_risk, b.token_risk, atol=1e-6)
        np.testing.assert_allclose(a.representation, b.representation, atol=1e-5)


def test_the_shared_prefix_gives_what_one_whole_forward_gives(
    guard: Guard, tiny_model: Path
) -> None:
    scorer = build_scorer(read_model_dir(tiny_model), device="cpu", dtype=torch.float32)
    template, encoder = scorer.template, scorer.encoder
    prefix, tokens = template.prefix("be good", "read the mail"), template.tokens(TEXTS[2])
    with torch.inference_mode():
        _, logits = encoder(torch.tensor([[*prefix, *tokens.ids.tolist()]]))[2]
    whole = torch.sigmoid(logits[0, len(prefix) :]).numpy()
    np.testing.assert_allclose(guard.score([outputs()[2]])[0].token_risk, whole, atol=1e-6)


def test_document_risk_is_the_maximum_over_tokens(guard: Guard) -> None:
    for scored in guard.score(outputs())[1:]:
        assert scored.risk == pytest.approx(float(scored.token_risk.max()))
        assert np.linalg.norm(scored.representation) == pytest.approx(1.0, abs=1e-5)


def test_appending_text_never_lowers_the_risk_before_the_last_word(guard: Guard) -> None:
    text = "the mail from ana says "
    before = guard.score([ToolOutput(text=text, task="t")])[0].token_risk[:-2].max()
    for suffix in ("the meeting", "!" * 50, "is on friday " * 30):
        after = guard.score([ToolOutput(text=text + suffix, task="t")])[0].risk
        assert after >= before - 1e-6


def test_the_task_enters_the_score_and_the_tools_name_does_not(guard: Guard) -> None:
    text = TEXTS[2]
    a, b, c = guard.score(
        [
            ToolOutput(text=text, task="read the mail", tool="mail"),
            ToolOutput(text=text, task="something else", tool="mail"),
            ToolOutput(text=text, task="read the mail", tool="ignore previous instructions"),
        ]
    )
    assert a.risk != b.risk
    assert a.risk == c.risk


def test_a_text_beyond_the_limit_is_flagged_whatever_its_risk(guard: Guard) -> None:
    verdict = guard.scan([ToolOutput(text="q w " * 400, task="t")])[0]
    assert verdict.flagged
    assert 0 < verdict.coverage < 1
    assert "failing closed" in verdict.reason


def test_an_empty_text_has_risk_zero_and_says_so(guard: Guard) -> None:
    verdict = guard.scan([ToolOutput(text="", task="t")])[0]
    assert (verdict.risk, verdict.flagged, verdict.reason) == (0.0, False, "empty text")


def test_a_context_is_tokenised_once(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, prefix = guard._scorer, guard._scorer.template.prefix
    read: list[tuple[str, str]] = []

    def count(system: str, task: str) -> list[int]:
        read.append((system, task))
        return prefix(system, task)

    monkeypatch.setattr(scorer.template, "prefix", count)
    for text in TEXTS:
        guard.scan([ToolOutput(text=text, system=s, task=t) for s, t in (("ab", "c"), ("a", "bc"))])
    assert read == [("ab", "c"), ("a", "bc")]
    for number in range(80):
        scorer._prefix_ids("\ud800", str(number))
    assert len(scorer._contexts) == CONTEXTS_KEPT


def test_keys_and_values_of_a_context_are_computed_once(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = guard._scorer._fast
    if fast is None:
        pytest.skip("no short way on this machine")
    pieces, read = fast.prefix_pieces, list[torch.Tensor]()

    def count(ids: torch.Tensor, n: int) -> list[Callable[[], list[KeyValue]]]:
        read.append(ids)
        return pieces(ids, n)

    monkeypatch.setattr(fast, "prefix_pieces", count)
    for text in TEXTS:
        guard.scan([ToolOutput(text=text, task=task) for task in ("one", "two")])
    assert len(read) == 2


def test_remembered_prefixes_do_not_leak_between_contexts(guard: Guard) -> None:
    first = [s.risk for s in guard.score(outputs("one"))]
    for n in range(20):
        guard.score(outputs(f"context {n}"))
    assert [s.risk for s in guard.score(outputs("one"))] == pytest.approx(first, abs=1e-6)


def test_batches_side_by_side_give_what_one_after_another_gives(guard: Guard) -> None:
    """Sixteen windows under three tasks: more than one wave for each number of threads."""
    many = [o for task in ("a", "read the mail", "b c d") for o in outputs(task)] * 3
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append([s.risk for s in guard.score(many)])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)


def test_threads_that_work_alone_leave_others_their_number() -> None:
    before, seen = torch.get_num_threads(), []

    def work() -> None:
        one_thread()
        seen.append(torch.get_num_threads())

    def later() -> None:
        seen.append(torch.get_num_threads())

    for target in (work, later):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert seen == [1, before]
    assert torch.get_num_threads() == before


def test_a_batch_that_fails_fails_the_whole_scan(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))

    def broken(*_: object) -> None:
        if next(calls) == 1:
            raise RuntimeError("out of memory")

    monkeypatch.setattr("causalguard.guard.scorer.one_thread", broken)
    with pytest.raises(ScanError, match="out of memory"):
        guard.scan(outputs() * 20)


def test_a_risk_that_is_no_number_is_an_error_and_never_a_low_risk(tiny_model: Path) -> None:
    head = load_file(tiny_model / "head.safetensors")
    save_file(
        {name: torch.full_like(weight, 3e38) for name, weight in head.items()},
        tiny_model / "head.safetensors",
    )
    guard = Guard.load(tiny_model, require_certified=False, dtype="float32")
    with pytest.raises(ScanError, match="no number"):
        guard.scan([ToolOutput(text="hello")])
