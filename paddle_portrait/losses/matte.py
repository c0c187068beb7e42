"""Losses for soft mattes: on the person's probability itself, not its logarithm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.losses.labels import IGNORE_INDEX, binary_view, masked_mean
from paddle_portrait.registry import LOSSES


def probability_error(
    logits: paddle.Tensor, labels: paddle.Tensor, loss: str, ignore_index: int
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Return (predicted minus labelled probability of the person, 0 where ignored; which pixels count), N×H×W each."""
    margin, person, valid = binary_view(logits, labels, loss, ignore_index)
    return (F.sigmoid(margin) - person) * valid, valid


class _ErrorLoss(nn.Layer):
    """A function of the probability's error, mean or sum over the pixels that count."""

    of_error: Callable[[paddle.Tensor], paddle.Tensor]

    def __init__(self, reduction: Literal["mean", "sum"] = "mean", ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        if reduction not in ("mean", "sum"):
            raise UserError(f"{type(self).__name__}: reduction is mean or sum, not '{reduction}'.")
        self.reduction, self.ignore_index = reduction, ignore_index

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×1×H×W or N×2×H×W logits and N×H×W labels (hard or soft)."""
        error, valid = probability_error(logits, labels, type(self).__name__, self.ignore_index)
        values = type(self).of_error(error)
        return masked_mean(values, valid) if self.reduction == "mean" else values.sum()


@LOSSES.register()
class L1Loss(_ErrorLoss):
    """|p − t| of the person's probability p and label t.

    PaddleSeg's loss of this name compares the output itself; here it passes its sigmoid or softmax first.

    Args:
        reduction: ``mean`` or ``sum`` over the pixels that count.
        ignore_index: class number of pixels that do not count.
    """

    of_error = staticmethod(paddle.abs)


@LOSSES.register()
class MSELoss(_ErrorLoss):
    """(p − t)² of the person's probability p and label t.

    PaddleSeg's loss of this name compares the output itself; here it passes its sigmoid or softmax first.

    Args:
        reduction: ``mean`` or ``sum`` over the pixels that count.
        ignore_index: class number of pixels that do not count.
    """

    of_error = staticmethod(paddle.square)


@LOSSES.register()
class LaplacianPyramidLoss(nn.Layer):
    """Σ_k 2^k · mean |level k of the Laplacian pyramid of p − t|, for the person's probability p and label t.

    The pyramid is linear, so that of the difference is the difference of the pyramids. The last level is what
    remains after the others: the picture at its coarsest.

    Source: Hou and Liu, Context-Aware Image Matting, ICCV 2019 (after Bojanowski et al., ICML 2018).

    Args:
        levels: number of levels, 1 or more; the picture's sides need at least 2^levels pixels.
        ignore_index: class number of pixels that do not count: their difference is 0.
    """

    def __init__(self, levels: int = 5, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        if levels < 1:
            raise UserError(f"LaplacianPyramidLoss: levels must be at least 1, not {levels}.")
        self.levels, self.ignore_index = levels, ignore_index
        row = paddle.to_tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype="float64") / 16.0
        self._kernel = (row.unsqueeze(0) * row.unsqueeze(1)).reshape([1, 1, 5, 5])

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×1×H×W or N×2×H×W logits and N×H×W labels (hard or soft).

        Raises:
            UserError: the picture is too small for so many levels.
        """
        error, _ = probability_error(logits, labels, "LaplacianPyramidLoss", self.ignore_index)
        if min(error.shape[1:]) < 2**self.levels:
            raise UserError(
                f"LaplacianPyramidLoss: {self.levels} levels need sides of {2**self.levels} pixels, found "
                f"height {error.shape[1]}, width {error.shape[2]}. Lower levels."
            )
        current, losses = error.unsqueeze(1), []
        for level in range(self.levels - 1):
            smaller = self._blur(current)[:, :, ::2, ::2]
            # align_mode 1: pixel k of the smaller picture lies on pixel 2k of the larger, where it was taken.
            larger = F.interpolate(smaller, current.shape[2:], mode="bilinear", align_corners=False, align_mode=1)
            losses.append(2.0**level * paddle.abs(current - larger).mean())
            current = smaller
        return paddle.add_n([*losses, 2.0 ** (self.levels - 1) * paddle.abs(current).mean()])

    def _blur(self, picture: paddle.Tensor) -> paddle.Tensor:
        padded = F.pad(picture, [2, 2, 2, 2], mode="reflect")
        return F.conv2d(padded, self._kernel.astype(picture.dtype))
