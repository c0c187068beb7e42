"""MobileNetV3-Small in the minimalistic form: ReLU alone, 3×3 windows alone, no squeeze-and-excitation.

Source: Howard et al., ICCV 2019; Keras Applications (Apache-2.0) for the minimalistic form. What this leaves out is
what phones' accelerators and int8 do badly.
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

# Channels of the depthwise convolution at width 1, channels out, stride.
_BLOCKS = (
    (None, 16, 2),
    (72, 24, 2),
    (88, 24, 1),
    (96, 40, 2),
    (240, 40, 1),
    (240, 40, 1),
    (120, 48, 1),
    (144, 48, 1),
    (288, 96, 2),
    (576, 96, 1),
    (576, 96, 1),
)
_STEM, _LAST = 16, 576


@BACKBONES.register()
class MobileNetV3SmallMinimalistic(InvertedResidualEncoder):
    """MobileNetV3-Small, minimalistic, up to its 576 channels.

    Args:
        in_channels: channels of the image.
        width: multiplier of the widths between blocks.
        fixed_expansions: whether expansions and the last convolution keep their widths at every ``width``, and
            widths are cut to whole numbers instead of rounded to eights (the Mobile-UNet of 224×224); Keras' scale.
        output_stride: 32, 16 or 8; below 32, dilation takes the place of the last strides.
        features: ``outputs`` of the stages, or the ``expansions`` which U-Nets take as skips.
        last_act: activation of the last convolution; the transition decoder was trained with ``none``.
        conv_bias: whether convolutions have a bias although a norm follows.
        norm_epsilon: of the batch norms.
        norm_momentum: share of the statistics that a step keeps; Keras Applications 0.999, Keras 0.99.
    """

    def __init__(
        self,
        in_channels: int = 3,
        width: float = 1.0,
        fixed_expansions: bool = False,
        output_stride: int = 32,
        features: FeatureKind = "outputs",
        last_act: Literal["relu", "none"] = "relu",
        conv_bias: bool = False,
        norm_epsilon: float = 1e-3,
        norm_momentum: float = 0.99,
    ) -> None:
        def scaled(channels: int) -> int:
            return int(channels * width) if fixed_expansions else round_channels(channels * width)

        blocks, channels, channels_at_full_width = [], _STEM, _STEM
        for expanded, out, stride in _BLOCKS:
            if expanded is not None and not fixed_expansions:
                expanded = round_channels(channels * (expanded / channels_at_full_width))
            blocks.append(BlockSpec(expanded, scaled(out), stride))
            channels, channels_at_full_width = scaled(out), out
        last = _LAST if fixed_expansions else round_channels(channels * 6)
        unit = partial(ConvNormAct, padding="same", norm=NormOptions(norm_epsilon, norm_momentum), bias=conv_bias)
        super().__init__(in_channels, _STEM, keep_resolution(blocks, output_stride), unit, features, last, last_act)
