"""HTTP connections: an answer leaves in one piece, and a server that stops closes none under a request on its way."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_PATIENCE_S = 0.5
_HEAD = b"HTTP/1."


class PatientProtocol(HttpToolsProtocol):
    """A connection that is closed a little later when the server stops.

    At that moment its client may just have sent a request, which nobody has read yet. That request is served, its
    answer says ``Connection: close``, and so ends the connection.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection."""
        super().connection_made(OnePiece(transport, self.loop))  # type: ignore[arg-type]

    def shutdown(self) -> None:
        """Close when idle for a moment, or after the answer that is being made."""
        self.loop.call_later(_PATIENCE_S, super().shutdown)


class OnePiece:
    """A transport that sends an answer's head together with the beginning of its body.

    uvicorn writes them one after the other: two system calls, of which the first wakes the client for nothing. A head
    whose body does not follow at once leaves alone.

    Args:
        transport: what sends.
        loop: its event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        """Be the transport in everything else."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, or keep a head until its body comes."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close when all is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)
