"""What Prometheus reads at /metrics, of one process or of all workers together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own name; read when it is imported
_PREFIX = "paddle_portrait_"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of this process; with several workers :meth:`text` adds up all of them."""

    def __init__(self) -> None:
        registry = CollectorRegistry()

        def make(kind: type, name: str, text: str, labels: tuple[str, ...] = (), **more: Any) -> Any:
            return kind(_PREFIX + name, text, labels, registry=registry, **more)

        self._registry = registry
        self.requests = make(Counter, "requests", "answers by endpoint and status", ("endpoint", "status"))
        self.refused = make(Counter, "refused", "requests that were not served, by reason", ("code",))
        self.seconds = make(
            Histogram, "request_seconds", "from headers to the end of the answer", ("endpoint",), buckets=_SECONDS
        )
        self.network_seconds = make(Histogram, "network_seconds", "one run of the network", buckets=_SECONDS)
        self.batch = make(Histogram, "batch_size", "requests in one run of the network", buckets=(1, 2, 4, 8, 16, 32))
        # Looking a series up by its labels costs as much as counting; there are few (see guard.py).
        self._series = lru_cache(lambda kind, *labels: kind.labels(*labels))
        self.frames = make(Counter, "stream_frames", "frames of streams answered")
        self._gauges = [
            make(Gauge, name, text, multiprocess_mode="livesum")
            for name, text in (
                ("pending_requests", "requests in work or waiting"),
                ("waiting_bytes", "bodies in memory, as announced"),
                ("decoded_pixels", "pixels of decoded pictures in memory"),
                ("streams", "open streams"),
            )
        ]
        _forget_dead_workers()

    def note_request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._series(self.requests, endpoint, str(status)).inc()
        self._series(self.seconds, endpoint).observe(seconds)

    def note_batch(self, size: int, seconds: float) -> None:
        """Count a run of the network."""
        self.batch.observe(size)
        self.network_seconds.observe(seconds)

    def watch(self, *levels: Callable[[], int]) -> None:
        """Say where the present values of the gauges are, in their order."""
        for gauge, level in zip(self._gauges, levels, strict=True):
            if SHARED_FOLDER in os.environ:
                continue  # the shared files hold numbers only: refresh() writes them
            gauge.set_function(level)
        self._levels = levels

    def refresh(self) -> None:
        """Write the gauges into the shared files; called now and then where there are several workers."""
        if SHARED_FOLDER in os.environ:
            for gauge, level in zip(self._gauges, self._levels, strict=True):
                gauge.set(level())

    def text(self) -> bytes:
        """Return the figures in Prometheus's text format."""
        self.refresh()
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)
        return generate_latest(shared)


def _forget_dead_workers() -> None:
    """Remove the gauges of workers that were killed: what they held is gone."""
    folder = os.environ.get(SHARED_FOLDER)
    if folder is None:
        return
    pids = {match[1] for path in Path(folder).glob("gauge_live*") if (match := re.search(r"_(\d+)\.db$", path.name))}
    for pid in pids:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            mark_process_dead(int(pid))
        except PermissionError:
            continue
