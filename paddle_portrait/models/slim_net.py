"""Slim-Net: a hair-segmentation network turned to portraits, 348 K parameters at 512x512.

Source: Real-time Hair Segmentation and Recoloring on Mobile GPUs, Tkachenka et al. 2019 (MediaPipe), as
anilsathyan7/Portrait-Segmentation rebuilt and trained it (MIT), whose checkpoint converts: max pooling and bilinear
resizes in place of pooled indices, and wide dilated convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import paddle
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.errors import UserError
from paddle_portrait.models.blocks import SeparableConv, conv2d, deconv2d, start_like_keras
from paddle_portrait.models.layers import resize_bilinear, spatial_size
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS

# What a bottleneck does between its two 1x1 convolutions. A number is the dilation of a dense 3x3 convolution that
# already goes to the block's output channels, as the rebuilt network does (MediaPipe's stays narrow).
Body: TypeAlias = Literal["depthwise", "wide", "dense"] | int

_BOTTOM: tuple[Body, ...] = ("depthwise", 2, "wide", 4, "depthwise", 8, "depthwise", 2, "wide", 4, "depthwise", 8)


@MODELS.register()
class SlimNet(nn.Layer):
    """Slim-Net: bottlenecks of 4 to 32 channels beside wide shortcuts; a PReLU after every convolution, no norm.

    Args:
        num_classes: channels of the output; 2 means background and person, 1 is one logit.
        in_channels: channels of the input; 3, or 4 with the mask of the previous frame.
        skipped: which of the 13 blocks at 1/32 are left out, counted from 0. The others keep their names, so that
            weights of the whole network fit them.
        pretrained: zoo name or path of weights to start from.

    Raises:
        UserError: ``skipped`` names a block that there is not.
    """

    def __init__(
        self,
        num_classes: int = 2,
        in_channels: int = 3,
        skipped: Sequence[int] = (),
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.stem = nn.Sequential(_halve(in_channels, 8), prelu(8), _halve(8, 32), prelu(32))
        self.down8 = Bottleneck(32, 16, 64, stride=2)
        self.stage8 = nn.Sequential(*(Bottleneck(64, 16, 64) for _ in range(2)))
        self.down16 = Bottleneck(64, 32, 128, stride=2)
        self.stage16 = nn.Sequential(*(Bottleneck(128, 16, 128) for _ in range(4)))
        self.down32 = Bottleneck(128, 16, 128, stride=2)
        self.stage32 = _bottom(skipped)

        self.up16 = UpBlock(128, 8, 128)
        self.refine16 = Bottleneck(128 + 128, 8, 128, "dense")
        self.up8 = UpBlock(128, 8, 64)
        self.refine8 = Bottleneck(64 + 64, 4, 64, "dense")
        self.up4 = UpBlock(64, 4, 32)
        self.refine4 = Bottleneck(32, 4, 32, "dense")
        self.head = nn.Sequential(deconv2d(32, 8, 2, 2), prelu(8), deconv2d(8, num_classes, 2, 2))
        start_like_keras(self)
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W in [0, 1], H and W multiples of 32, to logits."""
        require_multiple(x, 32, "SlimNet")
        x = self.stem(x)  # 1/4
        pooled8 = kernels.max_pool2d(x, 2, 2)
        skip8 = self.down8(x, pooled8)  # 1/8
        x = self.stage8(skip8)
        pooled16 = kernels.max_pool2d(x, 2, 2)
        skip16 = self.down16(x, pooled16)  # 1/16
        x = self.stage16(skip16)
        pooled32 = kernels.max_pool2d(x, 2, 2)
        x = self.stage32(self.down32(x, pooled32))  # 1/32

        x = self.refine16(paddle.concat([self.up16(x, pooled32), skip16], axis=1))
        x = self.refine8(paddle.concat([self.up8(x, pooled16), skip8], axis=1))
        x = self.refine4(self.up4(x, pooled8))
        return SegOutput(self.head(x))


