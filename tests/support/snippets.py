"""Run a code block of the documentation, so that it cannot go stale."""

import ast
import inspect
from pathlib import Path
from typing import Any

from causalguard.guard.api import Guard


def snippet(page: Path, heading: str) -> str:
    """The first Python block under a heading."""
    section = page.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1]
    return section.split("```python\n", 1)[1].split("```", 1)[0]


async def run_snippet(page: Path, heading: str, *, guard: Any, **names: Any) -> dict[str, Any]:
    """Run it with a guard that is not loaded from disk.

    Args:
        page: a Markdown file.
        heading: text of the heading above the block.
        guard: what ``Guard.load`` gives while the block runs.
        **names: what the block may use without defining it.
    """
    code = snippet(page, heading)
    assert len(code.strip().splitlines()) <= 16
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, str(page), "exec", flags=flags)
    original = Guard.__dict__["load"]
    Guard.load = classmethod(lambda *_, **__: guard)  # type: ignore[assignment,method-assign]
    try:
        result = eval(compiled, names)
        if inspect.isawaitable(result):
            await result
    finally:
        Guard.load = original  # type: ignore[method-assign]
    return names
