"""``make demo``: every step from sample photos to a replaced background, through the commands a user types."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paddle_portrait.console import run_command
from paddle_portrait.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "configs/quickstart.yml"
PHOTO, BACKGROUND = "data/human_image.jpg", "data/background.jpg"
ITERATIONS_WITHOUT_KERNELS = 400
SHEET_ROWS = 3  # of two portraits each
PICTURES = {
    "curves": "curves.png",
    "contact_sheet": "contact_sheet.png",
    "replaced_background": "replaced_background.jpg",
}
# Written into the folder, so that a run deletes only what an earlier demo made.
MARK = ".made_by_demo"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's flags."""
    parser = argparse.ArgumentParser(
        prog="demo", description="Train, judge, export and use a small network on generated portraits."
    )
    parser.add_argument(
        "--save_dir", default="demo_output", help="folder of all results, from the repository (default: demo_output)"
    )
    parser.add_argument("--seed", type=int, default=42, help="same seed, same weights (default: 42)")
    parser.add_argument("--opts", nargs="+", default=[], metavar="KEY=VALUE", help="change keys of the config")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit code."""
    arguments = build_parser().parse_args(argv)
    return run_command(lambda: _demo(Path(arguments.save_dir), arguments.seed, arguments.opts))


def _demo(save_dir: Path, seed: int, opts: list[str]) -> int:
    started = time.perf_counter()
    os.chdir(ROOT)  # configs name data by paths from here
    _prepare(save_dir)
    opts = [*_shorter_without_kernels(), *opts]
    seconds = {name: _run(command) for name, command in _commands(save_dir, seed, opts).items()}
    pictures = _draw(save_dir)
    summary = {**_figures(save_dir), "seed": seed, "seconds": seconds, "pictures": pictures}
    seconds["all"] = round(time.perf_counter() - started, 1)
    (save_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    text = _describe(summary)
    (save_dir / "summary.txt").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _prepare(save_dir: Path) -> None:
    if not Path(CONFIG).is_file():
        raise UserError(f"the demo needs the repository: {ROOT / CONFIG} is missing. Clone it and run `make demo`.")
    if save_dir.is_dir() and any(save_dir.iterdir()):
        if not (save_dir / MARK).is_file():
            raise UserError(f"{save_dir} holds files that no demo wrote. Name another folder with --save_dir.")
        shutil.rmtree(save_dir)
    save_dir.mkdir(parents=True, exist_ok=True)
    (save_dir / MARK).touch()


def _shorter_without_kernels() -> list[str]:
    """Return options that keep the demo under five minutes where there is no compiler for the CPU kernels."""
    from paddle_portrait.kernels import kernels_ready

    return [] if kernels_ready() else [f"iters={ITERATIONS_WITHOUT_KERNELS}"]


def _commands(save_dir: Path, seed: int, opts: list[str]) -> dict[str, list[str]]:
    """Return the command lines of the demo, by step."""
    run, weights = save_dir / "train", str(save_dir / "train" / "best_model" / "model.pdparams")
    export = str(save_dir / "export")
    config = ["--config", CONFIG, *(["--opts", *opts] if opts else [])]
    trained = [*config, "--model_path", weights]
    return {
        "data": ["data/download_data.py"],
        "check": ["tools/check_dataset.py", "--config", CONFIG, "--save_dir", str(save_dir / "check")],
        "train": ["tools/train.py", *config, "--do_eval", "--use_vdl", "--seed", str(seed), "--save_dir", str(run)],
        "val": ["tools/val.py", *trained, "--save_dir", str(save_dir / "val")],
        "export": ["tools/export.py", *trained, "--save_dir", export, "--output_op", "softmax"],
        "predict": [
            "tools/predict.py",
            "--model",
            export,
            "--image_path",
            PHOTO,
            "--save_dir",
            str(save_dir / "predict"),
        ],
    }


def _run(command: list[str]) -> float:
    print(f"\n$ python {shlex.join(command)}", flush=True)
    started = time.perf_counter()
    code = subprocess.call([sys.executable, *command])
    if code:
        raise UserError(f"the demo stopped: `python {shlex.join(command)}` ended with exit code {code}.")
    return round(time.perf_counter() - started, 1)


def _draw(save_dir: Path) -> dict[str, str]:
    """Draw the demo's pictures from what its commands left; return their files by name."""
    from paddle_portrait.config import load_config
    from paddle_portrait.engine.history import History
    from paddle_portrait.inference import Predictor
    from paddle_portrait.pictures import contact_sheet, replace_background, save_curves
    from paddle_portrait.preprocess.image_io import read_image, write_image
    from paddle_portrait.registry import DATASETS

    files = {name: str(save_dir / file) for name, file in PICTURES.items()}
    history = History(save_dir / "train" / "history.jsonl")
    history.start(10**9)
    curves = {"loss": history.series("train", "loss"), "learning rate": history.series("train", "lr")}
    save_curves({**curves, "mIoU": history.series("eval", "miou")}, files["curves"])

    predictor = Predictor.load(str(save_dir / "export"))
    validation = DATASETS.build_node(load_config(CONFIG).component("val_dataset"))
    samples = [validation.load(index) for index in range(2 * SHEET_ROWS)]
    cells = [cell for sample in samples for cell in (sample.image, sample.label == 1, predictor(sample.image))]
    rows = [cells[start : start + 6] for start in range(0, len(cells), 6)]
    titles = 2 * ("image", "label", "prediction")
    write_image(files["contact_sheet"], contact_sheet(rows, titles, cell_hw=(192, 144)))

    photo, background = (read_image(name) for name in (PHOTO, BACKGROUND))
    write_image(files["replaced_background"], replace_background(photo, predictor(photo), background))
    return files


def _figures(save_dir: Path) -> dict[str, Any]:
    report = json.loads((save_dir / "val" / "report.json").read_text(encoding="utf-8"))
    parity = json.loads((save_dir / "export" / "parity.json").read_text(encoding="utf-8"))
    weights = (save_dir / "train" / "best_model" / "model.pdparams").read_bytes()
    names = ("miou", "person_iou", "boundary_iou", "pixel_accuracy", "images")
    return {
        "scores": {name: report[name] for name in names},
        "export_max_abs_diff": {name: target["max_abs_diff"] for name, target in parity["targets"].items()},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }


def _describe(summary: dict[str, Any]) -> str:
    scores = "\n".join(f"  {name:16} {value:.4f}" for name, value in summary["scores"].items() if name != "images")
    times = ", ".join(f"{name} {value:.0f}" for name, value in summary["seconds"].items())
    pictures = "\n".join(f"  {path}" for path in summary["pictures"].values())
    parity = ", ".join(f"{name} {value:.1e}" for name, value in summary["export_max_abs_diff"].items())
    return (
        f"\nOn {summary['scores']['images']} generated portraits that the network has not trained on:\n{scores}\n"
        f"Largest difference between export and trained network: {parity}\n"
        f"Weights (seed {summary['seed']}): sha256 {summary['weights_sha256']}\n"
        f"Seconds: {times}\nPictures:\n{pictures}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
