"""Requests a second and latencies of the server, as a share of what its parts alone do in the same run.

python benchmarks/server_throughput.py                # 1, 4, 16, 64 clients, 8 seconds each; seven minutes
python benchmarks/server_throughput.py --seconds 2    # a short look; writes no result

humanseg_lite_2020 at 192², exported for any batch. Two jobs, each with batching and without:

- raw masks: 192² JPEG in, raw masks of 192² out, as a share of the runs a second of the bare network;
- PNG masks: 384x512 JPEG in, PNG masks of that size out, as a share of the ceiling that network, decoding and encoding
  set together when they do nothing else.

What a share is measured against runs before and after each row, one caller a core, in a process without server. The
clients run on the same cores as the server. What they take is in the table and counts against the server: no share is
corrected for it. Beside the shares stands the processor time of an answer, of the server, of its clients, and of the
parts alone, which says the same on a machine that has other work to do.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from _page import write_between
from _record import ROOT, record
from _serving import Served, closed_loop, post_request, processor_s

MODEL, SIDE = "humanseg_lite_2020", 192
CLIENTS = (1, 4, 16, 64)
MODES = {"as it chooses": (), "batches of 8": ("--max_batch", 8), "no batching": ("--max_batch", 1)}
SECONDS = 8.0
_ALONE_S = 2.5
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

_HEAD = (
    "| | clients | requests/s | share of {} | p50 ms | p95 ms | p99 ms "
    "| alone, core ms | server, core ms | clients, core ms |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


@dataclass
class Job:
    """What is asked of the server, and what it is measured against.

    Attributes:
        requests: bytes of requests.
        parts: what every answer needs, by name.
    """

    requests: list[bytes]
    parts: dict[str, Callable[[], object]]

    def ceiling(self, seconds: float) -> dict[str, float]:
        """Return answers a second if there were nothing but the parts, and the milliseconds of each.

        ``NAME_ms`` is what a part keeps from a core, ``core_ms`` the processor time of all of them.
        """
        measured = {name: rate(part, seconds / len(self.parts)) for name, part in self.parts.items()}
        costs = {f"{name}_ms": 1e3 * _CORES / per_s for name, (per_s, _) in measured.items()}
        core_ms = sum(each for _, each in measured.values())
        return {"per_s": 1e3 * _CORES / sum(costs.values()), "core_ms": core_ms, **costs}


def export(directory: Path) -> Path:
    """Export the network for any batch."""
    shape = ["--input_shape", "-1", "3", str(SIDE), str(SIDE)]
    flags = ["--model_path", MODEL, "--output_op", "sigmoid", "--format", "onnx", *shape, "--save_dir", str(directory)]
    subprocess.run([sys.executable, str(ROOT / "tools" / "export.py"), *flags], check=True, capture_output=True)
    return directory


def pictures(size_hw: tuple[int, int], count: int = 8) -> list[bytes]:
    """Return JPEG files of generated portraits."""
    from paddle_portrait.data.synthesis import render_portrait

    made = (render_portrait(number, size_hw)[0] for number in range(count))
    return [cv2.imencode(".jpg", cv2.cvtColor(one, cv2.COLOR_RGB2BGR))[1].tobytes() for one in made]


def jobs(directory: Path) -> dict[str, Job]:
    """Return both jobs."""
    from paddle_portrait.effects import to_alpha
    from paddle_portrait.inference import Predictor
    from paddle_portrait.preprocess import read_image
    from paddle_portrait.serving.answers import encode_picture

    predictor = Predictor.load(directory, "onnx", threads=1)
    small, photos = pictures((SIDE, SIDE)), pictures((384, 512))
    tensor = predictor.prepare(read_image(small[0]))[0]
    files = [np.frombuffer(photo, np.uint8) for photo in photos]
    masks = [to_alpha(predictor(read_image(photo))) for photo in photos]
    next_file, next_mask = itertools.cycle(files).__next__, itertools.cycle(masks).__next__
    parts: dict[str, Callable[[], object]] = {
        "network": lambda: predictor.run(tensor),
        "decoding": lambda: cv2.imdecode(next_file(), cv2.IMREAD_COLOR),
        "encoding": lambda: encode_picture(next_mask(), "png", 100),
    }
    raw = "/v1/segment?output=probabilities&format=uint8&size=network"
    return {
        "raw masks": Job([post_request(raw, one) for one in small], {"network": parts["network"]}),
        "PNG masks": Job([post_request("/v1/segment", one) for one in photos], parts),
    }


def rate(part: Callable[[], object], seconds: float) -> tuple[float, float]:
    """Return calls a second, one caller a core, and the milliseconds of processor time of a call."""
    counts, core_s, until = [0] * _CORES, [0.0] * _CORES, time.perf_counter() + seconds

    def call(number: int) -> None:
        start = time.thread_time()
        while time.perf_counter() < until:
            part()
            counts[number] += 1
        core_s[number] = time.thread_time() - start

    start = time.perf_counter()
    threads = [threading.Thread(target=call, args=(number,)) for number in range(_CORES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start), 1e3 * sum(core_s) / max(1, sum(counts))


def measure(directory: Path, log: Path, seconds: float) -> list[dict[str, Any]]:
    """Return one row for each job, way to batch, and number of clients."""
    rows = []
    both = jobs(directory)
    for mode, flags in MODES.items():
        with Served("--model", directory, "--backend", "onnx", "--drain_s", 0, *flags, log=log) as server:
            for name, job in both.items():
                before = job.ceiling(_ALONE_S)
                for clients in CLIENTS:
                    figures = under_load(server, job.requests, clients, seconds)
                    after = job.ceiling(_ALONE_S)  # the machine may have changed meanwhile
                    parts = {key: (before[key] + after[key]) / 2 for key in after}
                    share = figures["requests_per_s"] / parts["per_s"]
                    alone = {f"alone_{key}": round(value, 3) for key, value in parts.items()}
                    rows.append({"job": name, "mode": mode, "clients": clients, "share": round(share, 3)})
                    rows[-1].update(figures | alone)
                    print(f"{name} {_line(rows[-1])}", flush=True)
                    before = after
    return rows


def under_load(server: Served, requests: Sequence[bytes], clients: int, seconds: float) -> dict[str, Any]:
    """Return what clients saw, and the milliseconds of a core that an answer took, of the server and of the clients."""
    closed_loop(server.port, requests, clients, min(1.0, seconds / 2))  # warm
    before = processor_s(server.process.pid)
    load = closed_loop(server.port, requests, clients, seconds)
    answers = max(1, len(load.latencies_ms))
    return {
        **load.summary(),
        "server_core_ms": round(1e3 * (processor_s(server.process.pid) - before) / answers, 2),
        "clients_core_ms": round(1e3 * load.processor_s / answers, 2),
    }


def _line(row: dict[str, Any]) -> str:
    cells = [row["mode"], row["clients"], row["requests_per_s"], f"{row['share']:.0%}"]
    cells += [row[key] for key in ("p50_ms", "p95_ms", "p99_ms")]
    cells += [f"{row[key]:.2f}" for key in ("alone_core_ms", "server_core_ms", "clients_core_ms")]
    return f"| {' | '.join(map(str, cells))} |"


def table(figures: dict[str, Any]) -> str:
    """Return the tables of docs/serving.md."""
    rows = figures["rows"]
    head = {"raw masks": _HEAD[0].format("the network alone"), "PNG masks": _HEAD[0].format("the ceiling")}
    tables = (
        [f"{name[0].upper()}{name[1:]}:", "", head[name], _HEAD[1]] + [_line(row) for row in rows if row["job"] == name]
        for name in head
    )
    return "\n\n".join("\n".join(lines) for lines in tables)


def main() -> None:
    """Measure, record, and write the tables of docs/serving.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each measurement (default: {SECONDS:g})")
    parser.add_argument("--model", type=Path, help="an export for any batch at 192² (default: one is made)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = arguments.model or export(Path(folder) / "model")
        rows = measure(directory, Path(folder) / "log.txt", arguments.seconds)
    figures = {"model": MODEL, "seconds": arguments.seconds, "rows": rows}
    if arguments.seconds != SECONDS:
        print(table(figures))
        return
    record("server_throughput", figures)
    write_between("serving.md", "server_throughput.py", table(figures))


if __name__ == "__main__":
    main()
