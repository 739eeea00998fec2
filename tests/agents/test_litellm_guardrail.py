"""LiteLLM's Generic Guardrail API: what counts as a tool output, and that nothing slips by."""

from typing import Any

import httpx
import pytest

from causalguard.agents.litellm import MAX_MESSAGES, PATH, read_call
from causalguard.errors import InputError
from causalguard.guard.enforce import WITHHELD
from causalguard.guard.policy import Policy
from causalguard.serve.app import create_app
from causalguard.serve.limits import Limits
from causalguard.serve.service import Service
from support.words import DoingGuard, WordGuard, failing

CALL = {"id": "c1", "type": "function", "function": {"name": "read_mail", "arguments": "{}"}}
CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "You help."},
    {"role": "user", "content": "Read my mail. EVIL is a word I use."},
    {"role": "assistant", "content": "Reading.", "tool_calls": [CALL]},
]


def tool(content: Any, **keys: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "c1", "content": content, **keys}


def body(*messages: dict[str, Any], texts: list[str] | None = None, **keys: Any) -> dict[str, Any]:
    """A request with the texts that LiteLLM takes out of the messages."""
    chat = [*CHAT, *messages]
    if texts is None:
        texts = []
        for message in chat:
            content = message["content"]
            blocks = [content] if isinstance(content, str) else content
            texts += [b if isinstance(b, str) else b["text"] for b in blocks if "text" in b or b]
    return {
        "input_type": "request",
        "texts": texts,
        "structured_messages": chat,
        "request_data": {},
        **keys,
    }


async def ask(
    sent: Any, *, guard: WordGuard | None = None, policy: Policy | None = None, **limits: Any
) -> dict[str, Any]:
    service = Service(guard if guard is not None else WordGuard(), policy, Limits(**limits))
    transport = httpx.ASGITransport(app=create_app(service, facts={}))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        response = await http.post(PATH, json=sent)
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_flagged_tool_message_is_replaced_and_nothing_else() -> None:
    sent = body(tool("so EVIL"))
    answer = await ask(sent)
    assert answer["action"] == "GUARDRAIL_INTERVENED"
    assert answer["texts"] == [*sent["texts"][:-1], WITHHELD]
    assert answer["causalguard"][0]["tool"] == "read_mail"


async def test_what_the_user_wrote_is_the_task_and_is_not_scanned() -> None:
    guard = WordGuard()
    answer = await ask(body(tool("fine")), guard=guard)
    assert answer["action"] == "NONE"
    assert "texts" not in answer
    scanned = guard.outputs[0]
    assert guard.texts == ["fine"]
    assert (scanned.task, scanned.system) == (CHAT[1]["content"], "You help.")
    assert (scanned.tool, scanned.id) == ("read_mail", "c1")


async def test_a_later_request_of_the_user_does_not_authorise_an_earlier_output() -> None:
    guard = WordGuard()
    await ask(
        body(tool("first"), {"role": "user", "content": "later"}, tool("second")), guard=guard
    )
    tasks = {output.text: output.task for output in guard.outputs}
    assert tasks["first"] == CHAT[1]["content"]
    assert tasks["second"] == CHAT[1]["content"] + "\nlater"


@pytest.mark.parametrize("role", ["tool", "function", "ipython", "", "Tool"])
async def test_every_role_but_user_system_and_assistant_is_a_tools(role: str) -> None:
    assert (await ask(body(tool("EVIL", role=role))))["action"] == "GUARDRAIL_INTERVENED"


async def test_blocks_of_one_message_are_scanned_together_and_all_withheld() -> None:
    guard = WordGuard()
    blocks = [{"type": "text", "text": "part one"}, {"type": "text", "text": "EVIL"}]
    answer = await ask(body(tool(blocks)), guard=guard)
    assert guard.texts == ["part one\nEVIL"]
    assert answer["texts"][-2:] == [WITHHELD, WITHHELD]


async def test_a_tool_result_inside_a_user_message_is_a_tool_output() -> None:
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "EVIL"}
    user = {"role": "user", "content": [{"type": "text", "text": "go on"}, result]}
    answer = await ask(body(user, texts=["You help.", "go on", "EVIL"]))
    assert answer["texts"] == ["You help.", "go on", WITHHELD]


async def test_a_text_that_no_message_accounts_for_is_scanned() -> None:
    guard = WordGuard()
    answer = await ask(body(tool("fine"), texts=["fine", "from nowhere, EVIL"]), guard=guard)
    assert guard.texts == ["fine", "from nowhere, EVIL"]
    assert answer["texts"] == ["fine", WITHHELD]


async def test_what_cannot_be_replaced_in_texts_blocks_the_call() -> None:
    absent = await ask(body(tool("EVIL"), texts=["You help."]))
    hidden = await ask(body(tool([{"type": "json", "note": "EVIL"}]), texts=["You help."]))
    assert [absent["action"], hidden["action"]] == ["BLOCKED", "BLOCKED"]
    assert "replaced" in absent["blocked_reason"]


async def test_an_output_in_a_form_unknown_to_us_is_read_whole() -> None:
    item = {"type": "function_response", "tool_call_id": "c1", "response": {"deep": ["EVIL"]}}
    sent = {"texts": ["hi"], "structured_messages": [item]}
    assert (await ask(sent))["action"] == "BLOCKED"


