"""DeepLabV3's head without atrous branches: what the coarsest feature says, beside what the whole image says.

Source: TensorFlow's DeepLab (Apache-2.0) with MobileNetV2, which has no pyramid and no decoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import nn

from paddle_portrait.models.blocks import ConvNormAct, NormOptions, conv2d
from paddle_portrait.models.heads.registering import register_head
from paddle_portrait.models.layers import Size, resize_bilinear, spatial_size
from paddle_portrait.models.output import SegOutput


@register_head
class DeepLabPoolingHead(nn.Layer):
    """Image pooling and a 1×1 convolution, stacked; a second 1×1; the classes; one bilinear resize.

    Args:
        in_channels: channels of the features; only the last, coarsest feature is read.
        num_classes: channels of the output.
        channels: channels of each convolution before the last.
        dropout: share of dropped values before the last convolution.
        norm_momentum: share of the statistics that a step keeps.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int = 2,
        channels: int = 256,
        dropout: float = 0.1,
        norm_momentum: float = 0.99,
    ) -> None:
        super().__init__()
        norm = NormOptions(1e-5, norm_momentum)
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.image = ConvNormAct(in_channels[-1], channels, norm=norm)
        self.pixel = ConvNormAct(in_channels[-1], channels, norm=norm)
        self.project = ConvNormAct(2 * channels, channels, norm=norm)
        self.dropout = nn.Dropout(dropout)
        self.classify = conv2d(channels, num_classes)

    def forward(self, features: list[paddle.Tensor], input_size: Size) -> SegOutput:
        """Map features to logits of ``input_size`` (height, width)."""
        x = features[-1]
        pixel = self.pixel(x)
        image = resize_bilinear(self.image(self.pool(x)), spatial_size(x), align_corners=True)
        x = self.project(paddle.concat([image, pixel], axis=1))
        x = self.classify(self.dropout(x))
        return SegOutput(resize_bilinear(x, input_size, align_corners=True))
