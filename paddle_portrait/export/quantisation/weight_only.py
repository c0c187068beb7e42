"""Int8 for the weights alone: a file of a quarter of the size, arithmetic in float."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from paddle_portrait.export.quantisation.graph import constants, convolutions, drop_unused, prepend

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

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
    arrays = constants(result)
    done: dict[str, str] = {}
    for node in convolutions(result):
        name = node.input[1]
        if name in arrays and name not in done:
            done[name] = store_levels(result, name, to_levels(arrays[name], channel_axis(node)), channel_axis(node))
        node.input[1] = done.get(name, name)
    drop_unused(result)
    return result


def store_levels(model: ModelProto, name: str, weight: Levels, axis: int) -> str:
    """Add a weight and the node that dequantises it; return the name of the float tensor."""
    from onnx import helper, numpy_helper

    parts: dict[str, np.ndarray] = {
        f"{name}/int8": weight.levels,
        f"{name}/scale": weight.scale,
        f"{name}/zero": np.zeros(len(weight.scale), np.int8),
    }
    tensors: list[TensorProto] = [numpy_helper.from_array(array, key) for key, array in parts.items()]
    model.graph.initializer.extend(tensors)
    output = f"{name}/dequantised"
    prepend(model, [helper.make_node("DequantizeLinear", list(parts), [output], output, axis=axis)])
    return output
