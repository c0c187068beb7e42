"""What stands before every endpoint: the token, counting, and the ways of a server that is about to stop."""

from __future__ import annotations

import hmac
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from paddle_portrait.serving import segment
from paddle_portrait.serving.errors import Refusal, refuse
from paddle_portrait.serving.metrics import Metrics

_PROTECTED = ("/v1/", "/api/", "/metrics")
# Answers are counted by endpoint; addresses that strangers make up are one, or each would be a series of its own.
_COUNTED = (segment.PATH, "/v1/effects", "/v1/stream", "/api/remove", "/healthz", "/readyz", "/metrics")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")


class Lifetime:
    """Whether the process is to go on taking requests, and what became of those it took."""

    def __init__(self) -> None:
        self.stopping = False
        self.taken = self.answered = 0


class Guard:
    """ASGI middleware.

    Args:
        app: what it guards.
        token: what clients must send as bearer token; None: nothing.
        metrics: where answers are counted.
        lifetime: the process's.
    """

    def __init__(self, app: ASGIApp, token: str | None, metrics: Metrics, lifetime: Lifetime) -> None:
        self._app, self._metrics, self._lifetime = app, metrics, lifetime
        self._expected = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, stream or lifespan."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._stream(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._may(scope):
            await self._app(scope, receive, send)
        else:
            await refuse(WebSocket(scope, receive, send), _unauthorised())

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status = time.perf_counter(), 500
        self._lifetime.taken += 1

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append(_NO_SNIFFING)
                if self._lifetime.stopping:
                    MutableHeaders(raw=message["headers"])["Connection"] = "close"
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self._lifetime.answered += 1

        try:
            if self._may(scope):
                await self._app(scope, receive, send_counted)
            else:
                await _unauthorised().response()(scope, receive, send_counted)
        finally:
            endpoint = scope["path"] if scope["path"] in _COUNTED else "other"
            self._metrics.note_request(endpoint, status, time.perf_counter() - start)

    def _may(self, scope: Scope) -> bool:
        if self._expected is None or not scope["path"].startswith(_PROTECTED) or scope.get("method") == "OPTIONS":
            return True
        given = Headers(scope=scope).get("authorization", "")
        return hmac.compare_digest(given.encode("latin-1"), self._expected)


def _unauthorised() -> Refusal:
    return Refusal(401, "unauthorised", "send the header 'Authorization: Bearer TOKEN' with this server's token.")
