"""Below the routes: what a crowd of connections, a slow caller and bad HTTP are answered.

uvicorn's own answers there are plain texts; these say ``"blocked": true`` like every other refusal.
"""

import asyncio
from collections.abc import Sized
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from causalguard.serve.app import refuse


class Bounded:
    """Refuses requests while more connections are open than there may be: 429, ``busy``."""

    connections: Sized = ()
    """The open connections; the server's, once there is one."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        """Wrap an application.

        Args:
            app: what answers otherwise.
            most: connections, >= 1; the one that asks among them.
        """
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        crowded = len(self.connections) > self._most
        await (refuse(429) if crowded else self._app)(scope, receive, send)


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 that ends connections on which no request is under way for long.

    uvicorn's own timer starts after the first answer and stops at the next byte, so that callers
    who say nothing, or a byte at a time, would hold their connections for ever.
    """

    _ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on; what is no whole head of a request does not extend the wait."""
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._stop()

    def _wait(self) -> None:
        cycle: Any = self.cycle  # uvicorn: None before the first request
        if cycle is not None and not cycle.response_complete:
            self._stop()
        elif self._ending is None:
            self._ending = self.loop.call_later(self.timeout_keep_alive, self.transport.close)

    def _stop(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and hang up."""
        body = refuse(400, msg).body
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        events = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(body)),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
