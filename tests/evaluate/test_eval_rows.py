import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from causalguard.evaluate.rows import (
    Case,
    Columns,
    Labelled,
    from_json,
    read_labelled,
    thin,
    to_json,
)
from causalguard.records import ToolOutput


def row(pair: str, y: int, number: int = 0) -> Labelled:
    case = Case(id=f"{pair}/{y}/{number}", source="s", y=y, pair=pair)
    return Labelled(case=case, output=ToolOutput(text="x"))


def test_a_sample_takes_twins_before_anything_else() -> None:
    rows = [row(f"alone{i}", 0) for i in range(50)]
    rows += [row(f"pair{i}", y) for i in range(10) for y in (0, 1)]
    kept = thin(rows, 10, np.random.default_rng(0))
    assert {r.case.pair for r in kept} == {f"pair{i}" for i in range(10)}


def test_every_pair_gives_a_row_before_any_gives_two() -> None:
    rows = [row("big", 1, k) for k in range(50)] + [row(f"p{i}", 1) for i in range(5)]
    kept = thin(rows, 6, np.random.default_rng(0))
    assert len({r.case.pair for r in kept}) == 6


@given(st.integers(1, 30), st.integers(0, 5))
def test_samples_are_as_large_as_asked_for_and_the_same_for_a_seed(limit: int, seed: int) -> None:
    rows = [row(f"p{i % 7}", i % 2, i) for i in range(40)]
    kept = thin(rows, limit, np.random.default_rng(seed))
    assert [sum(r.case.y == y for r in kept) for y in (0, 1)] == [min(limit, 20)] * 2
    assert kept == thin(rows, limit, np.random.default_rng(seed))


def test_scored_cases_come_back_as_written() -> None:
    case = Case(id="a", source="s", y=0, pair="p", level=128, position="head", probe="dilution")
    written = json.loads(json.dumps(to_json(case, {"guard": 0.25})))
    assert from_json(written) == (case, {"guard": 0.25})


def test_columns_say_where_parts_and_families_stand(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    meta = {"context": "mail", "attack": "naive", "shape": "json"}
    path.write_text(json.dumps({"text": "a", "label": 1, "split": "x", "meta": meta}) + "\n")
    columns = Columns(part="context", family="attack", format="shape")
    case = read_labelled(path, columns, source="named")[0].case
    assert (case.part, case.family, case.format, case.source) == ("mail", "naive", "json", "named")
    assert read_labelled(path)[0].case.part == "x"


def test_rows_without_a_pair_are_clusters_by_their_text(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps({"text": t, "label": 0}) + "\n" for t in ("a", "a", "b")))
    pairs = [r.case.pair for r in read_labelled(path)]
    assert pairs[0] == pairs[1] != pairs[2]
