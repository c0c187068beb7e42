"""What averages of the weights share: where they are kept, judged, saved and restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.engine.hooks.base import Hook


class AverageHook(Hook):
    """Keeps an average of weights and batch-norm statistics beside the network.

    Evaluation, best model and ``model.pdparams`` of checkpoints use the average.

    Args:
        model: the network that is trained.
    """

    def __init__(self, model: nn.Layer) -> None:
        self._model = model
        self._average = _copy(model)

    @property
    def is_begun(self) -> bool:
        """Whether there is an average yet; until then the raw weights stand for it."""
        return True

    def move(self, model: nn.Layer, share: float) -> None:
        """Move the average by ``share`` of the way to the weights of ``model``."""
        if share == 1.0:  # moving all the way there would round
            self._average = _copy(model)
            return
        values = model.state_dict()
        kernels.move_averages([self._average[name] for name in values], list(values.values()), share)

    @contextmanager
    def applied(self, model: nn.Layer) -> Iterator[None]:
        """Put the average into ``model`` for the length of a ``with`` block."""
        if not self.is_begun:
            yield
            return
        raw = _copy(model)
        model.set_state_dict(self._average)
        try:
            yield
        finally:
            model.set_state_dict(raw)

    def deployed_weights(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the average in place of ``weights``."""
        return {name: self._average[name].numpy() for name in weights} if self.is_begun else weights

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the average."""
        return {name: value.numpy() for name, value in self._average.items()} if self.is_begun else {}

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Restore the average; a checkpoint of a run without one starts it at the weights that were just restored."""
        self._average = _copy(self._model) | {name: paddle.to_tensor(array) for name, array in arrays.items()}


def _copy(model: nn.Layer) -> dict[str, paddle.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
