"""Stochastic weight averaging: the equal mean of the weights of a run's last part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from paddle import nn

from paddle_portrait.engine.hooks.averaging import AverageHook
from paddle_portrait.errors import UserError

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import Step, Trainer


class SwaHook(AverageHook):
    """Averages the weights after every ``interval``-th step from ``start`` on, and after the last one.

    Source: Izmailov et al. 2018. Batch-norm statistics are averaged like the weights, where the authors compute them
    anew from the training set: nothing has to be run again, and every checkpoint can be judged.

    Args:
        model: the network that is trained.
        start: share of the run after which averaging begins, in [0, 1).
        interval: steps between two samples, counted from the run's beginning.

    Raises:
        UserError: ``start`` leaves nothing to average.
    """

    def __init__(self, model: nn.Layer, start: float, interval: int) -> None:
        if not 0.0 <= start < 1.0:
            raise UserError(f"swa.start is a share of the run from 0 to less than 1, not {start}.")
        super().__init__(model)
        self.start, self.interval = start, interval
        self.samples = 0

    @property
    def is_begun(self) -> bool:
        """Whether there is an average yet."""
        return self.samples > 0

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Take the weights into the average when they are due."""
        is_last = step.iteration == trainer.total_iterations
        if step.iteration <= self.start * trainer.total_iterations or (step.iteration % self.interval and not is_last):
            return
        self.samples += 1
        self.move(trainer.model, 1.0 / self.samples)

    def state_dict(self) -> dict[str, Any]:
        """Return how many samples the average has."""
        return {"samples": self.samples}

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Restore the average and its number of samples; a checkpoint without them begins anew."""
        super().load_state_dict(state, arrays)
        self.samples = int(state.get("samples", 0))
