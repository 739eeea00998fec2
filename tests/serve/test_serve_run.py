"""guard-serve as a process: what it refuses to start with, and how it ends."""

import http.client
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from causalguard.errors import ConfigError, InputError, UnsignedError
from causalguard.guard.report_log import read_log
from causalguard.records import ToolOutput
from causalguard.serve import run
from causalguard.serve.app import create_app
from causalguard.serve.cli import command
from causalguard.serve.logs import JsonLines
from causalguard.serve.service import Service
from support.signing import sign_model_dir
from support.words import DoingGuard, WordGuard, failing

LONG = "x" * run.MIN_TOKEN


def post(port: int, body: dict[str, str]) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/scan", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_a_request_under_way_is_answered_before_the_server_ends() -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        entered.set()
        leave.wait(60)

    app = create_app(Service(DoingGuard(hold)), facts={})
    server = run.make_server(app, grace_s=60, connections=99)
    answers: list[tuple[int, dict[str, object]]] = []
    with run.bind("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        serving.start()
        asking = threading.Thread(target=lambda: answers.append(post(port, {"text": "EVIL"})))
        asking.start()
        entered.wait(60)
        server.should_exit = True
        leave.set()
        asking.join()
        serving.join()
    assert [status for status, _ in answers] == [200]
    assert answers[0][1]["blocked"] is True


@contextmanager
def serving(model: Path, key: Path, log: Path, *options: str) -> Iterator[tuple[str, int]]:
    args = ["--model", str(model), "--key", str(key), "--port", "0", *options]
    env = {**os.environ, run.TOKEN_ENV: ""}
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "causalguard.serve.cli", *args], stderr=stderr, env=env
        ) as process,
    ):
        try:
            yield _address(process, log)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, log.read_text()
        finally:
            process.kill()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> tuple[str, int]:
    while process.poll() is None:
        said = re.search(r"guard-serve: http://([^:]+):(\d+) \((.*)\)", log.read_text())
        if said:
            return said.group(3), int(said.group(2))
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_the_command_serves_a_certified_model_and_ends_on_sigterm(
    tiny_model: Path, tmp_path: Path
) -> None:
    # The report names the packaged policy's bytes, as a real one does.
    from causalguard.guard.policies import accepted_policies

    policy = {"name": "default", "sha256": accepted_policies(None)["default"]}
    key, log = sign_model_dir(tiny_model, policy=policy), tmp_path / "log"
    with serving(tiny_model, key, log) as (said, port):
        status, answer = post(port, {"text": "SECRET words", "task": "read"})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/certificate")
        facts = json.loads(connection.getresponse().read())
        connection.close()
    assert status == 200
    decisions = answer["decisions"]
    assert isinstance(decisions, list)
    assert decisions[0]["certificate_id"] == facts["certificate"]["id"]
    assert facts["certificate"]["id"].startswith(said.split()[1].rstrip(","))
    assert facts["policy"]["action"] == "withhold"
    assert [record["outcome"] for record in read_log(log)[0]] == [decisions[0]["outcome"]]
    assert "SECRET" not in log.read_text()


@pytest.fixture
def own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("own_logging")
def test_an_uncertified_model_is_refused_before_anything_is_served(tiny_model: Path) -> None:
    done = CliRunner().invoke(command, ["--model", str(tiny_model), "--port", "0"])
    assert isinstance(done.exception, UnsignedError)
    assert "http://" not in done.output


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "::"])
def test_a_reachable_address_needs_a_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(run.TOKEN_ENV, raising=False)
    with pytest.raises(ConfigError, match=run.TOKEN_ENV):
        run.read_token(host, run.TOKEN_ENV, anonymous=False)
    assert run.read_token(host, run.TOKEN_ENV, anonymous=True) is None
    assert run.read_token("127.0.0.1", run.TOKEN_ENV, anonymous=False) is None
    monkeypatch.setenv(run.TOKEN_ENV, f" {LONG}\n")
    assert run.read_token(host, run.TOKEN_ENV, anonymous=False) == LONG


def test_a_short_token_is_refused_even_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(run.TOKEN_ENV, "short")
    with pytest.raises(ConfigError, match="at least"):
        run.read_token("127.0.0.1", run.TOKEN_ENV, anonymous=False)


def test_a_taken_port_is_a_readable_error() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(InputError, match="--port"),
    ):
        run.bind("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 65_536), ("\u00fc" * 70, 0)])
def test_what_is_no_address_is_refused(host: str, port: int) -> None:
    with pytest.raises(InputError, match="cannot be bound"):
        run.bind(host, port)


@pytest.mark.parametrize("size", ["inf", "nan"])
def test_a_size_without_end_is_refused(size: str) -> None:
    done = CliRunner().invoke(command, ["--max-body-mb", size])
    assert isinstance(done.exception, ConfigError)


def test_accepted_connections_name_their_protocol_so_that_asyncio_sets_nodelay() -> None:
    with run.bind("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


@contextmanager
def running(connections: int) -> Iterator[int]:
    """A server on a free port, in this process."""
    app = create_app(Service(WordGuard()), facts={})
    server = run.make_server(app, grace_s=60, connections=connections)
    with run.bind("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def sent(port: int, raw: bytes) -> bytes:
    """Everything that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as caller:
        caller.sendall(raw)
        return caller.makefile("rb").read()


@pytest.mark.parametrize("raw", [b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 99_999])
def test_what_is_no_http_is_answered_blocked(raw: bytes) -> None:
    with running(connections=9) as port:
        head, _, answer = sent(port, raw).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer)["blocked"] is True


def test_a_crowd_of_connections_is_answered_busy_and_blocked() -> None:
    with running(connections=1) as port, socket.create_connection(("127.0.0.1", port)) as other:
        other.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        other.recv(1)  # it is accepted by now
        status, answer = post(port, {"text": "fine"})
    assert (status, answer["error"], answer["blocked"]) == (429, "busy", True)


HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "raw", [b"", b"GET /he", HEAD + b"\r\nGET", HEAD + b"Content-Length: 9\r\n\r\n"]
)
def test_a_connection_without_a_whole_request_is_ended(
    raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "KEEP_ALIVE_S", 0.05)
    with running(connections=9) as port:
        assert sent(port, raw).count(b"HTTP/1.1 200 OK") == raw.count(HEAD)


@pytest.mark.usefixtures("own_logging")
def test_a_quarantine_that_cannot_be_made_is_refused_before_anything_is_served(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for store in (tmp_path / "file", tmp_path / "file" / "store"):
        options = ["--model", str(tiny_model), "--uncertified", "--port", "0"]
        done = CliRunner().invoke(command, [*options, "--quarantine", str(store)])
        assert done.exit_code == 2 or isinstance(done.exception, OSError)
        assert "http://" not in done.output


def test_an_exception_is_logged_by_type_and_place_without_its_message() -> None:
    try:
        failing([ToolOutput(text="SECRET")])
    except RuntimeError:
        record = logging.LogRecord("a", 40, "f", 1, "it %s", ("failed",), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert line["error"] == "RuntimeError"
    assert line["message"] == "it failed"
    assert "SECRET" not in json.dumps(line)


def test_the_server_itself_needs_neither_torch_nor_langchain() -> None:
    code = "import sys; import causalguard.serve.cli, causalguard.serve.app; "
    code += "bad = {'torch', 'transformers', 'langchain_core'} & set(sys.modules); "
    code += "sys.exit(repr(bad) if bad else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_help_teaches_both_routes_and_the_defaults() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    for part in ("/scan", "generic_guardrail_api", "127.0.0.1", "curl", "429", "replacement"):
        assert part in text
