"""Consistency of a network's answers to two views of the same crop."""

from __future__ import annotations

from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.losses.kinds import ViewsLoss
from paddle_portrait.losses.labels import is_binary, person_margin
from paddle_portrait.registry import LOSSES

REDUCTIONS = ("elements", "pixels", "batchmean")


@LOSSES.register()
class ConsistencyKLLoss(nn.Layer, ViewsLoss):
    """T²·KL(softmax(clean / T) ‖ softmax(textured / T)); no gradient reaches the clean view.

    Source: the training code of PortraitNet (Zhang et al., Computers & Graphics 2019): the answer to a picture
    whose colours were changed should be that to the picture itself. All pixels count, ignored ones too.

    Args:
        temperature: T, above 0; greater ones look at more than the certain pixels.
        reduction: what the sum is divided by: ``elements`` N·classes·H·W (PortraitNet's, for it is what PyTorch 0.3
            did), ``pixels`` N·H·W (the mean divergence), ``batchmean`` N.
    """

    def __init__(
        self, temperature: float = 1.0, reduction: Literal["elements", "pixels", "batchmean"] = "elements"
    ) -> None:
        super().__init__()
        if not temperature > 0:
            raise UserError(f"ConsistencyKLLoss: temperature must be above 0, not {temperature}.")
        if reduction not in REDUCTIONS:
            raise UserError(f"ConsistencyKLLoss: reduction is one of {', '.join(REDUCTIONS)}, not '{reduction}'.")
        self.temperature, self.reduction = temperature, reduction

    def forward(self, clean: paddle.Tensor, textured: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for the logits of both views, float N×classes×H×W (one channel counts as two)."""
        values = pixel_divergence(clean.detach() / self.temperature, textured / self.temperature)
        count, _, height, width = clean.shape
        classes = max(2, clean.shape[1])
        divisors = {"elements": count * classes * height * width, "pixels": count * height * width, "batchmean": count}
        return values.sum() * (self.temperature**2 / divisors[self.reduction])


def pixel_divergence(target: paddle.Tensor, logits: paddle.Tensor) -> paddle.Tensor:
    """Return float N×H×W: KL(softmax(target) ‖ softmax(logits)) of float N×classes×H×W logits at each pixel."""
    if is_binary(logits):
        right, margin = person_margin(target), person_margin(logits)
        return F.softplus(margin) - F.softplus(right) + F.sigmoid(right) * (right - margin)
    log_target = F.log_softmax(target, axis=1)
    return (paddle.exp(log_target) * (log_target - F.log_softmax(logits, axis=1))).sum(axis=1)
