"""Images per second of our trainer and of PaddleSeg's own, on the same network, data, augmentation and batch.

Both read benchmarks/training_speed.yml. Runs alternate, so that a busy minute of the machine meets both, and medians
are compared. Needs the paddleseg package (`make install` brings it).
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
from pathlib import Path
from typing import Any

from _phases import PHASES
from _record import ROOT, record

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))


def prepare_data(list_file: Path, folder: Path, count: int) -> None:
    """Copy up to ``count`` pairs of a list, with masks of 0 and 1, which is all that PaddleSeg understands."""
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
    (folder / "train.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_config(folder: Path, batch_size: int, iterations: int) -> Path:
    """Write the config with this run's data, batch and length filled in."""
    import yaml

    config = yaml.safe_load((HERE / "training_speed.yml").read_text(encoding="utf-8"))
    config.update(batch_size=batch_size, iters=iterations)
    # PyYAML reads 5.0e-4 as a number, and PaddleSeg reads with PyYAML.
    config["train_dataset"].update(dataset_root=str(folder), train_path=str(folder / "train.txt"))
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def run(command: list[str], out: Path, log: Path, processes: int = 1) -> dict[str, Any]:
    """Run a child and return what it measured."""
    environment = dict(os.environ)
    if processes > 1:  # as --nproc does: each process gets its share of the cores
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.call(command, cwd=HERE, env=environment, stdout=file, stderr=subprocess.STDOUT)
    if code or not out.is_file():
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
    measured: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    out.unlink()
    return measured


def paddleseg(config: Path, workers: int, warm_up: int, folder: Path) -> dict[str, Any]:
    """Time PaddleSeg's train()."""
    out = folder / "out.json"
    script = [str(HERE / "_train_paddleseg.py"), str(config), str(workers), str(warm_up), str(out)]
    return run([sys.executable, *script], out, folder / "log.txt")


def ours(
    config: Path, workers: int, warm_up: int, folder: Path, processes: int = 1, kernels: str = "auto"
) -> dict[str, Any]:
    """Time our train command."""
    out, save_dir = folder / "out.json", folder / "run"
    shutil.rmtree(save_dir, ignore_errors=True)
    flags = ["--config", str(config), "--save_dir", str(save_dir), "--num_workers", str(workers)]
    flags += ["--save_interval", "1000000", "--opts", f"kernels={kernels}"]
    script = [str(HERE / "_train_ours.py"), str(out), str(warm_up), *flags]
    launcher: list[str] = []
    if processes > 1:
        launcher = ["-m", "paddle.distributed.launch", f"--nproc_per_node={processes}"]
        launcher.append(f"--log_dir={folder / 'workers'}")
    return run([sys.executable, *launcher, *script], out, folder / "log.txt", processes)


def median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of several runs' figures."""
    return {
        "images_per_second": round(statistics.median(one["images_per_second"] for one in runs), 2),
        "images_per_second_runs": [one["images_per_second"] for one in runs],
        "ms_per_iteration": {
            phase: round(statistics.median(one["ms_per_iteration"][phase] for one in runs), 1) for phase in PHASES
        },
    }


def measure(config: Path, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run every variant in turn, ``repeats`` times round."""
    warm_up = arguments.warm_up
    variants = {
        "paddleseg, 0 workers": lambda: paddleseg(config, 0, warm_up, folder),
        "ours, 0 workers": lambda: ours(config, 0, warm_up, folder),
        "ours, 0 workers, stock kernels": lambda: ours(config, 0, warm_up, folder, kernels="false"),
        "paddleseg, 2 workers": lambda: paddleseg(config, 2, warm_up, folder),
        "ours, 2 workers": lambda: ours(config, 2, warm_up, folder),
        "ours, 2 processes": lambda: ours(config, 0, warm_up, folder, processes=2),
        "ours, 2 processes, stock kernels": lambda: ours(config, 0, warm_up, folder, processes=2, kernels="false"),
    }
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in variants}
    for round_number in range(arguments.repeats):
        for name, variant in variants.items():
            runs[name].append(variant())
            print(f"round {round_number + 1}, {name}: {runs[name][-1]['images_per_second']} images/s", flush=True)
    return {name: median_of(measured) for name, measured in runs.items()}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", default="data/mini_portraits/train.txt", help="pairs to train on")
    parser.add_argument("--images", type=int, default=256, help="how many of them")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--iters", type=int, default=40)
    parser.add_argument("--warm_up", type=int, default=8, help="first iterations that do not count")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    list_file = ROOT / arguments.list
    if not list_file.is_file():
        parser.error(f"{arguments.list} is missing: run `python data/download_data.py` first")
    # Children import the package from this checkout, whatever else is installed.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare_data(list_file, folder, arguments.images)
        figures = measure(write_config(folder, arguments.batch_size, arguments.iters), arguments, folder)
    bases = {"ours, 2 workers": "paddleseg, 2 workers"}
    for name, figure in figures.items():
        base = bases.get(name, "paddleseg, 0 workers")
        figure["ratio"] = round(figure["images_per_second"] / figures[base]["images_per_second"], 2)
        figure["ratio_to"] = base
    record("training_speed", figures)


if __name__ == "__main__":
    main()
