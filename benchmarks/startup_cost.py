"""Seconds and peak memory of what starts often: the import, each tool's --help, one prediction from an export.

Linux counts a child's peak from the fork on, so no peak reads lower than this script's own memory, about 18 MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _record import ROOT, record

PREDICT = """
import sys
from paddle_portrait.inference import Predictor
from paddle_portrait.preprocess.image_io import read_image
predictor = Predictor.load(sys.argv[1], backend=sys.argv[2])
print(predictor(read_image(sys.argv[3])).mean())
"""


def run(arguments: list[str]) -> tuple[float, float | None]:
    """Run Python with ``arguments``; return seconds and peak resident MiB (None where the system does not tell)."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    errors = process.stderr.read() if process.stderr else b""
    peak_mib = None
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        # Linux counts in KiB, macOS in bytes.
        peak_mib = round(usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2), 1)
    else:
        process.wait()
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{errors.decode(errors='replace')}")
    return time.perf_counter() - start, peak_mib


def measure(arguments: list[str], repeats: int) -> dict[str, Any]:
    """Return the median and the slowest of ``repeats`` runs, after one that fills the file cache."""
    run(arguments)
    outcomes = [run(arguments) for _ in range(repeats)]
    seconds = [outcome[0] for outcome in outcomes]
    peaks = [outcome[1] for outcome in outcomes if outcome[1] is not None]
    return {
        "seconds_median": round(statistics.median(seconds), 3),
        "seconds_max": round(max(seconds), 3),
        "peak_mib": max(peaks, default=None),
    }


def portrait(folder: str) -> str:
    """Write one generated portrait and return its path."""
    from paddle_portrait.data.synthesis import render_portrait
    from paddle_portrait.preprocess.image_io import write_image

    path = Path(folder) / "portrait.jpg"
    write_image(path, render_portrait(1, (512, 384))[0])
    return str(path)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="demo_output/export", help="an exported folder (default: that of make demo)")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    if not (ROOT / arguments.model / "deploy.yaml").is_file():
        parser.error(f"{arguments.model} holds no deploy.yaml: run `make demo` first, or name an export with --model")

    figures = {"python -c pass": measure(["-c", "pass"], arguments.repeats)}
    figures["import paddle_portrait"] = measure(["-c", "import paddle_portrait"], arguments.repeats)
    for tool in sorted((ROOT / "tools").glob("*.py")):
        figures[f"tools/{tool.name} --help"] = measure([f"tools/{tool.name}", "--help"], arguments.repeats)
    parity = json.loads((ROOT / arguments.model / "parity.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        photo = portrait(folder)
        for backend in parity["targets"]:
            figures[f"one prediction, {backend}"] = measure(
                ["-c", PREDICT, arguments.model, backend, photo], arguments.repeats
            )
    record("startup_cost", figures)


if __name__ == "__main__":
    main()