@pytest.mark.parametrize(
    ("chosen", "action"), [("withhold", "BLOCKED"), ("flag", "NONE"), ("allow", "NONE")]
)
async def test_a_tools_image_follows_the_policy_and_a_users_image_passes(
    chosen: Any, action: str
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    policy = Policy(on_unscannable=chosen)
    text = {"type": "text", "text": "fine"}
    of_tool = body(tool([text, image]), texts=["fine"], images=["data:"])
    of_user = body({"role": "user", "content": [text, image]}, texts=["fine"], images=["data:"])
    assert (await ask(of_tool, policy=policy))["action"] == action
    assert (await ask(of_user, policy=policy))["action"] == "NONE"


@pytest.mark.parametrize(
    ("chosen", "action"),
    [
        ("withhold", "GUARDRAIL_INTERVENED"),
        ("sanitise", "GUARDRAIL_INTERVENED"),
        ("flag", "NONE"),
        ("block", "BLOCKED"),
        ("raise", "BLOCKED"),
        ("interrupt", "BLOCKED"),
    ],
)
async def test_each_action_has_its_answer(chosen: Any, action: str) -> None:
    answer = await ask(body(tool("a EVIL b")), policy=Policy(action=chosen))
    assert answer["action"] == action
    assert answer["causalguard"][0]["flagged"]
    if chosen == "sanitise":
        assert answer["texts"][-1] == "a  b"


async def test_an_mcp_result_without_a_chat_is_scanned_whole_under_the_given_task() -> None:
    guard = WordGuard()
    params = {"task": "Read.", "system": "S"}
    sent = {"input_type": "response", "texts": ["one", "EVIL"]}
    answer = await ask({**sent, "additional_provider_specific_params": params}, guard=guard)
    assert answer["texts"] == [WITHHELD, WITHHELD]
    assert [(o.text, o.task, o.system) for o in guard.outputs] == [("one\nEVIL", "Read.", "S")]
    only_images = {"texts": [], "images": ["data:"]}
    assert (await ask(only_images))["action"] == "BLOCKED"
    assert (await ask({"texts": []}))["action"] == "NONE"


async def test_what_an_output_itself_can_cause_is_200_blocked_for_litellm() -> None:
    failed = await ask(body(tool("SECRET")), guard=DoingGuard(failing))
    too_large = await ask(body(tool("x" * 999)), max_body_bytes=500)
    too_many = await ask(body(tool("a"), tool("b"), tool("c")), max_outputs=2)
    assert [a["action"] for a in (failed, too_large, too_many)] == ["BLOCKED"] * 3
    assert "SECRET" not in str(failed)


UNREADABLE = {
    "nested": "[" * 100_000 + "]" * 100_000,
    "digits": '[{"type": "json", "json": ' + "9" * 5000 + "}]",
    "messages": '"x"}' + ', {"role": "tool", "content": "x"}' * MAX_MESSAGES + ', {"content": "x"',
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_request_that_an_output_makes_unreadable_is_200_blocked(name: str) -> None:
    chat = '[{"role": "tool", "content": ' + UNREADABLE[name] + "}]"
    sent = '{"texts": ["x"], "structured_messages": ' + chat + "}"
    app = create_app(Service(WordGuard()), facts={})
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        headers = {"Content-Type": "application/json"}
        response = await http.post(PATH, content=sent, headers=headers)
    assert (response.status_code, response.json()["action"]) == (200, "BLOCKED")


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "content": None, "output": "EVIL"},
        {"role": "tool", "content": {"id": "EVIL"}},
        {"role": "user", "content": [{"type": "tool_result", "content": "", "output": "EVIL"}]},
        {"role": "user", "content": [{"toolResult": {"content": [{"text": "EVIL"}]}}]},
    ],
)
async def test_an_output_is_read_under_whatever_key_it_stands(message: dict[str, Any]) -> None:
    assert (await ask(body(message, texts=["You help."])))["action"] == "BLOCKED"


def test_a_long_chat_is_read_in_one_pass_over_its_texts() -> None:
    tools = [tool(f"output {n}") for n in range(MAX_MESSAGES - 3)]
    texts = [f"text {n}" for n in range(50_000)]
    call = read_call(body(*tools, texts=texts))
    assert len(call.parts) == MAX_MESSAGES - 3 + 1
    assert call.parts[-1].places == tuple(range(50_000))


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"texts": "a"},
        {"texts": [1]},
        {"structured_messages": ["a"], "texts": []},
        {"structured_messages": {"role": "user"}, "texts": []},
        {"texts": [], "structured_messages": [{"role": "user"}] * (MAX_MESSAGES + 1)},
        {"texts": ["a"], "additional_provider_specific_params": {"task": 1}},
    ],
)
def test_a_request_that_is_not_of_the_contract_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError):
        read_call(wrong)


def test_a_file_beside_the_users_words_is_no_part_of_the_task() -> None:
    file = {"type": "document", "text": "EVIL"}
    user = {"role": "user", "content": [{"type": "text", "text": "Sum it up"}, file]}
    sent = {"texts": ["Sum it up", "EVIL"], "structured_messages": [user]}
    (part,) = read_call(sent).parts
    assert (part.incoming.output.text, part.incoming.output.task) == ("EVIL", "Sum it up")
    assert part.places == (1,)


@pytest.mark.parametrize("said", [CHAT[1]["content"], CHAT[2]["content"] + " EVIL"])
async def test_one_text_more_than_the_chat_said_is_scanned_and_all_its_places_replaced(
    said: str,
) -> None:
    sent = body({"role": "assistant", "content": said}, tool("fine"))
    sent["texts"].append(said)
    answer = await ask(sent)
    assert answer["action"] == "GUARDRAIL_INTERVENED"
    assert answer["texts"] == [WITHHELD if text == said else text for text in sent["texts"]]
    assert (await ask(body({"role": "assistant", "content": said})))["action"] == "NONE"
