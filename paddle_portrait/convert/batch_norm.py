"""Statistics for batch norms that a file has folded away, so that training can go on from it.

Such a batch norm is loaded as one that only adds a bias: evaluation is exact, but in training it would normalise
what nobody has measured, and the first steps would wreck the network. Restoring measures mean m and variance v of
what reaches each batch norm, makes them its running statistics, and chooses scale and shift so that evaluation
stays the same function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.errors import UserError


@dataclass
class _Moments:
    """Sums per channel of what reached a batch norm."""

    norm: nn.BatchNorm2D
    count: int = 0
    total: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Add float N×C×H×W."""
        # Sums around the first mean seen: squares of large, nearly constant values would lose their difference.
        if self.count == 0:
            self._origin = values.mean(axis=(0, 2, 3), dtype=np.float64)
        centred = values.astype(np.float64) - self._origin[:, None, None]
        self.count += values.size // values.shape[1]
        self.total = self.total + centred.sum(axis=(0, 2, 3))
        self.squares = self.squares + np.square(centred).sum(axis=(0, 2, 3))

    def mean_and_variance(self) -> tuple[np.ndarray, np.ndarray]:
        """Return both per channel, the variance over all values."""
        shift = self.total / self.count
        return self._origin + shift, np.maximum(self.squares / self.count - np.square(shift), 0.0)


def lacks_statistics(norm: nn.BatchNorm2D) -> bool:
    """Say whether a batch norm has measured nothing: mean 0, variance 1, as in a new or a folded one."""
    return bool((norm._mean.numpy() == 0).all() and (norm._variance.numpy() == 1).all())


def restore_statistics(network: nn.Layer, images: Iterable[paddle.Tensor]) -> int:
    """Give batch norms that lack statistics those of ``images``; evaluation stays the same.

    Batch norms with statistics of their own, and those that evaluation does not run, are left alone.

    Args:
        network: changed in place; its mode (training or evaluation) is kept.
        images: batches of float N×C×H×W, preprocessed as for evaluation; a few dozen pictures are enough.

    Returns:
        The number of batch norms restored.

    Raises:
        UserError: there are no images.
    """
    norms = [layer for layer in network.sublayers() if isinstance(layer, nn.BatchNorm2D) and lacks_statistics(layer)]
    moments = [_Moments(norm) for norm in norms]
    handles = [entry.norm.register_forward_pre_hook(_measuring(entry)) for entry in moments]
    was_training = network.training
    network.eval()
    batches = 0
    try:
        with paddle.no_grad():
            for batch in images:
                network(batch)
                batches += 1
    finally:
        for handle in handles:
            handle.remove()
        if was_training:
            network.train()
    if not batches:
        raise UserError("no calibration images: batch norms need some to measure their statistics on.")
    measured = [entry for entry in moments if entry.count]
    for entry in measured:
        _restore(entry)
    return len(measured)


def _measuring(entry: _Moments) -> Callable[..., None]:
    def measure(_: nn.Layer, inputs: tuple[paddle.Tensor, ...]) -> None:
        entry.add(inputs[0].numpy())

    return measure


def _restore(entry: _Moments) -> None:
    """Set running statistics to the measured ones, and scale and shift to what keeps evaluation."""
    norm = entry.norm
    # Rounded as evaluation will see them, so that scale and shift make up for the rounding, too.
    mean, variance = (moment.astype(np.float32).astype(np.float64) for moment in entry.mean_and_variance())
    old = {key: value.numpy().astype(np.float64) for key, value in norm.state_dict().items()}
    slope = old["weight"] / np.sqrt(old["_variance"] + norm._epsilon)
    new = {
        "weight": slope * np.sqrt(variance + norm._epsilon),
        "bias": old["bias"] + slope * (mean - old["_mean"]),
        "_mean": mean,
        "_variance": variance,
    }
    norm.set_state_dict({key: paddle.to_tensor(value.astype(np.float32)) for key, value in new.items()})
