"""The routes.  Every refusal says ``"blocked": true``: a client that looks no further is closed.

POST /scan                                 one or many tool outputs
POST /beta/litellm_basic_guardrail_api     LiteLLM's Generic Guardrail API
GET  /health  /certificate  /metrics
"""

import asyncio
import hmac
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from causalguard.agents import litellm
from causalguard.errors import InputError
from causalguard.serve.limits import Limits
from causalguard.serve.scan import answer_scan, parse_json, read_scan
from causalguard.serve.service import Service

log = logging.getLogger("causalguard.serve")

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
"""Host headers taken when there is no token: a web page cannot reach the guard by DNS rebinding."""
PORT = re.compile(r":[0-9]*\Z")
"""End of a Host header that names a port; the colons of [::1] are none."""
MESSAGES: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "the request is not of the form that docs/serve.md describes"),
    401: ("unauthorised", "send the server's token as 'Authorization: Bearer TOKEN' or x-api-key"),
    404: ("not_found", "there are /scan, /health, /certificate, /metrics and LiteLLM's route"),
    405: ("method_not_allowed", "POST to /scan and LiteLLM's route, GET the others"),
    408: ("too_slow", "the request did not arrive in time; send it at once"),
    413: ("too_large", "the request exceeds a limit of this server; split it"),
    415: ("media_type", "send 'Content-Type: application/json', not compressed"),
    429: ("busy", "all slots and the queue are taken; try again shortly"),
    503: ("guard_failed", "the guard failed; treat the output as not scanned"),
}
"""Status -> code and what to do."""

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not scanned."""

    status: int
    """HTTP status, a key of :data:`MESSAGES`."""
    detail: str = ""
    """Added to the message; never content of the request."""


Work = Callable[[Any], Awaitable[Response | Refusal]]


def create_app(
    service: Service,
    *,
    facts: Mapping[str, Any],
    token: str | None = None,
    anonymous: bool = False,
) -> Starlette:
    """Make the ASGI application.

    Args:
        service: guard, policy and limits.
        facts: what ``GET /certificate`` answers.
        token: what every request but ``GET /health`` must carry; None asks for none and then
            takes only requests addressed to the local machine.
        anonymous: without a token, take requests addressed to any name: a proxy is in front.
    """
    routes = [
        Route("/scan", _open(service, token, _scan(service)), methods=["POST"]),
        Route(litellm.PATH, _open(service, token, _litellm(service)), methods=["POST"]),
        Route("/health", _health, methods=["GET"]),
        Route("/certificate", _fixed(token, lambda: _json(dict(facts))), methods=["GET"]),
        Route("/metrics", _fixed(token, lambda: _metrics(service)), methods=["GET"]),
    ]
    app = Starlette(
        routes=routes,
        middleware=[] if token or anonymous else [Middleware(_LocalOnly)],
        exception_handlers={HTTPException: _unrouted, Exception: _broken},
    )
    app.router.redirect_slashes = False  # a redirect would be a refusal that does not say so
    return app


class _LocalOnly:
    """Refuses requests that are addressed to another host than :data:`LOCAL_HOSTS`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            host = Request(scope).headers.get("host", "").lower()
            if PORT.sub("", host) not in LOCAL_HOSTS:
                app = _refuse(Refusal(status=400, detail="it is addressed to another host"))
        await app(scope, receive, send)


def _scan(service: Service) -> Work:
    async def work(body: Any) -> Response | Refusal:
        incoming = await asyncio.to_thread(read_scan, body)
        if len(incoming) > service.limits.max_outputs:
            return _too_many(service.limits)
        outcome = await service.decide(incoming)
        answer = answer_scan(outcome.rulings)
        if outcome.failed:
            return _json({**_message(Refusal(status=503)), **answer, "blocked": True}, 503)
        return _json(answer)

    return work


def _litellm(service: Service) -> Work:
    async def work(body: Any) -> Response | Refusal:
        call = await asyncio.to_thread(litellm.read_call, body)
        if len(call.parts) > service.limits.max_outputs:
            return _too_many(service.limits)
        outcome = await service.decide([part.incoming for part in call.parts])
        # A failed scan is 200 BLOCKED: a 503 would pass with LiteLLM's unreachable_fallback.
        return _json(litellm.answer(call, outcome.rulings))

    return work


