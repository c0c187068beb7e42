"""What a client is told when its request is not served: JSON with ``detail`` (why) and ``code`` (for programs)."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket

from paddle_portrait.console import logger
from paddle_portrait.errors import UserError


class Refusal(Exception):
    """A request that is not served.

    Args:
        status: HTTP status, 4xx or 503.
        code: one word for programs, such as ``"body_too_large"``.
        detail: a sentence for people: what was wrong, what is allowed.
        retry_after_s: seconds after which trying again makes sense; None: it does not.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.retry_after_s = status, code, detail, retry_after_s

    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return headers | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})

    def response(self) -> JSONResponse:
        """Return it as an answer."""
        return JSONResponse(self.body(), self.status, self.headers())

    def body(self) -> dict[str, Any]:
        """Return what is sent as JSON."""
        return {"detail": self.detail, "code": self.code}


def as_refusal(error: Exception) -> Refusal:
    """Return what a client is told of an error; one that is no fault of the client's goes to the log."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ValidationError):
        return Refusal(422, "bad_parameter", _describe_validation(error))
    if isinstance(error, UserError):
        return Refusal(422, "bad_parameter", str(error))
    logger.error("a request failed", exc_info=error)
    return Refusal(500, "internal", "the server failed at this request; its log says why.")


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Count an error, and return what its client is told."""
    refusal = as_refusal(error)
    request.app.state.metrics.refused.labels(refusal.code).inc()
    return refusal.response()


async def refuse(socket: WebSocket, refusal: Refusal) -> None:
    """Answer the handshake of a stream as any other request is answered."""
    await socket.receive()  # the handshake itself
    await socket.send_denial_response(refusal.response())


def answer_errors_as_json(app: FastAPI) -> None:
    """Make every error of ``app`` an answer in JSON."""

    async def answer_http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return JSONResponse({"detail": error.detail, "code": f"http_{error.status_code}"}, error.status_code)

    for kind in (Refusal, UserError, ValidationError, Exception):
        app.add_exception_handler(kind, answer_error)
    app.add_exception_handler(HTTPException, answer_http)


def _describe_validation(error: ValidationError) -> str:
    faults = (f"{'.'.join(map(str, fault['loc'])) or 'parameters'}: {fault['msg']}" for fault in error.errors())
    return "; ".join(faults)
