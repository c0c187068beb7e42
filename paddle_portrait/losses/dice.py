"""Dice loss."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.errors import UserError
from paddle_portrait.losses.labels import (
    IGNORE_INDEX,
    binary_view,
    check_sizes,
    class_targets,
    is_binary,
    valid_pixels,
)
from paddle_portrait.registry import LOSSES


@LOSSES.register()
class DiceLoss(nn.Layer):
    """1 − 2·Σpt / (Σp² + Σt²), sums over the whole batch, mean over classes.

    Source: V-Net, Milletari et al. 2016.

    Args:
        weight: factor of each class's loss, in place of 1; the mean is over the number of classes.
        ignore_index: class number of pixels that do not count.
        smooth: added to numerator and denominator, so that an empty class costs nothing.
    """

    def __init__(
        self, weight: Sequence[float] | None = None, ignore_index: int = IGNORE_INDEX, smooth: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = None if weight is None else [float(value) for value in weight]
        self.ignore_index = ignore_index
        self.smooth = smooth

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×classes×H×W logits and N×H×W labels (hard or soft).

        Raises:
            UserError: ``weight`` has another number of values than there are classes.
        """
        overlaps = self._overlaps(logits, labels)
        weights = self.weight or [1.0] * len(overlaps)
        if len(weights) != len(overlaps):
            raise UserError(f"DiceLoss: weight has {len(weights)} values for {len(overlaps)} classes.")
        losses = [weight * self._class_loss(*sums) for weight, sums in zip(weights, overlaps, strict=True)]
        return paddle.add_n(losses) / len(losses)

    def _overlaps(self, logits: paddle.Tensor, labels: paddle.Tensor) -> list[tuple[paddle.Tensor, ...]]:
        """Return the scalars Σpt, Σp² and Σt² of each class."""
        if is_binary(logits):
            return kernels.binary_overlaps(*binary_view(logits, labels, "DiceLoss", self.ignore_index))
        check_sizes(logits, labels)
        valid = valid_pixels(labels, self.ignore_index).unsqueeze(1)
        targets = class_targets(labels, logits.shape[1], self.ignore_index) * valid
        probabilities = F.softmax(logits, axis=1) * valid
        pairs = zip(paddle.unstack(probabilities, axis=1), paddle.unstack(targets, axis=1), strict=True)
        return [((p * t).sum(), (p * p).sum(), (t * t).sum()) for p, t in pairs]

    def _class_loss(self, product: paddle.Tensor, own: paddle.Tensor, target: paddle.Tensor) -> paddle.Tensor:
        return 1.0 - (2.0 * product + self.smooth) / (own + target + self.smooth)
