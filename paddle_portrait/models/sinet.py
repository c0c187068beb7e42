"""SINet: 87 K parameters; blocks of two windows and scales, and detail let through only where the coarse mask doubts.

Source: SINet, Park et al., WACV 2020, and clovaai/ext_portrait_segmentation (MIT), whose checkpoints convert.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.models.blocks import ConvNormAct, NormAct, NormOptions, activation, batch_norm, conv2d
from paddle_portrait.models.layers import Size, doubled_size, resize_bilinear, shuffle_two_groups, spatial_size
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS

NORM = NormOptions(epsilon=1e-3)
Window: TypeAlias = "tuple[int, int]"  # side of the depthwise window, and of the pooling before it

_LEVEL2: tuple[tuple[Window, Window], ...] = (((3, 1), (5, 1)), ((3, 1), (3, 1)))
_LEVEL3: tuple[tuple[Window, Window], ...] = (
    ((3, 1), (5, 1)),
    ((3, 1), (3, 1)),
    ((5, 1), (3, 2)),
    ((5, 2), (3, 4)),
    ((3, 1), (3, 1)),
    ((5, 1), (5, 1)),
    ((3, 2), (3, 4)),
    ((3, 1), (5, 2)),
)


@MODELS.register()
class SINet(nn.Layer):
    """SINet.

    Args:
        num_classes: channels of the output; 2 means background and person, 1 is one logit.
        in_channels: channels of the input.
        encoder_only: without the decoder, as the authors train first; the encoder's parameters keep their names, so
            that a second stage starts from them.
        pretrained: zoo name or path of weights to start from.
    """

    def __init__(
        self,
        num_classes: int = 2,
        in_channels: int = 3,
        encoder_only: bool = False,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.encoder = SINetEncoder(num_classes, in_channels)
        self.decoder = None if encoder_only else SINetDecoder(num_classes)
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W to logits of that size.

        Raises:
            UserError: height or width is not a multiple of 32: the widest pooling of the blocks at 1/8 takes 4 × 4.
        """
        require_multiple(x, 32, "SINet")
        coarse, detail = self.encoder(x)
        if self.decoder is None:
            return SegOutput(resize_bilinear(coarse, spatial_size(x), align_corners=True))
        return SegOutput(self.decoder(coarse, detail, spatial_size(x)))


class SINetEncoder(nn.Layer):
    """Logits at 1/8 and, for the decoder, features at 1/4."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.stem = ConvNormAct(in_channels, 12, 3, stride=2, norm=NORM, act="prelu")
        self.down2 = SqueezeDown(12, 16, reduction=1)
        self.level2 = nn.Sequential(*_spatial_blocks(16, 48, _LEVEL2))
        self.join2 = NormAct(16 + 48, NORM, "prelu")
        self.down3 = SqueezeDown(64, 48, reduction=2)
        self.level3 = nn.Sequential(*_spatial_blocks(48, 96, _LEVEL3))
        self.join3 = NormAct(48 + 96, NORM, "prelu")
        self.classifier = conv2d(144, num_classes, bias=False)

    def forward(self, x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Map N×in×H×W to N×classes×H/8×W/8 and N×48×H/4×W/4."""
        x = self.down2(self.stem(x))  # 1/4
        detail = self.level2(x)
        x = self.down3(self.join2(paddle.concat([x, detail], axis=1)))  # 1/8
        x = self.join3(paddle.concat([x, self.level3(x)], axis=1))
        return self.classifier(x), detail


class SINetDecoder(nn.Layer):
    """Adds detail where the coarse mask is unsure: information blocking."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.coarse_norm = batch_norm(num_classes, NORM)
        self.detail = ConvNormAct(48, num_classes, norm=NORM, act="prelu")
        self.joint_norm = batch_norm(num_classes, NORM)
        self.classifier = conv2d(num_classes, num_classes, 3, bias=False)

    def forward(self, coarse: paddle.Tensor, detail: paddle.Tensor, size: Size) -> paddle.Tensor:
        """Map the encoder's outputs to N×classes×H×W."""
        coarse = self.coarse_norm(resize_bilinear(coarse, spatial_size(detail), align_corners=True))  # 1/4
        joint = self.detail(detail) * uncertainty(coarse) + coarse
        joint = self.joint_norm(resize_bilinear(joint, doubled_size(detail), align_corners=True))  # 1/2
        return self.classifier(resize_bilinear(joint, size, align_corners=True))


