"""Requests a second and latencies of the server, as a share of what the network alone does in the same run.

python benchmarks/server_throughput.py                # 1, 4, 16, 64 clients, 10 seconds each
python benchmarks/server_throughput.py --seconds 2    # a short look

humanseg_lite_2020 at 192², exported for any batch; 192² JPEG pictures in, raw masks of 192² out; with batching and
without. The clients run on the same cores as the server.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from _page import write_between
from _record import ROOT, record
from _serving import Served, closed_loop, post_request

MODEL, SIDE = "humanseg_lite_2020", 192
CLIENTS = (1, 4, 16, 64)
PATH = "/v1/segment?output=probabilities&format=uint8&size=network"
MODES = {"as it chooses": (), "batches of 8": ("--max_batch", 8), "no batching": ("--max_batch", 1)}

_HEAD = (
    "| | clients | requests/s | share of the network alone | p50 ms | p95 ms | p99 ms |",
    "|---|---|---|---|---|---|---|",
)


def export(directory: Path) -> Path:
    """Export the network for any batch."""
    shape = ["--input_shape", "-1", "3", str(SIDE), str(SIDE)]
    flags = ["--model_path", MODEL, "--output_op", "sigmoid", "--format", "onnx", *shape, "--save_dir", str(directory)]
    subprocess.run([sys.executable, str(ROOT / "tools" / "export.py"), *flags], check=True, capture_output=True)
    return directory


def pictures(count: int = 8) -> list[bytes]:
    """Return JPEG files of generated portraits."""
    from paddle_portrait.data.synthesis import render_portrait

    made = (render_portrait(number, (SIDE, SIDE))[0] for number in range(count))
    return [cv2.imencode(".jpg", cv2.cvtColor(one, cv2.COLOR_RGB2BGR))[1].tobytes() for one in made]


def network_alone(directory: Path, seconds: float) -> float:
    """Return runs a second of the bare network, one caller a core, one thread each."""
    from paddle_portrait.inference import Predictor

    predictor = Predictor.load(directory, "onnx", threads=1)
    tensor = np.zeros((1, 3, SIDE, SIDE), np.float32)
    callers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts, until = [0] * callers, time.perf_counter() + seconds

    def call(number: int) -> None:
        while time.perf_counter() < until:
            predictor.run(tensor)
            counts[number] += 1

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def measure(directory: Path, log: Path, seconds: float) -> list[dict[str, Any]]:
    """Return one row for each way to batch and number of clients; the bare network is timed before each."""
    requests = [post_request(PATH, picture) for picture in pictures()]
    rows = []
    for mode, flags in MODES.items():
        for clients in CLIENTS:
            alone = network_alone(directory, seconds / 2)
            with Served("--model", directory, "--backend", "onnx", "--drain_s", 0, *flags, log=log) as server:
                closed_loop(server.port, requests, clients, min(2.0, seconds / 2))  # warm
                load = closed_loop(server.port, requests, clients, seconds)
            again = network_alone(directory, seconds / 2)  # the machine may have changed meanwhile
            share = 2 * load.per_second / (alone + again)
            row = {"mode": mode, "clients": clients, "network_per_s": round((alone + again) / 2, 1)}
            rows.append({**row, "share": round(share, 3), **load.summary()})
            print(_line(rows[-1]), flush=True)
    return rows


def _line(row: dict[str, Any]) -> str:
    cells = [row["mode"], row["clients"], row["requests_per_s"], f"{row['share']:.0%}"]
    return f"| {' | '.join(map(str, [*cells, row['p50_ms'], row['p95_ms'], row['p99_ms']]))} |"


def table(figures: dict[str, Any]) -> str:
    """Return the table of docs/serving.md."""
    return "\n".join([*_HEAD, *map(_line, figures["rows"])])


def main() -> None:
    """Measure, record, and write the table of docs/serving.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement (default: 10)")
    parser.add_argument("--model", type=Path, help="an export for any batch at 192² (default: one is made)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = arguments.model or export(Path(folder) / "model")
        rows = measure(directory, Path(folder) / "log.txt", arguments.seconds)
    figures = {"model": MODEL, "seconds": arguments.seconds, "rows": rows}
    record("server_throughput", figures)
    write_between("serving.md", "server_throughput.py", table(figures))


if __name__ == "__main__":
    main()
