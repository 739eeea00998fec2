"""What docs/serve.md shows works as it is written."""

import asyncio
import json
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner

from causalguard.agents.litellm import PATH
from causalguard.guard.enforce import WITHHELD
from causalguard.serve import run
from causalguard.serve.app import MESSAGES, create_app
from causalguard.serve.cli import command
from causalguard.serve.service import Service
from support.snippets import run_snippet
from support.words import WordGuard

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"


def block(language: str) -> str:
    return PAGE.read_text(encoding="utf-8").split(f"```{language}\n", 1)[1].split("```", 1)[0]


@pytest.mark.parametrize(("output", "shown"), [("fine", "fine"), ("so EVIL", WITHHELD)])
async def test_the_python_of_the_page_shows_what_may_be_shown(output: str, shown: str) -> None:
    app = create_app(Service(WordGuard()), facts={})
    server = run.make_server(app, grace_s=10, connections=99)
    with run.bind("127.0.0.1", 0) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        serving.start()
        try:
            given: dict[str, Any] = {"SERVER": address, "output": output, "task": "Read"}
            names = await run_snippet(PAGE, "POST /scan", guard=None, **given)
        finally:
            server.should_exit = True
            await asyncio.to_thread(serving.join)
    assert names["shown"] == shown


async def test_the_request_of_the_page_is_taken() -> None:
    app = create_app(Service(WordGuard()), facts={})
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        response = await http.post("/scan", json=json.loads(block("json")))
    assert response.status_code == 200


def test_the_page_and_the_help_configure_litellm_alike() -> None:
    known = yaml.safe_load(block("yaml"))["guardrails"][0]["litellm_params"]
    assert known["guardrail"] == "generic_guardrail_api"
    assert known["unreachable_fallback"] == "fail_closed"
    text = CliRunner().invoke(command, ["--help"]).output
    for key in ("guardrail", "mode", "api_base", "api_key"):
        assert f"{key}: {known[key]}" in text
    assert PATH in PAGE.read_text(encoding="utf-8")


def test_the_page_lists_every_status_and_option_that_it_names() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(str(status) in text for status in MESSAGES)
    options = {name for parameter in command.params for name in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= options
