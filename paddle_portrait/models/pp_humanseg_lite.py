"""PP-HumanSeg-Lite: a ShuffleNetV2-like encoder with one skip, 137 K values, for phones and browsers.

Source: PP-HumanSeg, Chu et al., WACV workshops 2022, and the network of that name in PaddleSeg (Apache-2.0),
whose checkpoints load here and the other way round.
"""

from __future__ import annotations

import paddle
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.models.layers import (
    ConvBN,
    SeparableConvBN,
    resize_bilinear,
    shuffle_two_groups,
    spatial_size,
)
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS


@MODELS.register()
class PPHumanSegLite(nn.Layer):
    """PP-HumanSeg-Lite.

    Weights start from Kaiming's initialisation: PaddleSeg's standard deviation of 0.001 puts the first
    variances near batch norm's epsilon, which costs accuracy in short trainings.

    Args:
        num_classes: channels of the output; 2 means background and person.
        in_channels: channels of the input; 3, or 4 with the mask of the previous frame.
        align_corners: sampling of both bilinear resizes.
        pretrained: zoo name or path of weights to start from.
    """

    # PaddleSeg's class also builds a branch that never runs in its ten stride-1 units; files hold its values.
    unused_checkpoint_keys = r"block[12]\.[1-7]\._depthwise_separable_0\..*"

    def __init__(
        self,
        num_classes: int = 2,
        in_channels: int = 3,
        align_corners: bool = False,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.align_corners = align_corners
        self.conv_bn0 = ConvBN(in_channels, 36, 3, stride=2, padding=1)
        self.conv_bn1 = ConvBN(36, 18, 1)
        self.block1 = nn.Sequential(DownUnit(36, 72), *(ShuffleUnit(72) for _ in range(3)))
        self.block2 = nn.Sequential(DownUnit(72, 144), *(ShuffleUnit(144) for _ in range(7)))
        self.depthwise_separable0 = SeparableConvBN(144, 64)
        self.depthwise_separable1 = SeparableConvBN(82, 64)
        self.depthwise_separable2 = SeparableConvBN(64, num_classes)
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W, normalised to [-1, 1], to logits (all ≥ 0: the head ends in a ReLU)."""
        logits = self.depthwise_separable2(self.features(x))
        return SegOutput(resize_bilinear(logits, spatial_size(x), self.align_corners))

    def features(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map the input to what the head reads: N×64×H/2×W/2."""
        x = self.conv_bn0(x)  # 1/2
        skip = self.conv_bn1(x)
        x = kernels.max_pool2d(x, kernel_size=3, stride=2, padding=1)  # 1/4
        x = self.block1(x)  # 1/8
        x = self.block2(x)  # 1/16

        x = self.depthwise_separable0(x)
        x = resize_bilinear(x, spatial_size(skip), self.align_corners)
        return self.depthwise_separable1(paddle.concat([skip, x], axis=1))


class ShuffleUnit(nn.Layer):
    """Half of the channels pass, half go through 1×1 and separable 3×3; then the halves interleave."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self._conv = ConvBN(half, half, 1)
        self._depthwise_separable_1 = SeparableConvBN(half, half)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×C×H×W to the same shape."""
        passed, branch = paddle.split(x, 2, axis=1)
        return shuffle_two_groups(passed, self._depthwise_separable_1(self._conv(branch)))


class DownUnit(nn.Layer):
    """Two branches with stride 2, each to half of the output's channels; then the halves interleave."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = out_channels // 2
        self._depthwise_separable_0 = SeparableConvBN(in_channels, half, stride=2)
        self._conv = ConvBN(in_channels, half, 1)
        self._depthwise_separable_1 = SeparableConvBN(half, half, stride=2)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×in×H×W to N×out×H/2×W/2."""
        plain = self._depthwise_separable_0(x)
        return shuffle_two_groups(plain, self._depthwise_separable_1(self._conv(x)))
