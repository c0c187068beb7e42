"""Convolutions that compute as they will in int8, so that training can make up for the rounding.

Weights are rounded to 255 levels of each output channel's own size, inputs to 256 levels of a learned range. A batch
norm behind a convolution only scales and shifts its channels, so that folding it later keeps the levels.
Sources: Jacob et al., CVPR 2018 (straight-through rounding); Esser et al., ICLR 2020, and Bhalgat et al., CVPRW 2020
(gradients of the step and of the range's two ends).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

import paddle
from paddle import nn
from paddle.autograd import PyLayer

from paddle_portrait.errors import UserError

INPUT_LEVELS = 255  # steps between the lowest and the highest level
WEIGHT_LEVELS = 127  # steps on either side of zero
SMALLEST_SCALE = 1e-8  # channels that died in training would otherwise divide by zero
_RANGE = "input_range"


class _RoundToLevels(PyLayer):
    """Rounds to levels between two ends; zero is always a level. The gradient passes where nothing was cut."""

    @staticmethod
    def forward(ctx: Any, x: paddle.Tensor, low: paddle.Tensor, high: paddle.Tensor) -> paddle.Tensor:
        lowest = low.item()
        step = (high.item() - lowest) / INPUT_LEVELS
        zero = float(round(-lowest / step))
        position = paddle.scale(x, 1.0 / step, zero)
        level = paddle.round(position).clip_(0, INPUT_LEVELS)
        ctx.save_for_backward(position, level)
        ctx.of_data = x.stop_gradient  # the network's own input gets no gradient
        return paddle.scale(level, step, -zero * step)

    @staticmethod
    def backward(ctx: Any, gradient: paddle.Tensor) -> tuple[paddle.Tensor | None, paddle.Tensor, paddle.Tensor]:
        position, level = ctx.saved_tensor()
        error = level - position
        passed = gradient * (error.abs() <= 0.5).astype(gradient.dtype)
        # Inside, a wider step moves each value by its own rounding error; beyond an end, values follow that end.
        rounding = (passed * error).sum().reshape([1]) / INPUT_LEVELS
        cut = gradient - passed
        at_low = (cut * (error > 0).astype(gradient.dtype)).sum().reshape([1])
        at_high = cut.sum().reshape([1]) - at_low
        return None if ctx.of_data else passed, at_low - rounding, at_high + rounding


class ActivationRange(nn.Layer):
    """The range in which a tensor is rounded: what calibration measured, times two learned factors.

    Factors start at one and are kept as ``shift`` from it, so that one learning rate fits tensors of any size and
    weight decay pulls towards the measured range.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shift = self.create_parameter([2], default_initializer=nn.initializer.Constant(0.0))
        self.register_buffer("calibrated", paddle.zeros([2], "float32"))
        self._seen: list[tuple[float, float]] | None = None

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return ``x`` rounded to its levels; while it is calibrated, ``x`` itself."""
        if self._seen is not None:
            self._seen += [(float(image.min()), float(image.max())) for image in x]
            return x
        low, high = self.ends()
        return _RoundToLevels.apply(x, low, high)

    def ends(self) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return the lowest and the highest value, each of shape [1]; zero lies between them."""
        ends = self.calibrated * (1 + self.shift)
        low, high = paddle.clip(ends[0:1], max=0.0), paddle.clip(ends[1:2], min=0.0)
        return low, paddle.maximum(high, low + INPUT_LEVELS * SMALLEST_SCALE)

    def observe(self) -> None:
        """From now on measure what comes, until :meth:`settle`."""
        self._seen = []

    def settle(self) -> None:
        """Take the mean of the images' least and greatest values for the range."""
        seen, self._seen = self._seen, None
        if seen:
            lows, highs = zip(*seen, strict=True)
            count = len(seen)
            self.calibrated.set_value(paddle.to_tensor([min(sum(lows) / count, 0.0), max(sum(highs) / count, 0.0)]))


