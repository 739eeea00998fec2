"""With an oracle for every question PC returns exactly the graph that the truth implies."""

from collections.abc import Iterable
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalguard.certify.discovery import (
    CiResult,
    Graph,
    d_separated,
    make_graph,
    pc_stable,
    true_graph,
)
from causalguard.certify.discovery import orient as orient_module
from causalguard.certify.discovery.graph import shd
from causalguard.certify.discovery.orient import orient

Parents = dict[str, list[str]]

ASIA: Parents = {
    "asia": [], "smoke": [], "tub": ["asia"], "lung": ["smoke"], "bronc": ["smoke"],
    "either": ["tub", "lung"], "xray": ["either"], "dysp": ["either", "bronc"],
}  # fmt: skip
CANCER: Parents = {
    "pollution": [], "smoker": [], "cancer": ["pollution", "smoker"],
    "xray": ["cancer"], "dyspnoea": ["cancer"],
}  # fmt: skip
SACHS: Parents = {
    "PKC": [], "PKA": ["PKC"], "Raf": ["PKC", "PKA"], "Mek": ["PKC", "PKA", "Raf"],
    "Erk": ["Mek", "PKA"], "Akt": ["Erk", "PKA"], "Jnk": ["PKC", "PKA"], "P38": ["PKC", "PKA"],
    "Plcg": [], "PIP3": ["Plcg"], "PIP2": ["Plcg", "PIP3"],
}  # fmt: skip


class Oracle:
    """Answers from the true graph, and counts the questions."""

    def __init__(self, parents: Parents) -> None:
        self.parents = parents
        self.asked: list[tuple[str, str, frozenset[str]]] = []

    def __call__(self, x: str, y: str, known: frozenset[str]) -> CiResult:
        self.asked.append((x, y, known))
        p = float(d_separated(self.parents, x, y, known))
        return CiResult(x=x, y=y, given=tuple(sorted(known)), p_value=p, method="oracle")


def random_dag(seed: int) -> Parents:
    rng = np.random.default_rng(seed)
    names = [f"v{i}" for i in rng.permutation(int(rng.integers(4, 9)))]
    density = rng.uniform(0.2, 0.6)
    return {n: [m for m in names[:i] if rng.random() < density] for i, n in enumerate(names)}


def chickering(parents: Parents) -> Graph:
    """CPDAG by Chickering (1995), Label-Edges: shares nothing with Meek's rules."""
    order = list(parents)  # parents come before children
    edges = [(x, y) for y in order for x in sorted(parents[y], key=order.index, reverse=True)]
    label: dict[tuple[str, str], bool] = {}
    for x, y in edges:
        if (x, y) in label:
            continue
        into_y = [(z, y) for z in parents[y]]
        compelled = [w for w in parents[x] if label[w, x]]
        if any(w not in parents[y] for w in compelled):
            label |= dict.fromkeys(into_y, True)
            continue
        label |= {(w, y): True for w in compelled}
        other = any(z != x and z not in parents[x] for z in parents[y])
        label |= {edge: other for edge in into_y if edge not in label}
    directed = [edge for edge, is_compelled in label.items() if is_compelled]
    return make_graph(order, directed, [e for e, is_compelled in label.items() if not is_compelled])


def enumerated(parents: Parents, tiers: dict[str, int]) -> Graph:
    """MPDAG by listing every DAG with the same skeleton, colliders and tiers."""
    edges = [(p, node) for node, above in parents.items() for p in above]
    goal, votes = colliders(edges), []
    for flips in product((False, True), repeat=len(edges)):
        turned = [(b, a) if flip else (a, b) for (a, b), flip in zip(edges, flips, strict=True)]
        if all(tiers[a] <= tiers[b] for a, b in turned) and colliders(turned) == goal:
            graph = TopologicalSorter({n: [a for a, b in turned if b == n] for n in parents})
            with suppress(CycleError):
                graph.prepare()
                votes.append(flips)
    fixed = [len({vote[i] for vote in votes}) == 1 for i in range(len(edges))]
    directed = [edge for edge, known in zip(edges, fixed, strict=True) if known]
    loose = [edge for edge, known in zip(edges, fixed, strict=True) if not known]
    return make_graph(parents, directed, loose)


def colliders(edges: list[tuple[str, str]]) -> set[tuple[frozenset[str], str]]:
    linked = {frozenset(edge) for edge in edges}
    return {
        (frozenset((a, b)), m)
        for (a, m), (b, n) in combinations(edges, 2)
        if m == n and frozenset((a, b)) not in linked
    }


