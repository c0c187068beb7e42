"""The windows of stock convolution layers, in the terms of the operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from paddle import nn

from paddle_portrait.kernels.operators import DEPTHWISE_SIZES, Window

Convolution: TypeAlias = "nn.Conv2D | nn.Conv2DTranspose"


def convolution_kind(layer: Convolution) -> str | None:
    """Return ``pointwise``, ``depthwise`` or ``dense``; None for what stays with the stock path."""
    size, strides, dilations = layer._kernel_size, layer._stride, layer._dilation
    square = strides[0] == strides[1] and dilations[0] == dilations[1]
    if not square or layer._data_format != "NCHW" or layer._padding_mode != "zeros":
        return None
    if layer._padding_algorithm == "SAME" and dilations[0] != 1:
        return None  # Paddle then ignores the dilation, and says so nowhere: not worth imitating
    if layer._padding_algorithm == "EXPLICIT" and _explicit_pads(layer._updated_padding) is None:
        return None
    if 1 < layer._groups == layer._in_channels:
        whole = layer._in_channels == layer._out_channels and size[0] == size[1]
        return "depthwise" if whole and size[0] in DEPTHWISE_SIZES and strides[0] in (1, 2) else None
    plain = isinstance(layer, nn.Conv2D) and layer._groups == 1 and strides[0] == 1
    if plain and tuple(size) == (1, 1) and not any(_pads(layer, [1, 1, 1, 1])):
        return "pointwise"
    return "dense"


def window_of(layer: Convolution, input_shape: Sequence[int]) -> Window:
    """Return the window of a layer that has a :func:`convolution_kind`, for an input of this N×C×H×W shape."""
    return Window(layer._stride[0], layer._dilation[0], layer._groups, _pads(layer, input_shape))


def depthwise_fits(layer: Convolution, window: Window) -> bool:
    """Return whether no output lies wholly in the padding, which the depthwise operator counts on."""
    return max(window.pads) <= window.dilation * (layer._kernel_size[0] - 1)


def transposed_size(layer: nn.Conv2DTranspose, input_shape: Sequence[int], window: Window) -> tuple[int, int]:
    """Return the height and width that a transposed convolution gives for an input of this shape."""
    extra = layer.output_padding
    extra = (extra, extra) if isinstance(extra, int) else tuple(extra)
    top, bottom, left, right = window.pads
    lengths = []
    for axis, pads in enumerate((top + bottom, left + right)):
        reach = layer._dilation[axis] * (layer._kernel_size[axis] - 1)
        lengths.append((input_shape[2 + axis] - 1) * layer._stride[axis] - pads + reach + 1 + extra[axis])
    return lengths[0], lengths[1]


def _pads(layer: Convolution, input_shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Return top, bottom, left, right."""
    if layer._padding_algorithm == "EXPLICIT":
        pads = _explicit_pads(layer._updated_padding)
        if pads is None:
            raise ValueError(f"not a padding: {layer._updated_padding}")
        return pads
    if layer._padding_algorithm == "VALID":
        return 0, 0, 0, 0
    before_after = []
    for axis in range(2):
        length, stride = input_shape[2 + axis], layer._stride[axis]
        total = max((-(-length // stride) - 1) * stride + layer._kernel_size[axis] - length, 0)
        before_after += [total // 2, total - total // 2]
    return before_after[0], before_after[1], before_after[2], before_after[3]


def _explicit_pads(padding: int | Sequence[int]) -> tuple[int, int, int, int] | None:
    values = [padding] * 2 if isinstance(padding, int) else list(padding)
    if len(values) == 2:
        values = [values[0], values[0], values[1], values[1]]
    if len(values) != 4 or not all(isinstance(value, int) for value in values):
        return None
    return values[0], values[1], values[2], values[3]
