"""Running the application: a socket, uvicorn, and a graceful end."""

import os
import signal
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from causalguard.errors import ConfigError, InputError, MissingError
from causalguard.guard.policy import Policy

if TYPE_CHECKING:
    import uvicorn

    from causalguard.attestation.certificate import Certificate
    from causalguard.guard.api import Guard

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
TOKEN_ENV = "CAUSALGUARD_TOKEN"  # noqa: S105  # a variable's name, not a token
KEEP_ALIVE_S = 15
"""Seconds that a connection may stay open without a request under way."""
MIN_TOKEN = 16
"""Characters of the shortest token that is taken."""


def read_token(host: str, variable: str, *, anonymous: bool) -> str | None:
    """The token that requests must carry.

    Args:
        host: the address to bind.
        variable: name of the environment variable that holds the token.
        anonymous: whether the caller asked for no token on a reachable address.

    Returns:
        The token, or None: none is asked for.

    Raises:
        ConfigError: the token is too short, or the address is reachable and there is none.
    """
    token = os.environ.get(variable, "").strip()
    if token and len(token) < MIN_TOKEN:
        raise ConfigError(
            f"{variable} must have at least {MIN_TOKEN} characters; make a longer one"
        )
    if token:
        return token
    if host not in LOOPBACK and not anonymous:
        message = (
            f"{host} can be reached from outside and {variable} is not set; set it, bind "
            "127.0.0.1, or pass --anonymous if something in front of this server asks for one"
        )
        raise ConfigError(message)
    return None


def certificate_facts(guard: "Guard", policy: Policy) -> dict[str, Any]:
    """What ``GET /certificate`` answers: what verdicts rest on, and the policy in force."""
    return {
        "certified": guard.certificate is not None,
        "certificate": _certificate(guard.certificate),
        "backend": guard.backend,
        "threshold": guard.threshold,
        "guard": guard.identity,
        "policy": {**policy.to_mapping(), "sha256": policy.digest},
    }


def _certificate(granted: "Certificate | None") -> Mapping[str, Any] | None:
    if granted is None:
        return None
    return {
        "id": granted.id,
        "result": granted.result,
        "policy": {"name": granted.policy_name, "sha256": granted.policy_sha256},
        "issued": granted.issued,
        "subjects": dict(granted.subjects),
        "backends": list(granted.backends),
        "threshold": granted.threshold,
        "templateSha256": granted.template_sha256,
        "baseSha256": granted.base_sha256,
        "tokenizerSha256": granted.tokenizer_sha256,
    }


def bind(host: str, port: int) -> socket.socket:
    """Take the address; InputError when it is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, for asyncio sets TCP_NODELAY only then: without it an answer of two
    # packets waits 40 ms for the caller's delayed acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(512)
    except (OSError, OverflowError, TypeError) as error:  # a port above 65535; not a host name
        listening.close()
        why = error.strerror if isinstance(error, OSError) else error
        message = f"{host}:{port} cannot be bound ({why}); choose another --port or --host"
        raise InputError(message) from None
    return listening


def make_server(app: Any, *, grace_s: int, connections: int) -> "uvicorn.Server":
    """A uvicorn server without logs of its own.

    Args:
        app: the ASGI application.
        grace_s: seconds that requests under way have at the end, >= 0.
        connections: connections held open; while there are more, requests are refused with 429.
    """
    import uvicorn

    from causalguard.serve.connections import Bounded, Protocol

    bounded = Bounded(app, connections)
    config = uvicorn.Config(
        bounded,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        http=Protocol,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=grace_s,
    )
    server = uvicorn.Server(config)
    bounded.connections = server.server_state.connections
    return server


def serve(server: "uvicorn.Server", listening: socket.socket) -> None:
    """Answer requests until SIGTERM or SIGINT; those under way are finished first."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again when it has ended; ending was all that was asked.
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listening])


def need(package: str) -> None:
    """Raise MissingError unless the extra's packages are there."""
    import importlib.util

    if importlib.util.find_spec(package) is None:
        raise MissingError(f"{package} is needed to serve; pip install 'causalguard[serve]'")
