"""Cross entropy on hard or soft labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

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
    masked_mean,
    valid_pixels,
)
from paddle_portrait.registry import LOSSES


def pixel_cross_entropy(
    logits: paddle.Tensor, labels: paddle.Tensor, ignore_index: int = IGNORE_INDEX
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Return −Σ_c target_c · log softmax(logits)_c at each pixel, and 1 where a pixel counts, else 0: float N×H×W each.

    Two classes take softplus(m) − y·m, the same number from the margin m of the logits: half the work.
    """
    if is_binary(logits):
        margin, person, valid = binary_view(logits, labels, "cross entropy", ignore_index)
        return F.softplus(margin) - person * margin, valid
    check_sizes(logits, labels)
    targets = class_targets(labels, logits.shape[1], ignore_index)
    values = -(targets * F.log_softmax(logits, axis=1)).sum(axis=1)
    return values, valid_pixels(labels, ignore_index).astype(values.dtype)


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
            raise UserError(f"CrossEntropyLoss: top_k_percent_pixels must lie in (0, 1], not {top_k_percent_pixels}.")
        self.weight = None if weight is None else [float(value) for value in weight]
        self.ignore_index = ignore_index
        self.top_k_percent_pixels = top_k_percent_pixels

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss.

        Args:
            logits: float N×classes×H×W; one channel counts as two classes.
            labels: int N×H×W class numbers, or float N×H×W person probabilities.

        Raises:
            UserError: the sizes or classes do not go together.
        """
        if is_binary(logits) and self.top_k_percent_pixels == 1.0:
            margin, person, valid = binary_view(logits, labels, "cross entropy", self.ignore_index)
            return kernels.binary_cross_entropy(margin, person, self._weights(logits, labels, valid))
        values, valid = pixel_cross_entropy(logits, labels, self.ignore_index)
        weights = self._weights(logits, labels, valid)
        if self.top_k_percent_pixels < 1.0:
            kept = max(1, int(values.size * self.top_k_percent_pixels))
            values, positions = paddle.topk((values * weights).flatten(), kept)
            return values.sum() / paddle.clip(paddle.gather(weights.flatten(), positions).sum(), min=1e-12)
        return (values * weights).sum() / paddle.clip(weights.sum(), min=1e-12)

    def _weights(self, logits: paddle.Tensor, labels: paddle.Tensor, valid: paddle.Tensor) -> paddle.Tensor:
        """Return each pixel's weight, of the shape and type of ``valid``."""
        if self.weight is None:
            return valid
        return valid * self._class_weights(logits, labels, self.weight).astype(valid.dtype)

    def _class_weights(self, logits: paddle.Tensor, labels: paddle.Tensor, weight: list[float]) -> paddle.Tensor:
        targets = class_targets(labels, logits.shape[1], self.ignore_index)
        if targets.shape[1] != len(weight):
            raise UserError(
                f"CrossEntropyLoss: weight has {len(weight)} values for {targets.shape[1]} classes; give one for each."
            )
        return (targets * paddle.to_tensor(weight).reshape([1, -1, 1, 1])).sum(axis=1)


@LOSSES.register()
class OhemCrossEntropyLoss(nn.Layer):
    """Cross entropy over the pixels that the network finds hard: online hard example mining.

    Kept are the pixels whose target has a probability under ``thresh``; where these are fewer than ``min_kept``,
    the ``min_kept`` hardest of the batch. Source: PaddleSeg's loss of this name, after Shrivastava et al., CVPR 2016.

    Args:
        thresh: probability in (0, 1] of the target from which on a pixel is easy.
        min_kept: pixels of a batch to keep at least.
        ignore_index: class number of pixels that do not count.
    """

    def __init__(self, thresh: float = 0.7, min_kept: int = 10000, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        if not 0.0 < thresh <= 1.0:
            raise UserError(f"OhemCrossEntropyLoss: thresh must lie in (0, 1], not {thresh}.")
        if min_kept < 0:
            raise UserError(f"OhemCrossEntropyLoss: min_kept must be 0 or more, not {min_kept}.")
        self.thresh, self.min_kept, self.ignore_index = thresh, min_kept, ignore_index

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×classes×H×W logits and N×H×W labels (hard or soft).

        A soft label's cross entropy −log p stands for the probability p of its target.
        """
        values, valid = pixel_cross_entropy(logits, labels, self.ignore_index)
        with paddle.no_grad():
            probability = paddle.exp(-values) * valid + 2.0 * (1.0 - valid)  # ignored pixels are easiest of all
            bound = self.thresh
            if self.min_kept:
                hardest = paddle.topk(probability.flatten(), min(self.min_kept, values.size), largest=False)[0]
                bound = max(bound, float(hardest[-1]))
            kept = (probability <= bound).astype(values.dtype) * valid
        return masked_mean(values, kept)


@LOSSES.register()
class BCELoss(nn.Layer):
    """Binary cross entropy of the person's probability, mean over the pixels that count.

    One logit is read by its sigmoid, as PaddleSeg's loss of this name does; two by their softmax, as the LikeUnet
    family is trained (both channels of a softmax have the same binary cross entropy, so their mean is this one).

    Args:
        weight: ``dynamic`` weighs person and background so that both have the same weight in a batch.
        pos_weight: factor of the person's pixels, or ``dynamic``: twice the background's share of the batch.
        ignore_index: class number of pixels that do not count.
        edge_label: compare with the outline (the data set's ``edge: true``) in place of the mask.
    """

    def __init__(
        self,
        weight: Literal["dynamic"] | None = None,
        pos_weight: float | Literal["dynamic"] | None = None,
        ignore_index: int = IGNORE_INDEX,
        edge_label: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (("weight", weight), ("pos_weight", pos_weight)):
            if isinstance(value, str) and value != "dynamic":
                raise UserError(f"BCELoss: {name} may be the word 'dynamic', not '{value}'.")
        if weight is not None and weight != "dynamic":
            raise UserError(f"BCELoss: weight is 'dynamic' or null, not {weight}; pos_weight takes a number.")
        self.weight, self.pos_weight = weight, pos_weight
        self.ignore_index, self.edge_label = ignore_index, edge_label

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×1×H×W or N×2×H×W logits and N×H×W labels (hard or soft)."""
        margin, person, valid = binary_view(logits, labels, "BCELoss", self.ignore_index)
        person_share = masked_mean(person, valid)
        positive = 1.0 if self.pos_weight is None else self.pos_weight
        if self.pos_weight == "dynamic":
            positive = 2.0 * (1.0 - person_share)
        values = positive * person * F.softplus(-margin) + (1.0 - person) * F.softplus(margin)
        if self.weight == "dynamic":
            values = values * 2.0 * ((1.0 - person_share) * person + person_share * (1.0 - person))
        return masked_mean(values, valid)
