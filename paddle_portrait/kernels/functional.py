"""What networks call in their forward, by the kernels where they apply and by stock Paddle everywhere else."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F

from paddle_portrait.kernels import operators
from paddle_portrait.kernels.switch import kernels_ready


def applies_to(*tensors: paddle.Tensor) -> bool:
    """Return whether the kernels take these tensors: float32 N×C×H×W on the CPU, with gradients to come, wanted."""
    return all(operators.takes_input(x) and not x.stop_gradient for x in tensors) and kernels_ready()


def max_pool2d(x: paddle.Tensor, kernel_size: int, stride: int, padding: int = 0) -> paddle.Tensor:
    """Return ``F.max_pool2d(x, kernel_size, stride, padding)`` of N×C×H×W: the same values and gradients."""
    fits = kernel_size in operators.POOL_SIZES and stride in (1, 2) and 2 * padding <= kernel_size
    if fits and applies_to(x):
        return operators.max_pool(x, kernel_size, stride, padding)
    return F.max_pool2d(x, kernel_size, stride, padding)


def resize_bilinear(x: paddle.Tensor, size: tuple[int, int], align_corners: bool = False) -> paddle.Tensor:
    """Return ``F.interpolate(x, size, mode="bilinear", align_corners=…)`` of N×C×H×W; ``size`` is (height, width)."""
    if applies_to(x):
        return operators.resize(x, int(size[0]), int(size[1]), align_corners)
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)


def interleave_channels(first: paddle.Tensor, second: paddle.Tensor) -> paddle.Tensor:
    """Return N×2C×H×W with the channels of two N×C×H×W tensors in turn: a two-group shuffle of their concat."""
    if applies_to(first, second):
        return operators.interleave(first, second)
    count, channels, height, width = first.shape
    stacked = paddle.stack([first.reshape([count, channels, -1]), second.reshape([count, channels, -1])], axis=2)
    return stacked.reshape([count, 2 * channels, height, width])


def class_margin(logits: paddle.Tensor) -> paddle.Tensor:
    """Return N×H×W, the second class's logit minus the first's, of N×2×H×W."""
    if applies_to(logits):
        return operators.margin(logits)
    first, second = paddle.unstack(logits, axis=1)
    return second - first


def read_labels(labels: paddle.Tensor, ignore_index: int) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Return integer labels as float32, 0 where they are ``ignore_index``; and float32 1 where they are not, else 0."""
    if _trains_on_cpu(labels, paddle.int64) and kernels_ready():
        return operators.read_labels(labels, ignore_index)
    valid = (labels != ignore_index).astype("float32")
    return labels.astype("float32") * valid, valid


def binary_cross_entropy(margin: paddle.Tensor, person: paddle.Tensor, weights: paddle.Tensor) -> paddle.Tensor:
    """Return the weighted mean of log(1 + exp(margin)) − person · margin, the cross entropy of two classes; a scalar.

    Args:
        margin: the person's logit minus the background's, any shape.
        person: the target's probability, the same shape and type.
        weights: of the pixels, the same shape and type; 0 is returned where all are 0.
    """
    if _is_margin(margin, person, weights):
        return operators.cross_entropy(margin, person, weights)
    values = F.softplus(margin) - person * margin
    return (values * weights).sum() / paddle.clip(weights.sum(), min=1e-12)


def binary_overlaps(
    margin: paddle.Tensor, person: paddle.Tensor, valid: paddle.Tensor
) -> list[tuple[paddle.Tensor, ...]]:
    """Return the scalars Σpt, Σp², Σt² of background and person, over the pixels where ``valid`` is 1.

    Args:
        margin: the person's logit minus the background's, any shape; its sigmoid is the person's p.
        person: the person's t, the target's probability, the same shape and type.
        valid: 0 or 1, the same shape and type.
    """
    if _is_margin(margin, person, valid):
        return [tuple(paddle.unstack(sums)) for sums in paddle.unstack(operators.overlaps(margin, person, valid))]
    probability, found = F.sigmoid(margin), []
    for p, t in ((1.0 - probability, 1.0 - person), (probability, person)):
        p, t = p * valid, t * valid
        found.append(((p * t).sum(), (p * p).sum(), (t * t).sum()))
    return found


def _is_margin(margin: paddle.Tensor, *constants: paddle.Tensor) -> bool:
    """Return whether the kernels take this margin, being trained on, with these constants beside it."""
    fits = all(_trains_on_cpu(x, paddle.float32) and x.shape == margin.shape for x in (margin, *constants))
    return fits and not margin.stop_gradient and all(x.stop_gradient for x in constants) and kernels_ready()


def _trains_on_cpu(x: paddle.Tensor, dtype: paddle.dtype) -> bool:
    return paddle.in_dynamic_mode() and x.dtype == dtype and x.place.is_cpu_place() and paddle.is_grad_enabled()


def move_averages(averages: Sequence[paddle.Tensor], values: Sequence[paddle.Tensor], share: float) -> None:
    """Move each average towards its value in place, ``average += share * (value - average)``; no gradients.

    Args:
        averages: tensors to change; a network's weights are many and small, which is what this is quick at.
        values: as many tensors of the same shapes and types.
        share: in [0, 1].
    """
    with paddle.no_grad():
        if averages and all(_is_plain(tensor) for tensor in (*averages, *values)) and kernels_ready():
            operators.blend(averages, values, share)
            return
        for average, value in zip(averages, values, strict=True):
            average.lerp_(value, share)


def _is_plain(tensor: paddle.Tensor) -> bool:
    return tensor.dtype == paddle.float32 and tensor.place.is_cpu_place() and tensor.is_contiguous()
