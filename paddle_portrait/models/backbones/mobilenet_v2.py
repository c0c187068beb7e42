"""MobileNetV2 without its classifier, in the forms of Keras, DeepLab and PortraitNet.

Source: Sandler et al., CVPR 2018; Keras Applications and TensorFlow's DeepLab (Apache-2.0) for widths and padding.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from paddle_portrait.models.backbones.inverted_residual import (
    BlockSpec,
    FeatureKind,
    InvertedResidualEncoder,
    keep_resolution,
    round_channels,
)
from paddle_portrait.models.blocks import ConvNormAct, NormOptions
from paddle_portrait.registry import BACKBONES

# Expansion, channels, blocks, stride of the first of them.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@BACKBONES.register()
class MobileNetV2(InvertedResidualEncoder):
    """MobileNetV2 up to its 320 channels (the 1280 of the classifier serve no mask).

    PortraitNet's form: ``MobileNetV2(expand_first=True, padding="symmetric", act="relu", norm_epsilon=1e-5,
    norm_momentum=0.9)``, with ``width_divisor=1, min_channels=16`` where it is scaled.

    Args:
        in_channels: channels of the image.
        width: multiplier of all widths; expansions follow from the block's own input.
        width_divisor: widths are rounded to multiples of this: Keras 8, DeepLab with a width below one 1.
        min_channels: the least width after scaling.
        output_stride: 32, 16 or 8; below 32, dilation takes the place of the last strides.
        features: ``outputs`` of the stages, or the ``expansions`` which Keras' U-Nets take as skips.
        expand_first: whether the first block has its 1×1 convolution (32 to 32), as PortraitNet's.
        padding: ``same`` (TensorFlow) or ``symmetric`` (PyTorch).
        act: activation of all convolutions but the linear ones.
        norm_epsilon: of the batch norms.
        norm_momentum: share of the statistics that a step keeps; Keras Applications 0.999.
    """

    def __init__(
        self,
        in_channels: int = 3,
        width: float = 1.0,
        width_divisor: int = 8,
        min_channels: int = 8,
        output_stride: int = 32,
        features: FeatureKind = "outputs",
        expand_first: bool = False,
        padding: Literal["same", "symmetric"] = "same",
        act: Literal["relu6", "relu", "hardswish", "prelu"] = "relu6",
        norm_epsilon: float = 1e-3,
        norm_momentum: float = 0.99,
    ) -> None:
        scaled = partial(round_channels, divisor=width_divisor, minimum=min_channels)
        stem = scaled(32 * width)
        blocks, channels = [], stem
        for expansion, stage_channels, count, stride in _STAGES:
            for index in range(count):
                wide = None if expansion == 1 and not expand_first else channels * expansion
                channels = scaled(stage_channels * width)
                blocks.append(BlockSpec(wide, channels, stride if index == 0 else 1))
        unit = partial(ConvNormAct, padding=padding, norm=NormOptions(norm_epsilon, norm_momentum), act=act)
        super().__init__(in_channels, stem, keep_resolution(blocks, output_stride), unit, features)
