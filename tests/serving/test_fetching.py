"""Fetching for strangers: what is let through, what is not, and what the connection really goes to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from red_model import decoded, encoded, scene

from paddle_portrait.serving.errors import Refusal
from paddle_portrait.serving.fetching import fetch, fetch_picture, is_public, resolve
from paddle_portrait.serving.settings import Settings

PICTURE = encoded(scene())
HERE, INSIDE = "127.0.0.1", "127.0.0.2"  # to the tests the first is the internet, the second a private network
MOST = 100_000


class _Handler(BaseHTTPRequestHandler):
    hosts: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        port = self.server.server_address[1]
        redirects = {
            "/moved": f"http://other.example:{port}/photo",
            "/inside": f"http://inside.example:{port}/photo",
            "/file": "file:///etc/passwd",
            "/round": "/round",
            "/relative": "photo",
        }
        if self.path in redirects:
            self.send_response(302)
            self.send_header("Location", redirects[self.path])
            self.end_headers()
            return
        self.send_response(404 if self.path == "/none" else 200)
        if self.path == "/lies":
            self.send_header("Content-Length", str(10 * MOST))
        self.end_headers()
        self.wfile.write(PICTURE if self.path == "/photo" else bytes(2 * MOST))

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve pictures on every address of the loopback."""
    with ThreadingHTTPServer(("0.0.0.0", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


NAMES = {"photos.example": [HERE], "other.example": [HERE], "inside.example": [INSIDE], "both.example": [HERE, INSIDE]}


def fetched(url: str, names: dict[str, list[str]] | None = None) -> bytes:
    """Fetch with the tests' own names."""

    async def look_up(host: str, _: int) -> list[str]:
        known = NAMES if names is None else names
        if host in known:
            return known[host]
        if host.replace(".", "").isdigit():
            return [host]
        raise OSError("unknown")

    return asyncio.run(fetch(url, MOST, lambda number: number == HERE, look_up))


def test_a_picture_is_fetched_also_after_a_redirect_by_name(port: int) -> None:
    _Handler.hosts.clear()
    assert fetched(f"http://photos.example:{port}/photo") == PICTURE
    assert fetched(f"http://photos.example:{port}/relative") == PICTURE
    assert fetched(f"http://photos.example:{port}/moved") == PICTURE
    # The connection went to a number; the server was still told the name.
    assert set(_Handler.hosts) == {f"photos.example:{port}", f"other.example:{port}"}


def test_a_name_is_resolved_once_and_that_number_is_used(port: int) -> None:
    answers = iter([[HERE], [INSIDE], [INSIDE]])

    async def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    assert asyncio.run(fetch(f"http://photos.example:{port}/photo", MOST, lambda n: n == HERE, rebinding)) == PICTURE
    assert next(answers) == [INSIDE]  # nobody asked a second time


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("http://inside.example:{port}/photo", 400, "private_address"),
        ("http://127.0.0.2:{port}/photo", 400, "private_address"),
        ("http://both.example:{port}/photo", 400, "private_address"),
        ("http://photos.example:{port}/inside", 400, "private_address"),
        ("http://photos.example:{port}/file", 400, "bad_url"),
        ("http://photos.example:{port}/round", 400, "bad_url"),
        ("http://photos.example:{port}/none", 400, "fetch_failed"),
        ("http://photos.example:{port}/large", 413, "body_too_large"),
        ("http://photos.example:{port}/lies", 413, "body_too_large"),
        ("http://nowhere.example/", 400, "bad_url"),
        ("file:///etc/passwd", 400, "bad_url"),
        ("gopher://photos.example/", 400, "bad_url"),
        ("//photos.example/", 400, "bad_url"),
        ("http://", 400, "bad_url"),
        ("http://user:word@photos.example/", 400, "bad_url"),
        ("http://photos.example:99999/", 400, "bad_url"),
        ("\x00", 400, "bad_url"),
        ("", 400, "bad_url"),
    ],
)
def test_what_is_refused(port: int, url: str, status: int, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        fetched(url.format(port=port))
    assert (refused.value.status, refused.value.code) == (status, code)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *(
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:0:1::1",
            "2001:db8::1",
        ),
    ],
)
def test_private_addresses_and_their_disguises(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "[::1]"])
def test_every_way_to_write_the_loopback_is_resolved_before_it_is_judged(host: str) -> None:
    try:
        numbers = asyncio.run(resolve(httpx.URL(f"http://{host}/").host, 80))
    except (OSError, httpx.InvalidURL):
        return  # not even an address here
    assert numbers and not any(is_public(number) for number in numbers)


def test_the_server_fetches_when_it_may(serve: Any, model: Any, port: int) -> None:
    with serve(model, "--fetch", "any") as server:
        answer = httpx.get(f"{server.url}/api/remove", params={"url": f"http://127.0.0.1:{port}/photo", "om": "1"})
        assert decoded(answer.content).shape == scene().shape[:2]
    with pytest.raises(Refusal, match="private"):
        asyncio.run(fetch_picture(f"http://127.0.0.1:{port}/photo", Settings(fetch="public")))
