"""What a Predictor costs beside the network, from a 720p frame to 192x192 and back, and whether its memory grows.

python benchmarks/predictor_cost.py                 # a minute
python benchmarks/predictor_cost.py --frames 1000   # frames of the memory trial (default: 1000)
python benchmarks/predictor_cost.py --table         # the table alone, from the figures that are there

One thread of OpenCV. Medians of 200 calls: resize, normalise and layout; the probability back at 720p; the call; the
network alone. Memory after the first tenth of the frames against memory after all of them.
Writes a table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _page import write_between
from _record import RESULTS, ROOT, record

sys.path.insert(0, str(ROOT))
NAME = "predictor_cost"
MODEL, FRAME_HW, CALLS = "humanseg_lite_2020", (720, 1280), 200


def median_ms(call: Callable[[], Any]) -> float:
    """Return the median of milliseconds of a call."""
    spent = []
    for _ in range(CALLS):
        started = time.perf_counter()
        call()
        spent.append(1000 * (time.perf_counter() - started))
    return round(statistics.median(spent), 3)


def resident_kib() -> int:
    """Return this process's resident memory."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def growth(call: Callable[[], Any], frames: int) -> dict[str, Any]:
    """Return how much more is held after all frames than after the first tenth."""
    for _ in range(frames // 10):
        call()
    tracemalloc.start()
    call()
    traced, resident = tracemalloc.get_traced_memory()[0], resident_kib()
    for _ in range(frames - frames // 10):
        call()
    grown = {
        "frames": frames,
        "traced_bytes": tracemalloc.get_traced_memory()[0] - traced,
        "resident_kib": resident_kib() - resident,
    }
    tracemalloc.stop()
    return grown


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    spent, grown = figures["ms"], figures["growth"]
    head = ("resize, normalise, layout, ms", "network, ms", "back to 720p, ms", "the whole call, ms")
    head += (f"grown over {grown['frames']:,} frames: traced, bytes", "resident, KiB")
    cells = [f"{spent[part]:.3f}" for part in ("prepare", "network", "restore", "call")]
    cells += [f"{grown['traced_bytes']:,}", f"{grown['resident_kib']:,}"]
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), f"| {' | '.join(cells)} |"])


def main() -> None:
    """Measure, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--table", action="store_true", help="write the table alone")
    arguments = parser.parse_args()
    if not arguments.table:
        record(NAME, measure(arguments.frames))
    figures = json.loads((RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))["figures"]
    print(f"written: {write_between('benchmarks.md', f'{NAME}.py', table(figures))}")


def measure(frames: int) -> dict[str, Any]:
    """Time the parts of a call, and watch the memory over many."""
    import cv2
    import numpy as np

    from paddle_portrait.inference import Predictor

    cv2.setNumThreads(1)
    predictor = Predictor.load(MODEL, "onnx", threads=1)
    frame = np.random.default_rng(0).integers(0, 256, (*FRAME_HW, 3), np.uint8)
    tensor, geometry = predictor.prepare(frame)
    person = predictor.person_at_network_size(tensor)[0]
    return {
        "model": MODEL,
        "frame_hw": list(FRAME_HW),
        "ms": {
            "prepare": median_ms(lambda: predictor.prepare(frame)),
            "restore": median_ms(lambda: geometry.restore(person)),
            "network": median_ms(lambda: predictor.person_at_network_size(tensor)),
            "call": median_ms(lambda: predictor(frame)),
        },
        "growth": growth(lambda: predictor(frame), frames),
    }


if __name__ == "__main__":
    main()
