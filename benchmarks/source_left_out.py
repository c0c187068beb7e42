"""How much of what a zoo network learns holds for photos of another source: trained on one source, judged on the other.

python benchmarks/source_left_out.py                 # tiny: a quarter of an hour
python benchmarks/source_left_out.py lite --iters 600

Trains the network by its own config, from its own start, on the labelled photos of one source at a time, for a fixed
number of iterations, and judges start and ends on picsart/val and on every eighth photo of eg1800/train (eg1800/test is
not looked at). What is won on the source that was left out is what generalises; the other column is not unseen.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from _page import write_between
from _record import ROOT, record

sys.path.insert(0, str(ROOT))
NAME = "source_left_out"
SOURCES = ("eg1800", "picsart")
MEASURES = ("miou", "boundary_iou")


def dataset(source: str, root_key: str, photos: Path) -> dict[str, Any]:
    """Return the node of a labelled source; ``root_key`` says which list ``photos`` is."""
    root = str(ROOT / "data" / source)
    return {
        "type": "Dataset",
        "mode": root_key,
        "dataset_root": root,
        f"{root_key}_path": str(photos),
        "num_classes": 2,
    }


def every_eighth_photo(folder: Path) -> Path:
    """Write and return a list of an eighth of the training photos of EG1800."""
    lines = (ROOT / "data" / "eg1800" / "train.txt").read_text(encoding="utf-8").splitlines()
    chosen = folder / "eg1800_eighth.txt"
    chosen.write_text("\n".join(lines[3::8]) + "\n", encoding="utf-8")
    return chosen


def train(name: str, source: str, iters: int, folder: Path) -> Path:
    """Train on one source alone; return the averaged weights of the last iteration."""
    photos = {**dataset(source, "train", ROOT / "data" / source / "train.txt"), "mask_format": "soft", "cache_mb": 800}
    node = {
        "_base_": str(ROOT / "configs" / "zoo" / f"{name}.yml"),
        "train_dataset": {"datasets": [photos]},
        "iters": iters,
        "stages": None,
        "save_interval": iters,
    }
    config = folder / f"{name}_{source}.yml"
    config.write_text(yaml.safe_dump(node), encoding="utf-8")
    command = [
        sys.executable,
        "tools/train.py",
        "--config",
        str(config),
        "--do_eval",
        "--save_dir",
        str(folder / source),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder / source / "best_model"


def judge(name: str, weights: str, eighth: Path) -> dict[str, dict[str, float]]:
    """Return mIoU and boundary IoU of weights on both sets of photos."""
    from paddle_portrait.config import load_config
    from paddle_portrait.data.datasets.foreign import as_dataset
    from paddle_portrait.engine.evaluator import evaluate
    from paddle_portrait.engine.trained import build_start, load_trained
    from paddle_portrait.registry import DATASETS

    config = load_config(ROOT / "configs" / "zoo" / f"{name}.yml")
    network = load_trained(config, weights) if weights else build_start(config)
    transforms = config["val_dataset"]["transforms"]
    found = {}
    for split, source, photos in (
        ("picsart_val", "picsart", ROOT / "data" / "picsart" / "val.txt"),
        ("eg1800_train_eighth", "eg1800", eighth),
    ):
        node = {**dataset(source, "val", photos), "transforms": transforms}
        summary = evaluate(network, as_dataset(DATASETS.build_node(node)), batch_size=4).summary
        found[split] = {measure: round(float(summary[measure]), 4) for measure in MEASURES}
    return found


def table(figures: dict[str, Any]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| trained on | PicsArt mIoU | boundary | EG1800 mIoU | boundary |", "|---|---|---|---|---|"]
    for trained_on, found in figures["rows"].items():
        cells = [
            f"{found[split][measure]:.4f}" for split in ("picsart_val", "eg1800_train_eighth") for measure in MEASURES
        ]
        lines.append(f"| {trained_on} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Train, judge, and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="tiny", help="zoo name of a network of our own (default: tiny)")
    parser.add_argument("--iters", type=int, default=500, help="iterations for each source (default: 500)")
    arguments = parser.parse_args()
    if missing := [source for source in SOURCES if not (ROOT / "data" / source / "train.txt").is_file()]:
        parser.error(f"data lacks {', '.join(missing)}: see data/README.md")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        eighth = every_eighth_photo(folder)
        rows = {"nothing (the start)": judge(arguments.name, "", eighth)}
        for source in SOURCES:
            weights = train(arguments.name, source, arguments.iters, folder)
            rows[f"{source} alone"] = judge(arguments.name, str(weights), eighth)
        rows["all (as released)"] = judge(arguments.name, arguments.name, eighth)
    figures = {"network": arguments.name, "iterations": arguments.iters, "rows": rows}
    record(NAME, figures)
    write_between("zoo.md", f"{NAME}.py", table(figures))


if __name__ == "__main__":
    main()
