"""Dice loss."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.losses.labels import IGNORE_INDEX, class_targets, person_margin, valid_pixels
from paddle_portrait.registry import LOSSES


@LOSSES.register()
class DiceLoss(nn.Layer):
    """1 − 2·Σpt / (Σp² + Σt²), sums over the whole batch, mean over classes.

    Source: V-Net, Milletari et al. 2016.

    Args:
        ignore_index: class number of pixels that do not count.
        smooth: added to numerator and denominator, so that an empty class costs nothing.
    """

    def __init__(self, ignore_index: int = IGNORE_INDEX, smooth: float = 1.0) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth = smooth

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×classes×H×W logits and N×H×W labels (hard or soft)."""
        targets = class_targets(labels, logits.shape[1], self.ignore_index)
        valid = valid_pixels(labels, self.ignore_index)
        if logits.shape[1] == 2:
            person = F.sigmoid(person_margin(logits))
            probabilities = [1.0 - person, person]
        else:
            probabilities = paddle.unstack(F.softmax(logits, axis=1), axis=1)
        losses = [
            self._class_loss(probability * valid, target * valid)
            for probability, target in zip(probabilities, paddle.unstack(targets, axis=1), strict=True)
        ]
        return paddle.add_n(losses) / len(losses)

    def _class_loss(self, probability: paddle.Tensor, target: paddle.Tensor) -> paddle.Tensor:
        overlap = 2.0 * (probability * target).sum() + self.smooth
        return 1.0 - overlap / ((probability * probability).sum() + (target * target).sum() + self.smooth)
