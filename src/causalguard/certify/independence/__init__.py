"""Tests of independence: exact where Z is discrete or paired, asymptotic where it must be.

``independence_test`` (unconditional, or given discrete Z), ``joint_independence_test`` (several
representations, one set of permutations), ``paired_test`` and ``sign_flip_test`` (matched
sets), ``g_test`` (labels only), ``conditional_test`` with ``simulated_level`` (continuous Z),
``minimum_detectable_effect`` (what this n could have found).
"""

from causalguard.certify.independence.conditional import conditional_test, simulated_level
from causalguard.certify.independence.hsic import independence_test, joint_independence_test
from causalguard.certify.independence.paired import paired_test, sign_flip_test
from causalguard.certify.independence.power import PowerCurve, minimum_detectable_effect
from causalguard.certify.independence.result import TestResult
from causalguard.certify.independence.tables import g_test

__all__ = [
    "PowerCurve",
    "TestResult",
    "conditional_test",
    "g_test",
    "independence_test",
    "joint_independence_test",
    "minimum_detectable_effect",
    "paired_test",
    "sign_flip_test",
    "simulated_level",
]
