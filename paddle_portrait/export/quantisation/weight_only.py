"""Int8 for the weights alone: a file of a quarter of the size, arithmetic in float."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from paddle_portrait.export.quantisation.graph import constants, convolutions, drop_unused, prepend

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

LARGEST_LEVEL = 127
SMALLEST_SCALE = 1e-8


class Levels(NamedTuple):
    """A weight as int8 levels and the float32 scale of each index of an axis."""

    levels: np.ndarray
    scale: np.ndarray


def to_levels(weight: np.ndarray, axis: int) -> Levels:
    """Round a float weight to levels from -127 to 127 of a scale for each index of ``axis``."""
    others = tuple(other for other in range(weight.ndim) if other != axis)
    scale = np.maximum(np.abs(weight).max(axis=others, keepdims=True) / LARGEST_LEVEL, SMALLEST_SCALE)
    levels = np.clip(np.rint(weight / scale), -LARGEST_LEVEL, LARGEST_LEVEL).astype(np.int8)
    return Levels(levels, scale.astype(np.float32).reshape(-1))


def channel_axis(node: NodeProto) -> int:
    """Return the axis of a convolution's weight that has a scale for each index: the output channels.

    A grouped transposed convolution has them in two axes, of which the first is taken.
    """
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    return 1 if node.op_type == "ConvTranspose" and groups == 1 else 0


def quantise_weights(model: ModelProto) -> ModelProto:
    """Return a copy of a float graph whose convolutions' weights are stored as int8."""
    result = copy.deepcopy(model)
    store_weights(result, [node.name for node in convolutions(result)])
    return result


def store_weights(model: ModelProto, names: Collection[str]) -> None:
    """Store the weights of the convolutions ``names`` as int8, in place, with nodes that dequantise them."""
    arrays = constants(model)
    widening: dict[str, NodeProto] = {}
    for node in convolutions(model):
        weight = node.input[1]
        if node.name in names and weight in arrays:
            if weight not in widening:
                widening[weight] = _store(model, weight, arrays[weight], channel_axis(node))
            node.input[1] = widening[weight].output[0]
    prepend(model, widening.values())
    drop_unused(model)


def _store(model: ModelProto, name: str, weight: np.ndarray, axis: int) -> NodeProto:
    """Add a weight's levels to the graph; return the node that makes float of them."""
    from onnx import helper, numpy_helper

    levels, scale = to_levels(weight, axis)
    parts = {f"{name}/int8": levels, f"{name}/scale": scale, f"{name}/zero": np.zeros(len(scale), np.int8)}
    model.graph.initializer.extend(numpy_helper.from_array(array, key) for key, array in parts.items())
    output = f"{name}/dequantised"
    return helper.make_node("DequantizeLinear", list(parts), [output], output, axis=axis)
