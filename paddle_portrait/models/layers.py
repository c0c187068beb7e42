"""Blocks that several networks share, written so that every export target takes them.

No block makes a tensor of more than four dimensions, pads explicitly, or resizes by a scale factor:
each of these is computed wrongly, slowly or not at all by some runtime.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait import kernels

Size: TypeAlias = "tuple[int, int] | paddle.Tensor"


def spatial_size(x: paddle.Tensor) -> Size:
    """Return (height, width) of N×C×H×W: integers where they are known, a shape tensor in a dynamic export."""
    height, width = x.shape[2], x.shape[3]
    if height > 0 and width > 0:
        return height, width
    return paddle.shape(x)[2:]


def doubled_size(x: paddle.Tensor) -> Size:
    """Return twice the (height, width) of N×C×H×W, known or not."""
    size = spatial_size(x)
    return (2 * size[0], 2 * size[1]) if isinstance(size, tuple) else size * 2


def resize_bilinear(x: paddle.Tensor, size: Size, align_corners: bool = False, legacy: bool = False) -> paddle.Tensor:
    """Resize float N×C×h×w to ``size`` (height, width).

    ``legacy`` is TensorFlow 1's sampling, which old weights need: pixels are points at their top left corners, so the
    result is shifted by half a pixel.

    Where gradients flow on a CPU it is a kernel of ours or, without one, two matrix products: the same sums,
    several times quicker than the stock kernel and its gradient. Everywhere else, exports included, it is
    ``F.interpolate``.
    """
    if isinstance(size, tuple) and tuple(x.shape[2:]) == size:
        return x
    if isinstance(size, tuple) and not legacy and kernels.applies_to(x):
        return kernels.resize_bilinear(x, size, align_corners)
    if isinstance(size, tuple) and paddle.in_dynamic_mode() and not x.stop_gradient and x.place.is_cpu_place():
        rows = _interpolation_matrix(x.shape[2], size[0], align_corners, legacy)
        columns = _interpolation_matrix(x.shape[3], size[1], align_corners, legacy)
        return paddle.matmul(paddle.matmul(paddle.to_tensor(rows), x), paddle.to_tensor(columns), transpose_y=True)
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners, align_mode=int(legacy))


@lru_cache(maxsize=64)
def _interpolation_matrix(source: int, target: int, align_corners: bool, legacy: bool) -> np.ndarray:
    """Return the float32 target×source matrix whose product with a signal is its linear resize."""
    if align_corners:
        position = np.arange(target) * ((source - 1) / max(target - 1, 1))
    elif legacy:
        position = np.arange(target) * (source / target)
    else:
        ratio = source / target if target > 1 else 0.0  # Paddle reads the first pixel for a target of one
        position = np.maximum((np.arange(target) + 0.5) * ratio - 0.5, 0.0)
    lower = np.minimum(position.astype(np.int64), source - 1)
    upper = np.minimum(lower + 1, source - 1)
    fraction = position - lower
    matrix = np.zeros((target, source))
    np.add.at(matrix, (np.arange(target), lower), 1.0 - fraction)
    np.add.at(matrix, (np.arange(target), upper), fraction)
    return matrix.astype(np.float32)


def shuffle_two_groups(first: paddle.Tensor, second: paddle.Tensor) -> paddle.Tensor:
    """Interleave the channels of two N×C×H×W tensors into N×2C×H×W: a two-group channel shuffle of their concat.

    Source: ShuffleNet (Zhang et al. 2018). Stacking three-dimensional views needs no five-dimensional tensor.
    """
    if kernels.applies_to(first, second):
        return kernels.interleave_channels(first, second)
    channels, size = first.shape[1], spatial_size(first)
    stacked = paddle.stack(
        [paddle.reshape(first, [0, channels, -1]), paddle.reshape(second, [0, channels, -1])], axis=2
    )
    return paddle.reshape(stacked, [0, 2 * channels, size[0], -1])


class ConvBN(nn.Layer):
    """Convolution without bias, batch norm, and ReLU unless ``relu`` is False.

    State-dict names (``_conv``, ``_batch_norm``) are PaddleSeg's.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self._conv = nn.Conv2D(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            groups=groups,
            weight_attr=nn.initializer.KaimingNormal(),
            bias_attr=False,
        )
        self._batch_norm = nn.BatchNorm2D(out_channels)
        self._relu = relu

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×in×H×W to N×out×H'×W'."""
        x = self._conv(x)
        return kernels.batch_norm_relu(x, self._batch_norm) if self._relu else self._batch_norm(x)


class SeparableConvBN(nn.Layer):
    """Depthwise k×k convolution with batch norm, then 1×1 convolution with batch norm and ReLU.

    ``piontwise_conv`` is misspelt in PaddleSeg's checkpoints, and so here.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.depthwise_conv = ConvBN(
            in_channels, in_channels, kernel_size, stride, kernel_size // 2, groups=in_channels, relu=False
        )
        self.piontwise_conv = ConvBN(in_channels, out_channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×in×H×W to N×out×H/stride×W/stride."""
        first, second = self.depthwise_conv, self.piontwise_conv
        x = kernels.separable_convolution(x, first._conv, first._batch_norm, second._conv)
        return kernels.batch_norm_relu(x, second._batch_norm)
