"""LangChain's standard suites over an offline chat model, plain and wrapped.

Not collected by itself: ``test_langchain_standard.py`` runs this file and compares the outcomes.
"""

import json
import re
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, ClassVar

import httpx
import pytest
from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import Field

from causalguard.guard.langchain import CausalGuardLLM
from causalguard.records import ToolOutput, Verdict


class ChatOffline(BaseChatModel):
    """Answers from its input alone: fills in schemas, calls tools, counts tokens."""

    model_name: str = Field(default="offline-1", alias="model")
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    stop: list[str] | None = None
    max_retries: int = 2
    api_key: str = "test"
    streaming: bool = False

    @property
    def _llm_type(self) -> str:
        return "offline"

    def _resolve_model_profile(self) -> ModelProfile:
        return {"structured_output": False}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {
            "ls_provider": "offline",
            "ls_model_type": "chat",
            "ls_model_name": kwargs.get("model", self.model_name),
            "ls_stop": stop or self.stop,
            "ls_max_tokens": self.max_tokens,
        }

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        converted = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=converted, tool_choice=tool_choice, **kwargs)

    def with_structured_output(
        self, schema: Any, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[Any, Any]:
        method = kwargs.pop("method", "function_calling")
        kwargs.pop("strict", None)
        if method == "function_calling":
            plain: Runnable[Any, Any] = super().with_structured_output(
                schema, include_raw=include_raw, **kwargs
            )
            return plain
        pydantic = isinstance(schema, type) and is_basemodel_subclass(schema)
        fields = convert_to_openai_tool(schema)["function"]
        llm = self.bind(
            response_format={"type": method, "json_schema": fields},
            ls_structured_output_format={"kwargs": {"method": method}, "schema": schema},
        )
        parser: Any = PydanticOutputParser(pydantic_object=schema) if pydantic else None
        parser = parser or JsonOutputParser()
        if not include_raw:
            parsed: Runnable[Any, Any] = llm | parser
            return parsed
        assign = RunnablePassthrough.assign(
            parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
        )
        none = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=llm) | assign.with_fallbacks([none], exception_key="parsing_error")

    def _reply(self, messages: list[BaseMessage], stop: Any, kwargs: dict[str, Any]) -> AIMessage:
        query = next((m.text for m in reversed(messages) if isinstance(m, HumanMessage)), "")
        used = sum(len(m.text.split()) for m in messages)
        answer, calls = f"You said {query}", []
        tools = {tool["function"]["name"]: tool["function"] for tool in kwargs.get("tools") or []}
        choice = kwargs.get("tool_choice")
        if kwargs.get("response_format"):
            answer = json.dumps(_fill(kwargs["response_format"]["json_schema"], query))
        elif tools and (choice or not isinstance(messages[-1], ToolMessage)):
            name = choice if choice in tools else next(iter(tools))
            call = {"name": name, "args": _fill(tools[name], query), "id": f"call_{used}"}
            answer, calls = "", [call]
        for word in stop or self.stop or []:
            answer = answer.split(word)[0] or answer
        return AIMessage(
            content=answer,
            tool_calls=calls,
            response_metadata={"model_name": kwargs.get("model", self.model_name)},
            usage_metadata={
                "input_tokens": used,
                "output_tokens": 5,
                "total_tokens": used + 5,
            },
        )

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages, stop, kwargs))])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(messages, stop, kwargs)
        parts = [AIMessageChunk(content=word) for word in re.findall(r"\S+\s*", reply.text)]
        for index, call in enumerate(reply.tool_calls):
            chunk = tool_call_chunk(
                name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index
            )
            parts.append(AIMessageChunk(content="", tool_call_chunks=[chunk]))
        parts[0].response_metadata = reply.response_metadata
        parts.append(
            AIMessageChunk(content="", usage_metadata=reply.usage_metadata, chunk_position="last")
        )
        for part in parts:
            generation = ChatGenerationChunk(message=part)
            if run_manager:
                run_manager.on_llm_new_token(part.text, chunk=generation)
            yield generation


def _fill(function: dict[str, Any], query: str) -> dict[str, Any]:
    number = re.search(r"\d+", query)
    quoted = re.search(r"'([^']+)'", query)
    values = {
        "integer": int(number.group()) if number else 1,
        "string": quoted.group(1) if quoted else "cats",
    }
    properties = function["parameters"].get("properties", {})
    return {name: values.get(about.get("type"), "cats") for name, about in properties.items()}


class Careless:
    """A scanner that reads everything and finds nothing."""

    identity = "careless"
    threshold = 0.5

    def scan(self, outputs: Sequence[ToolOutput]) -> list[Verdict]:
        return [Verdict(risk=0.01, threshold=0.5, flagged=False) for _ in outputs]


class ChatOfflineGuarded(CausalGuardLLM):
    """The wrapped model, made from the same arguments as the plain one."""

    def __init__(self, **kwargs: Any) -> None:
        if "inner" not in kwargs:
            kwargs = {"inner": ChatOffline(**kwargs), "guard": Careless()}
        super().__init__(**kwargs)


class Choices:
    """The suites' switches: everything on."""

    chat_model_class: type[BaseChatModel] = ChatOffline
    chat_model_params: ClassVar[dict[str, Any]] = {"model": "offline-1"}
    model_override_value = "offline-2"
    supports_model_override = True
    supports_json_mode = True
    supports_image_inputs = True
    supports_image_urls = True
    supports_image_tool_message = True
    supports_pdf_inputs = True
    supports_pdf_tool_message = True
    supports_audio_inputs = True
    supports_anthropic_inputs = True

    @pytest.fixture(autouse=True)
    def _no_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "offline")
        response = httpx.Response(200, content=b"bytes of a file")
        monkeypatch.setattr(httpx, "get", lambda *_args, **_kwargs: response)


class TestUnitPlain(Choices, ChatModelUnitTests):  # type: ignore[misc]
    """Unit suite, unwrapped."""


class TestUnitWrapped(Choices, ChatModelUnitTests):  # type: ignore[misc]
    """Unit suite, wrapped."""

    chat_model_class = ChatOfflineGuarded


class TestIntegrationPlain(Choices, ChatModelIntegrationTests):  # type: ignore[misc]
    """Integration suite, unwrapped."""


class TestIntegrationWrapped(Choices, ChatModelIntegrationTests):  # type: ignore[misc]
    """Integration suite, wrapped."""

    chat_model_class = ChatOfflineGuarded
