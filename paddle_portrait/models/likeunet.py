"""LikeUNet: U-shaped networks for raw pixels of colour (night) or grey (dark, dark-light) pictures.

Source: toytag/humanMatting (MIT), whose dark-light checkpoints convert. The triples of convolutions are those of
ACNet, Ding et al., ICCV 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.models.blocks import KERAS_BATCH_NORM, NormOptions, batch_norm, conv2d, deconv2d, start_like_keras
from paddle_portrait.models.layers import resize_bilinear, spatial_size
from paddle_portrait.models.output import SegOutput
from paddle_portrait.models.sizes import require_multiple
from paddle_portrait.models.weights import load_weights
from paddle_portrait.registry import MODELS


@dataclass(frozen=True)
class _Variant:
    """Widths of a member of the family; ``decoder`` pairs those of each stage's two convolutions."""

    stem: int | None
    encoder: tuple[int, ...]
    decoder: tuple[tuple[int, int], ...]
    norm: NormOptions | None


_VARIANTS = {
    "full": _Variant(None, (16, 32, 64, 128, 256), ((256, 128), (128, 64), (64, 32), (32, 16), (16, 8)), None),
    "light": _Variant(8, (16, 32, 32, 32, 64), ((64, 64), (32, 32), (32, 32), (32, 32), (16, 16)), KERAS_BATCH_NORM),
}
_HEAD_WIDTH = 8


@MODELS.register()
class LikeUNet(nn.Layer):
    """LikeUNet.

    Its authors' networks: *night* is ``full`` with 3 channels (BGR, whatever their text says), *dark* ``full`` with
    1, *dark-light* ``light`` with 1. Their *night-lite* exists as a heading only; here it is ``light`` with 3
    channels, which is our reading of the name. Their slim U-Net baseline is ``full`` of twice the width.

    Args:
        num_classes: channels of the output; 2 means background and person, 1 is one logit.
        in_channels: channels of the input; 1 is grey.
        variant: ``full`` has one batch norm, at the bottom; ``light`` one after every convolution.
        triples: train every 3×3 convolution as the sum of a 3×3, a 1×3 and a 3×1 one; :meth:`deploy` merges them.
        width: multiple of all channels between input and output.
        pretrained: zoo name or path of weights to start from.
    """

    def __init__(
        self,
        num_classes: int = 2,
        in_channels: int = 3,
        variant: Literal["full", "light"] = "full",
        triples: bool = False,
        width: float = 1.0,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        if variant not in _VARIANTS:
            raise UserError("LikeUNet: " + describe_unknown("variant", str(variant), tuple(_VARIANTS)))
        self.num_classes = num_classes
        chosen = _VARIANTS[variant]
        norm = chosen.norm

        def unit(channels_in: int, channels_out: int) -> Unit:
            conv = ConvTriple(channels_in, channels_out) if triples else conv2d(channels_in, channels_out, 3)
            return Unit(conv, channels_out, norm)

        channels = in_channels
        if chosen.stem is not None:
            stem = round(chosen.stem * width)
            self.stem = Unit(conv2d(channels, stem, 3), stem, None)
            channels = stem
        else:
            self.stem = nn.Identity()
        encoder = [round(value * width) for value in chosen.encoder]
        self.encoder = nn.LayerList()
        for wide in encoder:
            self.encoder.append(unit(channels, wide))
            channels = wide
        self.bottom = batch_norm(channels, KERAS_BATCH_NORM) if norm is None else nn.Identity()
        self.decoder = nn.LayerList()
        for (middle, out), skip in zip(chosen.decoder, [*reversed(encoder[:-1]), 0], strict=True):
            middle, out = round(middle * width), round(out * width)
            spread = Unit(deconv2d(middle, out, 3), out, norm)
            self.decoder.append(nn.Sequential(unit(channels, middle), spread))
            channels = out + skip
        head = round(_HEAD_WIDTH * width)
        self.head = nn.Sequential(Unit(conv2d(channels, head, 3), head, None), conv2d(head, num_classes))
        start_like_keras(self)
        if pretrained is not None:
            load_weights(self, pretrained)

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×in_channels×H×W, raw 0..255, H and W multiples of 32, to logits."""
        require_multiple(x, 32, "LikeUNet")
        input_size = spatial_size(x)
        x = self.stem(x)
        pooled = []
        for unit in self.encoder:  # 1/2 to 1/32
            x = kernels.max_pool2d(unit(x), 2, 2)
            pooled.append(x)
        x = self.bottom(x)
        *stages, last = self.decoder
        for stage, skip in zip(stages, reversed(pooled[:-1]), strict=True):
            x = paddle.concat([skip, resize_bilinear(stage(x), spatial_size(skip))], axis=1)
        return SegOutput(self.head(resize_bilinear(last(x), input_size)))

    def deploy(self) -> None:
        """Merge the triples, in place: the same function with a third of the convolutions. Exact but for rounding."""
        for layer in self.sublayers():
            if isinstance(layer, Unit) and isinstance(layer.conv, ConvTriple):
                layer.conv = layer.conv.merged()


class Unit(nn.Layer):
    """A convolution of any kind, batch norm where there is one, ReLU."""

    def __init__(self, conv: nn.Layer, channels: int, norm: NormOptions | None) -> None:
        super().__init__()
        self.conv = conv
        self.norm = None if norm is None else batch_norm(channels, norm)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×in×H×W to N×channels×H×W."""
        x = self.conv(x)
        return F.relu(x) if self.norm is None else kernels.batch_norm_relu(x, self.norm)


class ConvTriple(nn.Layer):
    """The sum of a 3×3, a 1×3 and a 3×1 convolution (ACNet): one 3×3 convolution whose cross is trained harder."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.square = conv2d(in_channels, out_channels, 3)
        self.row = conv2d(in_channels, out_channels, (1, 3))
        self.column = conv2d(in_channels, out_channels, (3, 1))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×in×H×W to N×out×H×W."""
        return self.square(x) + self.row(x) + self.column(x)

    def merged(self) -> nn.Conv2D:
        """Return the one convolution that does the same."""
        weight = self.square.weight.numpy().astype(np.float64)
        weight[:, :, 1:2, :] += self.row.weight.numpy()
        weight[:, :, :, 1:2] += self.column.weight.numpy()
        bias = sum(part.bias.numpy().astype(np.float64) for part in (self.square, self.row, self.column))
        conv = conv2d(weight.shape[1], weight.shape[0], 3)
        conv.weight.set_value(weight.astype(np.float32))
        conv.bias.set_value(bias.astype(np.float32))
        if not self.training:
            conv.eval()
        return conv