class Bottleneck(nn.Layer):
    """Shortcut plus [convolution to few channels, body, 1×1 convolution back], then PReLU.

    Args:
        in_channels: channels in; where ``out_channels`` differ, the shortcut gets a 1×1 convolution.
        inner: channels of the narrow part.
        out_channels: channels out.
        body: what happens to the narrow part.
        stride: 2 halves the size; the shortcut is then given pooled.
    """

    def __init__(
        self, in_channels: int, inner: int, out_channels: int, body: Body = "depthwise", stride: int = 1
    ) -> None:
        super().__init__()
        narrow = _halve(in_channels, inner) if stride == 2 else conv2d(in_channels, inner)
        layers, width = _body(body, inner, out_channels)
        self.body = nn.Sequential(narrow, prelu(inner), *layers, prelu(width))
        self.widen = None if in_channels == out_channels else conv2d(in_channels, out_channels)
        self.leave = conv2d(width, out_channels)
        self.act = prelu(out_channels)

    def forward(self, x: paddle.Tensor, shortcut: paddle.Tensor | None = None) -> paddle.Tensor:
        """Map N×in×H×W to N×out×H/stride×W/stride; ``shortcut`` is ``x`` unless given."""
        y = self.body(x)
        shortcut = x if shortcut is None else shortcut
        if self.widen is not None:
            shortcut = self.widen(shortcut)
        return self.act(shortcut + self.leave(y))


class UpBlock(nn.Layer):
    """Twice the size: a bottleneck around a transposed convolution, beside the input plus what was pooled there."""

    def __init__(self, in_channels: int, inner: int, out_channels: int) -> None:
        super().__init__()
        self.narrow = nn.Sequential(conv2d(in_channels, inner), prelu(inner))
        self.shortcut = conv2d(in_channels, out_channels)
        self.up = nn.Sequential(deconv2d(inner, 8, 3, 2), prelu(8), conv2d(8, out_channels))
        self.act = prelu(out_channels)

    def forward(self, x: paddle.Tensor, pooled: paddle.Tensor) -> paddle.Tensor:
        """Map N×in×H×W and the encoder's N×out×H×W to N×out×2H×2W."""
        y = self.narrow(x)
        shortcut = self.shortcut(x) + pooled
        y = self.up(y)
        return self.act(resize_bilinear(shortcut, spatial_size(y), align_corners=True) + y)


def _bottom(skipped: Sequence[int]) -> nn.Sequential:
    blocks = [Bottleneck(128, 8, 128, body) for body in _BOTTOM] + [Bottleneck(128, 4, 128, 1)]
    for index in skipped:
        if index not in range(len(blocks)):
            raise UserError(f"SlimNet: skipped has {index!r}; the blocks at 1/32 are 0 to {len(blocks) - 1}.")
    return nn.Sequential(*(nn.Identity() if i in skipped else block for i, block in enumerate(blocks)))


def prelu(channels: int) -> nn.PReLU:
    """Return a PReLU with a slope a channel, 0 at first as in Keras."""
    return nn.PReLU(channels, init=0.0)


def _halve(in_channels: int, out_channels: int) -> nn.Conv2D:
    return nn.Conv2D(in_channels, out_channels, 2, stride=2, weight_attr=nn.initializer.KaimingNormal())


def _body(kind: Body, inner: int, out_channels: int) -> tuple[list[nn.Layer], int]:
    """Return the layers and their output's channels."""
    if kind == "depthwise":
        return [SeparableConv(inner, inner), prelu(inner), conv2d(inner, inner, 3, groups=inner)], inner
    if kind == "wide":
        return [SeparableConv(inner, inner, 5)], inner
    if kind == "dense":
        return [conv2d(inner, inner, 3)], inner
    return [conv2d(inner, out_channels, 3, dilation=kind)], out_channels
