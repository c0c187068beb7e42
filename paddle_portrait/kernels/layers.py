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
from paddle_portrait.kernels.functional import applies_to, max_pool2d
from paddle_portrait.kernels.memory import keep_freed_memory
from paddle_portrait.kernels.operators import Window
from paddle_portrait.kernels.switch import kernel_mode, kernels_ready
from paddle_portrait.kernels.windows import convolution_kind, depthwise_fits, transposed_size, window_of


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


def batch_norm(x: paddle.Tensor, layer: nn.BatchNorm2D, activation: str | None = None) -> paddle.Tensor:
    """Return ``layer(x)``, then the activation, in one kernel where that applies.

    Same values as stock, same move of the running statistics.

    Args:
        x: float N×C×H×W.
        layer: whose weights, statistics, momentum and mode count.
        activation: None, ``relu``, ``relu6`` or ``hard_swish``.
    """
    if _has_hooks(layer) or not _normalises_by_kernel(layer, x):
        y = layer(x)
        return y if activation is None else _STOCK_ACTIVATIONS[activation](y)
    return _normalise(x, layer, activation)


_STOCK_ACTIVATIONS: dict[str, Callable[[paddle.Tensor], paddle.Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "hard_swish": F.hardswish,
}


def batch_norm_relu(x: paddle.Tensor, layer: nn.BatchNorm2D) -> paddle.Tensor:
    """Return ``F.relu(layer(x))``, in one kernel where that applies."""
    return batch_norm(x, layer, "relu")


def separable_convolution(
    x: paddle.Tensor, depthwise: nn.Conv2D, norm: nn.BatchNorm2D, pointwise: nn.Conv2D
) -> paddle.Tensor:
    """Return ``pointwise(norm(depthwise(x)))``, in one kernel where that applies.

    One pass over memory less in each direction: the normalised tensor is never written.
    """
    if any(_has_hooks(layer) for layer in (depthwise, norm, pointwise)) or not _normalises_by_kernel(norm, x):
        return pointwise(batch_norm(depthwise(x), norm))
    window = window_of(depthwise, x.shape)
    plain = depthwise.bias is None and pointwise.bias is None and convolution_kind(pointwise) == "pointwise"
    if not plain or convolution_kind(depthwise) != "depthwise" or not depthwise_fits(depthwise, window):
        return pointwise(batch_norm(depthwise(x), norm))
    statistics = (norm._mean, norm._variance)
    weights = (depthwise.weight, norm.weight, norm.bias, pointwise.weight)
    return operators.separable(x, *weights, *statistics, window, norm._momentum, norm._epsilon)


def gate_channels(
    x: paddle.Tensor, squeeze: nn.Conv2D, excite: nn.Conv2D, addend: paddle.Tensor | None = None
) -> paddle.Tensor:
    """Squeeze and excite: return ``x`` times a factor for each channel, plus ``addend``, in one kernel where possible.

    Args:
        x: float N×C×H×W.
        squeeze: 1×1 convolution from C to S channels, of the means over H×W of ``x`` plus ``addend``.
        excite: 1×1 convolution back from S to C, of the ReLU of that; its sigmoid is the factor.
        addend: None, or of the shape of ``x``; one that is broadcast to it takes the stock path.
    """
    inputs = (x,) if addend is None else (x, addend)
    plain = all(_is_plain_pointwise(layer) for layer in (squeeze, excite))
    if plain and applies_to(*inputs) and _gate_fits(x, squeeze, excite, addend):
        return operators.channel_gate(x, addend, (squeeze.weight, squeeze.bias), (excite.weight, excite.bias))
    whole = x if addend is None else x + addend
    factor = F.sigmoid(excite(F.relu(squeeze(F.adaptive_avg_pool2d(whole, 1)))))
    return x * factor if addend is None else x * factor + addend


def _gate_fits(x: paddle.Tensor, squeeze: nn.Conv2D, excite: nn.Conv2D, addend: paddle.Tensor | None) -> bool:
    """Return whether all shapes agree, which the kernel counts on."""
    channels, squeezed = x.shape[1], squeeze._out_channels
    of_layers = (squeeze._in_channels, excite._in_channels, excite._out_channels)
    return of_layers == (channels, squeezed, channels) and (addend is None or addend.shape == x.shape)


def _is_plain_pointwise(layer: nn.Conv2D) -> bool:
    """Return whether a layer in training is a 1×1 convolution with bias, and that alone."""
    plain = type(layer) is nn.Conv2D and layer.training and not _has_hooks(layer)
    return plain and layer.bias is not None and convolution_kind(layer) == "pointwise"


def _kernel_forward(layer: nn.Layer) -> Callable[..., paddle.Tensor] | None:
    """Return the forward that takes the kernels for this layer, or None where there is none for its kind."""
    if type(layer) in (nn.Conv2D, nn.Conv2DTranspose):
        kind = convolution_kind(layer)
        forward = _forward_convolution if type(layer) is nn.Conv2D else _forward_transposed
        return None if kind is None else partial(forward, layer, kind)
    if isinstance(layer, nn.BatchNorm2D):
        return partial(_forward_batch_norm, layer)
    simple = {nn.MaxPool2D: _forward_max_pool, nn.PReLU: _forward_prelu, nn.Hardswish: _forward_hard_swish}
    return partial(simple[type(layer)], layer) if type(layer) in simple else None


def _is_ours(forward: Any) -> bool:
    return isinstance(forward, partial) and forward.func.__module__ == __name__


def _forward_batch_norm(layer: nn.BatchNorm2D, x: paddle.Tensor) -> paddle.Tensor:
    return _normalise(x, layer, None) if _normalises_by_kernel(layer, x) else type(layer).forward(layer, x)


def _normalise(x: paddle.Tensor, layer: nn.BatchNorm2D, activation: str | None) -> paddle.Tensor:
    return operators.batch_norm(
        x, layer.weight, layer.bias, layer._mean, layer._variance, layer._momentum, layer._epsilon, activation
    )


def _normalises_by_kernel(layer: nn.BatchNorm2D, x: paddle.Tensor) -> bool:
    return layer.training and operators.takes_input(x) and _is_plain_batch_norm(layer) and kernels_ready()


def _has_hooks(layer: nn.Layer) -> bool:
    """Return whether somebody (a summary, a profiler) waits for this layer to be called."""
    return bool(layer._forward_pre_hooks or layer._forward_post_hooks)


def _is_plain_batch_norm(layer: nn.BatchNorm2D) -> bool:
    return (
        type(layer) is nn.BatchNorm2D
        and layer.weight is not None
        and layer.bias is not None
        and layer._data_format == "NCHW"
        and not layer._use_global_stats
    )


def _forward_convolution(layer: nn.Conv2D, kind: str, x: paddle.Tensor) -> paddle.Tensor:
    if not (layer.training and operators.takes_input(x) and kernels_ready()):
        return type(layer).forward(layer, x)
    if _is_mostly_weights(layer, kind, x):
        return _convolve_by_product(layer, x)
    if kind == "pointwise" and not x.stop_gradient:
        return operators.pointwise(x, layer.weight, layer.bias)
    window = window_of(layer, x.shape)
    if kind == "depthwise" and not depthwise_fits(layer, window):
        return type(layer).forward(layer, x)
    if x.stop_gradient and kind != "depthwise":
        kind = "stem"  # the network's own input gets no gradient
    return operators.convolution("dense" if kind == "pointwise" else kind, x, layer.weight, layer.bias, window)


def _is_mostly_weights(layer: nn.Conv2D, kind: str, x: paddle.Tensor) -> bool:
    """Return whether the weights outweigh the pixels, as in VGG's last layers.

    The kernels read the weights once an image, and stock Paddle does, too; one product for the batch reads them once.
    """
    if kind == "depthwise" or layer._groups != 1 or x.shape[2] * x.shape[3] >= _FEW_PIXELS:
        return False
    return layer.weight.size > _MANY_WEIGHTS


# Measured with square layers of 64 to 4096 channels on maps of 1 to 64 pixels a side.
_MANY_WEIGHTS, _FEW_PIXELS = 1 << 17, 64


def _convolve_by_product(layer: nn.Conv2D, x: paddle.Tensor) -> paddle.Tensor:
    """Return ``layer(x)`` as one matrix product over all windows of all images."""
    size, window = layer._kernel_size, window_of(layer, x.shape)
    top, bottom, left, right = window.pads
    columns = F.unfold(x, list(size), window.stride, [top, left, bottom, right], window.dilation)  # N, C·k·k, windows
    count, reach, windows = columns.shape
    together = columns.transpose([1, 0, 2]).reshape([reach, count * windows])
    y = paddle.matmul(layer.weight.reshape([layer._out_channels, reach]), together)
    y = y.reshape([layer._out_channels, count, windows]).transpose([1, 0, 2])
    height = _windows_along(x.shape[2] + top + bottom, size[0], window)
    y = y.reshape([count, layer._out_channels, height, windows // height])
    return y if layer.bias is None else y + layer.bias.reshape([1, -1, 1, 1])


def _windows_along(length: int, size: int, window: Window) -> int:
    return (length - window.dilation * (size - 1) - 1) // window.stride + 1


def _forward_transposed(
    layer: nn.Conv2DTranspose, kind: str, x: paddle.Tensor, output_size: Any = None
) -> paddle.Tensor:
    if output_size is not None or not (layer.training and operators.takes_input(x) and kernels_ready()):
        return type(layer).forward(layer, x, output_size)
    window = window_of(layer, x.shape)
    if kind == "depthwise" and not depthwise_fits(layer, window):
        return type(layer).forward(layer, x)
    return operators.transposed(kind, x, layer.weight, layer.bias, window, transposed_size(layer, x.shape, window))


def _forward_prelu(layer: nn.PReLU, x: paddle.Tensor) -> paddle.Tensor:
    fits = layer._data_format == "NCHW" and layer._num_parameters in (1, x.shape[1])
    if not (layer.training and fits and applies_to(x)):
        return type(layer).forward(layer, x)
    return operators.prelu(x, layer._weight)


def _forward_hard_swish(layer: nn.Hardswish, x: paddle.Tensor) -> paddle.Tensor:
    return operators.hard_swish(x) if layer.training and applies_to(x) else type(layer).forward(layer, x)


def _forward_max_pool(layer: nn.MaxPool2D, x: paddle.Tensor) -> paddle.Tensor:
    stride = layer.ksize if layer.stride is None else layer.stride
    simple = all(isinstance(value, int) for value in (layer.ksize, stride, layer.padding))
    if not (layer.training and simple) or layer.ceil_mode or layer.return_mask or layer.data_format != "NCHW":
        return type(layer).forward(layer, x)
    return max_pool2d(x, layer.ksize, stride, layer.padding)