def uncertainty(logits: paddle.Tensor) -> paddle.Tensor:
    """One minus the probability of the likelier class: N×classes×H×W to N×1×H×W.

    With one class this is computed from the sigmoid. (The authors' softmax over one channel would be 1 everywhere and
    shut the gate.)
    """
    if logits.shape[1] == 1:
        return F.sigmoid(-paddle.abs(logits))
    return 1.0 - paddle.max(F.softmax(logits, axis=1), axis=1, keepdim=True)


class SqueezeDown(nn.Layer):
    """Depthwise 3×3 with stride 2, squeeze and excitation, 1×1 convolution, batch norm, PReLU."""

    def __init__(self, in_channels: int, out_channels: int, reduction: int) -> None:
        super().__init__()
        self.depthwise = conv2d(in_channels, in_channels, 3, stride=2, groups=in_channels, bias=False)
        self.excite = Excitation(in_channels, reduction)
        self.pointwise = ConvNormAct(in_channels, out_channels, norm=NORM, act="prelu")

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×in×H×W to N×out×H/2×W/2."""
        return self.pointwise(self.excite(self.depthwise(x)))


class Excitation(nn.Layer):
    """Weighs channels by their means. The weights end in a PReLU, so that they are not bound to [0, 1]."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        layers: list[nn.Layer] = []
        if reduction > 1:
            layers = [conv2d(channels, channels // reduction), activation("prelu", channels // reduction)]
        self.weigh = nn.Sequential(*layers, conv2d(channels // reduction, channels), activation("prelu", channels))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×C×H×W to the same shape."""
        return x * self.weigh(F.adaptive_avg_pool2d(x, 1))


class SpatialSqueezeBlock(nn.Layer):
    """Grouped 1×1 and shuffle to half of the channels; the same shuffled half through two branches.

    Args:
        in_channels: channels in.
        out_channels: channels out; the input is added where they are the same.
        windows: window and pooling of each branch.
    """

    def __init__(self, in_channels: int, out_channels: int, windows: Sequence[Window]) -> None:
        super().__init__()
        half = out_channels // 2
        self.squeeze = conv2d(in_channels, half, groups=2, bias=False)
        self.first, self.second = (SqueezeBranch(half, *window) for window in windows)
        self.join = NormAct(out_channels, NORM, "prelu")
        self._adds_input = in_channels == out_channels

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×in×H×W to N×out×H×W."""
        squeezed = shuffle_two_groups(*paddle.split(self.squeeze(x), 2, axis=1))
        joint = paddle.concat([self.first(squeezed), self.second(squeezed)], axis=1)
        return self.join(x + joint if self._adds_input else joint)


class SqueezeBranch(nn.Layer):
    """Average pooling, depthwise k×k, 1×1, back to the size before, batch norm."""

    def __init__(self, channels: int, kernel_size: int, pooling: int) -> None:
        super().__init__()
        self._pooling = pooling
        self.depthwise = ConvNormAct(channels, channels, kernel_size, groups=channels, norm=NORM, act="prelu")
        self.pointwise = conv2d(channels, channels, bias=False)
        self.norm = batch_norm(channels, NORM)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×C×H×W to the same shape."""
        size = spatial_size(x)
        if self._pooling > 1:
            x = F.avg_pool2d(x, self._pooling, self._pooling)
        x = self.pointwise(self.depthwise(x))
        return self.norm(resize_bilinear(x, size, align_corners=True))


def _spatial_blocks(
    in_channels: int, channels: int, windows: Sequence[tuple[Window, Window]]
) -> list[SpatialSqueezeBlock]:
    """Return blocks of which the first widens to ``channels``."""
    widths = [in_channels] + [channels] * (len(windows) - 1)
    return [SpatialSqueezeBlock(width, channels, pair) for width, pair in zip(widths, windows, strict=True)]
