"""What a base model cannot read, found before it loads."""

from collections.abc import Iterable

import numpy as np

from causalguard.errors import ConfigError
from causalguard.guard.base import BaseFiles, load_config
from causalguard.train.tokens import Corpus

MASKED = frozenset({"full_attention", "sliding_attention"})
"""Kinds of layers whose attention a mask decides."""


def longest_row(corpora: Iterable[Corpus], window: int) -> int:
    """Tokens of the longest window with its trusted prefix."""
    return max(
        int((np.diff(c.prefix_starts)[c.prefix_of] + np.minimum(c.lengths, window)).max())
        for c in corpora
    )


def check_lengths(base: BaseFiles, longest: int, *, packed: bool) -> None:
    """Refuse rows that the base has no positions for, and packing that it would misread.

    Args:
        base: only config.json is read.
        longest: tokens of the longest row.
        packed: batches are packed under a tree of attention.

    Raises ConfigError with every fault.
    """
    config = load_config(base).get_text_config()
    faults = []
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and longest > positions:
        faults.append(
            f"rows of {longest} tokens, but {base.name} has {positions} positions; "
            "lower windows.tokens or template.task_tokens"
        )
    reach = getattr(config, "sliding_window", None)
    if packed and reach is not None and longest > reach:
        faults.append(
            f"packed: attention of {base.name} reaches {reach} tokens back and rows have "
            f"{longest}; a tree of attention does not know that; set packed: false"
        )
    # A recurrence runs over whatever stands before a token, the other branches of the tree too.
    others = sorted(set(getattr(config, "layer_types", None) or ()) - MASKED)
    if packed and others:
        faults.append(
            f"packed: {base.name} has layers of {', '.join(others)}, which obey no tree of "
            "attention; set packed: false"
        )
    if faults:
        raise ConfigError(faults)
