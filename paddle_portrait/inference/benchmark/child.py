"""The process that loads one model alone: ``python -m … DIRECTORY BACKEND THREADS``; prints its figures as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Load, run once, and print how long that took and what it added to the process's memory."""
    from paddle_portrait.inference.benchmark.latency import input_of
    from paddle_portrait.inference.predictor import Predictor

    directory, backend, threads = sys.argv[1:]
    before = _peak_mb()
    started = time.perf_counter()
    predictor = Predictor.load(Path(directory), backend, int(threads))
    predictor.run(input_of(predictor))
    took = time.perf_counter() - started
    print(json.dumps({"load_ms": took * 1e3, "memory_mb": _peak_mb() - before}))


def _peak_mb() -> float:
    """Return the most memory that this process ever had; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return _peak_of_other_systems()
    # Not getrusage: there, Linux counts what the process had before it became this program.
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))


def _peak_of_other_systems() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 / 1e6 if sys.platform == "darwin" else 1 / 1e3  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
