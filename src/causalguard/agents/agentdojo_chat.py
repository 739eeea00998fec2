"""Any LangChain chat model as the agent of an AgentDojo pipeline."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentdojo.agent_pipeline.base_pipeline_element import BasePipelineElement
from agentdojo.functions_runtime import EmptyEnv, FunctionCall
from agentdojo.types import get_text_content_as_str, text_content_block_from_string
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)

from causalguard.agents.agentdojo import Result


class ChatModelElement(BasePipelineElement):  # type: ignore[misc]  # the package is untyped
    """Asks a chat model for the next message, with the suite's tools bound to it."""

    def __init__(self, model: BaseChatModel) -> None:
        """Take the model.

        Args:
            model: any LangChain chat model that can call tools.
        """
        self.model = model

    def query(
        self,
        query: str,
        runtime: Any,
        env: Any = EmptyEnv(),  # noqa: B008  # AgentDojo's signature
        messages: Sequence[Any] = (),
        extra_args: Mapping[str, Any] | None = None,
    ) -> Result:
        """Add the model's answer to the messages."""
        tools = [_tool(function) for function in runtime.functions.values()]
        answer = self.model.bind_tools(tools).invoke(to_langchain(messages))
        return query, runtime, env, [*messages, from_langchain(answer)], dict(extra_args or {})


def to_langchain(messages: Sequence[Any]) -> list[BaseMessage]:
    """AgentDojo's messages as LangChain's; an error stands in place of the content."""
    made: list[BaseMessage] = []
    for index, message in enumerate(messages):
        text = str(get_text_content_as_str(message.get("content") or []))
        match message["role"]:
            case "system":
                made.append(SystemMessage(text))
            case "user":
                made.append(HumanMessage(text))
            case "assistant":
                calls = [
                    ToolCall(name=call.function, args=dict(call.args), id=_id(call, index))
                    for call in message.get("tool_calls") or []
                ]
                made.append(AIMessage(text, tool_calls=calls))
            case "tool":
                ident = message.get("tool_call_id") or _id(message["tool_call"], index - 1)
                made.append(ToolMessage(message.get("error") or text, tool_call_id=ident))
    return made


def from_langchain(answer: AIMessage) -> dict[str, Any]:
    """A model's answer as AgentDojo's assistant message."""
    calls = [
        FunctionCall(function=call["name"], args=call["args"], id=call["id"])
        for call in answer.tool_calls
    ]
    return {
        "role": "assistant",
        "content": [text_content_block_from_string(answer.text)],
        "tool_calls": calls or None,
    }


def _id(call: Any, index: int) -> str:
    return str(call.id or f"call_{index}")


def _tool(function: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": function.name,
            "description": function.description,
            "parameters": function.parameters.model_json_schema(),
        },
    }
