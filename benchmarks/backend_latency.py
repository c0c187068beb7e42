"""Latency of every back end against Paddle Inference, one thread, all in one run and in turns.

python benchmarks/backend_latency.py                 # the networks that every target is proved on
python benchmarks/backend_latency.py slimnet_512     # one; the others keep their figures

The graph alone is timed, on a generated picture at the network's size: no decoding, no resizing. The first run
exports the networks (a few minutes); later ones take what it left below output/. Writes the table of
docs/backends.md.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from _exports import NAMES, exported
from _page import write_between
from _record import RESULTS, record

NAME = "backend_latency"
REFERENCE = "paddle"


def measure(name: str, budget_s: float) -> dict[str, Any]:
    """Return one network's figures."""
    from paddle_portrait.errors import UserError
    from paddle_portrait.inference import Predictor
    from paddle_portrait.inference.backends.contest_child import time_in_turns
    from paddle_portrait.inference.deploy_file import DeployFile

    folder, missing = exported(name)
    predictors = []
    for target in DeployFile.read(folder).targets:
        try:
            predictors.append(Predictor.load(folder, target, threads=1))
        except UserError as error:
            missing[target] = str(error)
    backends = {}
    for predictor, times in zip(predictors, time_in_turns(predictors, budget_s), strict=True):
        p20, p50, p95 = (round(float(np.quantile(times, share)), 3) for share in (0.2, 0.5, 0.95))
        backends[predictor.backend_name] = {
            "runtime": predictor.runtime, "p20_ms": p20, "p50_ms": p50, "p95_ms": p95, "calls": len(times),
        }  # fmt: skip
    for entry in backends.values():
        entry["times_paddle"] = round(backends[REFERENCE]["p20_ms"] / entry["p20_ms"], 2)
    return {"input_hw": list(predictors[0].usual_size_hw), "threads": 1, "backends": backends, "missing": missing}


def table(figures: dict[str, Any]) -> str:
    """Return the page's table: milliseconds, and how many times as quick as Paddle Inference."""
    names = list(dict.fromkeys(name for entry in figures.values() for name in entry["backends"]))
    lines = [f"| network | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for network, entry in figures.items():
        cells = [
            f"{found['p20_ms']:.1f} ({found['times_paddle']:.1f}×)" if (found := entry["backends"].get(name)) else "–"
            for name in names
        ]
        height, width = entry["input_hw"]
        lines.append(f"| `{network}` {height}×{width} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(NAMES), help="zoo names (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each back end of a network (default: 4)")
    arguments = parser.parse_args()
    file = RESULTS / f"{NAME}.json"
    figures = json.loads(file.read_text(encoding="utf-8"))["figures"] if file.is_file() else {}
    figures |= {name: measure(name, arguments.seconds) for name in arguments.names}
    record(NAME, figures)
    print(table(figures))
    write_between("backends.md", f"{NAME}.py", table(figures))


if __name__ == "__main__":
    main()
