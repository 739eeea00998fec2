"""Effect sizes of a guard, each under a name that says what it is and which way it is bounded."""

from causalguard.certify.effects.distances import (
    BinnedL1,
    MmdEstimate,
    binned_l1_half,
    median_width,
    mmd,
)
from causalguard.certify.effects.interventional import (
    EpsilonCausal,
    PairedEffect,
    epsilon_causal,
    paired_effect,
)
from causalguard.certify.effects.matched import (
    NOT_APPLICABLE,
    MatchedEffects,
    Mean,
    Rows,
    Share,
    matched_effects,
)
from causalguard.certify.effects.separation import TvLowerBound, tv_lower_bound

__all__ = [
    "NOT_APPLICABLE",
    "BinnedL1",
    "EpsilonCausal",
    "MatchedEffects",
    "Mean",
    "MmdEstimate",
    "PairedEffect",
    "Rows",
    "Share",
    "TvLowerBound",
    "binned_l1_half",
    "epsilon_causal",
    "matched_effects",
    "median_width",
    "mmd",
    "paired_effect",
    "tv_lower_bound",
]
