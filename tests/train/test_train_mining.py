from collections.abc import Sequence
from pathlib import Path

import pytest

from causalguard.interventions import engine, triplets
from causalguard.records import ToolOutput, Verdict
from causalguard.train import mining, mining_cli


class Scripted:
    """Risk .9 for whatever the words name, else .1; remembers how many it saw at once."""

    def __init__(self, *words: str) -> None:
        self.words, self.batches = words, list[int]()

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        self.batches.append(len(outputs))
        return [self._verdict(o.id.endswith(self.words)) for o in outputs]

    def _verdict(self, flagged: bool) -> Verdict:
        return Verdict(risk=0.9 if flagged else 0.1, threshold=0.5, flagged=flagged)


def test_a_margin_compares_the_weakest_attack_with_the_most_alarming_innocent() -> None:
    assert mining.margin([0.1, 0.3, 0.9, 0.8], [0, 0, 1, 1]) == pytest.approx(0.5)
    assert mining.margin([0.1, 0.95, 0.9], [0, 0, 1]) < 0


def test_a_guard_that_errs_on_one_kind_finds_the_sets_with_that_kind_hardest() -> None:
    sets = list(engine.generate(80, seed=4, split="train", lengths=["50-200"]))
    guard = Scripted("injected", "misled", "authorised")
    hard = mining.hardest(mining.margins(guard, sets), 5)
    assert all(one.authorised_task and value == 0 for value, one in hard)
    assert max(guard.batches) < len(sets) * 6  # a stream, not the whole pool at once


def test_equal_margins_keep_the_order_in_which_they_came() -> None:
    sets = list(engine.generate(6, seed=4, split="train", lengths=["50-200"]))
    hard = mining.hardest([(0.5, one) for one in sets], 3)
    assert [one.id for _, one in hard] == [one.id for one in sets[:3]]


class Literal:
    """As Scripted, but risky is a text that holds the word, spelt rightly."""

    def __init__(self, word: str) -> None:
        self.word = word

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        risks = [0.9 if self.word in o.text else 0.1 for o in outputs]
        return [Verdict(risk=r, threshold=0.5, flagged=r > 0.5) for r in risks]


def test_a_guard_that_knows_a_word_by_its_letters_is_shown_it_misspelt() -> None:
    one = next(
        one
        for one in engine.generate(40, seed=4, split="train", lengths=["50-200"])
        if "please" in one.injected[one.span.start : one.span.end] and "please" not in one.benign
    )
    (found,) = mining.misspelt(Literal("please"), [one], tries=40, seed=1)
    assert "please" not in found.injected
    assert [found] == list(mining.misspelt(Literal("please"), [one], tries=40, seed=1))


def test_a_set_stays_as_it_is_when_no_spelling_looks_safer() -> None:
    sets = list(engine.generate(6, seed=4, split="train", lengths=["50-200"]))
    assert list(mining.misspelt(Scripted("injected"), sets, tries=3, seed=0)) == sets


def test_mined_sets_are_a_file_that_training_reads(tiny_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "hard.jsonl"
    options = ["-n", "6", "--keep", "2", "--lengths", "50-200", "--spellings", "1"]
    options += ["-o", str(output)]
    mining_cli.command.main([str(tiny_model), *options], standalone_mode=False)
    kept = triplets.read(output)
    drawn = {one.id for one in engine.generate(6, seed=0, split="train", lengths=["50-200"])}
    assert len(kept) == 2
    assert {one.id for one in kept} <= drawn
