"""Nets with known graphs for benchmarks/discovery.py: random DAGs, guard7, and three classics.

The classics use their published structures with conditional probability tables of our own,
drawn once per seed.
"""

import numpy as np
from numpy.typing import NDArray

from causalguard.certify.discovery import Graph, make_graph

Parents = dict[str, list[str]]

GUARD7: Parents = {
    "instr": [],
    "topic": [],
    "tool": ["topic"],
    "len": ["tool"],
    "injected": [],
    "R": ["injected", "instr", "topic"],
    "score": ["R"],
}
GUARD7_TIERS = {
    "instr": 0, "topic": 0, "tool": 1, "len": 2, "injected": 2, "R": 3, "score": 4,
}  # fmt: skip

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
LEVELS = {"asia": 2, "cancer": 2, "sachs": 3}
CLASSICS = {"asia": ASIA, "cancer": CANCER, "sachs": SACHS}


def random_dag(rng: np.random.Generator) -> Parents:
    """DAG of 4 to 8 nodes whose names say nothing of their order."""
    names = [f"v{i}" for i in rng.permutation(int(rng.integers(4, 9)))]
    density = rng.uniform(0.2, 0.6)
    return {
        name: [above for above in names[:i] if rng.random() < density]
        for i, name in enumerate(names)
    }


def chickering(parents: Parents) -> Graph:
    """CPDAG by Chickering (1995), Label-Edges: shares nothing with the rules under test."""
    order = list(parents)  # parents come before children
    label: dict[tuple[str, str], bool] = {}
    for y in order:
        into_y = [(z, y) for z in parents[y]]
        for x in sorted(parents[y], key=order.index, reverse=True):
            if (x, y) in label:
                continue
            compelled = [w for w in parents[x] if label[w, x]]
            if any(w not in parents[y] for w in compelled):
                label |= dict.fromkeys(into_y, True)
                continue
            label |= {(w, y): True for w in compelled}
            other = any(z != x and z not in parents[x] for z in parents[y])
            label |= {edge: other for edge in into_y if edge not in label}
    directed = [edge for edge, is_compelled in label.items() if is_compelled]
    return make_graph(order, directed, [e for e, is_compelled in label.items() if not is_compelled])


def guard7(
    n: int, rng: np.random.Generator, *, effect: float = 1.0
) -> dict[str, NDArray[np.generic]]:
    """Seven mixed nodes, six edges: four categories, a length, a 32-d block and a score.

    The three causes of R move the same eight of its directions: if each had directions of its
    own, they would stay independent given R, and no method could find the collider.
    ``effect`` scales what the causes do to R.
    """
    d, shared = 32, 8
    fixed = np.random.default_rng(20_240)
    rotation = np.linalg.qr(fixed.standard_normal((d, d)))[0]
    instr_shift, topic_shift = (
        fixed.standard_normal((4, shared)),
        fixed.standard_normal((5, shared)),
    )
    payload = fixed.standard_normal(shared)
    payload /= np.linalg.norm(payload)
    instr = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
    topic = rng.choice(5, n, p=[0.3, 0.25, 0.2, 0.15, 0.1])
    tool = np.where(rng.random(n) < 0.5, topic % 4, rng.integers(0, 4, n))
    length = np.exp(5 + np.array([0.0, 0.4, 0.8, -0.3])[tool] + 0.6 * rng.standard_normal(n))
    injected = rng.integers(0, 2, n)
    latent = rng.standard_normal((n, d))
    latent[:, :shared] += effect * 0.6 * (instr_shift[instr] + topic_shift[topic])
    latent[:, :shared] += effect * 1.5 * np.outer(injected, payload)
    block = (latent / np.sqrt(np.arange(1, d + 1))) @ rotation.T
    score = np.tanh(0.8 * latent[:, :shared] @ payload) + 0.4 * rng.standard_normal(n)
    return {
        "instr": instr.astype(np.str_), "topic": topic.astype(np.str_),
        "tool": tool.astype(np.str_), "len": length, "injected": injected.astype(np.str_),
        "R": block, "score": score,
    }  # fmt: skip


def tables(
    parents: Parents, levels: int, n: int, rng: np.random.Generator
) -> dict[str, NDArray[np.generic]]:
    """Rows of a categorical net whose tables differ visibly between parent levels."""
    values: dict[str, NDArray[np.int64]] = {}
    for node, above in parents.items():
        cell = np.zeros(n, dtype=np.int64)
        for parent in above:
            cell = cell * levels + values[parent]
        table = rng.dirichlet(np.full(levels, 0.6), size=levels ** len(above))
        table = 0.9 * table + 0.1 / levels
        draw = rng.random(n)[:, None]
        values[node] = (draw > np.cumsum(table, axis=1)[cell][:, :-1]).sum(axis=1)
    return {node: value.astype(np.str_) for node, value in values.items()}
