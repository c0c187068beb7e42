"""Two hundred bodies of thirty kinds that mean no good: each gets a reason, and the server goes on."""

from __future__ import annotations

import io
import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from red_model import decoded, encoded, scene

SEED, EACH = 20240607, 7
Rng = np.random.Generator


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes | None = None, more: bytes = b"") -> bytes:
    """Return an 8-bit grey PNG that says it has that size."""
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return head + more + chunk(b"IDAT", zlib.compress(pixels or b"")) + chunk(b"IEND", b"")


def photo(rng: Rng, suffix: str = ".jpg") -> bytes:
    """Return a sound picture."""
    noise = rng.integers(0, 255, (int(rng.integers(20, 60)), int(rng.integers(20, 60)), 3), np.uint8)
    return encoded(noise, suffix)


def cut(rng: Rng, suffix: str) -> bytes:
    """Return the beginning of a picture."""
    data = photo(rng, suffix)
    return data[: int(len(data) * rng.uniform(0.3, 0.95))]


def resized_header(rng: Rng, suffix: str) -> bytes:
    """Return a small picture whose header says that it is enormous."""
    data = bytearray(photo(rng, suffix))
    if suffix == ".jpg":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", 65500, int(rng.integers(60000, 65500)))
    elif suffix == ".gif":
        data[6:10] = struct.pack("<HH", 65535, int(rng.integers(60000, 65535)))
    else:
        data[18:26] = struct.pack("<ii", int(rng.integers(30000, 2**31 - 1)), 2**30)
    return bytes(data)


