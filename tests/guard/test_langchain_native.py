import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig

from causalguard import CausalGuardLLM
from causalguard.errors import InjectionBlockedError, NotCertifiedError
from causalguard.guard.langchain_answers import REFUSAL
from causalguard.guard.langchain_native import NATIVE, NativeChatModel, NativeGuardLLM, chat_turns
from causalguard.guard.native_chat import untrusted
from causalguard.guard.native_enforce import NativeEnforcer
from causalguard.guard.policy import Action, Policy
from support.native import WordGuard, counted, native_dir
from support.signing import POLICY, sign_model_dir


def call(name: str = "read", call_id: str = "c1") -> AIMessage:
    return AIMessage(content="", tool_calls=[{"name": name, "args": {}, "id": call_id}])


def result(text: str | list[Any], call_id: str = "c1") -> ToolMessage:
    return ToolMessage(content=text, tool_call_id=call_id)


def chat(text: str) -> list[BaseMessage]:
    return [SystemMessage("be kind"), HumanMessage("read the mail"), call(), result(text)]


@pytest.fixture
def guard(tiny_model: Path, tmp_path: Path) -> WordGuard:
    native = native_dir(tiny_model, tmp_path / "native")
    return WordGuard.load(native, require_certified=False, dtype="float32")


def model(guard: WordGuard, action: Action = "withhold", **settings: Any) -> NativeGuardLLM:
    inner = NativeChatModel(native=guard, **{"max_tokens": 8, **settings})
    return NativeGuardLLM(inner=inner, guard=NativeEnforcer(guard, Policy(action=action)))


def test_from_pretrained_loads_a_certified_native_model(tiny_model: Path, tmp_path: Path) -> None:
    native = native_dir(tiny_model, tmp_path / "native")
    key = sign_model_dir(native, backends=[{"name": "native-cpu-float32"}])
    llm = CausalGuardLLM.from_pretrained(
        native, trust=key, loading={"policies": POLICY}, max_tokens=4
    )
    assert isinstance(llm, CausalGuardLLM)
    answer = llm.invoke("hello")
    assert answer.response_metadata[NATIVE]["backend"] == "native-cpu-float32"
    assert answer.response_metadata[NATIVE]["generator"] == "base+adapter"


def test_from_pretrained_refuses_a_windowed_model(tiny_model: Path) -> None:
    key = sign_model_dir(tiny_model)
    with pytest.raises(NotCertifiedError, match="guard-calibrate --native"):
        CausalGuardLLM.from_pretrained(tiny_model, trust=key, loading={"policies": POLICY})


async def test_the_four_ways_to_call_give_one_answer(guard: WordGuard) -> None:
    llm = model(guard)
    whole = llm.invoke(chat("from ana")).text
    assert "".join(chunk.text for chunk in llm.stream(chat("from ana"))) == whole
    assert (await llm.ainvoke(chat("from ana"))).text == whole
    assert "".join([c.text async for c in llm.astream(chat("from ana"))]) == whole


def test_an_unguarded_answer_to_a_clean_chat_is_the_same(guard: WordGuard) -> None:
    llm = model(guard)
    assert llm.invoke(chat("from ana")).text == llm.inner.invoke(chat("from ana")).text


def test_a_flagged_output_is_withheld_and_the_cost_is_in_the_record(guard: WordGuard) -> None:
    answer = model(guard).invoke(chat("BAD: obey"))
    (record,) = answer.response_metadata["causalguard"]
    assert (record["action"], record["tool"], record["id"]) == ("withhold", "read", "c1")
    assert answer.response_metadata[NATIVE]["repeats"] == 1
    assert answer.response_metadata[NATIVE]["discarded_tokens"] > 0


def test_a_clean_call_is_one_forward_and_the_answer_s_tokens(guard: WordGuard) -> None:
    sizes = counted(guard)
    answer = model(guard).invoke(chat("from ana"))
    usage = answer.usage_metadata
    assert usage is not None
    assert sizes()[0] == usage["input_tokens"]
    assert set(sizes()[1:]) <= {1}


def test_block_answers_with_a_refusal_and_raise_raises(guard: WordGuard) -> None:
    sizes = counted(guard)
    assert model(guard, "block").invoke(chat("BAD")).text == REFUSAL
    assert 1 not in sizes()  # nothing was generated
    with pytest.raises(InjectionBlockedError):
        model(guard, "raise").invoke(chat("BAD"))


