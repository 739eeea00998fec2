"""CausalGuard: train, certify and run a guard against indirect prompt injection.

The names below are imported on first use, so that ``import causalguard`` is light and a
report can be verified without torch.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "CausalGuardLLM": "causalguard.guard.langchain",
    "Guard": "causalguard.guard",
    "Span": "causalguard.records",
    "ToolOutput": "causalguard.records",
    "Verdict": "causalguard.records",
}

__all__ = ["CausalGuardLLM", "Guard", "Span", "ToolOutput", "Verdict", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'causalguard' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
