"""Seconds from the start of a resuming process to its first new update, early and late in a run: they should agree.

A real run of the given length is made first, on small pictures; nothing is faked but its size.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _record import ROOT, record

HERE = Path(__file__).resolve().parent
TRAIN = ["--config", "configs/quickstart.yml", "--num_workers", "0", "--batch_size", "2"]
# Random crops of this size stand for the config's own transforms: 10,000 iterations should not take hours.
SMALL = "train_dataset.transforms=[{type: Resize, target_size: [64, 64]}, {type: Normalize}]"


def flags(save_dir: Path, iterations: int, interval: int) -> list[str]:
    """Return the train command's flags for the run that is resumed."""
    return [
        *TRAIN,
        *["--save_dir", str(save_dir), "--iters", str(iterations), "--save_interval", str(interval)],
        *["--keep_checkpoint_max", "1000000", "--log_iters", "100", "--opts", SMALL],
    ]


def seconds_to_first_update(train_flags: list[str], checkpoint: Path, out: Path) -> float:
    """Resume from ``checkpoint`` in a new process and return the seconds until its first update is done."""
    command = [sys.executable, str(HERE / "_train_ours.py"), str(out), "0", *train_flags]
    started = time.time()
    resume = ["--resume_model", str(checkpoint)]
    done = subprocess.run([*command, *resume], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"resuming from {checkpoint} failed:\n{done.stderr[-3000:]}")
    return float(json.loads(out.read_text(encoding="utf-8"))["first_update"]) - started


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--early", type=int, default=100)
    parser.add_argument("--late", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.late % arguments.early:
        parser.error("--late must be a multiple of --early, which is the interval between checkpoints")
    with tempfile.TemporaryDirectory() as name:
        save_dir = Path(name) / "run"
        train_flags = flags(save_dir, arguments.late + 1, arguments.early)
        subprocess.run([sys.executable, "tools/train.py", *train_flags], cwd=ROOT, check=True)
        seconds: dict[int, list[float]] = {arguments.early: [], arguments.late: []}
        for _ in range(arguments.repeats):
            for iteration, measured in seconds.items():
                checkpoint = save_dir / f"iter_{iteration}"
                measured.append(seconds_to_first_update(train_flags, checkpoint, Path(name) / "out.json"))
    figures = {
        f"iteration {iteration}": {
            "seconds_median": round(statistics.median(measured), 2),
            "seconds_runs": [round(value, 2) for value in measured],
        }
        for iteration, measured in seconds.items()
    }
    record("resume_cost", figures)


if __name__ == "__main__":
    main()
