"""HumanSeg-Lite of 2020, the predecessor of PP-HumanSeg-Lite: the same trunk under a transposed convolution.

Source: the human segmentation demo of Paddle.js (Apache-2.0), whose released model converts.
"""

from __future__ import annotations

from paddle import nn

from paddle_portrait.models.blocks import deconv2d
from paddle_portrait.models.pp_humanseg_lite import PPHumanSegLite
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS


@MODELS.register()
class HumanSegLite2020(PPHumanSegLite):
    """HumanSeg-Lite of 2020. Its trunk carries the names of :class:`PPHumanSegLite`, so that weights go over.

    Unlike its successor's, its logits take both signs. The released weights want BGR values 0..255 minus the mean.

    Args:
        num_classes: channels of the output; 2 means background and person.
        in_channels: channels of the input.
        pretrained: zoo name or path of weights to start from.
    """

    def __init__(self, num_classes: int = 2, in_channels: int = 3, pretrained: str | None = None) -> None:
        super().__init__(num_classes, in_channels, align_corners=True)
        self.depthwise_separable2: nn.Layer = deconv2d(64, num_classes, 2, 2)
        if pretrained is not None:
            load_weights(self, pretrained)
