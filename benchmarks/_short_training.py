"""A few training steps in this process, and what they took."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from _record import ROOT

sys.path.insert(0, str(ROOT))
from paddle_portrait.config import load_config
from paddle_portrait.engine.build import RunOptions, build_trainer
from paddle_portrait.engine.environment import choose_device
from paddle_portrait.engine.hooks import Hook


class Stopwatch(Hook):
    """Notes what each step took, and how much of it was waiting for the batch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.waited: list[float] = []

    def after_step(self, trainer: object, step: object) -> None:
        """Note a step."""
        self.seconds.append(step.seconds)  # type: ignore[attr-defined]
        self.waited.append(step.reader_seconds)  # type: ignore[attr-defined]


def train(config_file: str, save_dir: str, warm_up: int) -> dict[str, float]:
    """Train as the config says; return seconds to build the trainer, median step and share of waiting for batches.

    The first ``warm_up`` steps do not count.
    """
    choose_device("cpu")
    started = time.perf_counter()
    trainer = build_trainer(load_config(config_file), RunOptions(Path(save_dir)))
    built = time.perf_counter() - started
    stopwatch = Stopwatch()
    trainer.hooks = [stopwatch]
    trainer.run()
    seconds, waited = stopwatch.seconds[warm_up:], stopwatch.waited[warm_up:]
    return {
        "seconds_to_start": built,
        "step_ms": 1000 * statistics.median(seconds),
        "waiting_share": sum(waited) / sum(seconds),
    }
