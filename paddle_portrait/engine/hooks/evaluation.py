"""Periodic evaluation: the best model, the plateau schedule and the early stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from paddle import nn

from paddle_portrait.console import logger
from paddle_portrait.engine import distributed
from paddle_portrait.engine.checkpoint import BEST_NAME, save_checkpoint
from paddle_portrait.engine.history import History
from paddle_portrait.engine.hooks.averaging import AverageHook
from paddle_portrait.engine.hooks.base import Hook

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import Step, Trainer

Evaluate = Callable[[nn.Layer], Mapping[str, float]]


class EvaluationHook(Hook):
    """Evaluates every ``interval`` steps and at the end, and keeps the best model.

    The main process evaluates while the others wait; all learn the score. A checkpoint of the best model is a
    whole one and can be resumed.

    Args:
        evaluate: returns figures of a network; among them ``miou``, which chooses the best.
        interval: steps between two evaluations.
        save_dir: where ``best_model`` is written; None keeps none.
        history: the run's record.
        average: average to evaluate in place of the raw weights.
        patience: evaluations without a better score after which the run stops; None never stops.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        interval: int,
        save_dir: str | Path | None,
        history: History,
        average: AverageHook | None = None,
        patience: int | None = None,
    ) -> None:
        self.evaluate = evaluate
        self.interval = interval
        self.save_dir = None if save_dir is None else Path(save_dir)
        self.history = history
        self.average = average
        self.patience = patience
        self.best_score: float | None = None
        self.best_iteration = 0
        self._without_better = 0

    def before_run(self, trainer: Trainer) -> None:
        """Stop at once where the resumed run had been stopped early."""
        self._stop_without_progress(trainer)

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Evaluate when it is due."""
        if step.iteration % self.interval and step.iteration != trainer.total_iterations:
            return
        figures = self._figures(trainer) if distributed.is_main() else {}
        score = distributed.broadcast_float(float(figures.get("miou", 0.0)))
        if (watched := trainer.schedule.monitor) is not None:
            trainer.schedule.observe(distributed.broadcast_float(float(figures.get(watched, 0.0))))
        is_best = self.best_score is None or score > self.best_score
        if is_best:
            self.best_score, self.best_iteration, self._without_better = score, step.iteration, 0
        else:
            self._without_better += 1
        if is_best and self.save_dir is not None and distributed.is_main():
            save_checkpoint(self.save_dir / BEST_NAME, trainer.checkpoint())
        if distributed.is_main():
            logger.info("[EVAL] the best mIoU is %.4f, of iteration %d", self.best_score, self.best_iteration)
        self._stop_without_progress(trainer)

    def _stop_without_progress(self, trainer: Trainer) -> None:
        if self.patience is not None and self._without_better >= self.patience:
            trainer.stop(f"early stop: {self._without_better} evaluations without a better mIoU")

    def _figures(self, trainer: Trainer) -> dict[str, float]:
        with self.average.applied(trainer.model) if self.average else nullcontext():
            figures = dict(self.evaluate(trainer.model))
        self.history.add("eval", trainer.iteration, **figures)
        shown = ", ".join(f"{name}: {value:.4f}" for name, value in figures.items() if isinstance(value, float))
        logger.info("[EVAL] iter: %d/%d, %s", trainer.iteration, trainer.total_iterations, shown)
        return figures

    def state_dict(self) -> dict[str, Any]:
        """Return the best score and the evaluations since."""
        return {"best_score": self.best_score, "best_iteration": self.best_iteration, "without": self._without_better}

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Restore what :meth:`state_dict` gave."""
        if state:
            self.best_score, self.best_iteration = state["best_score"], state["best_iteration"]
            self._without_better = state["without"]
