"""The blocks that the networks of several families are made of: convolution, norm, activation.

Two customs of padding live side by side. ``"symmetric"`` is PyTorch's and Paddle's: k // 2 on every side.
``"same"`` is TensorFlow's: with stride 2 on an even size only the bottom and the right are padded, and weights
trained there answer wrongly under the other custom.
"""

from __future__ import annotations

from dataclasses import dataclass

import paddle
from paddle import nn

from paddle_portrait import kernels
from paddle_portrait.errors import UserError, describe_unknown

PADDINGS = ("symmetric", "same")


@dataclass(frozen=True)
class NormOptions:
    """Options of a batch norm.

    Attributes:
        epsilon: added to the variance.
        momentum: share of the running statistics that a step keeps (Paddle's and Keras' convention; PyTorch's
            ``momentum`` is one minus this).
    """

    epsilon: float = 1e-5
    momentum: float = 0.9


BATCH_NORM = NormOptions()
KERAS_BATCH_NORM = NormOptions(epsilon=1e-3, momentum=0.99)
KERAS_APPLICATIONS_BATCH_NORM = NormOptions(epsilon=1e-3, momentum=0.999)

_ACTIVATIONS = {
    "relu": lambda channels: nn.ReLU(),
    "relu6": lambda channels: nn.ReLU6(),
    "prelu": lambda channels: nn.PReLU(channels),
    "hardswish": lambda channels: nn.Hardswish(),
    "swish": lambda channels: nn.Swish(),
    "none": lambda channels: nn.Identity(),
}
ACTIVATIONS = tuple(_ACTIVATIONS)
_FUSED = {"relu": "relu", "relu6": "relu6", "hardswish": "hard_swish"}  # with a batch norm, by our kernels


def activation(name: str, channels: int) -> nn.Layer:
    """Return an activation by name; ``prelu`` has one slope a channel.

    Raises:
        UserError: no such activation.
    """
    if name not in _ACTIVATIONS:
        raise UserError(describe_unknown("activation", name, ACTIVATIONS))
    return _ACTIVATIONS[name](channels)