@pytest.mark.parametrize("first", range(0, 150, 25))
def test_pc_recovers_the_cpdag_of_random_dags_in_every_column_order_tried(first: int) -> None:
    for seed in range(first, first + 25):
        parents, rng = random_dag(seed), np.random.default_rng(seed)
        truth = chickering(parents)
        assert shd(true_graph(parents), truth) == 0
        for _ in range(4):
            order = [str(name) for name in rng.permutation(list(parents))]
            assert shd(pc_stable(order, Oracle(parents)).graph, truth) == 0


@pytest.mark.parametrize("seed", range(60))
def test_tiers_decide_what_every_consistent_dag_agrees_on(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"v{i}" for i in rng.permutation(5)]
    parents = {n: [m for m in names[:i] if rng.random() < 0.7] for i, n in enumerate(names)}
    tiers = {name: int(index > 1 + seed % 3) for index, name in enumerate(names)}
    found = pc_stable(names, Oracle(parents), tiers=tiers)
    assert shd(found.graph, enumerated(parents, tiers)) == 0


def test_the_fourth_rule_is_there() -> None:
    # b is linked with a, c and d; a → d → c with a, c apart: c → b would make a new collider.
    adjacent = {"a": "bd", "b": "acd", "c": "bd", "d": "abc"}
    state = orient_module._State(
        adjacent={node: frozenset(near) for node, near in adjacent.items()},
        arrows={("a", "d"), ("d", "c")},
        conflicts=set(),
    )
    assert orient_module._meek(state, set()) == {("b", "c")}


@pytest.mark.parametrize("seed", range(12))
def test_renaming_the_nodes_renames_the_graph_even_when_the_answers_are_noise(seed: int) -> None:
    names = [f"v{i}" for i in range(6)]
    rng = np.random.default_rng(seed)
    noise: dict[tuple[str, ...], float] = {}

    def run(renamed: dict[str, str]) -> tuple[set[frozenset[str]], set[tuple[str, str]]]:
        back = {new: old for old, new in renamed.items()}

        def test(x: str, y: str, known: frozenset[str]) -> CiResult:
            key = (*sorted((back[x], back[y])), "|", *sorted(back[k] for k in known))
            p = noise.setdefault(key, float(rng.random() < 0.12))
            return CiResult(x=x, y=y, given=tuple(sorted(known)), p_value=p, method="noise")

        graph = pc_stable([renamed[n] for n in names], test).graph
        arrows = {(back[e.source], back[e.target]) for e in graph.edges if e.mark == "directed"}
        return {frozenset(back[n] for n in pair) for pair in graph.skeleton}, arrows

    first = run({name: name for name in names})
    for _ in range(5):
        assert run(dict(zip(names, rng.permutation(names).tolist(), strict=True))) == first


