"""FCN-8s on VGG16: the baseline of fully convolutional segmentation, 134 M parameters.

Source: Long, Shelhamer and Darrell, CVPR 2015, and the network ``voc-fcn8s`` of its authors; the first convolution
pads by 1 in place of 100, so that nothing needs cropping.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import paddle
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.models.blocks import ConvNormAct, conv2d
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and 3x3 convolutions of VGG16
_FULLY_CONNECTED = 4096
# The authors train all three scores at one rate; these factors keep the finer ones quiet at first.
_POOL4_SCALE, _POOL3_SCALE = 1e-2, 1e-4


@MODELS.register()
class FCN8s(nn.Layer):
    """FCN-8s. All upsampling starts bilinear and is learned.

    Args:
        num_classes: channels of the output; 2 means background and person, 1 is one logit.
        in_channels: channels of the input.
        width: multiple of all channels between input and scores.
        pretrained: zoo name or path of weights to start from.
    """

    def __init__(
        self, num_classes: int = 2, in_channels: int = 3, width: float = 1.0, pretrained: str | None = None
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.stages = nn.LayerList()
        channels, pooled = in_channels, []
        for base, convolutions in _STAGES:
            wide = round(base * width)
            widths = [channels, *[wide] * convolutions]
            self.stages.append(nn.Sequential(*(_conv_relu(*pair, 3) for pair in pairwise(widths))))
            channels = wide
            pooled.append(wide)
        connected = round(_FULLY_CONNECTED * width)
        self.classifier = nn.Sequential(
            _conv_relu(channels, connected, 7),
            nn.Dropout2D(0.5),
            _conv_relu(connected, connected, 1),
            nn.Dropout2D(0.5),
        )
        self.score = conv2d(connected, num_classes)
        self.score_pool4 = conv2d(pooled[3], num_classes)
        self.score_pool3 = conv2d(pooled[2], num_classes)
        self.up_score = bilinear_deconv(num_classes, 2)
        self.up_pool4 = bilinear_deconv(num_classes, 2)
        self.up_pool3 = bilinear_deconv(num_classes, 8)
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W, H and W multiples of 32, to logits."""
        require_multiple(x, 32, "FCN8s")
        pooled = []
        for stage in self.stages:  # 1/2 to 1/32
            x = kernels.max_pool2d(stage(x), 2, 2)
            pooled.append(x)
        x = self.score(self.classifier(x))
        x = self.up_score(x) + self.score_pool4(pooled[3]) * _POOL4_SCALE
        x = self.up_pool4(x) + self.score_pool3(pooled[2]) * _POOL3_SCALE
        return SegOutput(self.up_pool3(x))


def bilinear_deconv(channels: int, stride: int) -> nn.Conv2DTranspose:
    """Return a transposed convolution that enlarges each channel ``stride`` times, bilinearly at first."""
    size = 2 * stride
    ramp = 1 - np.abs(np.arange(size) - (size - 1) / 2) / stride
    kernel = np.zeros((channels, channels, size, size), np.float32)
    kernel[range(channels), range(channels)] = np.outer(ramp, ramp)
    return nn.Conv2DTranspose(
        channels,
        channels,
        size,
        stride=stride,
        padding=stride // 2,
        weight_attr=nn.initializer.Assign(kernel),
        bias_attr=False,
    )


def _conv_relu(in_channels: int, out_channels: int, kernel_size: int) -> ConvNormAct:
    return ConvNormAct(in_channels, out_channels, kernel_size, norm=None)
