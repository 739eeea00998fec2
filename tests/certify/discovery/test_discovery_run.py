"""Discovery on data: order, degenerate columns, clusters, stability, and the drawing."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from causalguard.certify import discovery
from causalguard.certify.discovery import Discovery, Edge, Graph, discover, make_graph
from causalguard.errors import InputError

Columns = dict[str, np.ndarray]
TIERS = {"topic": 0, "injected": 0, "tool": 1, "R": 2, "risk": 3}


def guard_like(seed: int, n: int) -> Columns:
    """topic → tool, injected → R → risk; R is a block."""
    rng = np.random.default_rng(seed)
    topic, injected = rng.integers(0, 3, n), rng.integers(0, 2, n)
    tool = np.where(rng.random(n) < 0.6, topic, rng.integers(0, 3, n))
    rows = rng.standard_normal((n, 8))
    rows[:, 3] += 1.5 * injected
    return {
        "topic": topic.astype(np.str_),
        "tool": tool.astype(np.str_),
        "injected": injected.astype(bool),
        "R": rows,
        "risk": np.tanh(rows[:, 3]) + 0.4 * rng.standard_normal(n),
    }


def run(columns: Columns, **settings: object) -> Discovery:
    options = {"half_samples": 0, "tiers": TIERS} | settings
    return discover(columns, rng=np.random.default_rng(0), **options)  # type: ignore[arg-type]


def test_the_true_graph_is_found() -> None:
    truth = make_graph(TIERS, [("topic", "tool"), ("injected", "R"), ("R", "risk")])
    assert discovery.shd(run(guard_like(1, 1000)).graph, truth) == 0


def test_twenty_column_orders_give_one_graph() -> None:
    columns, rng = guard_like(2, 250), np.random.default_rng(3)
    graphs = set()
    for _ in range(20):
        order = [str(name) for name in rng.permutation(list(columns))]
        found = run({name: columns[name] for name in order}, tiers=None)
        graphs.add((found.graph.edges, found.ambiguous, found.tests))
    assert len(graphs) == 1


def test_padding_a_block_leaves_the_skeleton() -> None:
    columns = guard_like(4, 300)
    R = columns["R"]
    padded = columns | {"R": np.column_stack([R, R[:, 0], np.zeros(300), R @ np.ones(8)])}
    assert run(padded).graph.skeleton == run(columns).graph.skeleton


@pytest.mark.parametrize("extra", [lambda c: c["risk"], lambda c: np.zeros(len(c["risk"]))])
def test_a_copied_or_constant_column_is_refused(extra: object) -> None:
    columns = guard_like(5, 100)
    assert callable(extra)
    with pytest.raises(InputError, match="extra"):
        run(columns | {"extra": extra(columns)}, tiers=None)


def test_few_clusters_are_inconclusive_whatever_the_rows() -> None:
    columns = {name: np.repeat(v, 5, axis=0) for name, v in guard_like(6, 300).items()}
    found = run(columns, clusters=[f"c{i // 5}" for i in range(1500)])
    assert (found.result, found.clusters, found.clusters_needed) == ("INCONCLUSIVE", 300, 1000)


def test_a_thousand_clusters_are_conclusive() -> None:
    assert run(guard_like(7, 1000)).result == "CONCLUSIVE"


def test_copies_within_a_cluster_do_not_count_as_evidence() -> None:
    rng = np.random.default_rng(8)
    columns = {name: np.repeat(rng.standard_normal(12), 50) for name in "ab"}
    columns["a"] += 0.01 * rng.standard_normal(600)
    columns["b"] += 0.01 * rng.standard_normal(600)
    clusters = [str(i // 50) for i in range(600)]
    assert run(columns, tiers=None).graph.edges
    assert not run(columns, tiers=None, clusters=clusters).graph.edges


def test_half_samples_give_frequencies_and_progress() -> None:
    told: list[tuple[int, int]] = []
    found = run(
        guard_like(9, 500), half_samples=6, progress=lambda done, of: told.append((done, of))
    )
    edge = found.graph.edge("injected", "R")
    assert edge is not None
    assert (edge.frequency, edge.arrow_frequency) == (1.0, 1.0)
    assert told == [(i, 6) for i in range(1, 7)]
    assert found.edge_frequency[frozenset(("injected", "R"))] == 1
    assert edge in found.stable_edges


def test_the_same_rng_gives_the_same_discovery() -> None:
    columns = guard_like(10, 200)
    assert run(columns, half_samples=3) == run(columns, half_samples=3)


def test_every_edge_carries_its_largest_p_value() -> None:
    found = run(guard_like(11, 300))
    for edge in found.graph.edges:
        values = [t.p_value for t in found.tests if {t.x, t.y} == edge.pair]
        assert edge.p_value == max(values) <= found.alpha


def test_tiers_are_stated_as_an_assumption() -> None:
    assert "given, not learned" in run(guard_like(12, 100)).assumptions[-1]
    assert not any("Tiers" in text for text in run(guard_like(12, 100), tiers=None).assumptions)


def test_clusters_must_match_the_rows() -> None:
    with pytest.raises(InputError, match="one per row"):
        run(guard_like(13, 100), clusters=["a"])


def drawn(tiers: dict[str, int] | None = None) -> Graph:
    return make_graph(
        ["a<b", "c", "d", "e"],
        [("a<b", "c"), ("a<b", "e")],
        [("c", "d")],
        conflicts=[("d", "e")],
        tiers=tiers,
    )


@pytest.mark.parametrize("tiers", [None, {"a<b": 0, "c": 1, "d": 1, "e": 2}])
def test_the_svg_is_well_formed_and_takes_the_page_colour(tiers: dict[str, int] | None) -> None:
    picture = drawn(tiers).to_svg()
    root = ET.fromstring(picture)
    texts = ["".join(t.itertext()) for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["a<b", "c", "d", "e"]
    assert "currentColor" in picture
    assert "#" not in picture
    assert "id=" not in picture


def test_the_svg_has_a_head_per_arrow_and_two_per_conflict() -> None:
    assert drawn().to_svg().count("<polygon") == 4


def test_tiers_become_columns() -> None:
    picture = drawn({"a<b": 0, "c": 1, "d": 1, "e": 2}).to_svg()
    root = ET.fromstring(picture)
    x = [float(t.get("x", "nan")) for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert x[0] < x[1] == x[2] < x[3]


def test_edges_that_are_seldom_found_are_faint() -> None:
    edge = Edge(source="a", target="b", mark="directed", frequency=0.4, arrow_frequency=0.4)
    picture = Graph(nodes=("a", "b"), edges=(edge,)).to_svg()
    assert 'opacity="0.45"' in picture
    assert "in 40% of half-samples" in picture


def test_dot_quotes_names_and_marks_edges() -> None:
    text = make_graph(['q"x', "y", "z"], [('q"x', "y")], [("y", "z")]).to_dot()
    assert '"q\\"x" -> "y";' in text
    assert '"y" -> "z" [dir=none];' in text


def test_an_edge_given_twice_is_a_bug() -> None:
    with pytest.raises(ValueError, match="twice"):
        make_graph("ab", [("a", "b")], [("a", "b")])


def test_shd_counts_each_differing_pair_once() -> None:
    truth = make_graph("abcd", [("a", "b"), ("b", "c")], [("c", "d")])
    found = make_graph("abcd", [("b", "a")], [("c", "d"), ("a", "d")])
    assert discovery.shd(found, truth) == 3
