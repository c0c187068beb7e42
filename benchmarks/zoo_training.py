"""How our own released networks were trained: copies the log and draws the curve beside the weights, records figures.

python benchmarks/zoo_training.py tiny=saved_model/tiny lite=saved_model/lite

Measures nothing anew: all figures are those of each training's ``history.jsonl``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

from _record import RESULTS, ROOT, record

NAME = "zoo_training"
LOG, CURVE = "history.jsonl", "curve.svg"
CHARTS = (("eval", "miou", "mIoU, picsart/val"), ("eval", "boundary_iou", "boundary IoU, picsart/val"),
          ("train", "loss", "loss"))  # fmt: skip
STYLE = (
    "text{font:10px sans-serif;fill:#555}.grid{stroke:#ddd}.curve{fill:none;stroke:#2f6fde;stroke-width:1.8}"
    ".dots{fill:#2f6fde}.name{font-size:13px;fill:#222}"
)


def curve(rows: list[dict[str, Any]]) -> str:
    """Return the run's curves below each other, as a picture that needs no page around it."""
    from paddle_portrait.report.charts import line_chart

    charts = []
    for number, (kind, figure, title) in enumerate(CHARTS):
        points = [(row["iteration"], row[figure]) for row in rows if row["kind"] == kind]
        chart = line_chart(title, points).replace('class="chart"', f'width="720" height="340" y="{number * 370 + 24}"')
        charts.append(f'<text class="name" x="104" y="{number * 370 + 20}">{title}</text>{chart}')
    height = len(CHARTS) * 370
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" width="720" height="{height}">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(charts)}</svg>\n'
    )


def figures_of(rows: list[dict[str, Any]], batch_size: int) -> dict[str, Any]:
    """Return length, speed and judgements of a run; hours are those of the steps, without evaluations."""
    steps = [row for row in rows if row["kind"] == "train"]
    judged = [row for row in rows if row["kind"] == "eval"]
    lengths = [steps[0]["iteration"], *(b["iteration"] - a["iteration"] for a, b in itertools.pairwise(steps))]
    seconds = sum(row["speed"]["batch_cost"] * length for row, length in zip(steps, lengths, strict=True))
    best = max(judged, key=lambda row: row["miou"])
    return {
        "iterations": steps[-1]["iteration"],
        "batch_size": batch_size,
        "images": steps[-1]["iteration"] * batch_size,
        "images_per_second_median": round(statistics.median(row["speed"]["ips"] for row in steps), 1),
        "hours": round(seconds / 3600, 2),
        "chosen_iteration": best["iteration"],
        "picsart_val": [
            {
                "iteration": row["iteration"],
                "miou": round(row["miou"], 4),
                "boundary_iou": round(row["boundary_iou"], 4),
            }
            for row in judged
        ],
    }


def main() -> None:
    """Copy, draw, and record."""
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.history import read_history

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=SAVE_DIR", help="zoo name and folder of its training")
    earlier = RESULTS / f"{NAME}.json"
    figures = json.loads(earlier.read_text(encoding="utf-8"))["figures"] if earlier.is_file() else {}
    for run in parser.parse_args().runs:
        name, _, save_dir = run.partition("=")
        rows = read_history(Path(save_dir) / LOG)
        if not any(row["kind"] == "eval" for row in rows):
            parser.error(f"'{save_dir}' holds no {LOG} with an evaluation: train with --do_eval")
        config = load_config(ROOT / "configs" / "zoo" / f"{name}.yml")
        folder = ROOT / "pretrained_model" / name
        folder.mkdir(exist_ok=True)
        shutil.copyfile(Path(save_dir) / LOG, folder / LOG)
        (folder / CURVE).write_text(curve(rows), encoding="utf-8")
        figures[name] = figures_of(rows, int(config["batch_size"]))
    record(NAME, figures)


if __name__ == "__main__":
    main()
