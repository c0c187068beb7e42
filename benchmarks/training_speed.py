"""Images a second of our trainer and of PaddleSeg's own: same network, samples, augmentation and global batch.

python benchmarks/training_speed.py             # speed, in three rounds of all ways of training
python benchmarks/training_speed.py --quality   # mIoU of both after 500 steps, two seeds each
python benchmarks/training_speed.py --table     # writes the tables of docs/benchmarks.md alone

PP-HumanSeg-Lite at 192x192, batch 8 over all processes, on generated portraits; both trainers read
benchmarks/training_speed.yml. PaddleSeg runs with 1 and 2 threads, 0 and 2 workers, and in two processes. Runs take
turns, so that a busy minute of the machine meets all; medians are compared with PaddleSeg's best in one process. With
--quality the seeds of a trainer run side by side, a thread each, and our own evaluation judges all. Needs the paddleseg
package (`make install` brings it).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from _page import write_between
from _phases import PHASES
from _record import RESULTS, ROOT, record

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))
NAME, QUALITY = "training_speed", "training_quality"
TRAINERS = ("paddleseg", "ours")


def prepare_data(list_file: Path, folder: Path, count: int) -> None:
    """Copy up to ``count`` pairs of a list, with masks of 0 and 1, which is all that PaddleSeg understands."""
    folder.mkdir()
    import numpy as np

    from paddle_portrait.preprocess.image_io import read_mask, write_image

    lines = []
    for number, line in enumerate(list_file.read_text(encoding="utf-8").splitlines()[:count]):
        image, mask = line.split()
        target = folder / f"{number}{Path(image).suffix}"
        shutil.copyfile(list_file.parent / image, target)
        values = read_mask(list_file.parent / mask)
        write_image(folder / f"{number}.png", (values > values.max() // 2).astype(np.uint8))
        lines.append(f"{target.name} {number}.png")
    (folder / "list.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_config(folder: Path, batch_size: int, iterations: int) -> Path:
    """Write the config with this run's data, batch and length filled in."""
    import yaml

    config = yaml.safe_load((HERE / "training_speed.yml").read_text(encoding="utf-8"))
    config.update(batch_size=batch_size, iters=iterations)
    # PyYAML reads 5.0e-4 as a number, and PaddleSeg reads with PyYAML.
    for split in ("train", "val"):
        root = folder / split
        config[f"{split}_dataset"].update({"dataset_root": str(root), f"{split}_path": str(root / "list.txt")})
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def run(command: list[str], out: Path, log: Path, threads: int | None = None) -> dict[str, Any]:
    """Run a child and return what it measured."""
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.call(command, cwd=HERE, env=environment, stdout=file, stderr=subprocess.STDOUT)
    if code or not out.is_file():
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
    measured: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    out.unlink()
    return measured


def launcher(processes: int, folder: Path) -> list[str]:
    """Return what stands between the interpreter and the script."""
    if processes == 1:
        return []
    return ["-m", "paddle.distributed.launch", f"--nproc_per_node={processes}", f"--log_dir={folder / 'workers'}"]


