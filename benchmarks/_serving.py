"""A server in a process of its own, and clients that load it: parts of the server's benchmarks, and of its tests."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

try:
    import uvloop  # its clients take less of the cores that they share with the server
except ImportError:  # Windows
    uvloop = None

ROOT = Path(__file__).resolve().parents[1]
BUSY = (429, 503)


class Served:
    """``python -m deploy.server`` on a free port of the loopback, stopped at the end of the block.

    Args:
        flags: of the command line.
        log: file that takes what it says.
        environment: further variables.
        patience_s: longest time until it is ready.
    """

    def __init__(
        self, *flags: object, log: Path, environment: dict[str, str] | None = None, patience_s: float = 120
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        command = [sys.executable, "-m", "deploy.server", "--port", str(self.port), *map(str, flags)]
        variables = {**os.environ, **(environment or {})}
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT)
        self._wait_until_ready(time.monotonic() + patience_s)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, patience_s: float = 60) -> str:
        """Send SIGTERM, wait for the end, and return what the server has said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.log.read_text(encoding="utf-8")

    def _wait_until_ready(self, deadline: float) -> None:
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        self.process.kill()
        self.process.wait()
        raise RuntimeError(f"the server did not become ready:\n{self.log.read_text(encoding='utf-8')}")


@dataclass
class Load:
    """What clients saw.

    Attributes:
        seconds: how long they went on.
        processor_s: time of a core that the clients themselves took.
        latencies_ms: of requests that were served.
        statuses: answers by status.
        mute_refusals: refusals without Retry-After.
        errors: connections that failed, by what happened.
    """

    seconds: float
    processor_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    mute_refusals: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Served requests a second."""
        return self.statuses[200] / self.seconds

    def summary(self) -> dict[str, Any]:
        """Return the figures for a report."""
        p50, p95, p99 = np.percentile(self.latencies_ms or [np.nan], [50, 95, 99])
        return {
            "requests_per_s": round(self.per_second, 1),
            "p50_ms": round(float(p50), 1),
            "p95_ms": round(float(p95), 1),
            "p99_ms": round(float(p99), 1),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "refusals_without_retry_after": self.mute_refusals,
            "errors": dict(self.errors),
        }


def post_request(path: str, body: bytes, media: str = "image/jpeg") -> bytes:
    """Return the bytes of a request, made once: the clients share the cores with the server they measure."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def closed_loop(port: int, requests: Sequence[bytes], clients: int, seconds: float) -> Load:
    """Let clients send one request after the other, each when the answer to the last is there.

    A client that is refused waits as long as Retry-After says.
    """

    async def run() -> Load:
        load = Load(seconds)
        until = time.perf_counter() + seconds
        await asyncio.gather(*(_client(port, requests[i % len(requests)], until, load) for i in range(clients)))
        return load

    before = time.process_time()
    load = uvloop.run(run()) if uvloop else asyncio.run(run())
    load.processor_s = time.process_time() - before
    return load


async def _client(port: int, request: bytes, until: float, load: Load) -> None:
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            load.errors[f"connecting: {type(error).__name__}"] += 1
            await asyncio.sleep(0.05)
            continue
        try:
            while time.perf_counter() < until:
                if not await _one(reader, writer, request, until, load):
                    break
        except (OSError, asyncio.IncompleteReadError) as error:
            load.errors[type(error).__name__] += 1
        finally:
            writer.close()


async def _one(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, until: float, load: Load
) -> bool:
    """Send and receive once; returns whether the connection stays open."""
    start = time.perf_counter()
    writer.write(request)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    await reader.readexactly(int(lines.get("content-length", 0)))
    end, status = time.perf_counter(), int(head.split(" ", 2)[1])
    if end <= until or status != 200:
        load.statuses[status] += 1
    if status == 200:
        load.latencies_ms.append(1e3 * (end - start))
    elif status in BUSY:
        load.mute_refusals += "retry-after" not in lines
        await asyncio.sleep(min(float(lines.get("retry-after", 0.1)), max(0.0, until - end)))
    return lines.get("connection") != "close"


def processor_s(pid: int) -> float:
    """Return how long a process has kept a core busy, seconds (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Return the memory of a process, MiB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
