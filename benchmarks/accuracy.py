"""Accuracy of a trained network: gathers what tools/val.py wrote, and the record of the training, into one result.

python tools/train.py --config C --save_dir RUN ...
python tools/val.py --config C --model_path RUN/best_model --save_dir V
python benchmarks/accuracy.py NAME --report V/report.json --run RUN
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from _record import record


def read_report(path: Path) -> dict[str, Any]:
    """Return the figures of a report and what they are of, without the rows of single images."""
    report = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in report.items() if key != "rows"}


def read_run(folder: Path) -> dict[str, Any]:
    """Return a training's data lists with their sums, its curve and its pace, stage by stage in order of time."""
    histories = sorted(folder.rglob("history.jsonl"), key=lambda path: path.stat().st_mtime)
    stages = {}
    for path in histories:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        trained = [row for row in rows if row["kind"] == "train"]
        pace = sorted(row["speed"]["ips"] for row in trained)
        stages[path.parent.relative_to(folder).as_posix()] = {
            "iterations": rows[-1]["iteration"],
            "images_per_second_median": round(pace[len(pace) // 2], 1),
            "loss": [[row["iteration"], round(row["loss"], 4)] for row in trained[:: max(1, len(trained) // 40)]],
            "miou": [[row["iteration"], round(row["miou"], 4)] for row in rows if row["kind"] == "eval"],
        }
    lists = {
        line.split("] ", 1)[1]
        for log in folder.rglob("train.log")
        for line in log.read_text(encoding="utf-8").splitlines()
        if "_dataset: " in line and "sha256" in line
    }
    return {"lists": sorted(lists), "stages": stages}


def main() -> None:
    """Gather and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="name of the result")
    parser.add_argument("--report", type=Path, nargs="+", required=True, help="report.json files of tools/val.py")
    parser.add_argument("--run", type=Path, required=True, help="the training's save_dir")
    arguments = parser.parse_args()
    reports = [read_report(path) for path in arguments.report]
    record(arguments.name, {"judged": reports, "training": read_run(arguments.run)})


if __name__ == "__main__":
    main()
