"""What the losses share: reading labels that may be hard (int) or soft (float), and logits of one or more classes.

A network for portraits gives two logits a pixel, or one. One logit z means what the two logits [0, z] mean: its
sigmoid is the person's probability. Losses work on the margin, the person's logit minus the background's, which
both kinds have.
"""

from __future__ import annotations

from typing import NamedTuple

import paddle
import paddle.nn.functional as F

from paddle_portrait import kernels
from paddle_portrait.errors import UserError

IGNORE_INDEX = 255
_FLOATS = (paddle.float32, paddle.float64, paddle.float16)


class BinaryView(NamedTuple):
    """Logits and labels of a two-class problem, each float N×H×W.

    Attributes:
        margin: the person's logit minus the background's; its sigmoid is the person's probability.
        person: target probability of the person in [0, 1]; 0 where ignored.
        valid: 1 where a pixel counts, else 0.
    """

    margin: paddle.Tensor
    person: paddle.Tensor
    valid: paddle.Tensor


def is_soft(labels: paddle.Tensor) -> bool:
    """Say whether labels are person probabilities (float) rather than class numbers (int)."""
    return labels.dtype in _FLOATS


def is_binary(logits: paddle.Tensor) -> bool:
    """Say whether logits N×C×H×W are of a two-class problem: two channels, or one."""
    return logits.shape[1] <= 2


def valid_pixels(labels: paddle.Tensor, ignore_index: int = IGNORE_INDEX) -> paddle.Tensor:
    """Return float32 N×H×W: 1 where a pixel counts. Soft labels count where they are ≤ 1."""
    if is_soft(labels):
        return (labels <= 1.0).astype("float32")
    return (labels != ignore_index).astype("float32")


def class_targets(labels: paddle.Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> paddle.Tensor:
    """Return float32 N×classes×H×W target probabilities; ignored pixels read as background.

    Soft labels, float N×H×W in [0, 1], are the probability of class 1 of two. ``num_classes`` 1 counts as 2.

    Raises:
        UserError: the labels hold other classes, or soft labels meet more than two classes.
    """
    valid = valid_pixels(labels, ignore_index)
    if is_soft(labels):
        if num_classes > 2:
            raise UserError(
                f"soft labels say how much of a pixel is person, so they take networks of 1 or 2 classes, "
                f"not {num_classes}. Set mask_format: binary255 in the data set to cut them to class numbers."
            )
        person = labels.astype("float32") * valid
        return paddle.stack([1.0 - person, person], axis=1)
    classes = labels * valid.astype(labels.dtype)
    _check_classes(classes, max(2, num_classes))
    return F.one_hot(classes, max(2, num_classes)).transpose([0, 3, 1, 2])


def binary_view(
    logits: paddle.Tensor, labels: paddle.Tensor, loss: str, ignore_index: int = IGNORE_INDEX
) -> BinaryView:
    """Read N×2×H×W or N×1×H×W logits and N×H×W labels, hard or soft, for the loss of the name ``loss``.

    Raises:
        UserError: more classes than two, or labels of another size or other classes.
    """
    if not is_binary(logits):
        raise UserError(f"{loss} is for two classes (1 or 2 logits a pixel), but the output has {logits.shape[1]}.")
    check_sizes(logits, labels)
    margin = person_margin(logits)
    if margin.dtype not in (paddle.float32, paddle.float64):  # sums over pixels leave the range of half precision
        margin = margin.astype("float32")
    if is_soft(labels):
        valid = valid_pixels(labels)
        person = labels.astype("float32") * valid
    else:
        person, valid = kernels.read_labels(labels, ignore_index)
        _check_classes(person, 2)
    return BinaryView(margin, person.astype(margin.dtype), valid.astype(margin.dtype))


def check_sizes(logits: paddle.Tensor, labels: paddle.Tensor) -> None:
    """Raise a UserError unless N×C×H×W logits and N×H×W labels have one size."""
    if logits.ndim != 4 or labels.ndim != 3 or [logits.shape[0], *logits.shape[2:]] != list(labels.shape):
        raise UserError(
            f"a loss takes logits of N×classes×height×width and labels of N×height×width, found {list(logits.shape)} "
            f"and {list(labels.shape)}. Networks give their outputs at the size of the input."
        )


def person_margin(logits: paddle.Tensor) -> paddle.Tensor:
    """Return float N×H×W: the person's logit minus the background's, of N×2×H×W or N×1×H×W.

    A view of the one logit: the gradient of ``logits[:, 0]`` takes 30 times as long on a CPU.
    """
    return logits.squeeze(1) if logits.shape[1] == 1 else kernels.class_margin(logits)


def hard_labels(labels: paddle.Tensor, ignore_index: int) -> paddle.Tensor:
    """Return soft labels cut at 0.5, as class numbers; ignored ones stay so, and hard labels as they are."""
    if not is_soft(labels):
        return labels
    ignored = paddle.full_like(labels, ignore_index, dtype="int64")
    return paddle.where(labels <= 1.0, (labels > 0.5).astype("int64"), ignored)


def masked_mean(values: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
    """Return the mean of ``values`` over pixels where ``mask`` is 1; 0 where there is none."""
    return (values * mask).sum() / paddle.clip(mask.sum(), min=1.0)


def _check_classes(classes: paddle.Tensor, num_classes: int) -> None:
    largest = int(classes.max())
    if largest >= num_classes:
        raise UserError(
            f"the labels hold class {largest}, but the network tells apart {num_classes} classes "
            f"(0 to {num_classes - 1}). Set num_classes of model and data set alike, or mask_format of the data set."
        )
