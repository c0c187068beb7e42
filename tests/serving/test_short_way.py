"""Pictures go around FastAPI's layers and routing: nobody may see a difference but in time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from red_model import encoded, scene

from paddle_portrait.serving import segment
from paddle_portrait.serving.app import create_app
from paddle_portrait.serving.settings import Settings

PICTURE = encoded(scene(40, 30))
TOKEN, PAGE = "secret", "http://page.example"


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """Return a form of headers and bodies, with the boundary ``xBx``."""
    return b"".join(b"--xBx\r\n%s\r\n\r\n%s\r\n" % part for part in parts) + b"--xBx--\r\n"


FORM = {"content-type": "multipart/form-data; boundary=xBx"}
FILE = (b'Content-Disposition: form-data; name="file"; filename="a.png"', PICTURE)
FIELD = (b'Content-Disposition: form-data; name="threshold"', b"0.5")
REQUESTS: dict[str, dict[str, Any]] = {
    "picture": {"content": PICTURE},
    "parameter": {"content": PICTURE, "params": {"threshold": "0.5"}},
    "parameter twice": {"content": PICTURE, "params": [("threshold", "0.5"), ("threshold", "0.6")]},
    "unknown parameter": {"content": PICTURE, "params": {"nope": "1"}},
    "broken query": {"content": PICTURE, "params": "%ff=%fe&a=%"},
    "nothing": {"content": b""},
    "no picture": {"content": b"abc"},
    "too large": {"content": b"\x89PNG" + b"0" * (2 << 20)},
    "form": {"content": form(FILE, FIELD), "headers": FORM},
    "cut form": {"content": form(FILE)[:80], "headers": FORM},
    "no boundary": {"content": form(FILE), "headers": {"content-type": "multipart/form-data"}},
    "part without a name": {"content": form((b"X: y", b"x")), "headers": FORM},
    "no token": {"content": PICTURE, "headers": {"authorization": ""}},
    "page": {"content": PICTURE, "headers": {"origin": PAGE}},
    "refused page": {"content": b"abc", "headers": {"origin": PAGE}},
    "other page": {"content": PICTURE, "headers": {"origin": "http://other.example"}},
}


@pytest.fixture(scope="module")
def found(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return for each request what came of it the short way, and through FastAPI."""
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN, encoding="utf-8")
    app = create_app(Settings(model=str(model), backend="onnx", max_body_mib=1, cors=PAGE, token_file=str(token)))

    async def ordinary(scope: Any, receive: Any, send: Any) -> None:
        await FastAPI.__call__(app, scope, receive, send)

    async def ask_all() -> dict[str, list[Any]]:
        async with app.router.lifespan_context(app):
            ways: tuple[Any, ...] = (app, ordinary)
            return {name: [await ask(app, way, request) for way in ways] for name, request in REQUESTS.items()}

    return asyncio.run(ask_all())


async def ask(app: FastAPI, way: Any, request: dict[str, Any]) -> tuple[Any, ...]:
    """Return status, headers, body, and what was counted."""
    before = counted(app)
    headers = {"authorization": f"Bearer {TOKEN}", **request.get("headers", {})}
    transport = httpx.ASGITransport(way, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        answer = await client.post(segment.PATH, **{**request, "headers": headers})
    changed = {name: value for name, value in counted(app).items() if value != before.get(name)}
    more = {name: value - before.get(name, 0) for name, value in changed.items()}
    return answer.status_code, sorted(answer.headers.multi_items()), answer.content, more


def counted(app: FastAPI) -> dict[str, float]:
    """Return the counters of answers and refusals, by their names and labels."""
    lines = app.state.metrics.text().decode().splitlines()
    series = (line.rpartition(" ") for line in lines if "_total{" in line)
    return {name: float(value) for name, _, value in series}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_short_way_answers_and_counts_as_fastapi_does(name: str, found: dict[str, list[Any]]) -> None:
    short, ordinary = found[name]
    assert short == ordinary
    assert any(segment.PATH in series for series in short[3])
