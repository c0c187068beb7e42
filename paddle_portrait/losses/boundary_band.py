"""A loss on the band of pixels around the person's outline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.losses.cross_entropy import CrossEntropyLoss
from paddle_portrait.losses.kinds import require_plain
from paddle_portrait.losses.labels import IGNORE_INDEX, is_soft
from paddle_portrait.losses.outlines import square_band
from paddle_portrait.registry import LOSSES


@LOSSES.register()
class BoundaryBandLoss(nn.Layer):
    """A loss over the pixels where a dilated and an eroded label differ; 0 without an outline.

    Source: the training of SINet (Park et al., WACV 2020) and ExtremeC3Net (Park et al. 2019), which add half
    of it to the whole image's loss, with a band from a 5×5 kernel first and a 15×15 one later.

    Args:
        kernel_size: odd side of the square with which the label is dilated and eroded, in pixels.
        ignore_index: class number of pixels that do not count. They read as background when the band is drawn.
        inner: the loss that sees the other pixels as ignored; null is the mean cross entropy.
    """

    def __init__(
        self,
        kernel_size: int = 15,
        ignore_index: int = IGNORE_INDEX,
        inner: Callable[[paddle.Tensor, paddle.Tensor], paddle.Tensor] | None = None,
    ) -> None:
        super().__init__()
        if kernel_size < 3 or kernel_size % 2 == 0:
            raise UserError(f"BoundaryBandLoss: kernel_size must be odd and at least 3, not {kernel_size}.")
        self.kernel_size, self.ignore_index = kernel_size, ignore_index
        self.inner = inner or CrossEntropyLoss(ignore_index=ignore_index)
        require_plain("BoundaryBandLoss", [self.inner])

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×classes×H×W logits and N×H×W labels (hard or soft)."""
        ignored = IGNORE_INDEX if is_soft(labels) else self.ignore_index
        values = labels.numpy()
        within = paddle.to_tensor(np.where(self._band(values), values, values.dtype.type(ignored)), place=labels.place)
        return self.inner(logits, within)

    def _band(self, labels: np.ndarray) -> np.ndarray:
        soft = labels.dtype.kind == "f"
        valid = labels <= 1.0 if soft else labels != self.ignore_index
        plain = labels.astype(np.float32 if soft else np.uint8)
        plain[~valid] = 0
        return np.stack([square_band(label, self.kernel_size) for label in plain]).view(bool)
