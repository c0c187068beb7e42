"""One epoch on the portraits of data/ from random weights, for networks of which no released weights survive.

python benchmarks/one_epoch.py configs/portrait_net/portrait_net_224x224_portraits.yml ...

Each config is trained for one pass over its photos (tools/train.py, its own recipe and seed), then judged on
picsart/val (tools/val.py). The bar is a mask that knows no image: the mean of the training masks, mIoU 0.623.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _record import RESULTS, ROOT, record

NAME = "one_epoch"
MEAN_MASK_MIOU = 0.623


def photos_of(config: Any) -> int:
    """Return how many photos the config's training lists hold."""
    section = config["train_dataset"]
    members = section.get("datasets", [section])
    return sum(len((ROOT / member["train_path"]).read_text(encoding="utf-8").splitlines()) for member in members)


def resized(config: Any, side: int) -> list[str]:
    """Return the --opts that make every size of the data sections ``side`` x ``side``."""
    # Shapes of batches would undo the transforms' size.
    opts = ["train_dataset.batch_sizes_wh=[]"] if config.get("train_dataset.batch_sizes_wh") else []
    for section in ("train_dataset", "val_dataset"):
        for number, transform in enumerate(config[section].get("transforms", [])):
            keys = [key for key in ("target_size", "crop_size", "size") if isinstance(transform.get(key), list)]
            opts += [f"{section}.transforms.{number}.{key}=[{side},{side}]" for key in keys]
    return opts


def run(tool: str, *arguments: str) -> None:
    """Run one of the tools and stop with its message when it fails."""
    done = subprocess.run([sys.executable, f"tools/{tool}.py", *arguments], cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"tools/{tool}.py {' '.join(arguments)} failed with code {done.returncode}")


def train_and_judge(path: str, batch_size: int, nproc: int, side: int | None, opts: list[str]) -> dict[str, Any]:
    """Train one config for an epoch and return what it reached; a warm-up takes a tenth of it at most."""
    from paddle_portrait.config import load_config

    config = load_config(path, opts)
    opts = opts if side is None else [*opts, *resized(config, side)]
    photos = photos_of(config)
    iterations = photos // batch_size
    if (config.get("lr_scheduler.warmup_iters") or 0) > iterations // 10:
        opts = [*opts, f"lr_scheduler.warmup_iters={iterations // 10}"]  # made for a longer training
    changes = ["--opts", *opts] if opts else []
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        schedule = ["--iters", str(iterations), "--batch_size", str(batch_size), "--save_interval", str(iterations)]
        where = ["--config", path, *changes]
        run("train", *where, *schedule, "--log_iters", "50", "--nproc", str(nproc), "--save_dir", folder)
        seconds = time.perf_counter() - started
        checkpoint = f"{folder}/iter_{iterations}"
        run("val", *where, "--model_path", checkpoint, "--save_dir", f"{folder}/val", "--gallery", "0")
        report = json.loads(Path(folder, "val", "report.json").read_text(encoding="utf-8"))
    return {
        "config": path,
        "opts": opts,
        "photos": photos,
        "batch_size": batch_size,
        "iterations": iterations,
        "seconds": round(seconds, 1),
        "picsart_val": {key: round(report[key], 4) for key in ("miou", "person_iou", "boundary_iou")},
        "beats_mean_mask": report["miou"] > MEAN_MASK_MIOU,
    }


def main() -> None:
    """Train, judge and record, config by config; figures of other configs stay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--nproc", type=int, default=1)
    parser.add_argument("--side", type=int, help="train and judge at this size, for networks too large for a CPU")
    parser.add_argument("--opts", nargs="+", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    earlier = RESULTS / f"{NAME}.json"
    for path in arguments.configs:
        reached = train_and_judge(path, arguments.batch_size, arguments.nproc, arguments.side, arguments.opts)
        figures = json.loads(earlier.read_text(encoding="utf-8"))["figures"] if earlier.is_file() else {}
        figures[Path(path).stem] = reached
        record(NAME, figures)


if __name__ == "__main__":
    main()
