"""What can be set about the server: one table, from which the command line is made and which workers inherit."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from paddle_portrait.errors import UserError

ENVIRONMENT = "PADDLE_PORTRAIT_SERVING"
TOKEN_ENVIRONMENT = "PADDLE_PORTRAIT_TOKEN"
FETCH = ("no", "public", "any")


def _option(default: Any, text: str, **more: Any) -> Any:
    return field(default=default, metadata={"help": text, **more})


@dataclass(frozen=True)
class Settings:
    """The server's settings; the texts are those of ``--help``."""

    model: str = _option("", "exported directory or zoo name (default: the zoo's default)")
    backend: str = _option("auto", "runtime: auto, onnx, openvino, paddle, ...")
    host: str = _option("127.0.0.1", "address to listen on; 0.0.0.0: all")
    port: int = _option(8000, "port to listen on", low=0)
    workers: int = _option(1, "processes that share the port", low=1)
    runners: int = _option(0, "calls of the network at once in a process (0: cores / workers)", low=0)
    threads: int = _option(1, "threads of one call of the network", low=1)
    max_batch: int = _option(
        0,
        "requests that go through the network together, where the graph takes a batch; 0: what is quickest here",
        low=0,
    )
    max_wait_ms: float = _option(
        0.0, "longest that a request waits for others to fill its batch; 0: what waits goes at once", low=0
    )
    max_pending: int = _option(64, "requests in work or waiting; further ones are answered 429", low=1)
    max_body_mib: float = _option(16.0, "largest body of a request, and message of a stream", low=0.001)
    max_waiting_mib: float = _option(256.0, "bodies in memory at once; further requests are answered 429", low=0.001)
    max_megapixels: float = _option(24.0, "largest picture", low=0.0001)
    max_megapixels_at_work: float = _option(64.0, "decoded pictures in memory at once; others wait", low=0.0001)
    max_side: int = _option(16384, "longest side of a picture, pixels", low=1)
    body_timeout_s: float = _option(15.0, "time for a request's body to arrive", low=0.01)
    work_timeout_s: float = _option(30.0, "time for a request's work, waiting included", low=0.01)
    max_streams: int = _option(16, "streams (WebSocket) at once in a process", low=0)
    max_stream_frames: int = _option(
        216_000, "frames of one stream, after which it is closed (an hour at 60 fps)", low=1
    )
    stream_idle_s: float = _option(30.0, "a stream without a message for so long is closed", low=0.01)
    smoothing: str = _option("one_euro", "temporal filter of streams that name none")
    fetch: str = _option("no", "GET /api/remove?url=: no; public: addresses of the internet; any", choices=FETCH)
    fetch_timeout_s: float = _option(10.0, "time for fetching a picture", low=0.01)
    token_file: str = _option("", f"file whose first line clients must send as bearer token (or: {TOKEN_ENVIRONMENT})")
    cors: str = _option("", "origins whose pages may call this server, with commas between; * for all (default: none)")
    page: str = _option("", "folder of the web page at / (default: deploy/paddlejs/dist)")
    drain_s: float = _option(1.0, "on SIGTERM: not ready for so long before the port is closed", low=0)
    stop_timeout_s: int = _option(60, "on SIGTERM: longest wait for requests that were taken", low=1)
    access_log: bool = _option(False, "one line a request on stdout")

    def __post_init__(self) -> None:
        """Check what can be checked without loading anything."""
        for one in fields(self):
            value, rule = getattr(self, one.name), one.metadata
            if "low" in rule and not value >= rule["low"]:
                raise UserError(f"--{one.name} is {value}; it must be {rule['low']} or more.")
            if "choices" in rule and value not in rule["choices"]:
                raise UserError(f"--{one.name} is '{value}'; allowed: {', '.join(rule['choices'])}.")
        if self.max_megapixels_at_work < 2 * self.max_megapixels:
            raise UserError("--max_megapixels_at_work must hold a picture and its background: 2 x --max_megapixels.")
        if self.max_waiting_mib < self.max_body_mib:
            raise UserError("--max_waiting_mib must be at least --max_body_mib.")

    @property
    def max_body(self) -> int:
        """Largest body, bytes."""
        return int(self.max_body_mib * 2**20)

    @property
    def max_pixels(self) -> int:
        """Largest picture, pixels."""
        return int(self.max_megapixels * 1e6)

    @property
    def origins(self) -> list[str]:
        """Origins whose pages may call this server."""
        return [origin.strip() for origin in self.cors.split(",") if origin.strip()]

    def usable_runners(self) -> int:
        """Return how many calls of the network one process makes at once."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return self.runners or max(1, cores // self.workers)

    def read_token(self) -> str | None:
        """Return the bearer token, or None where none is asked for.

        Raises:
            UserError: its file cannot be read or holds none.
        """
        if not self.token_file:
            return os.environ.get(TOKEN_ENVIRONMENT) or None
        try:
            token = (Path(self.token_file).read_text(encoding="utf-8").splitlines() or [""])[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"--token_file {self.token_file}: it cannot be read ({error}).") from None
        if not token:
            raise UserError(f"--token_file {self.token_file}: its first line is empty; it must hold the token.")
        return token

    def to_environment(self) -> None:
        """Leave the settings to the processes that this one starts."""
        os.environ[ENVIRONMENT] = json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> Settings:
        """Return what the process that started this one has left."""
        return cls(**json.loads(os.environ.get(ENVIRONMENT, "{}")))
