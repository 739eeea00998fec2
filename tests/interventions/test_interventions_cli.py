"""guard-data: files in, files out, exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from causalguard import console
from causalguard.errors import ConfigError, DataError, OutputExistsError
from causalguard.interventions import triplets
from causalguard.interventions.cli import command


def run(*arguments: object, fails: type[Exception] | None = None) -> Result:
    result = CliRunner().invoke(command, [str(one) for one in arguments])
    if fails is None:
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    else:
        assert isinstance(result.exception, fails)
    return result


def code_of(*arguments: object) -> int:
    value = command.main([str(one) for one in arguments], standalone_mode=False)
    return int(value or 0)


def test_triplets_are_written_validated_and_reproducible(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for path in (first, second):
        run("triplets", "-n", 12, "--split", "train", "--seed", 4, "-o", path)
    assert first.read_bytes() == second.read_bytes()
    assert len(triplets.read(first)) == 12
    assert "12 sets" in run("validate", first, second).output


def test_an_existing_output_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("mine")
    run("triplets", "-n", 2, "-o", path, fails=OutputExistsError)
    assert path.read_text() == "mine"


def test_unknown_names_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    run("triplets", "--formats", "docx", "-o", path, fails=ConfigError)
    run("triplets", "--families", "nobody,none", "-o", path, fails=ConfigError)
    assert not any(tmp_path.iterdir())


def test_validate_lists_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"schema": "triplet/1"}\n[]\n')
    run("validate", path, fails=DataError)


def test_check_prints_its_figures_and_fails_on_a_copied_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = tmp_path / "train.jsonl"
    run("triplets", "-n", 60, "-o", train)
    assert code_of("check", train, "--against", train) == console.NEGATIVE
    printed = capsys.readouterr().out
    for words in ("naive Bayes", "length alone", "seen before", "shared carriers"):
        assert words in printed


def test_own_carriers_are_used(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = [
        {"text": f"{word} arrived at noon. {word} was late.", "task": "When?", "tool": "t"}
        for word in (
            "apples",
            "pears",
            "plums",
            "cherries",
            "figs",
            "dates",
            "nuts",
            "beans",
            "rice",
        )
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "out.jsonl"
    run("triplets", "-n", 5, "--carriers", folder, "-o", path)
    made = triplets.read(path)
    assert {one.task for one in made} == {"When?"}
    assert {one.benign for one in made} <= {row["text"] for row in rows}


def test_families_are_listed_with_their_sources() -> None:
    output = run("families").output
    assert output.count("\n") >= 40
    assert "held out" in output
    assert '"' in run("families", "--examples", 1).output


def test_import_keeps_what_may_be_shipped_and_drops_test_sets(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "label": 0, "source": "s", "license": "MIT"},
        {"text": "b", "label": 1, "source": "s", "license": "CC-BY-SA-4.0"},
        {"text": "c", "label": 1, "source": "agentdojo", "license": "MIT"},
    ]
    given = tmp_path / "in.jsonl"
    given.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out.jsonl"
    assert "1 of 3 rows" in run("import", "rows", given, "--shippable", "-o", out).output
    assert json.loads(out.read_text())["text"] == "a"


def test_carriers_are_counted_over_all_splits() -> None:
    lines = run("carriers", "-n", 40).output.splitlines()
    counts = [int(line.split()[1]) for line in lines]
    assert counts[-1] == sum(counts[:-1])
    assert counts[-1] > 140


def test_help_teaches_a_first_run() -> None:
    assert "guard-data check" in run("--help").output
    for name in ("triplets", "check", "validate", "families", "import"):
        assert run(name, "--help").exit_code == 0