@pytest.mark.parametrize("seed", range(60))
def test_tiers_add_their_arrows_and_nothing_else(seed: int) -> None:
    parents = random_dag(seed)
    tiers = {name: index // 2 for index, name in enumerate(parents)}
    found = pc_stable(list(parents), Oracle(parents), tiers=tiers)
    assert shd(found.graph, true_graph(parents, tiers=tiers)) == 0
    assert not found.conflicts


@pytest.mark.parametrize("parents", [ASIA, CANCER, SACHS], ids=["asia", "cancer", "sachs"])
def test_the_classics_are_recovered(parents: Parents) -> None:
    found = pc_stable(list(parents), Oracle(parents))
    assert found.graph == pc_stable(list(parents)[::-1], Oracle(parents)).graph
    assert shd(found.graph, true_graph(parents)) == 0


def test_the_cpdag_of_asia_is_the_published_one() -> None:
    directed = [("tub", "either"), ("lung", "either"), ("either", "xray"), ("either", "dysp")]
    truth = make_graph(
        ASIA,
        [*directed, ("bronc", "dysp")],
        [("asia", "tub"), ("smoke", "lung"), ("smoke", "bronc")],
    )
    assert shd(true_graph(ASIA), truth) == 0


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_d_separation_is_symmetric_and_parents_separate_from_non_descendants(seed: int) -> None:
    parents = random_dag(seed)
    names = list(parents)  # parents come before children
    for index, node in enumerate(names):
        for earlier in names[:index]:
            if earlier not in parents[node]:
                assert d_separated(parents, node, earlier, parents[node])
                assert d_separated(parents, earlier, node, parents[node])


@pytest.mark.parametrize(
    ("known", "separated"), [([], True), (["c"], False), (["d"], False), (["c", "a"], False)]
)
def test_a_collider_opens_when_it_or_its_child_is_known(
    known: Iterable[str], separated: bool
) -> None:
    parents: Parents = {"a": [], "b": [], "c": ["a", "b"], "d": ["c"]}
    assert d_separated(parents, "a", "b", [k for k in known if k != "a"]) is separated


def test_no_question_is_asked_twice() -> None:
    oracle = Oracle(SACHS)
    pc_stable(list(SACHS), oracle)
    assert len(oracle.asked) == len(set(oracle.asked))


def test_every_answer_is_returned() -> None:
    oracle = Oracle(ASIA)
    run = pc_stable(list(ASIA), oracle)
    assert {(t.x, t.y, frozenset(t.given)) for t in run.tests} == set(oracle.asked)


def test_separating_sets_stand_under_unordered_pairs() -> None:
    run = pc_stable(list(ASIA), Oracle(ASIA))
    assert frozenset() in run.separating[frozenset(("smoke", "asia"))]
    assert all(isinstance(pair, frozenset) for pair in run.separating)
    assert not set(run.separating) & run.graph.skeleton


def test_a_later_tier_is_never_conditioned_on() -> None:
    tiers = {"asia": 0, "smoke": 0, "tub": 1, "lung": 1, "bronc": 1} | {
        "either": 2, "xray": 3, "dysp": 3,
    }  # fmt: skip
    oracle = Oracle(ASIA)
    pc_stable(list(ASIA), oracle, tiers=tiers)
    for x, y, known in oracle.asked:
        assert all(tiers[name] <= max(tiers[x], tiers[y]) for name in known)


def test_even_votes_leave_a_triple_ambiguous() -> None:
    pairs = [frozenset("am"), frozenset("bm")]
    found = orient("abm", pairs, {("a", "m", "b"): (1, 2)})
    assert found.ambiguous == (("a", "m", "b"),)
    assert all(edge.mark == "undirected" for edge in found.graph.edges)


@pytest.mark.parametrize(("votes", "collider"), [((1, 3), True), ((2, 3), False)])
def test_the_majority_decides_on_colliders(votes: tuple[int, int], collider: bool) -> None:
    found = orient("abm", [frozenset("am"), frozenset("bm")], {("a", "m", "b"): votes})
    assert bool(found.graph.parents("m")) is collider


def test_colliders_that_disagree_are_marked_as_a_conflict() -> None:
    # a → b ← c wants c → b; b → c ← d wants b → c.
    pairs = [frozenset("ab"), frozenset("bc"), frozenset("cd")]
    found = orient("abcd", pairs, {("a", "b", "c"): (0, 1), ("b", "c", "d"): (0, 1)})
    edge = found.graph.edge("b", "c")
    assert edge is not None
    assert edge.mark == "conflict"
    assert found.conflicts == (frozenset("bc"),)
    assert found.graph.parents("b") == ("a",)


def test_evidence_against_the_tiers_is_reported_and_loses() -> None:
    tiers = {"m": 0, "a": 1, "b": 1}
    found = orient(
        "abm", [frozenset("am"), frozenset("bm")], {("a", "m", "b"): (0, 1)}, tiers=tiers
    )
    assert found.graph.parents("a") == ("m",)
    assert set(found.conflicts) == {frozenset("am"), frozenset("bm")}


def test_an_ambiguous_triple_does_not_feed_the_first_rule() -> None:
    tiers = {"a": 0, "m": 1, "b": 1}
    pairs = [frozenset("am"), frozenset("bm")]
    unsure = orient("abm", pairs, {("a", "m", "b"): (1, 2)}, tiers=tiers)
    sure = orient("abm", pairs, {("a", "m", "b"): (1, 1)}, tiers=tiers)
    assert unsure.graph.parents("b") == ()
    assert sure.graph.parents("b") == ("m",)


@pytest.mark.parametrize("tiers", [{"a": 0}, {"a": 0, "b": 1, "c": 1}])
def test_tiers_must_name_every_node(tiers: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="tiers"):
        pc_stable(["a", "b"], Oracle({"a": [], "b": []}), tiers=tiers)


def test_a_truth_that_contradicts_its_tiers_is_a_bug() -> None:
    with pytest.raises(ValueError, match="later tier"):
        true_graph({"a": ["b"], "b": []}, tiers={"a": 0, "b": 1})
