"""POST /scan: what passes, what is refused, and that every failure is closed."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalguard.guard.context import CHARACTER_BUDGET
from causalguard.guard.enforce import FAILED, WITHHELD
from causalguard.guard.policy import Policy
from causalguard.serve.app import MESSAGES, create_app
from causalguard.serve.limits import Limits
from causalguard.serve.service import Service
from support.words import DoingGuard, WordGuard, failing

TOKEN = "a-token-of-some-length"
JSON = {"Content-Type": "application/json"}


def client(
    guard: WordGuard,
    *,
    token: str | None = None,
    policy: Policy | None = None,
    host: str = "127.0.0.1",
    anonymous: bool = False,
    **limits: Any,
) -> httpx.AsyncClient:
    service = Service(guard, policy, Limits(**limits))
    app = create_app(service, facts={"certified": False}, token=token, anonymous=anonymous)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=f"http://{host}")


async def scan(guard: WordGuard, body: Any, **options: Any) -> httpx.Response:
    async with client(guard, **options) as http:
        return await http.post("/scan", json=body)


async def test_clean_text_may_be_shown_and_flagged_text_is_replaced() -> None:
    body = {"outputs": [{"text": "fine"}, {"text": "so EVIL", "id": "7"}]}
    answer = (await scan(WordGuard(), body)).json()
    clean, flagged = answer["decisions"]
    assert (clean["blocked"], clean["replacement"]) == (False, None)
    assert (flagged["blocked"], flagged["replacement"]) == (True, WITHHELD)
    assert flagged["spans"] == [[3, 7]]
    assert (flagged["id"], flagged["certificate_id"]) == ("7", "cafe")
    assert (answer["flagged"], answer["blocked"]) == (1, True)


async def test_a_single_output_is_answered_like_a_list_of_one() -> None:
    answer = (await scan(WordGuard(), {"text": "fine", "task": "read"})).json()
    assert [row["action"] for row in answer["decisions"]] == ["pass"]
    assert answer["blocked"] is False


async def test_each_output_is_scanned_under_its_own_task_or_the_shared_one() -> None:
    guard = WordGuard()
    rows = [{"text": "a"}, {"text": "b", "task": "own", "tool": "mail"}]
    await scan(guard, {"outputs": rows, "task": "shared", "system": "s"})
    assert [(o.task, o.system, o.tool) for o in guard.outputs] == [
        ("shared", "s", ""),
        ("own", "s", "mail"),
    ]


async def test_a_task_of_megabytes_is_shortened_as_the_adapters_do_it() -> None:
    guard = WordGuard()
    await scan(guard, {"text": "a", "task": "begin" + "x" * 2_000_000 + "end"})
    task = guard.outputs[0].task
    assert len(task) == CHARACTER_BUDGET
    assert task.startswith("begin")
    assert task.endswith("end")


WRONG: dict[str, bytes] = {
    "no JSON": b"SECRET",
    "not UTF-8": b'{"text": "\xff"}',
    "nested": b"[" * 200_000,
    "a list": b'["SECRET"]',
    "no text": b'{"task": "SECRET"}',
    "number": b'{"text": 7}',
    "null": b'{"text": null}',
    "mistyped": b'{"text": "a", "SECRET": "b"}',
    "mistyped beside": b'{"outputs": [], "SECRET": "b"}',
    "rows": b'{"outputs": ["SECRET"]}',
    "mapping": b'{"outputs": {"text": "SECRET"}}',
    "shared": b'{"outputs": [{"text": "a"}], "task": 7}',
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_request_is_refused_without_repeating_it(name: str) -> None:
    guard = WordGuard()
    async with client(guard) as http:
        response = await http.post("/scan", content=WRONG[name], headers=JSON)
    assert response.status_code == 400
    assert response.json()["blocked"] is True
    assert "SECRET" not in response.text
    assert guard.texts == []


async def test_every_fault_of_a_request_is_named_at_once() -> None:
    rows = [{"text": 1}, {}, {"text": "a", "tsk": "b"}]
    message = (await scan(WordGuard(), {"outputs": rows})).json()["message"]
    assert all(f"outputs[{index}]" in message for index in range(3))


async def test_half_a_character_is_scanned_and_leaves_offsets_as_they_are() -> None:
    guard = WordGuard()
    async with client(guard) as http:
        body = b'{"text": "\\ud800 EVIL \\ud83d\\ude00"}'
        response = await http.post("/scan", content=body, headers=JSON)
    assert guard.texts == ["\ufffd EVIL \U0001f600"]
    assert response.json()["decisions"][0]["spans"] == [[2, 6]]


@pytest.mark.parametrize("on_error", ["withhold", "raise"])
async def test_a_failing_guard_is_503_with_a_blocked_decision(
    on_error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    guard, policy = DoingGuard(failing), Policy(on_error=on_error)
    with caplog.at_level(logging.INFO, "causalguard.serve"):
        response = await scan(guard, {"text": "SECRET", "id": "7"}, policy=policy)
    answer = response.json()
    assert response.status_code == 503
    assert answer["blocked"] is True
    assert answer["decisions"][0]["action"] == "withhold"
    assert answer["decisions"][0]["replacement"] == FAILED
    assert answer["decisions"][0]["id"] == "7"
    assert "SECRET" not in response.text
    assert not any("SECRET" in r.getMessage() for r in caplog.records if r.name[-5:] == "serve")


@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("text"), inner),
        ).map(lambda value: json.dumps(value).encode()),
        st.text().map(lambda text: json.dumps({"text": text + "."}).encode()),
    )
)
def test_whatever_is_sent_to_a_failing_guard_comes_back_blocked_or_empty(body: bytes) -> None:
    async def send() -> httpx.Response:
        async with client(DoingGuard(failing)) as http:
            return await http.post("/scan", content=body, headers=JSON)

    response = asyncio.run(send())
    answer = response.json()
    if response.status_code == 200:
        assert all(row["outcome"] == "empty" for row in answer["decisions"])
    else:
        assert response.status_code in {400, 503}
        assert answer["blocked"] is True


async def test_shadow_mode_says_flagged_and_blocks_nothing() -> None:
    answer = (await scan(WordGuard(), {"text": "EVIL"}, policy=Policy(action="flag"))).json()
    assert (answer["flagged"], answer["blocked"]) == (1, False)


async def test_a_sanitised_text_comes_back_without_its_span() -> None:
    answer = await scan(WordGuard(), {"text": "a EVIL b"}, policy=Policy(action="sanitise"))
    assert answer.json()["decisions"][0]["replacement"] == "a  b"


async def _in_parts() -> Any:
    for _ in range(20):
        yield b" " * 100


@pytest.mark.parametrize("content", [b" " * 2000, _in_parts])
async def test_a_body_beyond_the_limit_is_refused_however_it_arrives(content: Any) -> None:
    guard = WordGuard()
    async with client(guard, max_body_bytes=1000) as http:
        content = content() if callable(content) else content
        response = await http.post("/scan", content=content, headers=JSON)
    assert response.status_code == 413
    assert response.json()["blocked"] is True


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def never() -> Any:
        yield b"{"
        await asyncio.sleep(60)

    async with client(WordGuard(), body_timeout_s=0.05) as http:
        response = await http.post("/scan", content=never(), headers=JSON)
    assert response.status_code == 408


async def test_too_many_outputs_are_refused() -> None:
    response = await scan(WordGuard(), {"outputs": [{"text": "a"}] * 3}, max_outputs=2)
    assert response.status_code == 413
    assert "2 tool outputs" in response.json()["message"]


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/plain"}, {**JSON, "Content-Encoding": "gzip"}, {}]
)
async def test_only_plain_json_is_read(headers: dict[str, str]) -> None:
    async with client(WordGuard()) as http:
        response = await http.post("/scan", content=b'{"text": "a"}', headers=headers)
    assert response.status_code == 415


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"x-api-key": TOKEN}, 200),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"x-api-key": ""}, 401),
        ({}, 401),
    ],
)
@pytest.mark.parametrize("path", ["/scan", "/certificate", "/metrics"])
async def test_every_route_but_health_asks_for_the_token(
    path: str, headers: dict[str, str], status: int
) -> None:
    async with client(WordGuard(), token=TOKEN, host="guard.example") as http:
        if path == "/scan":
            response = await http.post(path, json={"text": "a"}, headers=headers)
        else:
            response = await http.get(path, headers=headers)
        assert (await http.get("/health")).status_code == 200
    assert response.status_code == status
    assert status == 200 or response.headers["WWW-Authenticate"] == "Bearer"


async def test_without_a_token_another_hosts_name_is_refused() -> None:
    response = await scan(WordGuard(), {"text": "a"}, host="rebound.example")
    behind_a_proxy = await scan(WordGuard(), {"text": "a"}, host="guard.example", anonymous=True)
    assert response.status_code == 400
    assert (await scan(WordGuard(), {"text": "a"}, host="localhost")).status_code == 200
    assert behind_a_proxy.status_code == 200


async def test_another_hosts_name_and_a_slash_too_many_block_too() -> None:
    slash = client(WordGuard())
    rebound = client(WordGuard(), host="rebound.example")
    for http, path, status in ((slash, "/scan/", 404), (rebound, "/scan", 400)):
        response = await http.post(path, json={"text": "a"})
        assert (response.status_code, response.json()["blocked"]) == (status, True)


@pytest.mark.parametrize("host", ["[::1]:8321", "LOCALHOST:8321", "127.0.0.1"])
async def test_every_name_of_the_local_machine_is_taken(host: str) -> None:
    assert (await scan(WordGuard(), {"text": "a"}, host=host)).status_code == 200


async def test_a_token_beyond_ascii_is_compared_by_its_bytes() -> None:
    token = "schlüssel-schlüssel"
    headers = [(b"authorization", b"Bearer " + token.encode())]
    async with client(WordGuard(), token=token) as http:
        assert (await http.post("/scan", json={"text": "a"}, headers=headers)).status_code == 200


async def test_unknown_routes_and_methods_block_too() -> None:
    async with client(WordGuard()) as http:
        for response in (await http.get("/nothing"), await http.get("/scan")):
            assert response.status_code in {404, 405}
            assert response.json()["blocked"] is True


async def test_metrics_count_and_carry_no_content() -> None:
    async with client(WordGuard()) as http:
        await http.post("/scan", json={"outputs": [{"text": "EVIL"}, {"text": "good"}]})
        await http.post("/scan", content=b"SECRET", headers=JSON)
        text = (await http.get("/metrics")).text
    assert 'causalguard_requests_total{route="/scan",status="200"} 1\n' in text
    assert 'causalguard_requests_total{route="/scan",status="400"} 1\n' in text
    assert 'causalguard_decisions_total{action="withhold",outcome="flagged"} 1\n' in text
    assert "causalguard_flagged_total 1\n" in text
    assert "causalguard_in_flight 0\n" in text
    assert "EVIL" not in text
    assert "SECRET" not in text


async def test_the_certificate_route_answers_the_facts() -> None:
    async with client(WordGuard()) as http:
        assert (await http.get("/certificate")).json() == {"certified": False}


def test_every_refusal_says_what_to_do() -> None:
    assert all(code and len(message) > 20 for code, message in MESSAGES.values())
