"""What each recipe of docs/recipes.md is worth: short trainings on real portraits, paired by seed with a baseline.

python benchmarks/ablation.py            # every run that is missing, then the tables of docs/recipes.md
python benchmarks/ablation.py --table    # the tables alone, from benchmarks/results/ablation.json
python benchmarks/ablation.py --final    # the one look at eg1800/test, with the row "shipped"

A row is one file of benchmarks/ablation/. Every run starts from random weights, sees the same number of photos, and is
judged in its last (averaged) state on picsart/val, and on frames of data/videos for flicker. The results are written
after each run; a run that is there already is skipped, unless its config has changed since. Seeds come in turn, so that
an interrupted series has every row at equal strength. The pseudo-labels are made first, where they are missing.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _ablation_table import BASELINE, FLICKER, SCORES, write_page
from _record import RESULTS, ROOT, machine, record

sys.path.insert(0, str(ROOT))  # this checkout, whatever else is installed

if TYPE_CHECKING:
    import numpy as np

    from paddle_portrait.config import Config

NAME = "ablation"
SHIPPED = "shipped"
ROWS = (BASELINE, "boundary", "consistency", "connectivity", "compositing", "pseudo_labels", "dice", "all", SHIPPED)
SEEDS = 3
MORE_SEEDS = {BASELINE: 5, "all": 5}
RUNS = ROOT / "output" / NAME
PSEUDO_LABELS = ROOT / "output" / "pseudo_labels"
TEACHERS = ("mediapipe_selfie_general", "mediapipe_selfie_landscape", "sinet_320")
CLIPS = ROOT / "data" / "videos"
SWAPPED_CLIPS = ("anilsathyan7_test",)  # red and blue are exchanged in the file
CLIP_FRAMES, CLIP_SIDE = 12, 256

Run = tuple[str, int]


def config_file(row: str) -> Path:
    """Return the YAML of a row."""
    return ROOT / "benchmarks" / NAME / ("base.yml" if row == BASELINE else f"{row}.yml")


def planned(rows: Sequence[str]) -> list[Run]:
    """Return (row, seed) of all runs: each row with seed 0, then seed 1, ...; the further seeds come last."""
    most = max(MORE_SEEDS.get(row, SEEDS) for row in rows)
    return [(row, seed) for seed in range(most) for row in rows if seed < MORE_SEEDS.get(row, SEEDS)]


def missing(plan: Sequence[Run], rows: Mapping[str, Any], fingerprints: Mapping[str, str]) -> list[Run]:
    """Return the planned runs without a result of the config as it is now."""

    def is_done(row: str, seed: int) -> bool:
        result = rows.get(row, {}).get("seeds", {}).get(str(seed))
        return result is not None and result["config_sum"] == fingerprints[row]

    return [run for run in plan if not is_done(*run)]


def fingerprint(config: Config) -> str:
    """Return a checksum of a whole config, with what it inherits."""
    return hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


def command(*arguments: str) -> None:
    """Run one of the tools and stop with its name when it fails."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed with code {done.returncode}")


def make_pseudo_labels() -> None:
    """Label the selfies without masks, where that has not been done."""
    if not (PSEUDO_LABELS / "train.txt").is_file():
        images = ["--images", "data/unlabelled_selfies", "--flip", "--threads", "1"]
        where = ["--save_dir", PSEUDO_LABELS.relative_to(ROOT).as_posix()]
        command("tools/pseudo_label.py", *images, "--teachers", *TEACHERS, *where)


def train(row: str, seed: int, config: Config) -> tuple[Path, float]:
    """Train one run from its start; return its last checkpoint and the seconds it took."""
    folder = RUNS / f"{row}-{seed}"
    started = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped, or of an older config
    where = ["--config", config_file(row).relative_to(ROOT).as_posix(), "--save_dir", str(folder)]
    command("tools/train.py", *where, "--opts", f"seed={seed}", "kernels=auto")
    return folder / f"iter_{config['iters']}", time.perf_counter() - started


def judge(config: Config, checkpoint: Path, section: str = "val_dataset") -> dict[str, float]:
    """Return the scores of a checkpoint on a labelled split."""
    from paddle_portrait.data.datasets.foreign import as_dataset
    from paddle_portrait.engine.evaluator import evaluate
    from paddle_portrait.engine.trained import load_trained
    from paddle_portrait.registry import DATASETS

    node = {key: value for key, value in config[section].items() if key != "final"}
    dataset = as_dataset(DATASETS.build_node(node))
    summary = evaluate(load_trained(config, str(checkpoint)), dataset, batch_size=4, progress=False).summary
    return {measure: round(float(summary[measure]), 5) for measure in SCORES}


def judge_flicker(config: Config, checkpoint: Path) -> dict[str, float]:
    """Return the flicker on the first frames of every clip; dtSSD on the one whose masks are known."""
    from paddle_portrait.engine.trained import TrainedPredictor
    from paddle_portrait.metrics.temporal import FlickerMetrics

    predictor, flicker = TrainedPredictor.load(config, str(checkpoint)), FlickerMetrics()
    for clip in sorted(CLIPS.iterdir()):
        flicker.start_clip()
        for frame, label in labelled_frames(clip) if clip.is_dir() else film_frames(clip):
            flicker.update(frame, predictor(frame), label)
    result = flicker.result()
    return {measure: round(result[measure], 7) for measure in FLICKER}


