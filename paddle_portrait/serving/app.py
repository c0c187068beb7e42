"""The application of one process: endpoints, what guards them, and its start and stop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import cv2
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from paddle_portrait import __version__
from paddle_portrait.console import logger, setup_logging
from paddle_portrait.serving import pages, rembg, segment, stream
from paddle_portrait.serving.engine import Engine
from paddle_portrait.serving.errors import answer_errors_as_json
from paddle_portrait.serving.guard import Guard, Lifetime
from paddle_portrait.serving.memory import keep_freed_memory
from paddle_portrait.serving.metrics import Metrics
from paddle_portrait.serving.settings import Settings
from paddle_portrait.video.smoothing import FILTERS

_DESCRIPTION = "Finds people in pictures: masks, cut-outs, other backgrounds. Errors are JSON with detail and code."


def from_environment() -> FastAPI:
    """Make the application of a process that the command line has started."""
    setup_logging()
    keep_freed_memory()
    cv2.setNumThreads(1)  # the runners fill the cores; helpers of each would only get in their way
    return create_app(Settings.from_environment())


class Application(FastAPI):
    """FastAPI, with a way around it for pictures.

    Its layers and its routing cost a picture more than all that the endpoint does in the event loop. Middleware and
    handlers that are added later therefore do not see pictures: wrap the whole application in them.

    Attributes:
        short_way: what serves pictures.
    """

    short_way: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, stream or lifespan."""
        if scope["type"] == "http" and scope["path"] == segment.PATH and scope["method"] == "POST":
            scope["app"] = self
            await self.short_way(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """Make the application.

    Raises:
        UserError: the token's file or the default filter is wrong. The model is loaded when the server starts.
    """
    FILTERS.get(settings.smoothing)
    metrics, lifetime = Metrics(), Lifetime()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = app.state.engine = Engine(settings, metrics)
        metrics.watch(
            lambda: engine.admission.pending,
            lambda: engine.admission.bytes,
            lambda: engine.pixels.used,
            lambda: engine.streams,
        )
        _drain_before_stop(lifetime, settings.drain_s)
        keeper = asyncio.create_task(_refresh(metrics))
        yield
        keeper.cancel()
        await engine.close()
        logger.info("stopped: %d requests taken, %d answered", lifetime.taken, lifetime.answered)

    app = Application(
        title="paddle_portrait",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.lifetime, app.state.metrics = lifetime, metrics
    answer_errors_as_json(app)
    _protect(app, settings)
    for room in (segment, rembg, stream, pages):
        app.include_router(room.router)
    pages.add_page(app, settings.page)
    return app


def _protect(app: Application, settings: Settings) -> None:
    """Put the guard, and where pages may call what tells them so, before both ways."""
    state = app.state
    guard = {"token": settings.read_token(), "metrics": state.metrics, "lifetime": state.lifetime}
    app.short_way = segment.serve
    if settings.origins:
        cors: dict[str, Any] = {
            "allow_origins": settings.origins,
            "allow_methods": ["GET", "POST"],
            "allow_headers": ["Authorization", "Content-Type"],
            "expose_headers": ["X-Mask-Height", "X-Mask-Width", "X-Mask-Type", "Retry-After"],
        }
        app.add_middleware(CORSMiddleware, **cors)
        app.short_way = CORSMiddleware(app.short_way, **cors)
    app.add_middleware(Guard, **guard)
    app.short_way = Guard(app.short_way, **guard)


def _drain_before_stop(lifetime: Lifetime, seconds: float) -> None:
    """On SIGTERM say "not ready" and end kept connections for a while, before the server closes its port.

    So a balancer turns away in time, and no client sends a request into a connection that is being closed.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGTERM"):
        return  # a test or a program that runs the server its own way
    servers_own: Any = signal.getsignal(signal.SIGTERM)
    if not callable(servers_own):
        return
    loop = asyncio.get_running_loop()

    def drain(number: int, frame: FrameType | None) -> None:
        lifetime.stopping = True
        loop.call_soon_threadsafe(loop.call_later, seconds, servers_own, number, None)

    signal.signal(signal.SIGTERM, drain)


async def _refresh(metrics: Metrics) -> None:
    while True:
        metrics.refresh()
        await asyncio.sleep(1)