def paddleseg(
    config: Path,
    workers: int,
    warm_up: int,
    folder: Path,
    processes: int = 1,
    threads: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Time PaddleSeg's train()."""
    out, save_dir = folder / "out.json", folder / "run"
    script = [HERE / "_train_paddleseg.py", out, config, workers, warm_up, seed, save_dir]
    command = [sys.executable, *launcher(processes, folder), *map(str, script)]
    return run(command, out, folder / "log.txt", threads)


def ours(
    config: Path,
    workers: int,
    warm_up: int,
    folder: Path,
    processes: int = 1,
    threads: int | None = None,
    seed: int = 0,
    kernels: str = "auto",
) -> dict[str, Any]:
    """Time our train command."""
    out, save_dir = folder / "out.json", folder / "run"
    shutil.rmtree(save_dir, ignore_errors=True)
    flags = ["--config", str(config), "--save_dir", str(save_dir), "--num_workers", str(workers)]
    flags += ["--save_interval", "1000000", "--opts", f"kernels={kernels}", f"seed={seed}"]
    script = [str(HERE / "_train_ours.py"), str(out), str(warm_up), *flags]
    return run([sys.executable, *launcher(processes, folder), *script], out, folder / "log.txt", threads)


def median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of several runs' figures."""
    return {
        "images_per_second": round(statistics.median(one["images_per_second"] for one in runs), 2),
        "images_per_second_runs": [one["images_per_second"] for one in runs],
        "ms_per_iteration": {
            phase: round(statistics.median(one["ms_per_iteration"][phase] for one in runs), 1) for phase in PHASES
        },
    }


def variants(config: Path, warm_up: int, folder: Path) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return every way of training that is timed, by its name."""
    made: dict[str, Callable[[], dict[str, Any]]] = {}
    for threads in (1, 2):
        for workers in (0, 2):
            name = f"paddleseg, {threads} thread{'s' * (threads > 1)}, {workers} workers"
            made[name] = partial(paddleseg, config, workers, warm_up, folder, threads=threads)
    made["paddleseg, 2 processes"] = partial(paddleseg, config, 0, warm_up, folder, processes=2, threads=1)
    made["ours, 2 threads, 0 workers"] = partial(ours, config, 0, warm_up, folder, threads=2)
    made["ours, 2 threads, 2 workers"] = partial(ours, config, 2, warm_up, folder, threads=2)
    made["ours, 2 processes"] = partial(ours, config, 0, warm_up, folder, processes=2, threads=1)
    stock = partial(ours, config, 0, warm_up, folder, threads=2, kernels="false")
    made["ours, 2 threads, 0 workers, stock kernels"] = stock
    return made


def measure(config: Path, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run every variant in turn, ``rounds`` times, and compare with PaddleSeg's best in one process."""
    ways = variants(config, arguments.warm_up, folder)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name, way in ways.items():
            runs[name].append(way())
            print(f"round {number + 1}, {name}: {runs[name][-1]['images_per_second']} images/s", flush=True)
    figures = {name: median_of(measured) for name, measured in runs.items()}
    peers = [name for name in figures if name.startswith("paddleseg") and "processes" not in name]
    base = max(peers, key=lambda name: figures[name]["images_per_second"])
    for figure in figures.values():
        figure["ratio"] = round(figure["images_per_second"] / figures[base]["images_per_second"], 2)
        figure["ratio_to"] = base
    return figures


def quality(config: Path, seeds: int, steps: int, folder: Path) -> dict[str, Any]:
    """Train each seed with each trainer; return the mIoU of each on the validation list."""
    from concurrent.futures import ThreadPoolExecutor

    from paddle_portrait.config import load_config
    from paddle_portrait.engine.evaluator import evaluate
    from paddle_portrait.engine.trained import load_trained
    from paddle_portrait.registry import DATASETS

    def train(trainer: str, seed: int) -> Path:
        own = folder / f"{trainer}_{seed}"
        own.mkdir()
        {"paddleseg": paddleseg, "ours": ours}[trainer](config, 0, 1, own, threads=1, seed=seed)
        return own / "run" / f"iter_{steps}"

    loaded = load_config(str(config))
    dataset = DATASETS.build_node(loaded.component("val_dataset"))
    found: dict[str, list[float]] = {}
    for trainer in TRAINERS:
        with ThreadPoolExecutor(seeds) as pool:
            weights = list(pool.map(partial(train, trainer), range(seeds)))
        networks = [load_trained(loaded, str(path)) for path in weights]
        found[trainer] = [
            round(float(evaluate(one, dataset, 8, progress=False).summary["miou"]), 4) for one in networks
        ]
        print(f"{trainer}: {found[trainer]}", flush=True)
    return {"steps": steps, "miou": found}


def table(figures: dict[str, Any]) -> str:
    """Return speeds, and where a step's time goes, as Markdown."""
    head = ["trainer", "images/s", "times as fast", "as", *(f"{phase}, ms a step" for phase in PHASES)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, entry in figures.items():
        cells = [name, f"{entry['images_per_second']:.1f}", f"{entry['ratio']:.2f}", entry["ratio_to"]]
        cells += [f"{entry['ms_per_iteration'][phase]:.0f}" for phase in PHASES]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def quality_table() -> str:
    """Return the mIoU of both trainers as Markdown."""
    file = RESULTS / f"{QUALITY}.json"
    if not file.is_file():
        return "Not measured yet: `python benchmarks/training_speed.py --quality`."
    figures = json.loads(file.read_text(encoding="utf-8"))["figures"]
    lines = [f"| trainer | mIoU after {figures['steps']} steps, by seed | mean |", "|---|---|---|"]
    for trainer, scores in figures["miou"].items():
        each = ", ".join(f"{score:.4f}" for score in scores)
        lines.append(f"| {trainer} | {each} | {statistics.fmean(scores):.4f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, record, and write the tables."""
    arguments = parse()
    # Children import the package from this checkout, whatever else is installed.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    if not arguments.table:
        with tempfile.TemporaryDirectory() as name:
            folder, lists = Path(name), (ROOT / arguments.list, ROOT / arguments.val_list)
            for split, list_file in zip(("train", "val"), lists, strict=True):
                prepare_data(list_file, folder / split, arguments.images)
            if arguments.quality:
                config = write_config(folder, arguments.batch_size, arguments.steps)
                record(QUALITY, quality(config, arguments.seeds, arguments.steps, folder))
            else:
                config = write_config(folder, arguments.batch_size, arguments.iters)
                record(NAME, measure(config, arguments, folder))
    figures = json.loads((RESULTS / f"{NAME}.json").read_text(encoding="utf-8"))["figures"]
    write_between("benchmarks.md", f"{NAME}.py", table(figures))
    print(f"written: {write_between('benchmarks.md', f'{NAME}.py, quality', quality_table())}")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", action="store_true", help="mIoU in place of speed")
    parser.add_argument("--table", action="store_true", help="write the tables alone, from the figures that are there")
    parser.add_argument("--list", default="data/mini_portraits/train.txt", help="pairs to train on")
    parser.add_argument("--val_list", default="data/mini_portraits/val.txt", help="pairs to judge by")
    parser.add_argument("--images", type=int, default=256, help="how many of them")
    parser.add_argument("--batch_size", type=int, default=8, help="images of a step, over all processes")
    parser.add_argument("--iters", type=int, default=26, help="steps of a timed run")
    parser.add_argument("--warm_up", type=int, default=6, help="first steps that do not count")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way of training has its turn")
    parser.add_argument("--steps", type=int, default=500, help="steps of a --quality run")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each trainer for --quality")
    arguments = parser.parse_args()
    for name in () if arguments.table else (arguments.list, arguments.val_list):
        if not (ROOT / name).is_file():
            parser.error(f"{name} is missing: run `python data/download_data.py` first")
    return arguments


if __name__ == "__main__":
    main()
