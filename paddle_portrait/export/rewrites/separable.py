"""Depthwise convolutions with a 1×1 convolution right behind them, without an activation in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from paddle_portrait.export.rewrites.channels import is_depthwise, is_pointwise
from paddle_portrait.export.rewrites.graph import Graph


@dataclass
class Separable:
    """Such a pair; its arrays are of the whole pair.

    Attributes:
        depthwise, pointwise: the nodes.
        taps: C×1×h×w of the depthwise convolution.
        mixing: out×C of the 1×1 convolution.
        bias: out, both biases taken together.
    """

    depthwise: NodeProto
    pointwise: NodeProto
    taps: np.ndarray
    mixing: np.ndarray
    bias: np.ndarray

    def part(self, graph: Graph, name: str, channels: slice) -> str:
        """Add the pair, without bias, for channels that lie alone in tensor ``name``; return its result."""
        between, result = graph.new_name("part"), graph.new_name("part")
        inputs = [name, graph.store(self.taps[channels], self.depthwise.input[1])]
        self._add_like(graph, self.depthwise, inputs, between, len(self.taps[channels]))
        weight = graph.store(self.mixing[:, channels, None, None], self.pointwise.input[1])
        self._add_like(graph, self.pointwise, [between, weight], result, 1)
        return result

    def _add_like(self, graph: Graph, node: NodeProto, inputs: list[str], output: str, group: int) -> None:
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        graph.add("Conv", inputs, [output], **attributes | {"group": group})


def only_separable(graph: Graph, name: str) -> Separable | None:
    """Return the pair that reads a tensor, if nothing else does; None where there is none."""
    depthwise = _only_reader(graph, name)
    if depthwise is None or not is_depthwise(graph, depthwise) or depthwise.input[0] != name:
        return None
    pointwise = _only_reader(graph, depthwise.output[0])
    if pointwise is None or not is_pointwise(graph, pointwise) or pointwise.input[0] != depthwise.output[0]:
        return None
    weight = graph.stored[pointwise.input[1]].astype(np.float64)
    mixing = weight[:, :, 0, 0]
    bias = _bias(graph, pointwise) + mixing @ _bias(graph, depthwise)
    taps = graph.stored[depthwise.input[1]]
    return Separable(depthwise, pointwise, taps, mixing.astype(np.float32), bias.astype(np.float32))


def _only_reader(graph: Graph, name: str) -> NodeProto | None:
    readers = graph.readers(name)
    return readers[0] if len(readers) == 1 and name not in graph.outputs else None


def _bias(graph: Graph, node: NodeProto) -> np.ndarray:
    stored = graph.stored[node.input[2]] if len(node.input) > 2 else np.zeros(len(graph.stored[node.input[1]]))
    return stored.astype(np.float64)
