"""Causal discovery over mixed nodes, with every test kept and its stability measured."""

from causalguard.certify.discovery.citest import MixedTest
from causalguard.certify.discovery.discover import CLUSTERS_NEEDED, STABLE, Discovery, discover
from causalguard.certify.discovery.graph import Edge, Graph, make_graph, shd
from causalguard.certify.discovery.oracle import d_separated, true_graph
from causalguard.certify.discovery.pc import CiResult, CiTest, PcRun, pc_stable
from causalguard.certify.discovery.variables import Variable, make_variables

__all__ = [
    "CLUSTERS_NEEDED",
    "STABLE",
    "CiResult",
    "CiTest",
    "Discovery",
    "Edge",
    "Graph",
    "MixedTest",
    "PcRun",
    "Variable",
    "d_separated",
    "discover",
    "make_graph",
    "make_variables",
    "pc_stable",
    "shd",
    "true_graph",
]
