import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest

from causalguard.guard.api import Guard
from causalguard.records import ToolOutput
from support.signing import POLICY, sign_model_dir


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("something reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_sockets")
def test_loading_verifying_and_scanning_need_no_network(tiny_model: Path) -> None:
    guard = Guard.load(tiny_model, trust=sign_model_dir(tiny_model), policies=POLICY)
    assert guard.scan([ToolOutput(text="hello", task="t")])[0].certificate_id


@pytest.mark.usefixtures("no_sockets")
def test_the_socket_block_itself_works() -> None:
    with (
        pytest.raises(AssertionError, match="network"),
        socket.create_connection(("127.0.0.1", 9), 0.1),
    ):
        pass
