"""What loading costs: milliseconds of one core a photo, and the share of a training step spent waiting for the batch.

python benchmarks/loading_cost.py           # about five minutes
python benchmarks/loading_cost.py --table   # writes the table of docs/benchmarks.md alone

PP-HumanSeg-Lite, 192x192, batch 8, with its own augmentation, on generated portraits. The figures are those of the
second epoch on, when the caches are filled; all variants run in turns.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from _page import write_between
from _record import RESULTS, ROOT, record

sys.path.insert(0, str(ROOT))
NAME = "loading_cost"
PORTRAITS = ROOT / "data" / "mini_portraits"
BATCH, EPOCHS = 8, 3
SIZES_WH = ((384, 512), (1080, 1440))
WORKERS = (0, 1)
SOURCES: dict[str, dict[str, Any]] = {
    "files": {},
    "files, reduced_decode": {"reduced_decode": True},
    "disk_cache_mb": {"disk_cache_mb": 100},
    "cache_mb": {"cache_mb": 100},
}


def write_photos(folder: Path, size_wh: tuple[int, int], count: int) -> None:
    """Write generated portraits of a size, as JPEG photos and PNG masks."""
    from paddle_portrait.preprocess.image_io import read_image, read_mask

    lines = []
    for number, line in enumerate((PORTRAITS / "train.txt").read_text(encoding="utf-8").splitlines()[:count]):
        image, mask = (read(PORTRAITS / name) for read, name in zip((read_image, read_mask), line.split(), strict=True))
        photo = cv2.resize(image, size_wh, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.jpg"), photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(mask, size_wh, interpolation=cv2.INTER_NEAREST))
        lines.append(f"{number}.jpg {number}.png")
    (folder / "train.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_config(folder: Path, source: str, workers: int, iters: int) -> Path:
    """Write the recipe of PP-HumanSeg-Lite with these photos, read in one of the ways."""
    dataset = {"type": "Dataset", "mode": "train", "dataset_root": str(folder), "num_classes": 2}
    dataset |= {"train_path": str(folder / "train.txt"), **SOURCES[source]}
    if "disk_cache_mb" in dataset:
        dataset["disk_cache_dir"] = str(folder / "cache")
    bases = [str(ROOT / "configs" / "_base_" / f"{name}.yml") for name in ("human_192x192", "adamw_cosine", "runtime")]
    config = {"_base_": bases, "model": {"type": "PPHumanSegLite"}, "train_dataset": dataset, "val_dataset": None}
    config |= {"batch_size": BATCH, "num_workers": workers, "iters": iters, "test_dataset": None}
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def photo_ms(folder: Path, source: str) -> dict[str, float]:
    """Return the processor time of a photo with its mask: reading, and all up to the batch, medians of epochs."""
    from paddle_portrait.config import load_config
    from paddle_portrait.data import BatchLoader
    from paddle_portrait.registry import DATASETS

    dataset = DATASETS.build_node(
        load_config(write_config(folder, source, workers=0, iters=1)).to_dict()["train_dataset"]
    )
    loader = BatchLoader(dataset, BATCH, seed=0)
    augment = dataset.pipeline.augment

    def epoch(number: int) -> None:
        for position in range(loader.iterations_per_epoch):
            loader.batch(number * loader.iterations_per_epoch + position)

    times: dict[str, list[float]] = {"read_ms": [], "all_ms": []}
    epoch(0)
    for number in range(1, 2 * EPOCHS):
        dataset.pipeline.augment = augment
        times["all_ms"].append(processor_ms(lambda number=number: epoch(number)))
        dataset.pipeline.augment = lambda sample, rng: sample
        times["read_ms"].append(processor_ms(lambda number=number: epoch(number)))
    return {key: round(statistics.median(found) / len(dataset), 3) for key, found in times.items()}


def processor_ms(work: Callable[[], None]) -> float:
    """Return the processor time of ``work()``."""
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


def waiting(folder: Path, source: str, workers: int, count: int) -> dict[str, float]:
    """Return step and share of waiting of a short training."""
    from _short_training import train

    with tempfile.TemporaryDirectory() as save_dir:
        config = write_config(folder, source, workers, iters=EPOCHS * count // BATCH)
        return train(str(config), save_dir, warm_up=count // BATCH)


def measure(rounds: int, count: int) -> dict[str, Any]:
    """Measure all variants in turns; return medians."""
    figures: dict[str, Any] = {"photo": {}, "training": {}}
    with tempfile.TemporaryDirectory() as name:
        folders = {f"{size[0]}x{size[1]}": Path(name, f"{size[0]}") for size in SIZES_WH}
        for size, (words, folder) in zip(SIZES_WH, folders.items(), strict=True):
            folder.mkdir()
            write_photos(folder, size, count)
            figures["photo"][words] = {source: photo_ms(folder, source) for source in SOURCES}
            print(f"{words}: {figures['photo'][words]}", flush=True)
        runs: dict[tuple[str, int], list[dict[str, float]]] = {
            variant: [] for variant in itertools.product(SOURCES, WORKERS)
        }
        first = next(iter(folders.values()))
        for _ in range(rounds):
            for (source, workers), found in runs.items():
                found.append(waiting(first, source, workers, count))
                print(f"{source}, {workers} workers: {found[-1]['waiting_share']:.1%}", flush=True)
    for (source, workers), found in runs.items():
        entry = {key: float(np.median([one[key] for one in found])) for key in ("step_ms", "waiting_share")}
        rounded = {"step_ms": round(entry["step_ms"], 1), "waiting_share": round(entry["waiting_share"], 4)}
        figures["training"].setdefault(source, {})[str(workers)] = rounded
    return figures


def table(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    sizes = list(figures["photo"])
    head = ["photos from", *(f"{words}: read, ms" for words in sizes), *(f"{words}: all, ms" for words in sizes)]
    head += [f"waiting, {workers} worker{'' if workers == 1 else 's'}" for workers in WORKERS]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for source, trained in figures["training"].items():
        cells = [f"{figures['photo'][words][source][key]:.2f}" for key in ("read_ms", "all_ms") for words in sizes]
        cells += [f"{trained[str(workers)]['waiting_share']:.1%}" for workers in WORKERS]
        lines.append(f"| {source} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, record, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each kind (default: 3)")
    parser.add_argument("--photos", type=int, default=128, help=f"photos of an epoch, at least {BATCH} (default: 128)")
    parser.add_argument("--table", action="store_true", help="write the table alone, from the figures that are there")
    arguments = parser.parse_args()
    if not arguments.table:
        if not (PORTRAITS / "train.txt").is_file():
            parser.error("data/mini_portraits is missing: run `python data/download_data.py` first")
        cv2.setNumThreads(1)
        record(NAME, measure(arguments.rounds, arguments.photos))
    figures = json.loads((RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))["figures"]
    print(f"written: {write_between('benchmarks.md', f'{NAME}.py', table(figures))}")


if __name__ == "__main__":
    main()
