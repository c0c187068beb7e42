"""How often ``backend="auto"`` takes a back end within 10 % of the best: ten starts, each with an empty cache.

python benchmarks/auto_backend.py [NAME …]

What is best is measured in this process, before and after the starts, over all back ends of the export, those that
auto does not time among them (Paddle's).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _exports import NAMES, exported
from _record import ROOT, record

STARTS = 10
TOLERANCE = 1.1

_START = """
import sys
from paddle_portrait.inference import Predictor
print(Predictor.load(sys.argv[1], threads=int(sys.argv[2])).backend_name)
"""


def start(folder: Path, threads: int) -> str:
    """Return what a fresh process with an empty cache takes."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"PADDLE_PORTRAIT_CACHE": cache, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _START, str(folder), str(threads)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def reference(folder: Path, threads: int) -> dict[str, np.ndarray]:
    """Return the milliseconds of the calls of every float back end."""
    from paddle_portrait.errors import UserError
    from paddle_portrait.inference import Predictor
    from paddle_portrait.inference.backends import RUNTIMES
    from paddle_portrait.inference.backends.contest_child import time_in_turns
    from paddle_portrait.inference.deploy_file import DeployFile

    predictors = []
    for name in DeployFile.read(folder).targets:
        if RUNTIMES[name].precision == "float32":
            try:
                predictors.append(Predictor.load(folder, name, threads=threads))
            except UserError as error:
                print(f"{name} is left out: {error}")
    times = time_in_turns(predictors, 4.0)
    return {predictor.backend_name: own for predictor, own in zip(predictors, times, strict=True)}


def judge(name: str, threads: int) -> dict[str, Any]:
    """Return one network's figures."""
    folder, _missing = exported(name)
    before = reference(folder, threads)
    taken = [start(folder, threads) for _ in range(STARTS)]
    after = reference(folder, threads)
    ms = {each: round(float(min(before[each].min(), after[each].min())), 3) for each in before}
    best = min(ms.values())
    good = sum(ms[each] <= TOLERANCE * best for each in taken)
    return {"threads": threads, "ms": ms, "taken": taken, "within_10_percent": good, "starts": STARTS}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(NAMES), help="zoo names (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    figures = {name: judge(name, arguments.threads) for name in arguments.names}
    record("auto_backend", figures)
    for name, entry in figures.items():
        print(
            f"{name}: {entry['within_10_percent']} of {STARTS} starts within 10 %; took {sorted(set(entry['taken']))}"
        )


if __name__ == "__main__":
    main()
