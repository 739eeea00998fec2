"""A ready LangGraph agent with mail, files, web and calendar over local fixtures.

Copy it as a starting point: ``build_agent`` is all there is to guarding an agent.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool, StructuredTool

from causalguard.agents.fixtures import FIXTURES, SYSTEM_PROMPT, Fixture
from causalguard.guard.enforce import Enforcer
from causalguard.guard.langchain import CausalGuardLLM, make_enforcer
from causalguard.guard.middleware import CausalGuardMiddleware
from causalguard.guard.policy import Policy, Scanner


class Desk:
    """The tools of an office assistant.  Reading gives fixtures; acting is only written down."""

    def __init__(self, fixtures: Sequence[Fixture] = FIXTURES) -> None:
        """Take the outputs to give.

        Args:
            fixtures: what each call returns; a call that is not among them finds nothing.
        """
        self._texts = {_key(f.tool, f.args): f.text for f in fixtures}
        self.done: list[tuple[str, dict[str, Any]]] = []
        """What the agent did to the world, as (tool, arguments), in order."""

    def tools(self) -> list[BaseTool]:
        """Reading tools, then acting tools."""
        reading = (self.read_mail, self.read_file, self.fetch_page, self.read_calendar)
        acting = (
            self.send_mail,
            self.add_mail_rule,
            self.delete_file,
            self.share_folder,
            self.cancel_events,
        )
        return [_tool(function) for function in (*reading, *acting)]

    def read_mail(self, message_id: str) -> str:
        """Read one mail by its id."""
        return self._read("read_mail", message_id=message_id)

    def read_file(self, path: str) -> str:
        """Read a text file of the user."""
        return self._read("read_file", path=path)

    def fetch_page(self, url: str) -> str:
        """Fetch a web page or an API result."""
        return self._read("fetch_page", url=url)

    def read_calendar(self, day: str) -> str:
        """Read the calendar entries of a day, given as YYYY-MM-DD."""
        return self._read("read_calendar", day=day)

    def send_mail(self, to: str, subject: str, body: str) -> str:
        """Send a mail in the user's name."""
        return self._act("send_mail", to=to, subject=subject, body=body)

    def add_mail_rule(self, forward_to: str) -> str:
        """Forward all further mail to an address."""
        return self._act("add_mail_rule", forward_to=forward_to)

    def delete_file(self, path: str) -> str:
        """Delete a file of the user."""
        return self._act("delete_file", path=path)

    def share_folder(self, path: str, person: str) -> str:
        """Give a person access to a folder."""
        return self._act("share_folder", path=path, person=person)

    def cancel_events(self, week_of: str) -> str:
        """Cancel the events of a week."""
        return self._act("cancel_events", week_of=week_of)

    def _read(self, tool: str, **args: str) -> str:
        return self._texts.get(_key(tool, args), "Nothing found.")

    def _act(self, tool: str, **args: str) -> str:
        self.done.append((tool, dict(args)))
        return "Done."


def _key(tool: str, args: Mapping[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    return tool, tuple(sorted(args.items()))


def _tool(function: Callable[..., str]) -> BaseTool:
    return StructuredTool.from_function(function)


def build_agent(
    model: BaseChatModel,
    tools: Sequence[BaseTool] | None = None,
    guard: Scanner | Enforcer | None = None,
    *,
    middleware: bool = True,
    policy: Policy | None = None,
    **options: Any,
) -> Any:
    """Build the agent, guarded or not.

    Args:
        model: any LangChain chat model.
        tools: the agent's tools; None gives a new :class:`Desk`'s.
        guard: a guard or an enforcer; None leaves the agent unguarded, to compare with.
        middleware: guard the agent's state and stream as well as what the model reads.
        policy: what to do with flagged outputs; None withholds them.
        **options: further arguments of ``create_agent``, such as ``checkpointer``.

    Returns:
        A compiled LangGraph graph; call it with ``{"messages": [...]}``.
    """
    tools = list(tools) if tools is not None else Desk().tools()
    options.setdefault("system_prompt", SYSTEM_PROMPT)
    if guard is None:
        return create_agent(model, tools, **options)
    enforcer = make_enforcer(guard, policy)
    layers = [CausalGuardMiddleware(enforcer)] if middleware else []
    llm = CausalGuardLLM(inner=model, guard=enforcer)
    return create_agent(llm, tools, middleware=layers, **options)
