"""A chat model that calls given tools once and remembers what it was shown."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field


class CallingModel(BaseChatModel):
    """First turn: one call of each tool; then an answer."""

    calls: list[str]
    seen: list[BaseMessage] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "calling"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.seen = list(messages)
        calls: list[Any] = [
            {"name": name, "args": {}, "id": f"c{n}"} for n, name in enumerate(self.calls)
        ]
        self.calls = []
        message = AIMessage("" if calls else "done", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])
