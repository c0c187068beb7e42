"""Prisma-Net: a U-shaped network of residual blocks without any norm, 923 K parameters, for 256x256.

Source: Prisma AI's article on portrait segmentation, as anilsathyan7/Portrait-Segmentation built and trained it (MIT);
its checkpoints convert.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.models.blocks import SeparableConv, conv2d, deconv2d, start_like_keras
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS

_DEEPEST = 128
# Channels and residual blocks of each step down and, of the same channels, of the step up.
_SCALES = ((8, 1, 3), (32, 1, 3), (64, 1, 3), (128, 2, 3))
_BOTTLENECK_BLOCKS = 6


@MODELS.register()
class PrismaNet(nn.Layer):
    """Prisma-Net: convolutions, transposed convolutions, ReLU and sums only, so that every runtime is quick with it.

    Args:
        num_classes: channels of the output; 1 is one logit, 2 means background and person.
        in_channels: channels of the input.
        pretrained: zoo name or path of weights to start from.
    """

    def __init__(self, num_classes: int = 1, in_channels: int = 3, pretrained: str | None = None) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.down = nn.LayerList()
        channels = in_channels
        for index, (width, blocks, _) in enumerate(_SCALES):
            enter = conv2d(channels, width, 3, stride=1 if index == 0 else 2, padding="same")
            self.down.append(nn.Sequential(enter, *residual_blocks(width, blocks)))
            channels = width
        enter = conv2d(channels, _DEEPEST, 3, stride=2, padding="same")
        self.bottleneck = nn.Sequential(enter, *residual_blocks(_DEEPEST, _BOTTLENECK_BLOCKS))

        self.up, self.refine = nn.LayerList(), nn.LayerList()
        channels = _DEEPEST
        for width, _, blocks in reversed(_SCALES):
            self.up.append(deconv2d(channels, width, 3, stride=2))
            self.refine.append(nn.Sequential(*residual_blocks(width, blocks)))
            channels = width
        self.head = deconv2d(channels, num_classes, 1)
        start_like_keras(self)
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W in [0, 1], H and W multiples of 16, to logits."""
        require_multiple(x, 16, "PrismaNet")
        skips = []
        for down in self.down:  # 1, 1/2, 1/4, 1/8
            x = down(x)
            skips.append(x)
        x = self.bottleneck(x)  # 1/16
        for up, refine, skip in zip(self.up, self.refine, reversed(skips), strict=True):
            x = refine(up(x) + skip)
        return SegOutput(self.head(x))


def residual_blocks(channels: int, count: int) -> list[nn.Layer]:
    """Return ``count`` residual blocks."""
    return [ResidualBlock(channels) for _ in range(count)]


class ResidualBlock(nn.Layer):
    """The input plus twice ReLU and separable convolution of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = SeparableConv(channels, channels)
        self.second = SeparableConv(channels, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×C×H×W to the same shape."""
        return x + self.second(F.relu(self.first(F.relu(x))))
