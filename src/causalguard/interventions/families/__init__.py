"""The attack families: how an injected instruction is worded, in groups of one mechanism each."""

from dataclasses import replace

from causalguard.interventions.families import (
    coding,
    completion,
    conditional,
    direct,
    encodings,
    hidden,
    languages,
    override,
    persona,
    spoof,
    steering,
)
from causalguard.interventions.families.base import Family, FamilyContext, Rendered, parse

__all__ = ["FAMILIES", "UNTRAINED", "Family", "FamilyContext", "Rendered", "by_name", "groups"]

UNTRAINED: frozenset[str] = frozenset(
    {
        "assistant_question", "postscript", "policy_update", "correction_notice",
        "few_shot_dialogue", "partial_result", "developer_message", "react_trace",
        "user_impersonation", "executive_order", "agent_to_agent", "delayed_trigger",
        "terms_of_use", "hypothetical", "alt_text", "signature_block", "log_line",
        "link_beacon", "tool_poisoning", "answer_poisoning", "typoglycemia", "rot13",
        "homoglyph", "unicode_tags", "reversed_text", "portuguese", "japanese", "turkish",
    }
)  # fmt: skip
"""Families the shipped weights never see in training; spread over all groups."""


def _steering() -> tuple[Family, ...]:
    leaks = parse(steering.LEAK_GROUP, steering.LEAK, UNTRAINED)
    finishes = {
        "adversarial_suffix": (coding.gibberish, None),
        "typoglycemia": (None, coding.scramble),
    }
    worn = tuple(
        replace(family, coder=finishes[family.name][0], finish=finishes[family.name][1])
        if family.name in finishes
        else family
        for family in parse(steering.PERTURBED_GROUP, steering.PERTURBED, UNTRAINED)
    )
    return leaks + parse(steering.PERSIST_GROUP, steering.PERSIST, UNTRAINED) + worn


FAMILIES: tuple[Family, ...] = (
    *(
        family
        for module in (direct, override, completion, spoof, persona, conditional, hidden)
        for family in parse(module.GROUP, module.BLOCK, UNTRAINED)
    ),
    *_steering(),
    *encodings.families(UNTRAINED),
    *languages.families(UNTRAINED),
)
"""All families, in a fixed order."""


def by_name(name: str) -> Family:
    """Return a family by its name.

    Raises:
        KeyError: there is none of that name.
    """
    return {family.name: family for family in FAMILIES}[name]


def groups() -> tuple[str, ...]:
    """Return the names of the groups, in order."""
    return tuple(dict.fromkeys(family.group for family in FAMILIES))