class _Rounding:
    """What turns a convolution class into one that rounds; goes before it among the bases."""

    input_range: ActivationRange
    weight: paddle.Tensor

    def forward(self, x: paddle.Tensor, *arguments: Any) -> paddle.Tensor:
        """Convolve the rounded input with the rounded weight."""
        rounded = self.rounded_weight()
        # An attribute of the object itself hides the parameter of that name from the stock forward.
        self.__dict__["weight"] = rounded
        try:
            return super().forward(self.input_range(x), *arguments)  # type: ignore[misc]
        finally:
            del self.__dict__["weight"]

    def rounded_weight(self) -> paddle.Tensor:
        """Return the weight on its levels; gradients pass to the weight as if it had not been rounded."""
        weight = self.weight
        others = [axis for axis in range(weight.ndim) if axis != self.channel_axis]
        largest = weight.detach().abs().max(axis=others, keepdim=True)
        scale = paddle.clip(largest / WEIGHT_LEVELS, min=SMALLEST_SCALE)
        return weight + (paddle.round(weight / scale) * scale - weight).detach()

    @property
    def channel_axis(self) -> int:
        """The axis of the weight that has a scale for each index."""
        return 1 if isinstance(self, nn.Conv2DTranspose) and getattr(self, "_groups", 1) == 1 else 0


class QuantisedConv2D(_Rounding, nn.Conv2D):
    """A convolution with rounded weights and inputs."""


class QuantisedConv2DTranspose(_Rounding, nn.Conv2DTranspose):
    """A transposed convolution with rounded weights and inputs."""


_CLASSES: dict[type, Any] = {nn.Conv2D: QuantisedConv2D, nn.Conv2DTranspose: QuantisedConv2DTranspose}


def layers_to_round(network: nn.Layer, keep_float: Sequence[str] = ()) -> list[str]:
    """Return the names of the convolutions of a network in float, without those that stay as they are.

    Args:
        network: a network in float.
        keep_float: names, or patterns such as ``head.*``, of layers that stay as they are.

    Raises:
        UserError: a pattern fits no convolution, or none is left.
    """
    found = [name for name, layer in network.named_sublayers() if type(layer) in _CLASSES]
    for pattern in keep_float:
        if not any(fnmatch(name, pattern) for name in found):
            examples = ", ".join(found[:3]) or "none"
            raise UserError(f"keep_float: '{pattern}' fits no convolution of the network. Its first ones: {examples}.")
    names = [name for name in found if not any(fnmatch(name, pattern) for pattern in keep_float)]
    if not names:
        raise UserError("no convolution is left to quantise: the network has none, or keep_float names them all.")
    return names


def round_layers(network: nn.Layer, names: Iterable[str]) -> None:
    """Let the convolutions of these names round, in place; their parameters keep their names.

    Raises:
        UserError: there is no convolution of that name.
    """
    found = dict(network.named_sublayers())
    for name in names:
        if type(found.get(name)) not in _CLASSES:
            raise UserError(f"the weights round the layer '{name}', but the network has no such convolution.")
        parent, _, child = name.rpartition(".")
        setattr(found[parent] if parent else network, child, _rounding_copy(found[name]))


def quantised_layers(network: nn.Layer) -> dict[str, QuantisedConv2D | QuantisedConv2DTranspose]:
    """Return the layers that round, by name."""
    kinds = (QuantisedConv2D, QuantisedConv2DTranspose)
    return {name: layer for name, layer in network.named_sublayers() if isinstance(layer, kinds)}


def rounding_names(arrays: Mapping[str, Any]) -> list[str]:
    """Return the names of the layers that round in the network whose state dict this is; none for one in float."""
    ending = f".{_RANGE}.calibrated"
    return [name.removesuffix(ending) for name in arrays if name.endswith(ending)]


def calibrate(network: nn.Layer, images: Iterable[paddle.Tensor]) -> None:
    """Measure the ranges of all layers that round.

    Args:
        network: in evaluation mode.
        images: batches of float N×C×H×W, preprocessed as for evaluation.
    """
    ranges = [layer.input_range for layer in quantised_layers(network).values()]
    for one in ranges:
        one.observe()
    try:
        with paddle.no_grad():
            for batch in images:
                network(batch)
    finally:
        for one in ranges:
            one.settle()


def plain_copy(network: nn.Layer) -> nn.Layer:
    """Return a copy of ``network`` that does not round any more, but has the rounded weights."""
    result = copy.deepcopy(network)
    plain = {rounding: stock for stock, rounding in _CLASSES.items()}
    for layer in quantised_layers(result).values():
        layer.weight.set_value(layer.rounded_weight())
        del layer._sub_layers[_RANGE]
        layer.__class__ = plain[type(layer)]
    return result


def _rounding_copy(layer: nn.Layer) -> nn.Layer:
    """Return a layer of the rounding class with the very parameters, options and mode of ``layer``."""
    kind = _CLASSES[type(layer)]
    rounding = kind.__new__(kind)
    rounding.__dict__.update(layer.__dict__)
    rounding._sub_layers = {}
    setattr(rounding, _RANGE, ActivationRange())
    return rounding
