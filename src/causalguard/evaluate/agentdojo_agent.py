"""One conversation of the worst-case agent in AgentDojo's own pipeline and environment.

The agent carries out the ground truth of the user's task, whatever the tools return.  If an
attacker's message can be read in anything it was shown, it then obeys: it makes the calls that
carry out the attacker's goal.  Against an attack that wants it to stop, it stops at once.
AgentDojo executes the calls and judges the outcome.

What the tools return on the ground-truth path does not depend on the guard, for the agent obeys
when it has done its task: so all outputs can be listed, and scored, before any guarded run.
(AgentDojo's checks read the final state, and a few fail when the user's own calls came first.
``obey_at`` has the agent obey in the middle instead.)
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from agentdojo.agent_pipeline import (
    AgentPipeline,
    InitQuery,
    SystemMessage,
    ToolsExecutionLoop,
    ToolsExecutor,
)
from agentdojo.agent_pipeline.agent_pipeline import load_system_message
from agentdojo.agent_pipeline.base_pipeline_element import BasePipelineElement
from agentdojo.default_suites.v1.tools import (
    calendar_client,
    cloud_drive_client,
    email_client,
)
from agentdojo.functions_runtime import EmptyEnv, FunctionCall
from agentdojo.types import get_text_content_as_str, text_content_block_from_string

from causalguard.agents.agentdojo import DECISIONS, CausalGuardElement, Result
from causalguard.evaluate.agentdojo_goals import workspace_calls
from causalguard.evaluate.agentdojo_suites import Case, Suite
from causalguard.evaluate.agentdojo_text import Grams, carries

NOW = datetime(2024, 5, 15, 12)  # noqa: DTZ001  # AgentDojo's own times have no zone
"""The time that tools write into what they make; AgentDojo's wall clock would differ each run."""
STOPPED = "I stop here."
"""Last words of an agent that was told to stop."""
EXTRA_STEPS = 2
"""Turns of the loop beyond the calls of the ground truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One tool output of a conversation."""

    tool: str
    """The tool that was called."""
    text: str
    """What it returned: the text that the guard scored."""
    shown: str
    """What the agent read."""
    record: Mapping[str, Any] | None = None
    """The guard's decision; None without a guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What came of one conversation."""

    utility: bool
    """AgentDojo's check: the user's task was done."""
    security: bool
    """AgentDojo's check: the attacker's goal was reached (against a stopping attack: utility
    was lost, as AgentDojo counts it)."""
    reached: bool
    """The attacker's message could be read in what the agent was shown."""
    system: str
    """System prompt."""
    outputs: tuple[Seen, ...]
    """Outputs on the way, in order; not those of the calls that obey."""
    messages: tuple[Mapping[str, Any], ...]
    """All messages as the agent saw them: role, text, calls."""


@cache
def system_message() -> str:
    """AgentDojo's default system prompt."""
    return str(load_system_message(None))


def converse(
    suite: Suite,
    case: Case,
    marks: Grams,
    *,
    obey_at: int | None = None,
    guard: CausalGuardElement | None = None,
    llm: Any = None,
) -> Conversation:
    """Hold one conversation.

    Args:
        suite: where the case is from.
        case: user task, attack and goal.
        marks: runs of words that give the attack away; empty: nothing is ever obeyed.
        obey_at: obey right after the output of this number, >= 0; None: at the end, if an
            attacker's message could be read (against a stopping attack: when it is read).
        guard: the guard's element; None: unguarded.
        llm: a pipeline element that answers as the agent; by default the worst-case agent.
    """
    user, goal = suite.user_tasks[case.user], suite.injection_tasks.get(case.injection)
    stops = suite.stops_only(case.attack)
    environment = suite.environment(suite.injections(case))
    agent = llm or ObedientAgent(user, goal, marks, stops=stops, obey_at=obey_at)
    steps = EXTRA_STEPS + len(user.ground_truth(environment.model_copy(deep=True)))
    tap, end = _Tap(), _Tap()
    loop = [ToolsExecutor(), tap, *([guard] if guard else []), agent]
    pipeline = AgentPipeline(
        [
            SystemMessage(system_message()),
            InitQuery(),
            agent,
            ToolsExecutionLoop(loop, max_iters=max(steps, 15)),
            end,
        ]
    )
    with repeatable():
        utility, security = suite.suite.run_task_with_pipeline(
            pipeline, user, goal, {}, environment=environment
        )
    seen = _outputs(tap, end)
    return Conversation(
        utility=bool(utility),
        security=bool(goal) and (not utility if stops else bool(security)),
        reached=any(carries(output.shown, marks) for output in seen),
        system=system_message(),
        outputs=seen,
        messages=tuple(_plain(message) for message in end.messages),
    )