def archive(rng: Rng) -> bytes:
    """Return a ZIP file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.txt", rng.bytes(50))
    return buffer.getvalue()


def many_scans(rng: Rng) -> bytes:
    """Return a progressive JPEG whose last scan is repeated a thousand times."""
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 1000 + b"\xff\xd9"


def flipped(rng: Rng) -> bytes:
    """Return a PNG whose compressed pixels were damaged."""
    data = bytearray(photo(rng, ".png"))
    at = data.index(b"IDAT") + 10
    data[at : at + 40] = rng.bytes(40)
    return bytes(data)


def saved(rng: Rng, file_format: str) -> bytes:
    """Return a sound picture of a format that no photo comes in."""
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(buffer, file_format)
    return buffer.getvalue()


KINDS: dict[str, Callable[[Rng], bytes]] = {
    "empty": lambda rng: b"",
    "noise": lambda rng: rng.bytes(int(rng.integers(1, 5000))),
    "text": lambda rng: b"not a picture " * int(rng.integers(1, 99)),
    "web page": lambda rng: b"<!doctype html><html><script>alert(1)</script>" + rng.bytes(9),
    "svg": lambda rng: b'<svg xmlns="http://www.w3.org/2000/svg" width="99999" height="99999"/>' + rng.bytes(3),
    "pdf": lambda rng: b"%PDF-1.7\n" + rng.bytes(99),
    "archive": archive,
    "program": lambda rng: b"\x7fELF\x02\x01\x01" + rng.bytes(200),
    "sound in RIFF": lambda rng: b"RIFF" + struct.pack("<I", 99) + b"WAVEfmt " + rng.bytes(80),
    "postscript": lambda rng: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n" + rng.bytes(9),
    "tiff": lambda rng: saved(rng, "TIFF"),
    "icon": lambda rng: saved(rng, "ICO"),
    "targa": lambda rng: saved(rng, "TGA"),
    "only a beginning": lambda rng: [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF\0\0\0\0WEBP"][
        int(rng.integers(5))
    ],
    "beginning and noise": lambda rng: b"\xff\xd8\xff\xe0" + rng.bytes(500),
    "cut jpeg": lambda rng: cut(rng, ".jpg"),
    "cut png": lambda rng: cut(rng, ".png"),
    "cut webp": lambda rng: cut(rng, ".webp"),
    "cut gif": lambda rng: cut(rng, ".gif"),
    "cut bmp": lambda rng: cut(rng, ".bmp"),
    "damaged png": flipped,
    "png of no size": lambda rng: png(0, int(rng.integers(0, 9)), b"\0"),
    "png without pixels": lambda rng: png(30, 30),
    "bomb png, said": lambda rng: png(int(rng.integers(2**16, 2**31)), 2**31 - 1, b"\0"),
    "bomb png, real": lambda rng: png(3000, 3000, bytes(3001 * 3000)),
    "bomb png, text": lambda rng: png(9, 9, bytes(90), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000)))),
    "bomb jpeg": lambda rng: resized_header(rng, ".jpg"),
    "bomb gif": lambda rng: resized_header(rng, ".gif"),
    "bomb bmp": lambda rng: resized_header(rng, ".bmp"),
    "endless strip": lambda rng: png(4001 + int(rng.integers(99)), 1, bytes(5000)),
    "jpeg of many scans": many_scans,
    "jpeg and archive": lambda rng: photo(rng) + archive(rng),
    "jpeg and script": lambda rng: photo(rng)[:-2] + b"\xff\xfe\x00\x20<SCRIPT>alert(document.cookie)\xff\xd9",
    "gif and script": lambda rng: photo(rng, ".gif") + b"*/=1;</x><script src=//evil></script>",
    "png and pdf": lambda rng: photo(rng, ".png") + b"%PDF-1.4 1 0 obj" + rng.bytes(20),
    "png and php": lambda rng: png(9, 9, bytes(90), chunk(b"tEXt", b"Comment\0<?php system($_GET[0]); ?>")),
}


def cases() -> list[tuple[str, bytes]]:
    """Return the bodies by kind; the same in every run."""
    rng = np.random.default_rng(SEED)
    return [(kind, make(rng)) for kind, make in KINDS.items() for _ in range(EACH if kind != "bomb png, text" else 1)]


def test_hostile_pictures_are_refused_with_a_reason_and_harm_nobody(server: Any) -> None:
    bodies = cases()
    assert len(bodies) >= 200 and len(KINDS) >= 15
    with httpx.Client(base_url=server.url, timeout=60) as client, ThreadPoolExecutor(4) as pool:

        def send(number: int) -> httpx.Response:
            body = bodies[number][1]
            if number % 2:
                return client.post("/api/remove", files={"file": ("a.jpg", body, "image/jpeg")})
            return client.post("/v1/segment", content=body, headers={"Content-Type": "image/jpeg"})

        answers = list(pool.map(send, range(len(bodies))))
        wrong = [
            (kind, answer.status_code, answer.text[:100])
            for (kind, _), answer in zip(bodies, answers, strict=True)
            if not 400 <= answer.status_code < 500 or set(answer.json()) != {"detail", "code"}
        ]
        assert not wrong
        codes = {answer.json()["code"] for answer in answers}
        assert codes == {"empty", "not_an_image", "broken_image", "too_many_pixels", "polyglot", "too_many_scans"}
        mask = decoded(client.post("/v1/segment", content=encoded(scene())).content)
        assert mask[48, 80] > 250 and mask[48, 5] < 5
    assert server.process.poll() is None
    os.kill(server.process.pid, 0)
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


BOUNDARY = "x1y2"
PART = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode()
FORM = f"multipart/form-data; boundary={BOUNDARY}"
FIELD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"\r\n\r\n1\r\n'.encode()


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", PART + b"x", 400),
        (FORM, b"", 422),
        (FORM, b"nonsense", 400),
        (FORM, PART + b"cut", 422),
        (FORM, FIELD * 200, 400),
        (FORM, FIELD + f"--{BOUNDARY}--\r\n".encode(), 422),
        (FORM, PART + b"x\r\n" + PART + b"x\r\n" + PART + b"x\r\n", 400),
        (FORM.replace(BOUNDARY, "é" * 50), b"--x", 400),
        (FORM + "; charset=klingon", FIELD + f"--{BOUNDARY}--\r\n".encode(), 422),
        ("application/json", b"{}", 415),
        ("text/html", b"<html>", 415),
        ("application/x-www-form-urlencoded", b"file=1", 415),
    ],
)
def test_broken_forms_and_other_types(client: httpx.Client, kind: str, body: bytes, status: int) -> None:
    for path in ("/v1/segment", "/api/remove"):
        answer = client.post(path, content=body, headers={"Content-Type": kind.encode("latin-1")})
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"detail", "code"}


def test_a_body_over_the_limit_is_refused_said_or_not(client: httpx.Client) -> None:
    large = bytes(1_100_000)
    said = client.post("/v1/segment", content=large)
    unsaid = client.post("/v1/segment", content=(large[at : at + 50_000] for at in range(0, len(large), 50_000)))
    form = client.post("/api/remove", files={"file": large})
    for answer in (said, unsaid, form):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_that_never_ends_is_given_up(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(b"POST /v1/segment HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n\xff\xd8\xff")
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
    assert httpx.get(f"{server.url}/readyz").status_code == 200


def test_a_client_that_leaves_gives_its_place_back(server: Any) -> None:
    for _ in range(40):  # more than there are places
        with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
            connection.sendall(b"POST /v1/segment HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n\xff\xd8\xff")
    answer = httpx.post(f"{server.url}/v1/segment", content=encoded(scene()), timeout=30)
    if answer.status_code == 429:  # the last ones are still being noticed
        answer = httpx.post(f"{server.url}/v1/segment", content=encoded(scene()), timeout=30)
    assert answer.status_code == 200
