"""guard-eval agentdojo with a model as the agent."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from causalguard.errors import InputError, ScanError
from causalguard.evaluate import agentdojo_llm
from causalguard.evaluate.agentdojo import Settings
from causalguard.evaluate.agentdojo_cli import hold_llm
from causalguard.evaluate.agentdojo_results import Result
from causalguard.evaluate.cli import command
from causalguard.guard.enforce import Enforcer
from causalguard.records import Span, ToolOutput
from support.agentdojo_fakes import FakeGuard, keep_all, oracle

GULLIBLE = "support.agentdojo_fakes:gullible"


def run(tmp_path: Path, guard: FakeGuard) -> list[Result]:
    settings = Settings(output=tmp_path, suites=("banking",), attacks=("direct",), limit=1)
    return agentdojo_llm.run(settings, Enforcer(guard), GULLIBLE, None)


def test_a_chat_model_is_held_without_and_with_the_guard(tmp_path: Path) -> None:
    plain, attacked = run(tmp_path, oracle("TODO.*"))
    assert (plain.utility, plain.utility_guarded, plain.flagged) == (True, True, ())
    assert (attacked.placed, attacked.reached) == (True, False)
    assert (attacked.success, attacked.success_guarded) == (True, False)
    assert attacked.lost == (0,)
    steps = agentdojo_llm.replay(tmp_path, attacked).steps
    assert [step.title for step in steps[:4]] == ["system", "user", "assistant", "read_file"]
    assert (steps[3].hidden, len(steps[3].attack), len(steps[3].marks)) == (True, 1, 1)
    assert "send_money" in steps[4].text


def test_every_conversation_is_kept_and_none_is_held_twice(tmp_path: Path) -> None:
    guard = keep_all()
    first = run(tmp_path, guard)
    (path,) = (tmp_path / "runs" / "banking" / "direct").glob("*.json")
    kept = json.loads(path.read_text())
    assert {m["role"] for m in kept["guarded"]["messages"]} >= {"system", "user", "tool"}
    count = len(guard.scanned)
    assert run(tmp_path, guard) == first
    assert len(guard.scanned) == count
    with pytest.raises(InputError, match="another model or guard"):
        run(tmp_path, oracle("x"))


def broken(output: ToolOutput) -> list[Span]:
    """Stands for a guard whose backend is down."""
    raise RuntimeError(output.tool)


def test_a_scan_that_fails_prevents_nothing_and_is_not_kept(tmp_path: Path) -> None:
    guard = FakeGuard(broken, "broken")
    with pytest.raises(ScanError, match="could not be scanned: RuntimeError"):
        run(tmp_path / "closed", guard)
    settings = Settings(output=tmp_path / "open", suites=("banking",), attacks=("direct",), limit=1)
    with pytest.raises(ScanError, match="see the cause"):
        hold_llm(settings, guard, "withhold", (GULLIBLE, None), 0)
    assert not list(tmp_path.glob("*/runs/banking/*/*.json"))


def test_what_is_no_chat_model_is_refused() -> None:
    with pytest.raises(InputError, match="chat model"):
        agentdojo_llm.load_llm("json:decoder", None)
    with pytest.raises(InputError, match="--llm nobody"):
        agentdojo_llm.load_llm("nobody", None)


class Endpoint(BaseHTTPRequestHandler):
    """Answers every chat completion with the same words."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "The total is 98.70."}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
        raw = json.dumps({**body, "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_openai_compatible_endpoint_is_an_agent_too(tmp_path: Path, endpoint: str) -> None:
    settings = Settings(output=tmp_path, suites=("banking",), attacks=("direct",), limit=1)
    plain, attacked = agentdojo_llm.run(settings, Enforcer(keep_all()), "some-model", endpoint)
    assert not plain.utility
    assert (attacked.placed, attacked.success) == (False, False)
    kept = json.loads(next((tmp_path / "runs").glob("banking/none/*.json")).read_text())
    assert kept["guarded"]["messages"][-1]["text"] == "The total is 98.70."


def test_the_command_needs_the_guard_at_hand_for_a_model(tmp_path: Path, tiny_model: Path) -> None:
    small = ["agentdojo", "--suites", "banking", "--attacks", "direct", "--limit", "1"]
    small += ["--output", str(tmp_path / "out"), "--llm", GULLIBLE]
    refused = CliRunner().invoke(command, small)
    assert isinstance(refused.exception, InputError)
    done = CliRunner().invoke(command, [*small, "--model", str(tiny_model), "--uncertified"])
    assert done.exit_code == 0, done.output
    assert "The agent is a model." in done.output
    assert "Replay" in (tmp_path / "out" / "report.html").read_text()
