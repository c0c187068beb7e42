"""Cross entropy on the band of pixels around the person's outline."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.losses.cross_entropy import pixel_cross_entropy
from paddle_portrait.losses.labels import IGNORE_INDEX, masked_mean, valid_pixels
from paddle_portrait.registry import LOSSES


@LOSSES.register()
class BoundaryBandLoss(nn.Layer):
    """Mean cross entropy over the pixels where a dilated and an eroded label differ.

    Source: the training of SINet (Park et al., WACV 2020) and ExtremeC3Net (Park et al. 2019), which add half
    of it to the whole image's loss, with a band from a 5×5 kernel first and a 15×15 one later.

    Args:
        kernel_size: odd side of the square with which the label is dilated and eroded, in pixels.
        ignore_index: class number of pixels that do not count.
    """

    def __init__(self, kernel_size: int = 15, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        if kernel_size < 3 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd and at least 3, not {kernel_size}")
        self.kernel_size = kernel_size
        self.ignore_index = ignore_index

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Return the scalar loss for float N×classes×H×W logits and N×H×W labels; 0 without an outline."""
        valid = valid_pixels(labels, self.ignore_index)
        band = self._band(labels.astype("float32") * valid) * valid
        return masked_mean(pixel_cross_entropy(logits, labels, self.ignore_index), band)

    def _band(self, label: paddle.Tensor) -> paddle.Tensor:
        label = label.unsqueeze(1)
        return (self._dilate(label) + self._dilate(-label) > 0.5).astype("float32").squeeze(1)

    def _dilate(self, label: paddle.Tensor) -> paddle.Tensor:
        # A square's maximum is the maximum over columns of the maxima over rows: 2k comparisons, not k².
        size, padding = self.kernel_size, self.kernel_size // 2
        rows = F.max_pool2d(label, (size, 1), stride=1, padding=(padding, 0))
        return F.max_pool2d(rows, (1, size), stride=1, padding=(0, padding))
