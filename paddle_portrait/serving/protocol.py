"""HTTP connections of a server that stops: none is closed under a request that is on its way."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_PATIENCE_S = 0.5


class PatientProtocol(HttpToolsProtocol):
    """A connection that is closed a little later when the server stops.

    At that moment its client may just have sent a request, which nobody has read yet. That request is served, its
    answer says ``Connection: close``, and so ends the connection.
    """

    def shutdown(self) -> None:
        """Close when idle for a moment, or after the answer that is being made."""
        self.loop.call_later(_PATIENCE_S, super().shutdown)
