"""Cross entropy on hard or soft labels."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.losses.labels import IGNORE_INDEX, class_targets, person_margin, valid_pixels
from paddle_portrait.registry import LOSSES


def pixel_cross_entropy(
    logits: paddle.Tensor, labels: paddle.Tensor, ignore_index: int = IGNORE_INDEX
) -> paddle.Tensor:
    """Return float N×H×W: −Σ_c target_c · log softmax(logits)_c at each pixel, ignored ones included.

    Two classes take softplus(m) − y·m, the same number from the margin m of the logits: half the work.
    """
    targets = class_targets(labels, logits.shape[1], ignore_index)
    if logits.shape[1] == 2:
        margin = person_margin(logits)
        return F.softplus(margin) - targets[:, 1] * margin
    return -(targets * F.log_softmax(logits, axis=1)).sum(axis=1)


@LOSSES.register()
class CrossEntropyLoss(nn.Layer):
    """Mean cross entropy over the pixels that count.

    Args:
        weight: one weight a class; a pixel weighs as its target's classes do. The mean is the weighted one.
        ignore_index: class number of pixels that do not count.
        top_k_percent_pixels: share in (0, 1] of pixels to keep, those with the greatest loss; 1 keeps all.
    """

    def __init__(
        self,
        weight: Sequence[float] | None = None,
        ignore_index: int = IGNORE_INDEX,
        top_k_percent_pixels: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0.0 < top_k_percent_pixels <= 1.0:
            raise ValueError(f"top_k_percent_pixels must lie in (0, 1], not {top_k_percent_pixels}")
        self.weight = None if weight is None else paddle.to_tensor(list(weight), dtype="float32")
        self.ignore_index = ignore_index
        self.top_k_percent_pixels = top_k_percent_pixels

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss.

        Args:
            logits: float N×classes×H×W.
            labels: int N×H×W class numbers, or float N×H×W person probabilities.
        """
        values = pixel_cross_entropy(logits, labels, self.ignore_index)
        weights = valid_pixels(labels, self.ignore_index)
        if self.weight is not None:
            targets = class_targets(labels, logits.shape[1], self.ignore_index)
            weights = weights * (targets * self.weight.reshape([1, -1, 1, 1])).sum(axis=1)
        if self.top_k_percent_pixels < 1.0:
            kept = max(1, int(values.size * self.top_k_percent_pixels))
            values, positions = paddle.topk((values * weights).flatten(), kept)
            return values.sum() / paddle.clip(paddle.gather(weights.flatten(), positions).sum(), min=1e-12)
        return (values * weights).sum() / paddle.clip(weights.sum(), min=1e-12)
