"""The server under more clients than it takes: what it still answers, whom it refuses and how, and its memory.

python benchmarks/server_load.py                            # 64 clients for a minute
python benchmarks/server_load.py --clients 24 --seconds 3   # a short look; writes no result

First the capacity: as many clients as fill the queue half, each sending when it has its answer. Then 64 clients on a
queue of 32. The share is answered requests a second against that capacity.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from _record import record
from _serving import Load, Served, closed_loop, post_request, resident_mib

PATH = "/v1/segment"
QUEUE = 32


def pictures() -> list[bytes]:
    """Return JPEG files of generated portraits, the sizes of web pictures."""
    import cv2

    from paddle_portrait.data.synthesis import render_portrait

    sizes = [(384, 512), (512, 384), (256, 256)]
    made = [render_portrait(number, size)[0] for number, size in enumerate(sizes)]
    return [cv2.imencode(".jpg", cv2.cvtColor(one, cv2.COLOR_RGB2BGR))[1].tobytes() for one in made]


def overload(model: str, clients: int, seconds: float, log: Path) -> dict[str, Any]:
    """Return the figures of one run."""
    requests = [post_request(PATH, picture) for picture in pictures()]
    with Served("--model", model, "--backend", "onnx", "--max_pending", QUEUE, log=log) as server:
        closed_loop(server.port, requests, QUEUE // 2, min(5.0, seconds))  # warm: memory is compared below
        capacity = closed_loop(server.port, requests, QUEUE // 2, max(1.5, seconds / 4))
        before = resident_mib(server.process.pid)
        load = closed_loop(server.port, requests, clients, seconds)
        after = resident_mib(server.process.pid)
    return {
        "clients": clients,
        "seconds": seconds,
        "queue": QUEUE,
        "share_of_capacity": round(load.per_second / capacity.per_second, 3),
        "capacity": capacity.summary(),
        "load": load.summary(),
        "resident_mib": [round(before, 1), round(after, 1)],
        "faults": faults(load),
    }


def faults(load: Load) -> list[str]:
    """Return what must not have happened."""
    found = [f"{count} answers {status}" for status, count in load.statuses.items() if status not in (200, 429, 503)]
    found += [f"{count} x {kind}" for kind, count in load.errors.items()]
    return found + ([f"{load.mute_refusals} refusals without Retry-After"] if load.mute_refusals else [])


def main() -> int:
    """Load a server and record; 1 where something happened that must not, or too little was answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mediapipe_selfie_general", help="zoo name or export")
    parser.add_argument("--clients", type=int, default=64, help="(default: 64)")
    parser.add_argument("--seconds", type=float, default=60.0, help="(default: 60)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = overload(arguments.model, arguments.clients, arguments.seconds, Path(folder) / "log.txt")
    if (arguments.clients, arguments.seconds) == (64, 60.0):
        record("server_load", figures)
    else:
        print(figures)
    return int(bool(figures["faults"]) or figures["share_of_capacity"] < 0.8)


if __name__ == "__main__":
    sys.exit(main())
