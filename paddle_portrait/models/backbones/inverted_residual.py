"""What the MobileNets share: a stem, inverted residual blocks, and where features are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import paddle
from paddle import nn

from paddle_portrait.errors import UserError

# A block of convolution, norm and activation whose customs (padding, norm, bias, activation) are settled.
Unit: TypeAlias = "Callable[..., nn.Layer]"
FeatureKind: TypeAlias = Literal["outputs", "expansions"]
OUTPUT_STRIDES = (8, 16, 32)


class BlockSpec(NamedTuple):
    """Widths of an inverted residual block.

    Attributes:
        expanded: channels of the depthwise convolution; None: those that come in, without a 1×1 convolution before.
        out: channels out.
        stride: of the depthwise convolution.
        dilation: of the depthwise convolution.
    """

    expanded: int | None
    out: int
    stride: int = 1
    dilation: int = 1


def round_channels(channels: float, divisor: int = 8, minimum: int = 8) -> int:
    """Return the multiple of ``divisor`` nearest to a scaled width, never more than a tenth below it."""
    rounded = max(minimum, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


def keep_resolution(blocks: Sequence[BlockSpec], output_stride: int) -> list[BlockSpec]:
    """Return the blocks, which follow a stem of stride 2, with dilation in place of every stride beyond the limit.

    The block that loses its stride still has the dilation from before; those after it have its share more.

    Raises:
        UserError: no such output stride.
    """
    if output_stride not in OUTPUT_STRIDES:
        raise UserError(
            f"output_stride {output_stride} is not offered; allowed: {', '.join(map(str, OUTPUT_STRIDES))}."
        )
    stride, dilation, kept = 2, 1, []
    for block in blocks:
        if stride * block.stride <= output_stride:
            stride *= block.stride
            kept.append(block._replace(dilation=dilation))
        else:
            kept.append(block._replace(stride=1, dilation=dilation))
            dilation *= block.stride
    return kept


class InvertedResidual(nn.Layer):
    """1×1 to more channels, depthwise 3×3, linear 1×1 to fewer; plus the input where shapes allow.

    Source: MobileNetV2 (Sandler et al. 2018). ``finish`` is for encoders that hand out the wide activation.
    """

    def __init__(self, in_channels: int, spec: BlockSpec, unit: Unit) -> None:
        super().__init__()
        wide = spec.expanded or in_channels
        self.expand = nn.Identity() if spec.expanded is None else unit(in_channels, wide)
        self.depthwise = unit(wide, wide, 3, spec.stride, dilation=spec.dilation, groups=wide)
        self.project = unit(wide, spec.out, act="none")
        self._is_residual = spec.stride == 1 and in_channels == spec.out

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×in×H×W to N×out×H/stride×W/stride."""
        return self.finish(x, self.expand(x))

    def finish(self, x: paddle.Tensor, expanded: paddle.Tensor) -> paddle.Tensor:
        """Return the block's output from its input and its own ``expand`` of it."""
        y = self.project(self.depthwise(expanded))
        return x + y if self._is_residual else y


class InvertedResidualEncoder(nn.Layer):
    """Stem 3×3 of stride 2, blocks, perhaps a last 1×1 convolution.

    Args:
        in_channels: channels of the image.
        stem: channels of the stem.
        blocks: the blocks in their order.
        unit: makes every convolution with its norm and activation.
        features: ``outputs``: what enters each block that halves the size; ``expansions``: its wide activation,
            which Keras' U-Nets take as skips. The last feature is the encoder's output in both.
        last: channels of the last 1×1 convolution, or None for none.
        last_act: its activation.

    Attributes:
        feature_channels: channels of the features, fine to coarse.
    """

    def __init__(
        self,
        in_channels: int,
        stem: int,
        blocks: Sequence[BlockSpec],
        unit: Unit,
        features: FeatureKind = "outputs",
        last: int | None = None,
        last_act: str = "relu",
    ) -> None:
        super().__init__()
        self.takes_expansions = features == "expansions"
        self.feature_channels: list[int] = []
        self.stem = unit(in_channels, stem, 3, 2)
        self.blocks = nn.LayerList()
        self._is_tap = [block.stride > 1 for block in blocks]
        channels = stem
        for block in blocks:
            if block.stride > 1:
                wide = block.expanded or channels
                self.feature_channels.append(wide if self.takes_expansions else channels)
            self.blocks.append(InvertedResidual(channels, block, unit))
            channels = block.out
        self.last = nn.Identity() if last is None else unit(channels, last, act=last_act)
        self.feature_channels.append(last or channels)

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        """Map float N×in_channels×H×W to features at 1/2, 1/4, … of the size."""
        features = []
        x = self.stem(x)
        for block, is_tap in zip(self.blocks, self._is_tap, strict=True):
            expanded = block.expand(x)
            if is_tap:
                features.append(expanded if self.takes_expansions else x)
            x = block.finish(x, expanded)
        return [*features, self.last(x)]
