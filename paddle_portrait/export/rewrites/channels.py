"""Channels put into another order, or zeros between them, by changing the weights on both sides of a tensor.

An *order* lists, for every new channel, the old one that it holds, or ``NOTHING`` for one that nobody reads.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from paddle_portrait.export.rewrites.graph import Graph, attribute

NOTHING = -1

# What computes each channel for itself, with nothing stored for it.
_PER_CHANNEL = {
    "AveragePool", "Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "MaxPool", "Relu", "Sigmoid", "Tanh",
}  # fmt: skip


def makers_may_change(graph: Graph, name: str) -> bool:
    """Tell whether the channels of a tensor can be made in any order: by a convolution, activated or pooled."""
    return _convolution_behind(graph, name) is not None


def readers_may_change(graph: Graph, name: str) -> bool:
    """Tell whether all who read a tensor can take its channels in any order, zeros between them."""
    readers = graph.readers(name)
    return name not in graph.outputs and bool(readers) and all(_may_change(graph, node, name) for node in readers)


def change_makers(graph: Graph, name: str, order: list[int]) -> None:
    """Let a tensor, of which :func:`makers_may_change` holds, have its channels in another order."""
    convolution = _convolution_behind(graph, name)
    assert convolution is not None  # the caller has asked
    for position in range(1, len(convolution.input)):
        values = graph.stored[convolution.input[position]]
        convolution.input[position] = graph.store(_pick(values, order, 0), convolution.input[position])
    graph.changed()


def change_readers(graph: Graph, name: str, order: list[int]) -> None:
    """Let those who read a tensor, of which :func:`readers_may_change` holds, take its channels in another order."""
    for node in graph.readers(name):
        if node.op_type == "Concat":
            _change_joined(graph, node, name, order)
        elif is_full(graph, node):
            weight = graph.stored[node.input[1]]
            node.input[1] = graph.store(_pick(weight, order, 1), node.input[1])
        else:
            if node.op_type == "Conv":
                _change_depthwise(graph, node, order)
            change_readers(graph, node.output[0], order)
    graph.changed()


def _may_change(graph: Graph, node: NodeProto, name: str) -> bool:
    if node.op_type == "Concat":
        whole = all(graph.channels(each) for each in node.input) and list(node.input).count(name) == 1
        return attribute(node, "axis") == 1 and whole and readers_may_change(graph, node.output[0])
    if is_full(graph, node):
        return list(node.input).count(name) == 1
    through = is_depthwise(graph, node) or node.op_type in _PER_CHANNEL or _keeps_channels(graph, node)
    return through and node.input[0] == name and len(node.output) == 1 and readers_may_change(graph, node.output[0])


def _change_joined(graph: Graph, node: NodeProto, name: str, order: list[int]) -> None:
    joined, start = list[int](), 0
    for each in node.input:
        count = graph.channels(each) or 0  # known: see _may_change
        joined += [old if old == NOTHING else start + old for old in (order if each == name else range(count))]
        start += count
    change_readers(graph, node.output[0], joined)


def _change_depthwise(graph: Graph, node: NodeProto, order: list[int]) -> None:
    for position in range(1, len(node.input)):
        values = graph.stored[node.input[position]]
        node.input[position] = graph.store(_pick(values, order, 0), node.input[position])
    next(one for one in node.attribute if one.name == "group").i = len(order)


def _convolution_behind(graph: Graph, name: str) -> NodeProto | None:
    """Return the convolution that a tensor comes from, if nobody else reads what lies between."""
    node = graph.maker(name)
    while node is not None and node.op_type in _PER_CHANNEL and len(graph.readers(node.input[0])) == 1:
        if node.input[0] in graph.outputs:
            return None
        node = graph.maker(node.input[0])
    return node if node is not None and is_full(graph, node) else None


def is_full(graph: Graph, node: NodeProto) -> bool:
    """Tell whether a node is a convolution of all channels together, with stored weights."""
    return node.op_type == "Conv" and attribute(node, "group", 1) == 1 and _has_stored_weights(graph, node)


def is_pointwise(graph: Graph, node: NodeProto) -> bool:
    """Tell whether a node is a 1×1 convolution that mixes all channels of each pixel, with stored weights."""
    if not is_full(graph, node) or graph.stored[node.input[1]].shape[2:] != (1, 1):
        return False
    return all(side == 1 for side in attribute(node, "strides", [1, 1])) and not any(attribute(node, "pads", []))


def is_depthwise(graph: Graph, node: NodeProto) -> bool:
    """Tell whether a node is a convolution of each channel for itself, with stored weights."""
    if node.op_type != "Conv" or not _has_stored_weights(graph, node):
        return False
    outputs, each = graph.stored[node.input[1]].shape[:2]
    return each == 1 and attribute(node, "group", 1) == outputs


def _has_stored_weights(graph: Graph, node: NodeProto) -> bool:
    return all(name in graph.stored for name in node.input[1:])


def _keeps_channels(graph: Graph, node: NodeProto) -> bool:
    """Tell whether a resize is given by factors, which say nothing of how many channels there are."""
    if node.op_type != "Resize" or len(node.input) > 3:
        return False
    factors = graph.stored.get(node.input[2])
    return factors is not None and factors.size == 4 and factors[1] == 1


def _pick(values: np.ndarray, order: list[int], axis: int) -> np.ndarray:
    """Return slices in a new order, zeros for those that hold nothing."""
    picked = np.take(values, np.maximum(order, 0), axis)
    shape = [1] * picked.ndim
    shape[axis] = -1
    return picked * (np.asarray(order) != NOTHING).astype(values.dtype).reshape(shape)
