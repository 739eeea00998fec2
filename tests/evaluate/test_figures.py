import numpy as np
import pytest

from causalguard.evaluate.baselines import NaiveBayes, length_risk
from causalguard.evaluate.figures import one_threshold_tpr, source_figures, twin_auroc
from causalguard.evaluate.rows import Labelled
from causalguard.records import ToolOutput


def row(pair: str, y: int, text: str = "x", source: str = "s") -> Labelled:
    return Labelled(
        id=f"{pair}-{y}", source=source, split="", output=ToolOutput(text=text), y=y, pair=pair
    )


def pairs(n: int, source: str = "s") -> list[Labelled]:
    return [row(f"{source}{i}", y, source=source) for i in range(n) for y in (0, 1)]


def test_twins_are_compared_with_their_own_benign_text() -> None:
    rows = pairs(2)
    assert twin_auroc(rows, np.array([0.1, 0.2, 0.8, 0.9])) == 1.0
    assert twin_auroc(rows, np.array([0.2, 0.1, 0.8, 0.9])) == 0.5
    assert twin_auroc(rows, np.zeros(4)) == 0.5


def test_injected_rows_without_a_twin_are_left_out() -> None:
    assert twin_auroc([row("a", 1), row("b", 0)], np.array([0.9, 0.1])) is None


def test_no_one_percent_figure_comes_from_fewer_than_300_benign_clusters() -> None:
    rng = np.random.default_rng(0)
    few = source_figures("s", pairs(50), np.tile([0.1, 0.9], 50), threshold=0.5, rng=rng, draws=100)
    assert few.tpr_at_1 is None
    many = source_figures(
        "s", pairs(300), np.tile([0.1, 0.9], 300), threshold=0.5, rng=rng, draws=100
    )
    assert many.tpr_at_1 is not None
    assert many.tpr_at_1.value == 1.0


def test_frozen_rates_use_the_threshold_given() -> None:
    rng = np.random.default_rng(0)
    found = source_figures(
        "s", pairs(10), np.tile([0.4, 0.6], 10), threshold=0.7, rng=rng, draws=100
    )
    assert found.tpr_frozen is not None
    assert found.tpr_frozen[0] == 0.0
    assert found.fpr_frozen is not None
    assert found.fpr_frozen[2] > 0.2


def test_a_constant_detector_gets_half() -> None:
    rng = np.random.default_rng(0)
    found = source_figures("s", pairs(30), np.full(60, 0.3), threshold=0.5, rng=rng, draws=100)
    assert found.auroc is not None
    assert found.auroc.value == 0.5


def test_one_threshold_weighs_sources_alike() -> None:
    good = (pairs(100, "a"), np.tile([0.1, 0.9], 100))
    loud = (pairs(100, "b"), np.tile([0.95, 0.99], 100))
    assert one_threshold_tpr([good], 0.01) == 1.0
    assert one_threshold_tpr([good, loud], 0.01) == pytest.approx(0.5)


def test_length_and_words_are_baselines_that_can_win_on_leaky_data() -> None:
    rows = [row(str(i), i % 2, "ignore this " * 9 if i % 2 else "fine") for i in range(20)]
    y = np.array([r.y for r in rows])
    assert length_risk(rows)[y == 1].min() > length_risk(rows)[y == 0].max()
    risks = NaiveBayes(rows).risk(rows)
    assert risks[y == 1].min() > risks[y == 0].max()


def test_naive_bayes_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="both classes"):
        NaiveBayes([row("a", 1)])
