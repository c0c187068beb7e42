"""What the losses share: reading labels that may be hard (int) or soft (float), with ignored pixels."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

from paddle_portrait import kernels

IGNORE_INDEX = 255


def is_soft(labels: paddle.Tensor) -> bool:
    """Say whether labels are person probabilities (float) rather than class numbers (int)."""
    return labels.dtype in (paddle.float32, paddle.float64, paddle.float16)


def valid_pixels(labels: paddle.Tensor, ignore_index: int = IGNORE_INDEX) -> paddle.Tensor:
    """Return float32 N×H×W: 1 where a pixel counts. Soft labels count where they are ≤ 1."""
    if is_soft(labels):
        return (labels <= 1.0).astype("float32")
    return (labels != ignore_index).astype("float32")


def class_targets(labels: paddle.Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> paddle.Tensor:
    """Return float32 N×classes×H×W target probabilities; ignored pixels read as background.

    Soft labels, float N×H×W in [0, 1], are the probability of class 1 of two.
    """
    valid = valid_pixels(labels, ignore_index)
    if is_soft(labels):
        person = labels.astype("float32") * valid
        return paddle.stack([1.0 - person, person], axis=1)
    classes = labels * valid.astype(labels.dtype)
    return F.one_hot(classes, num_classes).transpose([0, 3, 1, 2])


def person_margin(logits: paddle.Tensor) -> paddle.Tensor:
    """Return float N×H×W: the person's logit minus the background's; its sigmoid is the two-class softmax."""
    return kernels.class_margin(logits)


def masked_mean(values: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
    """Return the mean of ``values`` over pixels where ``mask`` is 1; 0 where there is none."""
    return (values * mask).sum() / paddle.clip(mask.sum(), min=1.0)
