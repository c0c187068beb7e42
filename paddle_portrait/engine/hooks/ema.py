"""Exponential moving average of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddle import nn

from paddle_portrait.engine.hooks.averaging import AverageHook

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import Step, Trainer


class EmaHook(AverageHook):
    """Averages weights and batch-norm statistics: average ← d·average + (1 − d)·weight after each step.

    d rises as (1 + k)/(10 + k) to ``decay``, so that the first average is not the random start.

    Args:
        model: the network that is trained.
        decay: d, in (0, 1).
    """

    def __init__(self, model: nn.Layer, decay: float = 0.999) -> None:
        super().__init__(model)
        self.decay = decay

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Move the average towards the weights."""
        keep = min(self.decay, (1 + step.iteration) / (10 + step.iteration))
        self.move(trainer.model, 1.0 - keep)
