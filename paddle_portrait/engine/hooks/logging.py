"""Progress bar, log lines and the run's record."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.engine import distributed
from paddle_portrait.engine.history import History
from paddle_portrait.engine.hooks.base import Hook

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import Step, Trainer


class LogHook(Hook):
    """Shows a bar with loss, rate and time left, and every ``interval`` steps writes a line and a record.

    Figures in a line are means over the steps since the last one; the sums are state, so that a resumed run
    writes the same means.

    Args:
        history: the run's record.
        interval: steps between two lines.
        images_per_step: images of all processes in one step, for the rate.
        shown: whether this process talks; others keep the sums only.
    """

    def __init__(self, history: History, interval: int, images_per_step: int, shown: bool = True) -> None:
        self.history = history
        self.interval = interval
        self.images_per_step = images_per_step
        self.shown = shown
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._seconds = 0.0
        self._reader_seconds = 0.0
        self._timed_steps = 0
        self._bar: Any = None

    def before_run(self, trainer: Trainer) -> None:
        """Start the record and the bar."""
        from tqdm import tqdm

        self.history.start(trainer.iteration)
        self._bar = tqdm(
            total=trainer.total_iterations, initial=trainer.iteration, desc="train", unit="it",
            file=sys.stderr, disable=None if self.shown else True, dynamic_ncols=True,
        )  # fmt: skip

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Count the step; write when a line is due."""
        for name, value in {"loss": step.loss, **step.parts}.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        self._timed_steps += 1
        self._seconds += step.seconds
        self._reader_seconds += step.reader_seconds
        self._bar.set_postfix(loss=f"{step.loss:.4f}", lr=f"{step.learning_rate:.2e}", refresh=False)
        self._bar.update()
        if step.iteration % self.interval == 0 or step.iteration == trainer.total_iterations:
            self._write(trainer, step)

    def after_run(self, trainer: Trainer) -> None:
        """Close the bar and say how the run ended."""
        self._bar.close()
        reason = f", stopped by {trainer.stop_reason}" if trainer.stop_reason else ""
        logger.info("training ended at iteration %d of %d%s", trainer.iteration, trainer.total_iterations, reason)

    def _write(self, trainer: Trainer, step: Step) -> None:
        means = distributed.mean_over_processes([total / self._steps for total in self._sums.values()])
        figures = dict(zip(self._sums, means, strict=True))
        cost = self._seconds / self._timed_steps
        speed = {
            "batch_cost": cost,
            "reader_cost": self._reader_seconds / self._timed_steps,
            "ips": self.images_per_step / cost,
        }
        epoch = (step.iteration - 1) // trainer.loader.iterations_per_epoch + 1
        self.history.add("train", step.iteration, epoch=epoch, **figures, lr=step.learning_rate, speed=speed)
        left = timedelta(seconds=round((trainer.total_iterations - step.iteration) * cost))
        logger.info(
            "[TRAIN] epoch: %d, iter: %d/%d, loss: %.4f, lr: %.6f, batch_cost: %.4f, reader_cost: %.5f, "
            "ips: %.2f samples/sec | ETA %s",
            epoch, step.iteration, trainer.total_iterations, figures["loss"], step.learning_rate,
            cost, speed["reader_cost"], speed["ips"], left,
        )  # fmt: skip
        self._sums, self._steps = {}, 0
        self._seconds = self._reader_seconds = 0.0
        self._timed_steps = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the sums since the last line."""
        return {"sums": self._sums, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Restore the sums."""
        self._sums, self._steps = dict(state.get("sums", {})), int(state.get("steps", 0))
