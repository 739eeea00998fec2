"""CausalGuard as an element of an AgentDojo pipeline (Debenedetti et al., NeurIPS 2024).

Put it behind the tools, before the model, where AgentDojo's own detectors stand::

    ToolsExecutionLoop([ToolsExecutor(), CausalGuardElement(guard), llm])

Unlike those, it reads each tool output in the light of the user's task, fails closed, and never
changes the messages it is given.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from agentdojo.agent_pipeline.base_pipeline_element import BasePipelineElement
from agentdojo.agent_pipeline.errors import AbortAgentError
from agentdojo.functions_runtime import EmptyEnv
from agentdojo.types import get_text_content_as_str, text_content_block_from_string

from causalguard.errors import ConfigError, InjectionBlockedError
from causalguard.guard.context import Turn, make_context
from causalguard.guard.enforce import Enforcer
from causalguard.guard.policy import Incoming, Policy, Ruling, Scanner
from causalguard.records import ToolOutput

DECISIONS = "causalguard"
"""Key of ``extra_args``: message index and field to the decision's record."""

Result = tuple[str, Any, Any, Sequence[Any], dict[str, Any]]


class CausalGuardElement(BasePipelineElement):  # type: ignore[misc]  # the package is untyped
    """Scores the tool outputs of a conversation and hides what the policy hides.

    ``withhold`` and ``sanitise`` replace the text; ``block`` ends the conversation with
    AgentDojo's AbortAgentError; ``raise`` raises InjectionBlockedError; ``flag`` only records.
    """

    def __init__(self, guard: Scanner | Enforcer, policy: Policy | None = None) -> None:
        """Take the guard.

        Args:
            guard: a guard, or an enforcer that carries its own policy.
            policy: what to do with flagged outputs; None withholds them.

        Raises:
            ConfigError: a policy beside an enforcer, or the action ``interrupt``.
        """
        if isinstance(guard, Enforcer):
            if policy is not None:
                raise ConfigError("the enforcer has a policy already; give one of the two")
            self.enforcer = guard
        else:
            self.enforcer = Enforcer(guard, policy)
        if self.enforcer.policy.action == "interrupt":
            message = "interrupt needs the LangChain middleware; use withhold, sanitise or block"
            raise ConfigError(message)

    def query(
        self,
        query: str,
        runtime: Any,
        env: Any = EmptyEnv(),  # noqa: B008  # AgentDojo's signature
        messages: Sequence[Any] = (),
        extra_args: Mapping[str, Any] | None = None,
    ) -> Result:
        """Rule on every tool output in the conversation; what was ruled on is remembered.

        Returns:
            What came in, with new messages where something was hidden, and
            ``extra_args["causalguard"]``: ``"INDEX:FIELD"`` to a decision's record.

        Raises:
            AbortAgentError: something was flagged and the policy says ``block``.
            InjectionBlockedError: likewise, and it says ``raise``.
        """
        wanted = [
            (index, name)
            for index, message in enumerate(messages)
            if message["role"] == "tool"
            for name in ("content", "error")
            if message.get(name)
        ]
        turns = [(m["role"], _text(m.get("content"))) for m in messages]
        rulings = self.enforcer.decide([_incoming(messages, turns, *at) for at in wanted])
        shown = list(messages)
        records: dict[str, Any] = dict((extra_args or {}).get(DECISIONS, {}))
        for (index, name), ruling in zip(wanted, rulings, strict=True):
            shown[index] = _shown(shown[index], name, ruling)
            # The first ruling was on the original; later ones are on what we put in its place.
            records.setdefault(f"{index}:{name}", ruling.decision.to_record())
        self._stop_if_asked([ruling for ruling in rulings if ruling.decision.flagged], shown, env)
        return query, runtime, env, shown, {**(extra_args or {}), DECISIONS: records}

    def _stop_if_asked(self, flagged: Sequence[Ruling], shown: Sequence[Any], env: Any) -> None:
        actions = {ruling.decision.action for ruling in flagged}
        tools = ", ".join(sorted({ruling.decision.tool for ruling in flagged}))
        if "raise" in actions:
            raise InjectionBlockedError(f"flagged output of {tools}; the policy says raise")
        if "block" in actions:
            raise AbortAgentError(f"CausalGuard stopped: {tools} was flagged", list(shown), env)


def _incoming(messages: Sequence[Any], turns: Sequence[Turn], index: int, name: str) -> Incoming:
    message = messages[index]
    context = make_context(turns[:index])
    output = ToolOutput(
        text=message["error"] if name == "error" else turns[index][1],
        tool=message["tool_call"].function,
        system=context.system,
        task=context.task,
        id=message.get("tool_call_id") or "",
    )
    return Incoming(output=output)


def _shown(message: Any, name: str, ruling: Ruling) -> Any:
    if ruling.replacement is None:
        return message
    block = text_content_block_from_string(ruling.replacement)
    return {**message, name: ruling.replacement if name == "error" else [block]}


def _text(content: Any) -> str:
    return str(get_text_content_as_str(content or []))
