"""Mobile-UNet's decoder: up by two, beside the encoder's wide activations, five times.

Source: Portrait-Segmentation (anilsathyan7, MIT), its four Mobile-UNets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import paddle
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.models.blocks import KERAS_BATCH_NORM, batch_norm, conv2d, deconv2d
from paddle_portrait.models.heads.registering import register_head
from paddle_portrait.models.layers import Size, resize_bilinear, spatial_size
from paddle_portrait.models.output import SegOutput

Upsampling: TypeAlias = Literal["deconv", "bilinear", "bilinear_legacy"]


@register_head
class MobileUNetHead(nn.Layer):
    """U-Net decoder with one step for each feature.

    Args:
        in_channels: channels of the features, fine to coarse, each at half the size of the one before.
        num_classes: channels of the output; 1 means one sigmoid logit.
        channels: channels of the steps, coarse to fine; one more fine step than there are skips.
        upsample: ``deconv`` (transposed 3×3), ``bilinear``, or ``bilinear_legacy``, whose sampling, TensorFlow 1's,
            shifts the mask by up to half a pixel a step.
        dropout: share of dropped values between norm and activation, in all steps but the last.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int = 2,
        channels: Sequence[int] = (512, 256, 128, 64, 32),
        upsample: Upsampling = "deconv",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.upsample = upsample
        if len(channels) != len(in_channels):
            raise UserError(
                f"MobileUNetHead: {len(channels)} channels given, but the backbone hands over {len(in_channels)} "
                "features; give one number for each."
            )
        self.size_multiple = 32 if upsample == "deconv" else 1
        *skips, below = in_channels
        self.steps = nn.LayerList()
        for index, out in enumerate(channels):
            is_last = index == len(skips)
            self.steps.append(UpStep(below, out, upsample, dropout=0.0 if is_last else dropout))
            below = out if is_last else out + skips[-1 - index]
        self.classify = conv2d(below, num_classes)

    def forward(self, features: list[paddle.Tensor], input_size: Size) -> SegOutput:
        """Map features, the finest at half of ``input_size`` (height, width), to logits of that size."""
        *skips, x = features
        for step, skip in zip(self.steps, reversed(skips), strict=False):
            x = paddle.concat([step(x, spatial_size(skip)), skip], axis=1)
        logits = self.classify(self.steps[-1](x, input_size))
        if self.upsample == "deconv":  # on features that begin at 1/4, doubling ends at 1/2
            logits = resize_bilinear(logits, input_size)
        return SegOutput(logits)


class UpStep(nn.Layer):
    """Transposed convolution, or resize and 3×3 convolution; batch norm, dropout, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, upsample: Upsampling, dropout: float) -> None:
        super().__init__()
        self.upsample = upsample
        if upsample == "deconv":
            self.conv = deconv2d(in_channels, out_channels, 3, stride=2)
        else:
            self.conv = conv2d(in_channels, out_channels, 3)
        self.norm = batch_norm(out_channels, KERAS_BATCH_NORM)
        self.dropout = nn.Dropout(dropout)
        self.act = nn.ReLU()

    def forward(self, x: paddle.Tensor, size: Size) -> paddle.Tensor:
        """Map float N×in×h×w to N×out of ``size``, which a transposed convolution takes to be (2h, 2w)."""
        if self.upsample != "deconv":
            x = resize_bilinear(x, size, legacy=self.upsample == "bilinear_legacy")
        return self.act(self.dropout(self.norm(self.conv(x))))
