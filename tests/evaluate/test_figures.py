import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.evaluate import report
from causalguard.evaluate.figures import (
    SourceFigures,
    by_group,
    cluster_rate,
    dilution_figures,
    length_bucket,
    one_threshold_tpr,
    roc,
    source_figures,
    twin_auroc,
)
from causalguard.evaluate.rows import Case


def case(pair: str, y: int, **facts: object) -> Case:
    return Case(**{"id": f"{pair}-{y}", "source": "s", "y": y, "pair": pair, **facts})  # type: ignore[arg-type]


def pairs(n: int, source: str = "s") -> list[Case]:
    return [case(f"{source}{i}", y, source=source) for i in range(n) for y in (0, 1)]


def table(cases: list[Case], risks: list[float], *, threshold: float = 0.5) -> SourceFigures:
    rng = np.random.default_rng(0)
    return source_figures("s", cases, np.array(risks), threshold=threshold, rng=rng, draws=100)


def twins(risks: list[float]) -> float:
    found = twin_auroc(pairs(2), np.array(risks))
    assert found is not None
    return found.value


def test_twins_are_compared_with_their_own_benign_text() -> None:
    assert twins([0.1, 0.2, 0.8, 0.9]) == 1.0
    assert twins([0.2, 0.1, 0.8, 0.9]) == 0.5
    assert twins([0.0, 0.0, 0.0, 0.0]) == 0.5


def test_injected_rows_without_a_twin_are_left_out() -> None:
    assert twin_auroc([case("a", 1), case("b", 0)], np.array([0.9, 0.1])) is None


def test_hard_negatives_of_a_set_are_no_twins() -> None:
    cases = [case("a", 1), case("a", 0, kind="benign"), case("a", 0, kind="imperative")]
    found = twin_auroc(cases, np.array([0.5, 0.1, 0.9]))
    assert found is not None
    assert found.value == 1.0


def test_figures_from_fewer_than_300_benign_clusters_are_marked() -> None:
    few, many = table(pairs(50), [0.1, 0.9] * 50), table(pairs(300), [0.1, 0.9] * 300)
    assert not few.enough(0.01)
    assert report.WEAK in report.source_cells(few)[4]
    assert many.enough(0.01)
    assert report.WEAK not in report.source_cells(many)[4]
    assert report.WEAK in report.source_cells(many)[5]


def test_frozen_rates_use_the_threshold_given() -> None:
    found = table(pairs(10), [0.4, 0.6] * 10, threshold=0.7)
    assert found.tpr_frozen is not None
    assert found.tpr_frozen.value == 0.0
    assert found.fpr_frozen is not None
    assert found.fpr_frozen.high > 0.2


def test_a_risk_at_the_threshold_is_flagged() -> None:
    found = table(pairs(5), [0.1, 0.7] * 5, threshold=0.7)
    assert found.tpr_frozen is not None
    assert found.tpr_frozen.value == 1.0


def test_a_constant_detector_gets_half() -> None:
    found = table(pairs(30), [0.3] * 60)
    assert found.auroc is not None
    assert found.auroc.value == 0.5
    assert found.tpr_at_1 is not None
    assert found.tpr_at_1.value == 0.0


def test_a_source_without_benign_rows_has_no_ranking() -> None:
    found = table([case("a", 1), case("b", 1)], [0.9, 0.2])
    assert found.auroc is found.tpr_at_1 is found.fpr_frozen is None
    assert found.tpr_frozen is not None


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=60),
)
def test_intervals_hold_the_rate_and_never_count_more_than_clusters(
    rows: list[tuple[bool, int]],
) -> None:
    found = cluster_rate(np.array([float(hit) for hit, _ in rows]), [str(c) for _, c in rows])
    assert found is not None
    assert found.low <= found.value <= found.high
    assert found.n == len({c for _, c in rows})


def test_copies_of_a_row_make_no_interval_narrower() -> None:
    one = cluster_rate(np.array([0.0, 1.0]), ["a", "b"])
    copies = cluster_rate(np.array([0.0, 1.0] * 50), ["a", "b"] * 50)
    assert one == copies


def test_one_threshold_weighs_sources_alike() -> None:
    good = (pairs(100, "a"), np.tile([0.1, 0.9], 100))
    loud = (pairs(100, "b"), np.tile([0.95, 0.99], 100))
    assert one_threshold_tpr([good], 0.01) == (1.0, 1.0)
    assert one_threshold_tpr([good, loud], 0.01) == pytest.approx((0.5, 0.0))


def test_one_threshold_lets_the_rate_be_reached() -> None:
    risks = np.array([*np.linspace(0, 0.99, 100), 0.985])
    cases = [*(case(str(i), 0) for i in range(100)), case("x", 1)]
    assert one_threshold_tpr([(cases, risks)], 0.01) == (1.0, 1.0)
    assert one_threshold_tpr([(cases, risks)], 0.0) == (0.0, 0.0)


def test_groups_have_their_own_rates() -> None:
    cases = [case("a", 1, family="f"), case("b", 1, family="g"), case("a", 0)]
    found = {
        g.group: g for g in by_group(cases, np.array([0.9, 0.1, 0.0]), 0.5, lambda c: c.family)
    }
    assert set(found) == {"f", "g"}
    assert found["f"].tpr is not None
    assert found["f"].tpr.value == 1.0
    assert found["g"].tpr is not None
    assert found["g"].tpr.value == 0.0
    assert found["f"].twin is not None
    assert found["g"].twin is None


@given(st.integers(0, 20_000))
def test_every_length_has_one_bucket(tokens: int) -> None:
    name = length_bucket(case("a", 0, tokens=tokens))
    if name.startswith(">"):
        assert tokens > int(name[2:])
    else:
        low, high = map(int, name.split("-"))
        assert low <= tokens <= high


def test_dilution_recall_is_read_at_each_length_s_own_false_positive_rate() -> None:
    def documents(level: int) -> list[Case]:
        return [
            case(str(i), y, probe="dilution", level=level, position=p)
            for i, p in enumerate(("head", "tail") * 20)
            for y in (0, 1)
        ]

    cases = [*documents(128), *documents(256)]
    risks = np.array([*([0.1, 0.2] * 40), *([0.6, 0.7, 0.6, 0.5] * 20)])
    rng = np.random.default_rng(0)
    short, long = dilution_figures(cases, risks, threshold=0.65, fpr=0.01, rng=rng)
    assert short.recall.value == 1.0
    assert short.recall_frozen is not None
    assert short.recall_frozen.value == 0.0
    assert long.recall.value == 0.5
    assert long.by_position == {"head": 1.0, "tail": 0.0}


def test_the_roc_starts_at_no_false_positives_and_never_falls() -> None:
    rng = np.random.default_rng(1)
    y = np.array([0, 1] * 100)
    points = roc(y, rng.random(200) + 0.4 * y, up_to=0.05)
    assert points[0][0] == 0.0
    assert len(points) == 6
    assert [t for _, t in points] == sorted(t for _, t in points)