def test_a_flagged_output_of_an_earlier_turn_does_not_block_this_one(guard: WordGuard) -> None:
    later = [*chat("BAD"), AIMessage("I could not read it."), HumanMessage("and now?")]
    assert model(guard, "block").invoke(later).text != REFUSAL


def test_tools_are_refused_with_the_way_to_use_them(guard: WordGuard) -> None:
    with pytest.raises(NotImplementedError, match="CausalGuardLLM"):
        model(guard).bind_tools([])


def test_the_memory_is_shared_with_the_middleware(guard: WordGuard) -> None:
    from causalguard.guard.middleware import CausalGuardMiddleware

    llm = model(guard)
    assert CausalGuardMiddleware(llm).enforcer is llm.enforcer


def test_stop_strings_end_the_answer(guard: WordGuard) -> None:
    llm = model(guard, max_tokens=30)
    whole = llm.invoke(chat("from ana")).text
    stop = whole[4:6]
    assert llm.invoke(chat("from ana"), stop=[stop]).text == whole[: whole.find(stop)]


def test_usage_is_counted_once_and_tokens_stream_to_callbacks(guard: WordGuard) -> None:
    class Tokens(BaseCallbackHandler):
        text = ""

        def on_llm_new_token(self, token: Any, **_: Any) -> None:
            self.text += token

    heard = Tokens()
    chunks = list(model(guard).stream(chat("from ana"), {"callbacks": [heard]}))
    assert heard.text == "".join(chunk.text for chunk in chunks)
    usage = [c.usage_metadata for c in chunks if c.usage_metadata]
    assert len(usage) == 1
    assert usage[0]["output_tokens"] <= 8


def test_tool_results_inside_a_human_message_are_read(guard: WordGuard) -> None:
    block = {"type": "tool_result", "tool_use_id": "c1", "content": "BAD: obey"}
    message = HumanMessage(content=[{"type": "text", "text": "here"}, block])
    turns, places = chat_turns([message])
    assert places == [(0, 1)]
    assert [piece.text for _, _, piece in untrusted(turns)] == ["BAD: obey"]
    answer = model(guard).invoke([message])
    assert answer.response_metadata["causalguard"][0]["flagged"]


def test_an_assistant_turn_of_calls_alone_is_not_rendered() -> None:
    turns, places = chat_turns(chat("from ana"))
    assert [turn.role for turn in turns] == ["system", "user", "tool"]
    assert places == [(3, None)]


def test_the_cache_never_answers_a_guarded_call_with_an_unguarded_answer(guard: WordGuard) -> None:
    llm = model(guard)
    assert llm._get_llm_string() != llm.inner._get_llm_string()
    assert llm._get_llm_string() != model(guard, temperature=1.0)._get_llm_string()


async def test_a_native_answer_is_never_cached(guard: WordGuard) -> None:
    llm = model(guard, cache=InMemoryCache())
    for _ in range(2):
        llm.invoke(chat("BAD"))
        await llm.ainvoke(chat("BAD"))
    assert isinstance(llm.cache, InMemoryCache)
    assert llm.cache._cache == {}


async def test_each_verdict_is_an_event_on_every_way_to_call(guard: WordGuard) -> None:
    class Verdicts(BaseCallbackHandler):
        heard = 0

        def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
            self.heard += name == "causalguard.verdict"

    heard = Verdicts()
    config: RunnableConfig = {"callbacks": [heard]}
    llm = model(guard)
    llm.invoke(chat("from ana"), config)
    list(llm.stream(chat("from bob"), config))
    await llm.ainvoke(chat("BAD"), config)
    async for _ in llm.astream(chat("from cy"), config):
        pass
    assert heard.heard == 4


async def test_leaving_a_stream_early_stops_the_generation(guard: WordGuard) -> None:
    sizes = counted(guard)
    async for _ in model(guard, max_tokens=200).astream(chat("from ana")):
        break
    await asyncio.sleep(0.05)
    before = len(sizes())
    await asyncio.sleep(0.05)
    assert len(sizes()) == before < 100


async def test_parallel_calls_keep_their_own_records(guard: WordGuard) -> None:
    llm = model(guard)
    texts = ["from ana", "BAD: obey", "from bob", "BAD again"]
    answers = await asyncio.gather(*(llm.ainvoke(chat(text)) for text in texts))
    flagged = [a.response_metadata["causalguard"][0]["flagged"] for a in answers]
    assert flagged == [False, True, False, True]
