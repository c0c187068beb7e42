"""How cost grows: training with the lists' length, prediction with pixels, video with length, a server with clients.

python benchmarks/growth.py            # trains and predicts, minutes
python benchmarks/growth.py --picture  # draws docs/images/growth.png and writes the table of docs/benchmarks.md alone

Video and server are not measured here, nor kept in growth.json: table and picture take them from the results of
video_memory.py and server_throughput.py.

Every measurement is a process of its own. The slope is that of a straight line through the logarithms: 0 means that the
cost does not grow, 1 that it doubles with the size.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _page import write_between
from _record import RESULTS, ROOT, record

sys.path.insert(0, str(ROOT))
NAME = "growth"
HERE = Path(__file__).resolve().parent
ENTRIES = (1_000, 10_000, 100_000)
MEGAPIXELS = (0.1, 1.0, 5.0, 20.0, 50.0)
STEPS = 16
PHOTOS = ROOT / "data" / "mini_portraits"
MODEL = "humanseg_lite_2020"
# What each part is plotted against, and which of its figures are costs.
PARTS = {
    "training": ("entries of the list", {"seconds_to_start": "s before the first step", "step_ms": "ms a step",
                                         "peak_mib": "MiB"}),
    "prediction": ("pixels", {"ms": "ms a picture", "peak_mib": "MiB"}),
    "video": ("frames", {"peak_mib": "MiB"}),
    "server": ("clients", {"p50_ms": "p50, ms", "requests_per_s": "requests a second"}),
}  # fmt: skip


def child(*arguments: str) -> dict[str, float]:
    """Run one measurement."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [sys.executable, str(HERE / "_growth_child.py"), str(out), *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
        return json.loads(out.read_text(encoding="utf-8"))


def training(entries: Sequence[int]) -> list[dict[str, float]]:
    """Train on lists that name the same few hundred pictures again and again, so that only the lists grow."""
    lines = (PHOTOS / "train.txt").read_text(encoding="utf-8").splitlines()
    rows = []
    for count in entries:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            repeated = (lines * (count // len(lines) + 1))[:count]
            (folder / "train.txt").write_text("\n".join(repeated) + "\n", encoding="utf-8")
            config = folder / "config.yml"
            dataset = f"{{type: Dataset, mode: train, dataset_root: {PHOTOS}, train_path: {folder}/train.txt}}"
            steps = "[{type: Resize, target_size: [64, 64]}, {type: Normalize}]"
            config.write_text(
                f"_base_: {ROOT}/configs/quickstart.yml\niters: {STEPS}\nbatch_size: 8\nema: null\n"
                f"train_dataset: {dataset[:-1]}, num_classes: 2, transforms: {steps}}}\n"
            )
            rows.append({"size": count, **child("training", str(config), str(folder / "run"))})
    return rows


def prediction(megapixels: Sequence[float]) -> list[dict[str, float]]:
    """Predict pictures of more and more pixels."""
    from paddle_portrait.zoo import export_directory

    sizes = [1e6 * value for value in megapixels]
    return [{"size": pixels, **child("prediction", str(export_directory(MODEL)), str(pixels))} for pixels in sizes]


def video() -> list[dict[str, float]]:
    """Return what video_memory.py measured."""
    lengths = read("video_memory").get("lengths", {})
    return [{"size": one["frames"], "peak_mib": one["peak_mib"]} for one in lengths.values()]


def server() -> list[dict[str, float]]:
    """Return what server_throughput.py measured, with batching."""
    wanted = {"job": "raw masks", "mode": "as it chooses"}
    rows = [one for one in read("server_throughput").get("rows", []) if wanted.items() <= one.items()]
    return [{"size": one["clients"], **{key: one[key] for key in PARTS["server"][1]}} for one in rows]


def read(name: str) -> dict[str, Any]:
    """Return the figures of another benchmark, or nothing."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))["figures"] if file.is_file() else {}


def slope(sizes: list[float], costs: list[float]) -> float:
    """Return the slope of a straight line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def curves(figures: dict[str, Any], part: str) -> Iterator[tuple[str, list[float], list[float]]]:
    """Give words, sizes and costs of each cost of a part that was measured at two sizes or more."""
    for key, words in PARTS[part][1].items():
        points = [(row["size"], row[key]) for row in figures.get(part, []) if row.get(key)]
        if len(points) > 1:
            sizes, costs = map(list, zip(*points, strict=True))
            yield words, sizes, costs


def table(figures: dict[str, Any]) -> str:
    """Return the figures, and those of video and server, as Markdown."""
    figures = {**figures, "video": video(), "server": server()}
    lines = ["| what | grows with | from | to | slope |", "|---|---|---|---|---|"]
    for part, (unit, _) in PARTS.items():
        for words, sizes, costs in curves(figures, part):
            ends = [f"{costs[k]:,.4g} at {sizes[k]:,.0f}" for k in (0, -1)]
            lines.append(f"| {part}: {words} | {unit} | {ends[0]} | {ends[1]} | {slope(sizes, costs):.2f} |")
    return "\n".join(lines)


def draw(figures: dict[str, Any], path: Path) -> None:
    """Draw one panel a part, video and server too, both axes logarithmic; the legend names the slopes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figures = {**figures, "video": video(), "server": server()}
    figure = Figure(figsize=(9.6, 7.2), layout="constrained")
    FigureCanvasAgg(figure)
    for panel, (part, (unit, _)) in zip(figure.subplots(2, 2).ravel(), PARTS.items(), strict=True):
        values: list[float] = []
        for words, sizes, costs in curves(figures, part):
            label = f"{words} (slope {slope(sizes, costs):.2f})"
            panel.loglog(sizes, costs, marker="o", linewidth=1.4, label=label)
            values += costs
        if values:
            # Two decades at least: what does not grow looks flat, whatever its last digits do.
            middle, reach = (min(values) * max(values)) ** 0.5, max(10.0, 1.5 * (max(values) / min(values)) ** 0.5)
            panel.set_ylim(middle / reach, 6 * middle * reach)  # with room for the legend
            panel.legend(loc="upper left", fontsize="small")
        panel.set_title(part)
        panel.set_xlabel(unit)
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure, record, draw, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", action="store_true", help="draw and write the table alone")
    parser.add_argument("--entries", type=int, nargs="+", default=ENTRIES, help="lengths of the lists")
    parser.add_argument("--megapixels", type=float, nargs="+", default=MEGAPIXELS, help="sizes of the pictures")
    arguments = parser.parse_args()
    if not arguments.picture:
        if not (PHOTOS / "train.txt").is_file():
            parser.error("data/mini_portraits is missing: run `python data/download_data.py` first")
        record(NAME, {"training": training(arguments.entries), "prediction": prediction(arguments.megapixels)})
    figures = read(NAME)
    draw(figures, ROOT / "docs" / "images" / "growth.png")
    print(f"written: {write_between('benchmarks.md', f'{NAME}.py', table(figures))}")


if __name__ == "__main__":
    main()
