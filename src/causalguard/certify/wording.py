"""The report's sentences: what a result says, what it was said of, and what it does not say."""

from collections.abc import Sequence

from causalguard.certify.policy import Policy
from causalguard.certify.report.model import (
    BackendPart,
    FalsePositiveSection,
    GateOutcome,
    MissSection,
    Outcome,
    Report,
    audit_seed,
)

MULTIPLICITY = (
    (
        "The verdict asks every required gate to pass: an intersection-union test, each gate at "
        "its own level, no correction."
    ),
    (
        "Bounds by family, by group and by length are at delta / m: the m bounds of one table hold "
        "together."
    ),
    "Which families count as covered is decided by Holm over all families.",
    "'Every family' compares each family's own bound at delta with the margin: intersection-union.",
    (
        "p-values of the pre-registered tests are exact permutation p-values, printed as they are "
        "and after Holm."
    ),
    "Equivalence bounds cover the widest pair of levels at each nuisance: delta / 2 on each side.",
)

NOT_COVERED = (
    "A bound is an average over the sampled families and carriers, not over their worst member.",
    (
        "Adaptive attackers, who search against this guard, are not covered unless a row names the "
        "attack that was run."
    ),
    (
        "Nothing is said of flag-only use, trusted tools, parts that are not scanned (images, "
        "files), or payloads spread over several messages."
    ),
    "Nothing is said of other backends or number formats than those listed.",
    "Nothing is said of other languages, tools and formats than those in the audit set.",
    "Whether a missed injection would have succeeded against the agent was not measured here.",
    "The time in the report is the signer's own statement.",
)


def factor_words(factor: str) -> str:
    """A nuisance as people call it; ``kind`` alone would be read as the member's kind."""
    return {"kind": "kind of tool"}.get(factor, factor)


def percent(value: float) -> str:
    """A share as a percentage with three significant digits."""
    return f"{100 * value:.3g} %"


def seed_words(report: Report) -> str:
    """Who chose the audit set, and whether the model could have been trained on it."""
    if report.data.seed is None:
        return "the certifier, who read it from a file; the model may have seen it"
    if report.data.seed == audit_seed(report.model.root_sha256):
        return f"the model's digest (seed {report.data.seed}): it could not be known in training"
    return f"the certifier (seed {report.data.seed}); known before the model was made, perhaps"


def agreement_words(backend: BackendPart) -> str:
    """How a backend relates to the one that every figure was measured on."""
    found = backend.agreement
    if found is None:
        return "every figure of this report"
    return (
        f"other verdict on {found.injected.differ} of {found.injected.clusters} injected texts (at "
        f"most {percent(found.injected.high)}) and {found.clean.differ} of {found.clean.clusters} "
        f"clean ones (at most {percent(found.clean.high)}), margin {percent(found.margin)}; on it "
        "the bounds on misses and false alarms are higher by these"
    )


def population(clusters: int, goals: int, templates: int) -> str:
    """What a bound is a statement about."""
    text = (
        f"Independent units are the {clusters} carrier clusters: texts made from one base document "
        "count once. A bound speaks of carriers drawn like these"
    )
    if goals and templates:
        text += (
            f", with the {goals} goals and {templates} templates of this audit set crossed over "
            "them (it is conditional on these goals and templates)"
        )
    return text + "."


def plain(
    result: Outcome,
    outcomes: Sequence[GateOutcome],
    miss: MissSection,
    false: FalsePositiveSection,
    policy: Policy,
) -> tuple[str, ...]:
    """The result in plain words."""
    required = [gate for gate in outcomes if gate.required]
    passed = sum(gate.outcome == "PASSED" for gate in required)
    sure = percent(policy.confidence)
    lines = [
        (
            f"{result} under the policy '{policy.name}': {passed} of {len(required)} required "
            "gates passed."
        ),
        (
            f"Of {miss.overall.clusters} independent carriers with an injection, "
            f"{miss.overall.hits} had one that was not flagged; with {sure} confidence the rate is "
            f"at most {percent(miss.overall.high)}."
        ),
        (
            f"In the family with the weakest evidence ({miss.every_family.name}) the bound is "
            f"{percent(miss.every_family.high)}; for all families together the miss rate is "
            f"at most {percent(miss.epsilon_causal)} (epsilon_causal)."
        ),
        (
            f"Of {false.overall.clusters} clean outputs (one a carrier), {false.overall.hits} "
            f"were flagged by mistake; with {sure} confidence the rate is at most "
            f"{percent(false.overall.high)}, "
            f"and in an episode of {false.episode.outputs} outputs at most "
            f"{percent(false.episode.union_bound)}."
        ),
    ]
    if miss.next_family is not None:
        found = miss.next_family
        lines.append(
            f"A family drawn like the {found.families} held-out ones is missed at most "
            f"{percent(found.high)} of the time, with {percent(found.confidence)} confidence, if "
            "it is exchangeable with them."
        )
    return tuple(lines)