def batch_norm(channels: int, options: NormOptions = BATCH_NORM) -> nn.BatchNorm2D:
    """Return a batch norm over ``channels``."""
    return nn.BatchNorm2D(channels, momentum=options.momentum, epsilon=options.epsilon)


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel_size: int | tuple[int, int] = 1,
    stride: int = 1,
    *,
    dilation: int = 1,
    groups: int = 1,
    padding: str = "symmetric",
    bias: bool = True,
) -> nn.Conv2D:
    """Return a convolution that keeps the size (over ``stride``), padded by either custom, Kaiming-initialised.

    With stride 1 the two customs are the same and the padding is a number: for a dilated convolution Paddle's own
    ``"SAME"`` would silently ignore the dilation.
    """
    if padding not in PADDINGS:
        raise UserError(describe_unknown("padding", padding, PADDINGS))
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    around: str | list[int] = [dilation * (height - 1) // 2, dilation * (width - 1) // 2]
    if padding == "same" and stride > 1:
        around = "SAME"
    return nn.Conv2D(
        in_channels,
        out_channels,
        (height, width),
        stride=stride,
        padding=around,
        dilation=dilation,
        groups=groups,
        weight_attr=nn.initializer.KaimingNormal(),
        bias_attr=None if bias else False,
    )


def deconv2d(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, *, bias: bool = True
) -> nn.Conv2DTranspose:
    """Return a transposed convolution that multiplies the size by ``stride``, Kaiming-initialised.

    What is cut off is shared out as TensorFlow's ``SAME`` does: with window 3 and stride 2 only the last row and
    column. For windows 2 and 4 with stride 2 it is PyTorch's custom as well.
    """
    cut = max(kernel_size - stride, 0)
    before, after = cut // 2, cut - cut // 2
    return nn.Conv2DTranspose(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=[before, after, before, after],
        weight_attr=nn.initializer.KaimingNormal(),
        bias_attr=None if bias else False,
    )


def start_like_keras(network: nn.Layer) -> None:
    """Draw the weights of all convolutions anew, in place, Glorot-uniformly as Keras does by default.

    Residual networks without norms need these smaller values: Kaiming's let their activations grow block by block.
    """
    for layer in network.sublayers():
        if isinstance(layer, (nn.Conv2D, nn.Conv2DTranspose)):
            outer, inner, height, width = layer.weight.shape
            limit = (6 / ((outer + inner) * height * width)) ** 0.5
            nn.initializer.Uniform(-limit, limit)(layer.weight)


class ConvNormAct(nn.Layer):
    """Convolution, batch norm (unless ``norm`` is None), activation.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel_size: side of the window.
        stride: of the window.
        dilation: of the window.
        groups: of the convolution; ``in_channels`` of them make it depthwise.
        padding: ``symmetric`` or ``same``.
        bias: whether the convolution has one; default: where no norm follows.
        norm: options of the batch norm, or None for none.
        act: one of :data:`ACTIVATIONS`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] = 1,
        stride: int = 1,
        *,
        dilation: int = 1,
        groups: int = 1,
        padding: str = "symmetric",
        bias: bool | None = None,
        norm: NormOptions | None = BATCH_NORM,
        act: str = "relu",
    ) -> None:
        super().__init__()
        bias = norm is None if bias is None else bias
        self.conv = conv2d(
            in_channels, out_channels, kernel_size, stride, dilation=dilation, groups=groups, padding=padding, bias=bias
        )
        self.norm = None if norm is None else batch_norm(out_channels, norm)
        self.act = activation(act, out_channels)
        self._fused_act = _FUSED.get(act)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×in×H×W to N×out×H/stride×W/stride."""
        x = self.conv(x)
        if self.norm is None:
            return self.act(x)
        if self._fused_act is not None:
            return kernels.batch_norm(x, self.norm, self._fused_act)
        return self.act(self.norm(x))


class NormAct(nn.Layer):
    """Batch norm and activation: what follows a concat or a sum."""

    def __init__(self, channels: int, norm: NormOptions = BATCH_NORM, act: str = "relu") -> None:
        super().__init__()
        self.norm = batch_norm(channels, norm)
        self.act = activation(act, channels)
        self._fused_act = _FUSED.get(act)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×C×H×W to the same shape."""
        if self._fused_act is not None:
            return kernels.batch_norm(x, self.norm, self._fused_act)
        return self.act(self.norm(x))


class TransitionBlock(nn.Layer):
    """Two separable convolutions beside a shortcut, then ReLU.

    Source: the D-block of PortraitNet (Zhang et al. 2019). The shortcut is a 1×1 convolution with norm, or nothing
    where the width stays.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        bias: whether convolutions have a bias although a norm follows.
        norm: options of the batch norms.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, bias: bool = False, norm: NormOptions = BATCH_NORM
    ) -> None:
        super().__init__()
        keeps_width = in_channels == out_channels
        self.shortcut = (
            nn.Identity() if keeps_width else ConvNormAct(in_channels, out_channels, bias=bias, norm=norm, act="none")
        )
        self.branch = nn.Sequential(
            ConvNormAct(in_channels, in_channels, 3, groups=in_channels, bias=bias, norm=norm),
            ConvNormAct(in_channels, out_channels, bias=bias, norm=norm),
            ConvNormAct(out_channels, out_channels, 3, groups=out_channels, bias=bias, norm=norm),
            ConvNormAct(out_channels, out_channels, bias=bias, norm=norm, act="none"),
        )
        self.act = nn.ReLU()

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×in×H×W to N×out×H×W."""
        shortcut = self.shortcut(x)
        return self.act(self.branch(x) + shortcut)


class SeparableConv(nn.Layer):
    """Depthwise k×k without bias, then 1×1 with bias, nothing between: Keras' ``SeparableConv2D``."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = conv2d(
            in_channels, in_channels, kernel_size, stride, groups=in_channels, padding="same", bias=False
        )
        self.pointwise = conv2d(in_channels, out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map float N×in×H×W to N×out×H/stride×W/stride."""
        return self.pointwise(self.depthwise(x))
