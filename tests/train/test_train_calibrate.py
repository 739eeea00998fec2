"""Choosing the threshold, on risks that are known."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.errors import ConfigError
from causalguard.records import ToolOutput
from causalguard.train.calibrate import BenignOutput, check_enough, choose_threshold, read_benign

LEVELS = {"alpha": 0.01, "delta": 0.05}


class Known:
    """A scorer whose risk of a text is the number that it says."""

    def score(self, outputs: Sequence[ToolOutput], /) -> Any:
        return [SimpleNamespace(risk=float(output.text)) for output in outputs]


def outputs(risks: Sequence[float], stratum: str = "") -> list[BenignOutput]:
    return [
        BenignOutput(
            output=ToolOutput(text=str(r), tool="t"), cluster=f"{stratum}{k}", stratum=stratum
        )
        for k, r in enumerate(risks)
    ]


def draw(low: float, high: float, n: int, seed: int) -> list[float]:
    return list(map(float, np.random.default_rng(seed).uniform(low, high, n)))


def test_easy_outputs_make_no_room_for_errors_among_hard_ones() -> None:
    hard, easy = draw(0.0, 0.95, 700, 1), draw(0.0, 0.1, 700, 2)
    alone = choose_threshold(Known(), outputs(hard), **LEVELS)
    together = choose_threshold(Known(), outputs(hard + easy), **LEVELS)
    apart = choose_threshold(Known(), outputs(hard, "h") + outputs(easy, "e"), **LEVELS)
    assert together.value < alone.value
    assert apart.value == alone.value
    assert (apart.benign_clusters, apart.false_positives) == (1400, alone.false_positives)
    assert apart.rule.endswith(", in each of e, h")


@given(seed=st.integers(0, 2**31))
def test_the_threshold_of_strata_is_the_highest_of_theirs(seed: int) -> None:
    parts = {name: outputs(draw(0, 0.9, 320, seed + k), name) for k, name in enumerate("ab")}
    both = choose_threshold(Known(), parts["a"] + parts["b"], **LEVELS).value
    assert both == max(choose_threshold(Known(), p, **LEVELS).value for p in parts.values())


def test_a_stratum_that_is_too_small_is_named() -> None:
    with pytest.raises(ConfigError, match="298 independent benign clusters of rows"):
        check_enough(outputs([0.1] * 400, "engine") + outputs([0.1] * 298, "rows"), **LEVELS)


def _clusters(tmp_path: Path, *rows: dict[str, str]) -> list[str]:
    file = tmp_path / "outputs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [b.cluster for b in read_benign(file)]


def test_a_text_given_many_times_counts_once(tmp_path: Path) -> None:
    texts = ["one  page\n", "another", "one page", " one page"]
    found = _clusters(tmp_path, *({"text": text, "task": str(k)} for k, text in enumerate(texts)))
    assert len(set(found)) == 2
    assert found[0] == found[2] == found[3]


def test_clusters_that_share_a_text_are_one(tmp_path: Path) -> None:
    rows = [("a", "x"), ("same", "x"), ("same", "y"), ("b", "y"), ("c", "z")]
    found = _clusters(tmp_path, *({"text": text, "cluster": name} for text, name in rows))
    assert found == ["x", "x", "x", "x", "z"]


def test_copies_cannot_make_up_for_outputs_that_are_missing(tmp_path: Path) -> None:
    file = tmp_path / "outputs.jsonl"
    file.write_text("".join(json.dumps({"text": f"page {k % 20}"}) + "\n" for k in range(999)))
    with pytest.raises(ConfigError, match=r"20 independent benign clusters.*copies"):
        check_enough(read_benign(file), alpha=0.05, delta=0.05)
