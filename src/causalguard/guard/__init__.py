"""Text in, Verdict out.

Heavy parts (torch) are imported on first use, so that the policy and the LangChain adapters can
be read without them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from causalguard.guard.api import Guard
    from causalguard.guard.scorer import Scored

__all__ = ["Guard", "Scored"]

_HOME = {"Guard": "causalguard.guard.api", "Scored": "causalguard.guard.scorer"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'causalguard.guard' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
