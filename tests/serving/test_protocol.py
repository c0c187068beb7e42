"""What the system is asked to send, and when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from paddle_portrait.serving.protocol import OnePiece

HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", b"mask"


class Recorder:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.sent: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.sent.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.sent


@pytest.mark.parametrize(
    ("told", "at_once", "later"),
    [
        ((HEAD, BODY, BODY), [HEAD + BODY, BODY], [HEAD + BODY, BODY]),
        ((HEAD,), [], [HEAD]),  # the body of a stream may take its time
        ((HEAD, None), [HEAD, "closed"], [HEAD, "closed"]),  # an answer to HEAD that ends the connection
        ((BODY, HEAD), [BODY], [BODY, HEAD]),
    ],
)
def test_a_head_leaves_with_its_body_and_never_later_than_at_once(told: Any, at_once: Any, later: Any) -> None:
    async def tell() -> None:
        recorder = Recorder()
        transport = OnePiece(recorder, asyncio.get_running_loop())  # type: ignore[arg-type]
        for data in told:
            transport.close() if data is None else transport.write(data)
        assert recorder.sent == at_once
        await asyncio.sleep(0)
        assert recorder.sent == later
        assert transport.is_closing() == (None in told)

    asyncio.run(tell())
