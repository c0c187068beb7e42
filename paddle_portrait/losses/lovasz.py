"""Lovász losses: convex surrogates of intersection over union."""

from __future__ import annotations

from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.losses.labels import (
    IGNORE_INDEX,
    binary_view,
    check_sizes,
    class_targets,
    hard_labels,
    is_binary,
    valid_pixels,
)
from paddle_portrait.registry import LOSSES


def lovasz_gradient(sorted_truth: paddle.Tensor) -> paddle.Tensor:
    """Return the gradient of the Jaccard loss's Lovász extension at errors sorted downwards.

    Args:
        sorted_truth: float P, 1 where the pixel belongs to the class, in the order of falling error.
    """
    total = sorted_truth.sum()
    intersection = total - paddle.cumsum(sorted_truth)
    union = total + paddle.cumsum(1.0 - sorted_truth)
    jaccard = 1.0 - intersection / union
    return paddle.concat([jaccard[:1], jaccard[1:] - jaccard[:-1]])


@LOSSES.register()
class LovaszSoftmaxLoss(nn.Layer):
    """Lovász-softmax over the pixels of the whole batch.

    Source: The Lovász-Softmax loss, Berman et al., CVPR 2018. Soft labels are cut at 0.5, for the loss is
    defined on sets.

    Args:
        ignore_index: class number of pixels that do not count.
        classes: ``"present"`` averages over the classes that the labels hold, ``"all"`` over all.
    """

    def __init__(self, ignore_index: int = IGNORE_INDEX, classes: Literal["present", "all"] = "present") -> None:
        super().__init__()
        if classes not in ("present", "all"):
            raise UserError(f"LovaszSoftmaxLoss: classes must be 'present' or 'all', not '{classes}'.")
        self.ignore_index = ignore_index
        self.classes = classes

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×classes×H×W logits and N×H×W labels."""
        if is_binary(logits):
            labels = hard_labels(labels, self.ignore_index)
            margin, person, valid = binary_view(logits, labels, "LovaszSoftmaxLoss", self.ignore_index)
            errors = paddle.abs(person - F.sigmoid(margin)) * valid
            losses = self._two_class_losses(errors.flatten(), paddle.stack([1.0 - person, person], axis=1), valid)
        else:
            check_sizes(logits, labels)
            targets = class_targets(labels, logits.shape[1], self.ignore_index)
            valid = valid_pixels(labels, self.ignore_index)
            errors = paddle.abs(targets - F.softmax(logits, axis=1)) * valid.unsqueeze(1)
            losses = [
                _sorted_loss(error.flatten(), (target * valid).flatten())
                for error, target in zip(paddle.unstack(errors, axis=1), paddle.unstack(targets, axis=1), strict=True)
                if self._counts(target * valid)
            ]
        return paddle.add_n(losses) / len(losses) if losses else logits.sum() * 0.0

    def _counts(self, truth: paddle.Tensor) -> bool:
        return self.classes == "all" or bool((truth.sum() > 0).item())

    def _two_class_losses(
        self, errors: paddle.Tensor, targets: paddle.Tensor, valid: paddle.Tensor
    ) -> list[paddle.Tensor]:
        # Both classes are wrong by the same amount at every pixel, so one sort serves both.
        order = paddle.argsort(errors.detach(), descending=True, stable=True)
        errors = paddle.gather(errors, order)
        truths = [(target * valid).flatten() for target in paddle.unstack(targets, axis=1)]
        return [
            (errors * lovasz_gradient(paddle.gather(truth, order))).sum() for truth in truths if self._counts(truth)
        ]


@LOSSES.register()
class LovaszHingeLoss(nn.Layer):
    """Lovász extension of the person's Jaccard loss on hinge errors, over the pixels of the whole batch.

    Source: Berman et al., CVPR 2018; SINet and ExtremeC3Net are trained with it. Logits are pushed beyond ±1, and
    their sigmoid is no calibrated probability. Soft labels are cut at 0.5. Two logits count by their difference
    (PaddleSeg's loss of this name takes the logarithm of the person's probability there, which never is above 0).

    Args:
        ignore_index: class number of pixels that do not count.
    """

    def __init__(self, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×1×H×W or N×2×H×W logits and N×H×W labels."""
        margin, person, valid = binary_view(
            logits, hard_labels(labels, self.ignore_index), "LovaszHingeLoss", self.ignore_index
        )
        # Ignored pixels have error 0, and after the ReLU all errors of 0 stand at the end, where they add nothing.
        errors = F.relu(1.0 - margin * (2.0 * person - 1.0)) * valid
        return _sorted_loss(errors.flatten(), person.flatten())


def _sorted_loss(errors: paddle.Tensor, truth: paddle.Tensor) -> paddle.Tensor:
    order = paddle.argsort(errors.detach(), descending=True, stable=True)
    return (paddle.gather(errors, order) * lovasz_gradient(paddle.gather(truth, order))).sum()
