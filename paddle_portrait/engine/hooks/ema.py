"""Exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.engine.hooks.base import Hook

if TYPE_CHECKING:
    from paddle_portrait.engine.trainer import Step, Trainer


class EmaHook(Hook):
    """Averages weights and batch-norm statistics: average ← d·average + (1 − d)·weight after each step.

    d rises as (1 + k)/(10 + k) to ``decay``, so that the first average is not the random start.
    Evaluation, best model and ``model.pdparams`` of checkpoints use the average.

    Args:
        model: the network that is trained.
        decay: d, in (0, 1).
    """

    def __init__(self, model: nn.Layer, decay: float = 0.999) -> None:
        self.decay = decay
        self._average = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Move the average towards the weights."""
        keep = min(self.decay, (1 + step.iteration) / (10 + step.iteration))
        values = trainer.model.state_dict()
        kernels.move_averages([self._average[name] for name in values], list(values.values()), 1.0 - keep)

    @contextmanager
    def applied(self, model: nn.Layer) -> Iterator[None]:
        """Put the average into ``model`` for the length of a ``with`` block."""
        raw = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.set_state_dict(self._average)
        try:
            yield
        finally:
            model.set_state_dict(raw)

    def deployed_weights(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the average in place of ``weights``."""
        return {name: self._average[name].numpy() for name in weights}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the average."""
        return {name: value.numpy() for name, value in self._average.items()}

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Restore the average; a checkpoint of a run without one leaves it at the current weights."""
        self._average.update({name: paddle.to_tensor(array) for name, array in arrays.items()})
