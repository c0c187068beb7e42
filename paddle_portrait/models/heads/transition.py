"""Transition decoder: residual blocks, bilinear steps, and skips that are added rather than stacked.

Source: Portrait-Segmentation (anilsathyan7, MIT), its MobileNetV3 of 256×256; the block is PortraitNet's
(Zhang et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import nn

from paddle_portrait.models.blocks import KERAS_BATCH_NORM, TransitionBlock, conv2d
from paddle_portrait.models.heads.registering import register_head
from paddle_portrait.models.layers import Size, resize_bilinear, spatial_size
from paddle_portrait.models.output import SegOutput


@register_head
class TransitionHead(nn.Layer):
    """Decoder whose blocks bring each feature to the width of the next finer one, to which it is added.

    Args:
        in_channels: channels of the features, fine to coarse. The finest gives its size alone: at 1/2 a skip costs
            more than it brings.
        num_classes: channels of the output.
        channels: channels of the last block.
    """

    def __init__(self, in_channels: Sequence[int], num_classes: int = 2, channels: int = 16) -> None:
        super().__init__()
        _, *skips, below = in_channels
        self.blocks = nn.LayerList()
        for out in (*reversed(skips), channels):
            self.blocks.append(TransitionBlock(below, out, bias=True, norm=KERAS_BATCH_NORM))
            below = out
        self.classify = conv2d(channels, num_classes)

    def forward(self, features: list[paddle.Tensor], input_size: Size) -> SegOutput:
        """Map features to logits of ``input_size`` (height, width)."""
        finest, *skips, x = features
        for block, skip in zip(self.blocks, reversed(skips), strict=False):
            x = resize_bilinear(block(x), spatial_size(skip)) + skip
        x = resize_bilinear(self.blocks[-1](x), spatial_size(finest))
        return SegOutput(self.classify(resize_bilinear(x, input_size)))