def _open(service: Service, token: str | None, work: Work) -> Handler:
    """Around a POST route: token, admission, body, work; whatever goes wrong refuses."""

    async def handle(request: Request) -> Response:
        started = time.monotonic()
        response = await _guarded(service, token, work, request)
        service.counters.add(
            "causalguard_requests_total", route=request.url.path, status=str(response.status_code)
        )
        seconds = time.monotonic() - started
        log.info("%s %d %.3f s", request.url.path, response.status_code, seconds)
        return response

    return handle


async def _guarded(service: Service, token: str | None, work: Work, request: Request) -> Response:
    closed = request.url.path == litellm.PATH
    if not _allowed(request, token):
        return _refuse(Refusal(status=401))
    with service.admit() as room:
        if not room:
            return _refuse(Refusal(status=429))
        try:
            body = await _body(request, service.limits)
            if not isinstance(body, Refusal):
                done = await work(await asyncio.to_thread(parse_json, body))
                if isinstance(done, Response):
                    return done
                body = done
            return _refuse(body, as_litellm=closed)
        except InputError as error:
            # A tool output can be nested too deeply, or be one message too many.
            return _refuse(Refusal(status=400, detail=str(error)), as_litellm=closed)
        except Exception as error:  # noqa: BLE001  # fail-closed edge: an answer that blocks
            # By its type only: the message may quote a tool output.
            log.error("a request failed: %s", type(error).__name__)  # noqa: TRY400
            return _refuse(Refusal(status=503), as_litellm=closed)


async def _body(request: Request, limits: Limits) -> bytes | Refusal:
    """The request's body, counted as it arrives, for a length that is claimed proves nothing."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or "content-encoding" in request.headers:
        return Refusal(status=415)
    too_large = Refusal(status=413, detail=f"at most {limits.max_body_bytes} bytes")
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed) > limits.max_body_bytes:
        return too_large
    parts = bytearray()
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            async for chunk in request.stream():
                parts += chunk
                if len(parts) > limits.max_body_bytes:
                    return too_large
    except (TimeoutError, ClientDisconnect):
        return Refusal(status=408)
    return bytes(parts)


def _too_many(limits: Limits) -> Refusal:
    return Refusal(status=413, detail=f"at most {limits.max_outputs} tool outputs in a request")


def _fixed(token: str | None, answer: Callable[[], Response]) -> Handler:
    async def handle(request: Request) -> Response:
        return answer() if _allowed(request, token) else _refuse(Refusal(status=401))

    return handle


async def _health(_: Request) -> Response:
    return _json({"status": "ok"})


def _metrics(service: Service) -> Response:
    return PlainTextResponse(service.counters.render(), media_type="text/plain; version=0.0.4")


def _allowed(request: Request, token: str | None) -> bool:
    if token is None:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    candidates = [request.headers.get("x-api-key", "")]
    if scheme.lower() == "bearer":
        candidates.append(given.strip())
    wanted = token.encode()
    # Starlette reads headers as Latin-1: so these are the bytes that were sent.
    return any(hmac.compare_digest(value.encode("latin-1"), wanted) for value in candidates)


async def _unrouted(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 503
    return _refuse(Refusal(status=status if status in MESSAGES else 400))


async def _broken(_: Request, error: Exception) -> Response:
    log.error("a request failed: %s", type(error).__name__)
    return _refuse(Refusal(status=503))


def _message(refusal: Refusal) -> dict[str, Any]:
    code, message = MESSAGES[refusal.status]
    detail = f": {refusal.detail}" if refusal.detail else ""
    return {"blocked": True, "error": code, "message": f"{message}{detail}"}


def refuse(status: int, detail: str = "") -> Response:
    """The answer of a refusal.

    Args:
        status: HTTP status, a key of :data:`MESSAGES`.
        detail: added to the message; never content of the request.
    """
    return _refuse(Refusal(status=status, detail=detail))


def _refuse(refusal: Refusal, *, as_litellm: bool = False) -> Response:
    """An answer that blocks.

    Args:
        refusal: why.
        as_litellm: answer 200 ``BLOCKED``, for what a tool output itself can bring about (its size,
            its nesting, a failing scan): LiteLLM can be set to let the call pass on any other
            status.
    """
    said = _message(refusal)
    if as_litellm and refusal.status in {400, 408, 413, 503}:
        return _json({"action": "BLOCKED", "blocked_reason": f"CausalGuard: {said['message']}"})
    headers = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}}
    return _json(said, refusal.status, headers.get(refusal.status))


def _json(
    value: Mapping[str, Any] | Sequence[Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    # ASCII: half a character that a tool output carried must not break the answer.
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return Response(text, status, headers, media_type="application/json")
