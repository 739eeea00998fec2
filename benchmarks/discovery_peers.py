"""causal-learn's PC on nets written by benchmarks/discovery.py; run by an interpreter that has it.

    python benchmarks/discovery_peers.py JOBS.pkl ANSWERS.json

Each job is one data set with a list of settings.  A node is one column there, so a block enters
as its first principal component and a category as its code.
"""

import json
import pickle
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from causallearn.search.ConstraintBased.PC import pc
from causallearn.utils.PCUtils.BackgroundKnowledge import BackgroundKnowledge


def matrix(columns: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    found = []
    for values in columns.values():
        if values.ndim == 2:
            centred = values - values.mean(axis=0)
            left, singular, _ = np.linalg.svd(centred, full_matrices=False)
            found.append(left[:, 0] * singular[0])
        elif values.dtype.kind == "U":
            found.append(np.unique(values, return_inverse=True)[1].astype(float))
        else:
            found.append(values.astype(float))
    return np.column_stack(found)


def knowledge(names: list[str], tiers: dict[str, int], graph: Any) -> BackgroundKnowledge:
    nodes = {node.get_name(): node for node in graph.get_nodes()}
    known = BackgroundKnowledge()
    for name in names:
        known.add_node_to_tier(nodes[name], tiers[name])
    return known


def edges(graph: Any) -> list[list[str]]:
    """[source, target, mark] per edge; causal-learn: graph[j, i] == 1 and [i, j] == -1 is i → j."""
    names = [node.get_name() for node in graph.get_nodes()]
    found = []
    for i, first in enumerate(names):
        for j in range(i + 1, len(names)):
            ends = (graph.graph[i, j], graph.graph[j, i])
            if ends == (0, 0):
                continue
            if ends == (-1, 1):
                found.append([first, names[j], "directed"])
            elif ends == (1, -1):
                found.append([names[j], first, "directed"])
            elif ends == (-1, -1):
                found.append([*sorted((first, names[j])), "undirected"])
            else:
                found.append([*sorted((first, names[j])), "conflict"])
    return found


def answer(job: dict[str, Any]) -> dict[str, Any]:
    data, names, setting = matrix(job["columns"]), list(job["columns"]), job["setting"]
    options: dict[str, Any] = {"alpha": setting["alpha"], "indep_test": setting["test"]}
    options |= {"node_names": names, "show_progress": False, "uc_rule": setting.get("uc_rule", 0)}
    np.random.seed(job["seed"])  # noqa: NPY002 - its tests draw from the global state
    start = time.process_time()
    if setting["tiers"]:
        # Tiers need node objects: take them from a graph without edges to test.
        empty = pc(data, max_k=-1, **options | {"indep_test": "fisherz"}).G
        start = time.process_time()
        options["background_knowledge"] = knowledge(names, job["tiers"], empty)
    graph = pc(data, **options).G
    return {"edges": edges(graph), "cpu": time.process_time() - start}


def main() -> None:
    warnings.simplefilter("ignore")
    jobs = pickle.loads(Path(sys.argv[1]).read_bytes())
    answers = []
    for job in jobs:
        try:
            answers.append(answer(job))
        except Exception as error:  # noqa: BLE001 - a peer that fails is a result, not a stop
            answers.append({"error": f"{type(error).__name__}: {error}"})
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
