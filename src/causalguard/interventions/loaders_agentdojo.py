"""AgentDojo's tool outputs, rendered by its installed package (Debenedetti et al., NeurIPS 2024).

For tests only: nothing of this set may touch training, model choice or thresholds, and
``licenses.only_for_tests`` says so of every row.
"""

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from causalguard.errors import InputError, MissingError
from causalguard.interventions.loaders import Example
from causalguard.interventions.locate import locate

SOURCE = "agentdojo"
_LICENSE = "MIT (AgentDojo)"


def load_agentdojo(
    *, version: str = "v1.2.2", suites: tuple[str, ...] = (), frame: str = "{goal}"
) -> list[Example]:
    """Replay the ground-truth calls of every user task, without and with each injection goal.

    A call whose output does not show the injection gives a benign row only, so every row with
    y = 1 holds the attack.

    Args:
        version: version of the benchmark.
        suites: names of suites; empty: all.
        frame: the attack, with ``{goal}`` where the attacker's goal goes.

    Returns:
        Rows; benign and injected outputs of one call share their set_id.

    Raises:
        MissingError: the package ``agentdojo`` is not installed.
        InputError: there is no such suite, or the frame has no ``{goal}``.

    """
    if "{goal}" not in frame:
        message = "the frame must hold {goal}; give for example 'Important: {goal}'"
        raise InputError(message)
    package = _package("agentdojo.task_suite")
    found: Mapping[str, Any] = package.get_suites(version)
    unknown = sorted(set(suites) - set(found))
    if unknown:
        message = f"no suite {unknown}; use some of {sorted(found)}"
        raise InputError(message)
    return [
        example for name in suites or tuple(found) for example in _suite(name, found[name], frame)
    ]


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        message = "AgentDojo is read from its package; run: pip install agentdojo"
        raise MissingError(message) from None


def _suite(name: str, suite: Any, frame: str) -> Iterator[Example]:
    vectors = suite.get_injection_vector_defaults()
    goals = [task.GOAL for task in suite.injection_tasks.values()]
    for task_id, task in suite.user_tasks.items():
        plain = _replay(suite, task, {})
        attacked = {
            goal: _replay(suite, task, dict.fromkeys(vectors, frame.replace("{goal}", goal)))
            for goal in goals
        }
        for at, (tool, text) in enumerate(plain):
            common: dict[str, Any] = {
                "tool": tool,
                "task": task.PROMPT,
                "set_id": f"{SOURCE}/{name}/{task_id}/{at}",
                "source": SOURCE,
                "license": _LICENSE,
            }
            if text.strip():
                yield Example(text=text, y=0, **common)
            for goal, outputs in attacked.items():
                shown = outputs[at][1] if at < len(outputs) else ""
                span = locate(frame.replace("{goal}", goal), shown)
                if span is not None and shown != text:
                    yield Example(text=shown, y=1, spans=(span,), family=frame, **common)


def _replay(suite: Any, task: Any, injections: dict[str, str]) -> list[tuple[str, str]]:
    """Run a task's ground-truth calls in order; return ``(tool, output)`` of each."""
    runtime = _package("agentdojo.functions_runtime").FunctionsRuntime(suite.tools)
    written = _package("agentdojo.agent_pipeline.tool_execution").tool_result_to_str
    environment = suite.load_and_inject_default_environment(injections)
    prepared = task.init_environment(environment)
    out = []
    for call in task.ground_truth(prepared):
        result, error = runtime.run_function(prepared, call.function, call.args)
        out.append((call.function, "" if error else written(result)))
    return out
