"""Responses for matched sets from the base's own answers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from causalguard.errors import DataError, OutputExistsError, ScanError
from causalguard.interventions import triplets
from causalguard.records import ToolOutput, Triplet
from causalguard.train.answers import answer_file, base_answers, whole, with_responses
from causalguard.train.cli import train_command
from causalguard.train.config import TrainConfig

Sets = Callable[..., list[Triplet]]


def test_a_sentence_that_was_cut_off_is_left_out() -> None:
    assert whole(" It is Friday. The room", ended=False) == "It is Friday."
    assert whole("Friday! And th", ended=False) == "Friday!"
    assert whole("see http://a.example/b.", ended=False) == ""
    assert whole("Not 3.5. Not 3.5. Not 3.5. N", ended=False) == "Not 3.5."
    assert whole("Friday ", ended=True) == "Friday"


def test_the_benign_text_is_answered_and_nothing_else_changes(make_sets: Sets) -> None:
    asked: list[ToolOutput] = []

    def answer(output: ToolOutput) -> tuple[str, bool]:
        asked.append(output)
        return "Yes. But", False

    sets = make_sets(2)
    made = list(with_responses([sets[0], replace(sets[1], response="Mine.")], answer))
    assert made == [replace(sets[0], response="Yes."), replace(sets[1], response="Mine.")]
    assert [o.text for o in asked] == [sets[0].benign]


def test_a_text_too_long_for_the_model_gets_no_response(make_sets: Sets) -> None:
    def answer(output: ToolOutput) -> tuple[str, bool]:
        raise ScanError("too long")

    assert [t.response for t in with_responses(make_sets(1), answer)] == [""]


def test_answers_are_the_likeliest_tokens_of_the_base(tiny_base: Path) -> None:
    answer = base_answers(str(tiny_base), "cpu", max_tokens=5)
    output = ToolOutput(text="the mail says friday", task="When?")
    assert answer(output) == answer(output)
    assert answer(output)[1] is False


def test_files_are_not_overwritten_and_none_without_an_answer_is_written(
    config: TrainConfig, make_sets: Sets, tmp_path: Path
) -> None:
    source, output = tmp_path / "sets.jsonl", tmp_path / "answered.jsonl"
    triplets.write(source, make_sets(2))
    with pytest.raises(OutputExistsError):
        answer_file(source, source, config, device="cpu")
    with pytest.raises(DataError, match="write `response` into the rows yourself"):
        answer_file(source, output, config, device="cpu")
    assert not output.exists()


def test_the_command_writes_the_sets_with_their_responses(
    config: TrainConfig, make_sets: Sets, tmp_path: Path
) -> None:
    source, output = tmp_path / "sets.jsonl", tmp_path / "answered.jsonl"
    triplets.write(source, [replace(t, response="Mine.") for t in make_sets(2)])
    (tmp_path / "c.yaml").write_text(config.to_yaml())
    arguments = ["--config", str(tmp_path / "c.yaml"), "--answers", str(source)]
    assert CliRunner().invoke(train_command, arguments).exit_code != 0
    done = CliRunner().invoke(train_command, [*arguments, "--output", str(output)])
    assert "2 of 2 matched sets have a response" in done.output
    assert triplets.read(output) == triplets.read(source)
