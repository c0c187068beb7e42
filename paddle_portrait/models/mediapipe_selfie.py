"""MediaPipe's selfie segmentation: a small MobileNetV3 with an attentive decoder, 106 K parameters.

Source: MediaPipe Selfie Segmentation, model card of 2021 (Apache-2.0), read off its two TFLite files, which convert:
``general`` (256x256) and ``landscape`` (256x144, width x height) are one network.
"""

from __future__ import annotations

from functools import partial

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.errors import UserError
from paddle_portrait.models.blocks import KERAS_BATCH_NORM, ConvNormAct, conv2d, deconv2d
from paddle_portrait.models.layers import resize_bilinear, spatial_size
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS


@MODELS.register()
class MediaPipeSelfie(nn.Layer):
    """MediaPipe's selfie segmentation.

    The released weights have their batch norms folded into the convolutions, and so has this network.

    Args:
        num_classes: channels of the output; 1 is one logit, 2 means background and person.
        in_channels: channels of the input; 3, or 4 with the mask of the previous frame.
        batch_norm: put batch norms back behind all convolutions but those of the attention, for a training from
            scratch. A conversion of the released files fills them, but ``pretrained`` of the zoo has none.
        pretrained: zoo name or path of weights to start from.
        logit_scale: factor of the last layer of ``pretrained``, for training on from it. The released logits reach
            ±400, far surer than they are right: 0.05 brings them near their best cross entropy, so that the first
            steps do not undo what the network knows. The mask, where the probability is over one half, stays.
    """

    def __init__(
        self,
        num_classes: int = 1,
        in_channels: int = 3,
        batch_norm: bool = False,
        pretrained: str | None = None,
        logit_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if logit_scale <= 0:
            raise UserError(f"MediaPipeSelfie: logit_scale must be over 0, not {logit_scale}.")
        self.num_classes = num_classes
        conv = partial(ConvNormAct, padding="same", norm=KERAS_BATCH_NORM if batch_norm else None)
        block = partial(InvertedResidual, conv)
        self.stem = conv(in_channels, 16, 3, stride=2, act="hardswish")
        self.quarter = block(16, 16, 16, 3, stride=2, squeezed=8, act="relu")
        self.eighth = nn.Sequential(
            block(16, 72, 24, 3, stride=2, act="relu"),
            block(24, 88, 24, 3, act="relu"),
        )
        self.sixteenth = nn.Sequential(
            block(24, 96, 32, 5, stride=2, squeezed=24),
            block(32, 128, 32, 5, squeezed=32),
            block(32, 128, 32, 5, squeezed=32),
            block(32, 96, 32, 5, squeezed=24),
            block(32, 96, 32, 5, squeezed=24),
        )
        self.context = conv(32, 128)
        self.context_gate = conv2d(32, 128)
        self.to_eighth = UpBlock(conv, 128, 24)
        self.to_quarter = UpBlock(conv, 24, 16)
        self.to_half = UpBlock(conv, 16, 16)
        self.head = deconv2d(16, num_classes, 2, stride=2)
        if pretrained is not None:
            load_weights(self, pretrained)
            for parameter in self.head.parameters():
                parameter.set_value(parameter * logit_scale)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W in [0, 1], H and W even, to logits."""
        require_multiple(x, 2, "MediaPipeSelfie")
        half = self.stem(x)
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        x = self.sixteenth(eighth)

        x = self.context(x) * F.sigmoid(self.context_gate(F.adaptive_avg_pool2d(x, 1)))
        x = self.to_eighth(x, eighth)
        x = self.to_quarter(x, quarter)
        x = self.to_half(x, half)
        return SegOutput(self.head(x))


class InvertedResidual(nn.Layer):
    """MobileNetV3's block: 1×1 to more channels, depthwise, perhaps squeeze and excite, 1×1; plus the input."""

    def __init__(
        self,
        conv: partial[ConvNormAct],
        in_channels: int,
        expanded: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        squeezed: int | None = None,
        act: str = "hardswish",
    ) -> None:
        super().__init__()
        self.expand = conv(in_channels, expanded, act=act)
        self.depthwise = conv(expanded, expanded, kernel_size, stride=stride, groups=expanded, act=act)
        self.attention = None if squeezed is None else ChannelGate(expanded, squeezed)
        self.project = conv(expanded, out_channels, act="none")
        self._residual = stride == 1 and in_channels == out_channels

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×in×H×W to N×out×H/stride×W/stride."""
        y = self.depthwise(self.expand(x))
        if self.attention is not None:
            y = self.attention(y)
        y = self.project(y)
        return y + x if self._residual else y


class ChannelGate(nn.Layer):
    """Squeeze and excite (Hu et al. 2018): each channel times a factor from the means of all channels."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = conv2d(channels, squeezed)
        self.excite = conv2d(squeezed, channels)

    def forward(self, x: paddle.Tensor, addend: paddle.Tensor | None = None) -> paddle.Tensor:
        """Map N×C×H×W to the same shape; with an addend the means are those of the sum, and it is added after all."""
        return kernels.gate_channels(x, self.squeeze, self.excite, addend)


class UpBlock(nn.Layer):
    """Resize to a finer feature, add of it the channels that matter in both, refine."""

    def __init__(self, conv: partial[ConvNormAct], in_channels: int, channels: int) -> None:
        super().__init__()
        self.reduce = conv(in_channels, channels, act="none")
        self.attention = ChannelGate(channels, channels)
        self.mix = conv(channels, channels)
        self.refine = conv(channels, channels, 3, groups=channels)

    def forward(self, x: paddle.Tensor, skip: paddle.Tensor) -> paddle.Tensor:
        """Map N×in×h×w and the encoder's N×channels×H×W to N×channels×H×W."""
        x = self.reduce(resize_bilinear(x, spatial_size(skip)))
        x = self.mix(self.attention(skip, x))
        return x + self.refine(x)
