"""Single convolutions of a quantised graph brought back to float."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TYPE_CHECKING

from paddle_portrait.export.quantisation.graph import constants, convolutions, drop_unused, producers

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


def with_float_layers(quantised: ModelProto, floating: ModelProto, names: Collection[str]) -> ModelProto:
    """Return a copy of ``quantised`` in which the convolutions ``names`` compute in float.

    They read what was there before rounding, with the weight and bias of the float graph.

    Args:
        quantised: a graph with QDQ nodes, made from ``floating``; its convolutions have kept their names.
        floating: the graph in float.
        names: names of convolutions.
    """
    from onnx import numpy_helper

    result = copy.deepcopy(quantised)
    makers, arrays = producers(result), constants(floating)
    originals = {node.name: node for node in convolutions(floating)}
    for node in convolutions(result):
        if node.name not in names:
            continue
        parameters = [f"{name}/float" for name in originals[node.name].input[1:]]
        for name in parameters:
            array = arrays[name.removesuffix("/float")]
            result.graph.initializer.append(numpy_helper.from_array(array, name))
        inputs = [before_rounding(node.input[0], makers), *parameters]
        del node.input[:]
        node.input.extend(inputs)
    drop_unused(result)
    return result


def before_rounding(tensor: str, makers: dict[str, NodeProto]) -> str:
    """Return the float tensor that was quantised into ``tensor``; ``tensor`` itself where nothing was."""
    dequantised = makers.get(tensor)
    if dequantised is None or dequantised.op_type != "DequantizeLinear":
        return tensor
    rounded = makers.get(dequantised.input[0])
    return rounded.input[0] if rounded is not None and rounded.op_type == "QuantizeLinear" else tensor
