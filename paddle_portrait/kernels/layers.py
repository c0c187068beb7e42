"""Stock layers through the kernels: eligible calls take them, every other call takes the stock path.

A call is eligible in dynamic mode, in training, on the CPU, in float32. So state dicts, exports, evaluation and GPU
runs neither see nor need the kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import nn

from paddle_portrait.kernels import operators
from paddle_portrait.kernels.memory import keep_freed_memory
from paddle_portrait.kernels.switch import kernel_mode, kernels_ready

_Call = Callable[[paddle.Tensor], paddle.Tensor]
_Convolution = Callable[[paddle.Tensor, paddle.Tensor], "paddle.Tensor | None"]


def accelerate(model: nn.Layer) -> nn.Layer:
    """Let the model's convolutions and batch norms use the kernels while it trains; return the same model.

    Parameters, state dict and structure stay as they are. Idempotent; :func:`restore` undoes it. From here on the
    process also keeps the memory it frees, unless the mode is ``off``.
    """
    if kernel_mode() != "off" and paddle.get_device() == "cpu":
        keep_freed_memory()
    for layer in model.sublayers(include_self=True):
        forward = _kernel_forward(layer)
        if forward is not None:
            layer.forward = forward  # shadows the class's method on this object alone
    return model


def restore(model: nn.Layer) -> nn.Layer:
    """Undo :func:`accelerate`; return the same model."""
    for layer in model.sublayers(include_self=True):
        if _is_ours(layer.__dict__.get("forward")):
            del layer.forward
    return model


def batch_norm(x: paddle.Tensor, layer: nn.BatchNorm2D) -> paddle.Tensor:
    """Return ``layer(x)``, by the kernel where that applies: same values, same move of the running statistics."""
    return _normalise(x, layer, relu=False)


def batch_norm_relu(x: paddle.Tensor, layer: nn.BatchNorm2D) -> paddle.Tensor:
    """Return ``F.relu(layer(x))``, in one kernel where that applies."""
    return _normalise(x, layer, relu=True)


def _kernel_forward(layer: nn.Layer) -> _Call | None:
    """Return the forward that takes the kernels for this layer, or None where there is none for its kind."""
    if type(layer) is nn.Conv2D:
        convolve = _convolution(layer)
        return None if convolve is None else partial(_forward_convolution, layer, convolve)
    if isinstance(layer, nn.BatchNorm2D):
        return partial(_forward_batch_norm, layer)
    return None


def _is_ours(forward: Any) -> bool:
    return isinstance(forward, partial) and forward.func in (_forward_convolution, _forward_batch_norm)


def _forward_batch_norm(layer: nn.BatchNorm2D, x: paddle.Tensor) -> paddle.Tensor:
    return batch_norm(x, layer)


def _normalise(x: paddle.Tensor, layer: nn.BatchNorm2D, relu: bool) -> paddle.Tensor:
    if not (layer.training and operators.takes_input(x) and _is_plain_batch_norm(layer) and kernels_ready()):
        y = type(layer).forward(layer, x)
        return F.relu(y) if relu else y
    return operators.batch_norm(
        x, layer.weight, layer.bias, layer._mean, layer._variance, layer._momentum, layer._epsilon, relu
    )


def _is_plain_batch_norm(layer: nn.BatchNorm2D) -> bool:
    return (
        type(layer) is nn.BatchNorm2D
        and layer.weight is not None
        and layer.bias is not None
        and layer._data_format == "NCHW"
        and not layer._use_global_stats
    )


def _forward_convolution(layer: nn.Conv2D, convolve: _Convolution, x: paddle.Tensor) -> paddle.Tensor:
    if not (layer.training and operators.takes_input(x) and kernels_ready()):
        return type(layer).forward(layer, x)
    y = convolve(x, layer.weight)
    if y is None:
        return type(layer).forward(layer, x)
    return y if layer.bias is None else y + layer.bias.reshape([1, -1, 1, 1])


def _convolution(layer: nn.Conv2D) -> _Convolution | None:
    """Return the operator for this convolution's geometry, or None. It answers None to tensors it cannot take."""
    pads = _explicit_pads(layer)
    stride, dilation = layer._stride[0], layer._dilation[0]
    square = len({*layer._stride}) == 1 and len({*layer._dilation}) == 1
    if pads is None or layer._data_format != "NCHW" or not square:
        return None
    size = tuple(layer._kernel_size)
    window = {"stride": stride, "dilation": dilation, "pads": pads}
    if 1 < layer._groups == layer._in_channels == layer._out_channels:
        known = size[0] == size[1] and size[0] in operators.DEPTHWISE_SIZES and stride in (1, 2)
        return partial(operators.depthwise, **window) if known and max(pads) <= dilation * (size[0] - 1) else None
    if layer._groups != 1:
        return None
    if size == (1, 1) and stride == 1 and not any(pads):
        return operators.pointwise
    return partial(_stem, **window) if layer._in_channels <= operators.STEM_CHANNELS else None


def _stem(x: paddle.Tensor, weight: paddle.Tensor, **window: Any) -> paddle.Tensor | None:
    """Convolve the network's own input: nothing else may go without a gradient."""
    return operators.stem(x, weight, **window) if x.stop_gradient else None


def _explicit_pads(layer: nn.Conv2D) -> tuple[int, int, int, int] | None:
    """Return top, bottom, left, right; None for padding by name or by anything but zeros."""
    if layer._padding_mode != "zeros" or layer._padding_algorithm != "EXPLICIT":
        return None
    pads = layer._updated_padding
    values = [pads] * 4 if isinstance(pads, int) else list(pads)
    if len(values) == 2:
        values = [values[0], values[0], values[1], values[1]]
    return tuple(values) if len(values) == 4 and all(isinstance(v, int) for v in values) else None
