"""Lovász-softmax loss: a convex surrogate of mean IoU."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.losses.labels import IGNORE_INDEX, class_targets, is_soft, person_margin, valid_pixels
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

    def __init__(self, ignore_index: int = IGNORE_INDEX, classes: str = "present") -> None:
        super().__init__()
        if classes not in ("present", "all"):
            raise ValueError(f"classes must be 'present' or 'all', not '{classes}'")
        self.ignore_index = ignore_index
        self.classes = classes

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×classes×H×W logits and N×H×W labels."""
        num_classes = logits.shape[1]
        valid = valid_pixels(labels, self.ignore_index)
        if is_soft(labels):
            labels = (labels > 0.5).astype("int64")
        targets = class_targets(labels, num_classes, self.ignore_index)
        if num_classes == 2:
            errors = paddle.abs(targets[:, 1] - F.sigmoid(person_margin(logits))) * valid
            losses = self._two_class_losses(errors.flatten(), targets, valid)
        else:
            errors = paddle.abs(targets - F.softmax(logits, axis=1)) * valid.unsqueeze(1)
            losses = [
                self._class_loss(error.flatten(), (target * valid).flatten())
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

    @staticmethod
    def _class_loss(errors: paddle.Tensor, truth: paddle.Tensor) -> paddle.Tensor:
        order = paddle.argsort(errors.detach(), descending=True, stable=True)
        return (paddle.gather(errors, order) * lovasz_gradient(paddle.gather(truth, order))).sum()