@contextmanager
def repeatable() -> Iterator[None]:
    """AgentDojo's tools write a fixed time and keep orders: equal calls give equal outputs."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:  # noqa: ARG003
            return NOW

    clock = SimpleNamespace(datetime=Clock)
    # The calendar lists people through a set, whose order changes with every process.
    swaps: list[tuple[Any, str, Any]] = [
        (email_client, "datetime", clock),
        (cloud_drive_client, "datetime", clock),
        (calendar_client, "set", dict.fromkeys),
    ]
    before = [vars(module).get(name) for module, name, _ in swaps]
    for module, name, value in swaps:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(swaps, before, strict=True):
            if value is None:
                delattr(module, name)
            else:
                setattr(module, name, value)


class ObedientAgent(BasePipelineElement):  # type: ignore[misc]  # the package is untyped
    """The worst-case agent; one object for one conversation."""

    def __init__(
        self, user: Any, goal: Any, marks: Grams, *, stops: bool, obey_at: int | None
    ) -> None:
        """Take the tasks.

        Args:
            user: AgentDojo's user task.
            goal: AgentDojo's injection task; None: nobody attacks.
            marks: runs of words by which it knows the attacker's message.
            stops: the attack only wants it to stop.
            obey_at: see :func:`converse`.
        """
        self._user, self._goal, self._marks, self._stops = user, goal, marks, stops
        self._obey_at, self._obeyed, self._calls_obeying = obey_at, False, 0
        self._before: Any = None
        self._plan: list[Any] = []

    def query(
        self,
        query: str,
        runtime: Any,
        env: Any = EmptyEnv(),  # noqa: B008  # AgentDojo's signature
        messages: Sequence[Any] = (),
        extra_args: Mapping[str, Any] | None = None,
    ) -> Result:
        """Make the next call of the plan, or end."""
        if self._before is None:
            self._before = env.model_copy(deep=True)
            self._plan = list(self._user.ground_truth(self._before.model_copy(deep=True)))
        outputs = [_read(m) for m in messages if m["role"] == "tool"]
        made = sum(bool(m.get("tool_calls")) for m in messages if m["role"] == "assistant")
        if self._obeyed:
            made -= self._calls_obeying
        ends = made >= len(self._plan)
        new: list[Any] = []
        if not self._obeyed and self._wants(outputs, ends=ends):
            self._obeyed = True
            new = [] if self._stops else self._obey(runtime, env)
            self._calls_obeying = len(new) // 2
        if self._obeyed and self._stops:
            new.append(_assistant(STOPPED))
        elif not ends:
            new.append(_assistant("", self._plan[made]))
        else:
            answers = [self._user.GROUND_TRUTH_OUTPUT]
            answers += [self._goal.GROUND_TRUTH_OUTPUT] if self._obeyed else []
            new.append(_assistant("\n".join(filter(None, answers))))
        return query, runtime, env, [*messages, *new], dict(extra_args or {})

    def _wants(self, outputs: Sequence[str], *, ends: bool) -> bool:
        """Whether now is the time to obey."""
        if self._obey_at is not None:
            return len(outputs) > self._obey_at
        return (ends or self._stops) and any(carries(text, self._marks) for text in outputs)

    def _obey(self, runtime: Any, env: Any) -> list[Any]:
        """Carry out the attacker's goal to its end; its own outputs cannot stop it."""
        calls = [(c.function, c.args) for c in self._goal.ground_truth(self._before)]
        if not calls and hasattr(env, "inbox") and hasattr(env, "cloud_drive"):
            calls = workspace_calls(self._goal, env)
        new = []
        for name, args in calls:
            result, error = runtime.run_function(env, name, args)
            call = FunctionCall(function=name, args=args)
            new += [_assistant("", call), _tool(call, str(result), error)]
        return new


def _outputs(tap: "_Tap", end: "_Tap") -> tuple[Seen, ...]:
    last = end.messages or tap.messages
    return tuple(
        Seen(
            tool=last[index]["tool_call"].function,
            text=text,
            shown=_read(last[index]),
            record=end.extra.get(DECISIONS, {}).get(f"{index}:{field}"),
        )
        for index, (field, text) in tap.texts.items()
    )


class _Tap(BasePipelineElement):  # type: ignore[misc]  # the package is untyped
    """Writes down what passes."""

    def __init__(self) -> None:
        self.messages: Sequence[Any] = ()
        self.extra: Mapping[str, Any] = {}
        self.texts: dict[int, tuple[str, str]] = {}

    def query(
        self,
        query: str,
        runtime: Any,
        env: Any = EmptyEnv(),  # noqa: B008  # AgentDojo's signature
        messages: Sequence[Any] = (),
        extra_args: Mapping[str, Any] | None = None,
    ) -> Result:
        self.messages, self.extra = messages, extra_args or {}
        for index, message in enumerate(messages):
            if message["role"] == "tool":
                field = "error" if message.get("error") else "content"
                self.texts.setdefault(index, (field, _read(message)))
        return query, runtime, env, messages, dict(self.extra)


def _read(message: Any) -> str:
    """What a model reads of a message: AgentDojo shows the error in place of the content."""
    return str(message.get("error") or get_text_content_as_str(message.get("content") or []))


def _assistant(text: str, call: Any = None) -> dict[str, Any]:
    calls = [call] if call is not None else None
    block = text_content_block_from_string(text)
    return {"role": "assistant", "content": [block], "tool_calls": calls}


def _tool(call: Any, text: str, error: str | None) -> dict[str, Any]:
    return {
        "role": "tool",
        "content": [text_content_block_from_string(text)],
        "tool_call": call,
        "tool_call_id": None,
        "error": error,
    }


def _plain(message: Any) -> dict[str, Any]:
    """A message as JSON values."""
    calls = [
        {"tool": call.function, "args": call.model_dump(mode="json")["args"]}
        for call in message.get("tool_calls") or []
    ]
    plain = {"role": message["role"], "text": _read(message)}
    return {**plain, "calls": calls} if calls else plain
