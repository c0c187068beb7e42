"""What is there beside the endpoints: health, figures, documentation, the web page."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from paddle_portrait.errors import UserError
from paddle_portrait.serving.engine import Engine
from paddle_portrait.serving.guard import Lifetime

router = APIRouter(tags=["operation"])

_BUILT_PAGE = Path(__file__).resolve().parents[2] / "deploy" / "paddlejs" / "dist"
_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}"
    "td{vertical-align:top;padding:.2em 1em .2em 0}code{white-space:nowrap}"
)


@router.get("/healthz", summary="Is the process alive?")
async def health() -> dict[str, str]:
    """200 as long as it answers at all."""
    return {"status": "alive"}


@router.get("/readyz", summary="Should a balancer send requests here?", responses={503: {"description": "no"}})
async def ready(request: Request) -> JSONResponse:
    """200 when the model is loaded and there is room in the queue; 503 when the queue is full or the server stops."""
    engine: Engine = request.app.state.engine
    lifetime: Lifetime = request.app.state.lifetime
    own = engine.models.get("")
    full = engine.admission.pending >= engine.settings.max_pending
    state = "stopping" if lifetime.stopping else "busy" if full else "ready"
    content = {"status": state, "model": engine.models.own_name, "runtime": own.predictor.runtime}
    if state == "ready":
        return JSONResponse(content)
    return JSONResponse(content, 503, {"Retry-After": "1"})


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Of all workers together."""
    engine: Engine = request.app.state.engine
    return Response(engine.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/docs", include_in_schema=False)
async def documentation(request: Request) -> HTMLResponse:
    """The endpoints for people, made from /openapi.json; no script, nothing from elsewhere."""
    return HTMLResponse(_document(request.app.openapi()))


class WebPage(StaticFiles):
    """The built web page. Its headers let the browser give WebAssembly its threads."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one file."""

        async def send_isolated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Embedder-Policy"] = "require-corp"
            await send(message)

        await super().__call__(scope, receive, send_isolated)


class PageMount(Mount):
    """Every address but those of the endpoints, so that a wrong method is told as such."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether an address belongs to the page."""
        return (Match.NONE, {}) if scope["path"].startswith(("/v1/", "/api/")) else super().matches(scope)


def find_page(folder: str) -> Path | None:
    """Return the folder of the web page; None where none was named and none has been built.

    Raises:
        UserError: the folder that was named holds no page.
    """
    page = Path(folder) if folder else _BUILT_PAGE
    if (page / "index.html").is_file():
        return page
    if folder:
        raise UserError(f"--page {folder}: there is no index.html in it; name the folder that 'make web' has built.")
    return None


def add_page(app: FastAPI, folder: str) -> None:
    """Put the web page at /, or a page that says how to build it. Call it last: it takes every address left."""
    page = find_page(folder)
    if page is None:
        app.add_api_route("/", _missing_page, include_in_schema=False)
    else:
        app.router.routes.append(PageMount("/", WebPage(directory=page, html=True), name="page"))


async def _missing_page() -> HTMLResponse:
    text = (
        "<p>The server runs. The web page, which segments in the browser, has not been built: run "
        "<code>make web</code> in the repository, or name its folder with <code>--page</code>, and start anew.</p>"
        '<p><a href="/docs">The endpoints</a></p>'
    )
    return HTMLResponse(_page("paddle_portrait", text))


def _document(schema: dict[str, Any]) -> str:
    parts = ['<p>For programs: <a href="/openapi.json">openapi.json</a>. Streams: see docs/serving.md.</p>']
    for path, methods in schema["paths"].items():
        for method, entry in methods.items():
            parts.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>")
            parts.append(f"<p><b>{html.escape(entry.get('summary', ''))}.</b> ")
            parts.append(f"{html.escape(entry.get('description', ''))}</p>")
            parts.append(_rows((one["name"], one["description"]) for one in entry.get("parameters", ())))
            parts.append(_rows((status, one["description"]) for status, one in entry["responses"].items()))
    return _page(schema["info"]["title"], "".join(parts))


def _rows(pairs: Any) -> str:
    cells = (f"<tr><td><code>{html.escape(name)}</code><td>{html.escape(text)}" for name, text in pairs)
    return f"<table>{''.join(cells)}</table>"


def _page(title: str, body: str) -> str:
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
    return f"{head}<h1>{title}</h1>{body}"
