"""Focal losses: pixels that are right already weigh little."""

from __future__ import annotations

from typing import Literal

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.losses.labels import IGNORE_INDEX, binary_view, check_sizes, masked_mean, valid_pixels
from paddle_portrait.losses.outlines import METHODS, outline_labels
from paddle_portrait.registry import LOSSES


@LOSSES.register()
class FocalLoss(nn.Layer):
    """−α_t·(1 − p_t)^γ·log p_t of each logit's sigmoid against its own class, mean over pixels and channels.

    Source: Lin et al., ICCV 2017; the values of PaddleSeg's loss of this name. Channel 1 of two is the person,
    channel 0 the background; a single channel is the person.

    Args:
        alpha: weight in [0, 1] of a channel's own pixels; the others weigh 1 − alpha.
        gamma: exponent of the modulation, 0 or more.
        ignore_index: class number of pixels that do not count.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        _check_focus("FocalLoss", alpha, gamma)
        self.alpha, self.gamma, self.ignore_index = alpha, gamma, ignore_index

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×1×H×W or N×2×H×W logits and N×H×W labels (hard or soft)."""
        _, person, valid = binary_view(logits, labels, "FocalLoss", self.ignore_index)
        targets = [person] if logits.shape[1] == 1 else [1.0 - person, person]
        losses = [
            masked_mean(focal_terms(logit.astype(person.dtype), target, self.gamma, self.alpha), valid)
            for logit, target in zip(paddle.unstack(logits, axis=1), targets, strict=True)
        ]
        return paddle.add_n(losses) / len(losses)


@LOSSES.register()
class BoundaryFocalLoss(nn.Layer):
    """Focal loss of a boundary head against outlines drawn from the mask.

    Source: the training code of PortraitNet (Zhang et al., Computers & Graphics 2019), whose form is the default:
    the outline's contour drawn four pixels thick, gamma 2, no alpha, the modulation without a gradient.
    The outline is drawn from the labels as the network sees them, after augmentation.

    Args:
        gamma: exponent of the modulation, 0 or more.
        alpha: weight in [0, 1] of the outline's pixels, the others weigh 1 − alpha; null weighs all alike.
        detach: keep the gradient out of the modulation (1 − p_t)^gamma.
        method: how the outline is drawn: ``contour``, ``canny``, ``sobel`` or ``morphology`` (dilated minus eroded).
        thickness: width of the outline in pixels, 1 or more.
        ignore_index: class number of pixels that do not count.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | None = None,
        detach: bool = True,
        method: Literal["contour", "canny", "sobel", "morphology"] = "contour",
        thickness: int = 4,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        _check_focus("BoundaryFocalLoss", alpha, gamma)
        if method not in METHODS:
            raise UserError(f"BoundaryFocalLoss: method is one of {', '.join(METHODS)}, not '{method}'.")
        if thickness < 1:
            raise UserError(f"BoundaryFocalLoss: thickness must be at least 1 pixel, not {thickness}.")
        self.gamma, self.alpha, self.detach = gamma, alpha, detach
        self.method, self.thickness, self.ignore_index = method, thickness, ignore_index

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss.

        Args:
            logits: float N×2×H×W, channel 1 the outline, or N×1×H×W.
            labels: the person's mask, N×H×W, hard or soft (cut at 0.5).
        """
        check_sizes(logits, labels)
        outlines = paddle.to_tensor(self._outlines(labels), place=logits.place)
        margin, outline, valid = binary_view(logits, outlines, "BoundaryFocalLoss")
        return masked_mean(focal_terms(margin, outline, self.gamma, self.alpha, self.detach), valid)

    def _outlines(self, labels: paddle.Tensor) -> np.ndarray:
        valid = valid_pixels(labels, self.ignore_index).numpy() > 0
        person = (labels > 0.5).numpy() & valid
        return outline_labels(person, valid, self.method, self.thickness).astype(np.int64)


def focal_terms(
    margin: paddle.Tensor, target: paddle.Tensor, gamma: float, alpha: float | None = None, detach: bool = False
) -> paddle.Tensor:
    """Return −α_t·(1 − p_t)^γ·log p_t for each element; p_t is the probability that sigmoid(margin) gives ``target``.

    Soft targets in [0, 1] take p_t = p·t + (1 − p)·(1 − t) and the cross entropy in place of −log p_t.
    """
    probability = F.sigmoid(margin)
    wrong = probability * (1.0 - target) + (1.0 - probability) * target
    modulation = wrong.detach() if detach else wrong
    values = modulation**gamma * (F.softplus(margin) - target * margin)
    return values if alpha is None else (alpha * target + (1.0 - alpha) * (1.0 - target)) * values


def _check_focus(loss: str, alpha: float | None, gamma: float) -> None:
    if alpha is not None and not 0.0 <= alpha <= 1.0:
        raise UserError(f"{loss}: alpha must lie in [0, 1], not {alpha}.")
    if gamma < 0.0:
        raise UserError(f"{loss}: gamma must be 0 or more, not {gamma}.")
