"""PortraitNet: MobileNetV2 encoder, transition blocks and transposed convolutions, and an outline head for training.

Source: PortraitNet, Zhang et al., Computers & Graphics 2019. Its authors' repository has no licence: this is written
from the paper and from measured graphs, and no weights of theirs are part of this project.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.models.backbones.mobilenet_v2 import MobileNetV2
from paddle_portrait.models.blocks import TransitionBlock, conv2d
from paddle_portrait.models.layers import doubled_size, resize_bilinear
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS

UPSAMPLINGS = ("deconv", "depthwise", "bilinear")
DECONV_INITS = ("diag", "sum")
_WIDTHS = (96, 32, 24, 16, 8)  # of the decoder, from 1/16 to full size


@MODELS.register()
class PortraitNet(nn.Layer):
    """PortraitNet.

    Args:
        num_classes: channels of the output; 2 means background and person, 1 is one logit.
        in_channels: channels of the input; 4 with the mask of the previous frame (0..1) as the last one.
        upsampling: how the decoder doubles sizes: ``deconv`` (transposed convolutions, the authors' choice),
            ``depthwise`` (one frozen bilinear kernel a channel) or ``bilinear``.
        deconv_init: start of ``deconv``: ``diag`` upsamples every channel bilinearly; ``sum`` is the authors', whose
            every channel starts as the upsampled sum of all.
        boundary: whether there is a head for the outline, which runs in training alone.
        pretrained: zoo name or path of weights to start from.
    """

    def __init__(
        self,
        num_classes: int = 2,
        in_channels: int = 3,
        upsampling: Literal["deconv", "depthwise", "bilinear"] = "deconv",
        deconv_init: Literal["diag", "sum"] = "diag",
        boundary: bool = True,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.backbone = MobileNetV2(
            in_channels, act="relu", padding="symmetric", expand_first=True, norm_epsilon=1e-5, norm_momentum=0.9
        )
        *_, deepest = self.backbone.feature_channels
        self.transitions = nn.LayerList(
            [TransitionBlock(i, o) for i, o in zip((deepest, *_WIDTHS[:-1]), _WIDTHS, strict=True)]
        )
        self.upsamplings = nn.LayerList([Doubling(width, upsampling, deconv_init) for width in _WIDTHS])
        self.classifier = conv2d(_WIDTHS[-1], num_classes, 3, bias=False)
        self.boundary = conv2d(_WIDTHS[-1], 2, 3, bias=False) if boundary else None
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W to logits of that size, in training with those of the outline.

        Raises:
            UserError: height or width is not a multiple of 32.
        """
        require_multiple(x, 32, "PortraitNet")
        _, quarter, eighth, sixteenth, deepest = self.backbone(x)
        y = self._up(0, deepest) + sixteenth
        y = self._up(1, y) + eighth
        y = self._up(2, y) + quarter
        y = self._up(4, self._up(3, y))  # nothing is added at 1/2
        boundary = self.boundary(y) if self.training and self.boundary is not None else None
        return SegOutput(self.classifier(y), boundary=boundary)

    def _up(self, level: int, x: paddle.Tensor) -> paddle.Tensor:
        return self.upsamplings[level](self.transitions[level](x))


class Doubling(nn.Layer):
    """Doubles the size of N×C×H×W."""

    def __init__(self, channels: int, kind: str, deconv_init: str) -> None:
        super().__init__()
        for option, value, allowed in (("upsampling", kind, UPSAMPLINGS), ("deconv_init", deconv_init, DECONV_INITS)):
            if value not in allowed:
                raise UserError(f"PortraitNet: {describe_unknown(option, value, allowed)}")
        self.deconv: nn.Conv2DTranspose | None = None
        if kind == "bilinear":
            return
        weights = _bilinear_kernels(channels, "depthwise" if kind == "depthwise" else deconv_init)
        self.deconv = nn.Conv2DTranspose(
            channels,
            channels,
            4,
            stride=2,
            padding=1,
            groups=channels if kind == "depthwise" else 1,
            weight_attr=paddle.ParamAttr(initializer=nn.initializer.Assign(weights), trainable=kind != "depthwise"),
            bias_attr=False,
        )

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×C×H×W to N×C×2H×2W."""
        if self.deconv is not None:
            return self.deconv(x)
        return resize_bilinear(x, doubled_size(x))


def _bilinear_kernels(channels: int, layout: str) -> np.ndarray:
    """Return float32 weights of a 4×4 transposed convolution of stride 2 that resizes bilinearly.

    ``depthwise``: C×1×4×4; ``diag``: C×C×4×4, zero off the diagonal; ``sum``: C×C×4×4, the same kernel everywhere.
    """
    line = np.array([0.25, 0.75, 0.75, 0.25])
    pairs = {"depthwise": np.ones((channels, 1)), "diag": np.eye(channels), "sum": np.ones((channels, channels))}
    return np.einsum("io,y,x->ioyx", pairs[layout], line, line).astype(np.float32)
