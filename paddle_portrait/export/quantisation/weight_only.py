"""Int8 for the weights alone: a file of a quarter of the size, arithmetic in float."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

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


Widen: TypeAlias = "Callable[[ModelProto, str, Levels, int], list[NodeProto]]"


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
    store_weights(result, [node.name for node in convolutions(result)], _widened)
    return result


def store_weights(model: ModelProto, names: Collection[str], widen: Widen) -> None:
    """Store the weights of the convolutions ``names`` as int8, in place.

    Args:
        model: the graph.
        names: names of convolutions.
        widen: adds a weight's levels to the graph; returns the nodes that make float of them.
    """
    arrays = constants(model)
    added: dict[str, list[NodeProto]] = {}
    for node in convolutions(model):
        weight = node.input[1]
        if node.name in names and weight in arrays:
            if weight not in added:
                axis = channel_axis(node)
                added[weight] = widen(model, weight, to_levels(arrays[weight], axis), axis)
            node.input[1] = added[weight][-1].output[0]
    prepend(model, [node for nodes in added.values() for node in nodes])
    drop_unused(model)


def dequantised(model: ModelProto, name: str, weight: Levels, axis: int) -> list[NodeProto]:
    """Store a weight for a convolution whose input is quantised too: runtimes then multiply in int8."""
    from onnx import helper

    zero = np.zeros(len(weight.scale), np.int8)
    parts = _stored(model, name, {"int8": weight.levels, "scale": weight.scale, "zero": zero})
    return [helper.make_node("DequantizeLinear", parts, [f"{name}/dequantised"], f"{name}/dequantised", axis=axis)]


def _widened(model: ModelProto, name: str, weight: Levels, axis: int) -> list[NodeProto]:
    """Store a weight for arithmetic in float.

    A cast and a product of constants are computed once, on loading. ONNX Runtime would run a DequantizeLinear at every
    call, and lay out the weights anew each time: that took twice as long as the float graph.
    """
    from onnx import TensorProto, helper

    shape = [-1 if other == axis else 1 for other in range(weight.levels.ndim)]
    levels, scale = _stored(model, name, {"int8": weight.levels, "scale": weight.scale.reshape(shape)})
    cast, product = f"{name}/cast", f"{name}/widened"
    return [
        helper.make_node("Cast", [levels], [cast], cast, to=TensorProto.FLOAT),
        helper.make_node("Mul", [cast, scale], [product], product),
    ]


def _stored(model: ModelProto, name: str, parts: Mapping[str, np.ndarray]) -> list[str]:
    """Add arrays to the graph; return their names."""
    from onnx import numpy_helper

    arrays = {f"{name}/{part}": array for part, array in parts.items()}
    model.graph.initializer.extend(numpy_helper.from_array(array, key) for key, array in arrays.items())
    return list(arrays)