def film_frames(clip: Path) -> Iterator[tuple[np.ndarray, None]]:
    """Yield the first frames of a film, RGB."""
    import cv2

    film = cv2.VideoCapture(str(clip))
    for _ in range(CLIP_FRAMES):
        _, frame = film.read()
        yield small(frame if clip.stem in SWAPPED_CLIPS else frame[..., ::-1]), None


def labelled_frames(clip: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the first frames of a folder of images and mattes."""
    import numpy as np

    from paddle_portrait.preprocess.image_io import read_image, read_mask

    for image in sorted((clip / "images").iterdir())[:CLIP_FRAMES]:
        matte = read_mask(clip / "masks" / f"{image.stem}.png").astype(np.float32) / 255
        yield small(read_image(image)), small(matte)


def small(picture: np.ndarray) -> np.ndarray:
    """Return a picture whose longer side is CLIP_SIDE."""
    import cv2

    factor = CLIP_SIDE / max(picture.shape[:2])
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def read_results() -> dict[str, Any]:
    """Return the figures so far."""
    path = RESULTS / f"{NAME}.json"
    empty: dict[str, Any] = {"setting": {}, "rows": {}}
    return json.loads(path.read_text(encoding="utf-8"))["figures"] if path.is_file() else empty


def write_results(figures: Mapping[str, Any]) -> None:
    """Write the results file, rows in their order; the page follows when the series is through."""
    rows = {row: figures["rows"][row] for row in ROWS if row in figures["rows"]}
    with contextlib.redirect_stdout(io.StringIO()):
        record(NAME, {**figures, "rows": rows})


def run_one(row: str, seed: int, config: Config) -> dict[str, Any]:
    """Train and judge one run."""
    checkpoint, seconds = train(row, seed, config)
    return {
        **judge(config, checkpoint),
        **judge_flicker(config, checkpoint),
        "seconds": round(seconds, 1),
        "load_1min": machine()["load_1min"],
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "config_sum": fingerprint(config),
    }


def run_series(rows: Sequence[str]) -> None:
    """Make every missing run, writing the results after each."""
    from paddle_portrait.config import load_config

    configs = {row: load_config(config_file(row)) for row in rows}
    base = load_config(config_file(BASELINE))
    prints = {row: fingerprint(config) for row, config in configs.items()}
    todo = missing(planned(rows), read_results()["rows"], prints)
    print(f"{len(planned(rows)) - len(todo)} runs are there, {len(todo)} to come", flush=True)
    if todo:
        make_pseudo_labels()
    started = time.perf_counter()
    for number, (row, seed) in enumerate(todo, 1):
        result = run_one(row, seed, configs[row])
        figures = read_results()
        figures["setting"] = {key: base[key] for key in ("iters", "batch_size")}
        entry = figures["rows"].setdefault(row, {"seeds": {}})
        entry["config"] = config_file(row).relative_to(ROOT).as_posix()
        entry["seeds"][str(seed)] = result
        write_results(figures)
        left = (time.perf_counter() - started) / number * (len(todo) - number)
        scores = ", ".join(f"{title} {result[measure]:.4f}" for measure, title in SCORES.items())
        print(f"{number}/{len(todo)} {row}, seed {seed}: {scores}; about {left / 60:.0f} min left", flush=True)


def final_look() -> None:
    """Judge the shipped row on the final split; a second look is refused.

    Raises:
        SystemExit: the look has been taken, or the row has not been trained here.
    """
    from paddle_portrait.config import load_config

    figures, config = read_results(), load_config(config_file(SHIPPED))
    if "final" in figures:
        raise SystemExit("eg1800/test has been looked at: its figures are in benchmarks/results/ablation.json.")
    checkpoints = {seed: RUNS / f"{SHIPPED}-{seed}" / f"iter_{config['iters']}" for seed in range(SEEDS)}
    if absent := [str(path) for path in checkpoints.values() if not path.is_dir()]:
        raise SystemExit(f"{', '.join(absent)}: not trained here; run python benchmarks/ablation.py first.")
    scores = {str(seed): judge(config, path, "test_dataset") for seed, path in checkpoints.items()}
    write_results({**figures, "final": {"row": SHIPPED, "seeds": scores}})


def main() -> None:
    """Run what the flags say; the tables follow in any case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, help="default: all that have a config")
    parser.add_argument("--table", action="store_true", help="only write the tables of docs/recipes.md")
    parser.add_argument("--final", action="store_true", help="judge the row 'shipped' on eg1800/test, once")
    arguments = parser.parse_args()
    os.chdir(ROOT)  # configs name data/... from here
    if arguments.final:
        final_look()
    elif not arguments.table:
        run_series(arguments.rows or [row for row in ROWS if config_file(row).is_file()])
    write_page(read_results())


if __name__ == "__main__":
    main()
