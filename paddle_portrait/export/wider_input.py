"""A network that takes more input channels than it uses: GPUs and phones hand over four."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from paddle import nn

from paddle_portrait.export.operators import Operator, list_operators


def widen_input(network: nn.Layer, input_shape: Sequence[int], channels: int) -> tuple[nn.Layer, int | None]:
    """Return a network for inputs of more channels, and how many of them must be cut off before it.

    Where only convolutions read the image they get zero weights for the further channels, which costs nothing; else
    the channels must be cut off.

    Args:
        network: takes float N×C×H×W; it is left as it was.
        input_shape: its N, C, H, W.
        channels: that the graph takes, at least C.
    """
    if channels == input_shape[1]:
        return network, None
    readers = _readers_of_image(list_operators(network, input_shape))
    layers = dict(network.named_sublayers())
    first = [layers.get(operator.layer) for operator in readers]
    if not all(isinstance(layer, nn.Conv2D) and layer._groups == 1 for layer in first):
        return network, input_shape[1]
    wide = copy.deepcopy(network)
    layers = dict(wide.named_sublayers())
    for name in {operator.layer for operator in readers}:
        _widen(layers[name], channels)
    return wide, None


def _readers_of_image(operators: Sequence[Operator]) -> list[Operator]:
    made = {tensor.key for operator in operators for tensor in operator.outputs}
    return [operator for operator in operators if any(tensor.key not in made for tensor in operator.inputs)]


def _widen(convolution: nn.Conv2D, channels: int) -> None:
    weight = convolution.weight.numpy()
    missing = channels - weight.shape[1]
    convolution.weight = convolution.create_parameter([weight.shape[0], channels, *weight.shape[2:]])
    convolution.weight.set_value(np.pad(weight, ((0, 0), (0, missing), (0, 0), (0, 0))))
    convolution._in_channels = channels
