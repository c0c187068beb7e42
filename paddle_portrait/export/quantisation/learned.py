"""A network that was trained for int8 as an ONNX graph: what it has learned becomes QDQ nodes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.quantisation.graph import constants, convolutions
from paddle_portrait.export.quantisation.weight_only import channel_axis, dequantised, store_weights, to_levels

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from paddle import nn

_LEVELS = 255
_ALIKE = 0.999  # part of the levels; folding a batch norm may turn a rare one at the edge of two


@dataclass(frozen=True)
class LearnedLayer:
    """What a rounding convolution has learned.

    Attributes:
        name: of the layer in the network.
        weight: float, on its levels.
        axis: of the output channels in ``weight``.
        low: least input.
        high: greatest input.
    """

    name: str
    weight: np.ndarray
    axis: int
    low: float
    high: float

    def scale_and_zero(self) -> tuple[np.float32, np.uint8]:
        """Return step and zero point of the input as the network rounds it."""
        step = (self.high - self.low) / _LEVELS
        return np.float32(step), np.uint8(np.clip(round(-self.low / step), 0, _LEVELS))


def split(network: nn.Layer) -> tuple[nn.Layer, list[LearnedLayer]]:
    """Return a copy of a rounding network that does not round but has rounded weights, and what was learned.

    Raises:
        ExportError: the network does not round.
    """
    from paddle_portrait.models.fake_quantisation import plain_copy, quantised_layers

    layers = quantised_layers(network)
    if not layers:
        raise ExportError(
            "these weights were not trained for int8, so they have learned no ranges. Take --scheme nncf, or train "
            "with a stage that has 'quantise': docs/quantisation.md."
        )
    learned = []
    for name, layer in layers.items():
        low, high = layer.input_range.ends()
        weight = layer.rounded_weight().numpy()
        learned.append(LearnedLayer(name, weight, layer.channel_axis, float(low.item()), float(high.item())))
    return plain_copy(network), learned


def write_learned(model: ModelProto, layers: Sequence[LearnedLayer]) -> ModelProto:
    """Return a copy of the simplified graph of :func:`split`'s network with QDQ nodes for every learned layer.

    Raises:
        ExportError: a layer is not in the graph: the converter has changed it beyond recognition.
    """
    result = copy.deepcopy(model)
    arrays = constants(result)
    free = {node.name: node for node in convolutions(result)}
    found = {}
    for layer in layers:
        node = _find(layer, free.values(), arrays)
        found[free.pop(node.name).name] = layer
    nodes = []
    for node in list(result.graph.node):
        if node.name in found:
            nodes += _round_input(result, node, found[node.name])
        nodes.append(node)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    store_weights(result, found, dequantised)
    return result


def _find(layer: LearnedLayer, nodes: Iterable[NodeProto], arrays: Mapping[str, np.ndarray]) -> NodeProto:
    """Return the node whose weight has the layer's levels: folding a batch norm scales channels, and may turn signs."""
    wanted = np.abs(to_levels(layer.weight, layer.axis).levels)
    for node in nodes:
        weight = arrays[node.input[1]]
        # A graph that takes more channels than its network has weights of zero for those.
        used, spare = weight[:, : wanted.shape[1]], weight[:, wanted.shape[1] :]
        if used.shape == wanted.shape and not spare.any():
            levels = np.abs(to_levels(used, channel_axis(node)).levels)
            if (levels == wanted).mean() > _ALIKE:
                return node
    raise ExportError(
        f"layer '{layer.name}' was trained for int8, but the ONNX graph has no convolution of its weights."
    )


def _round_input(model: ModelProto, node: NodeProto, layer: LearnedLayer) -> list[NodeProto]:
    """Store the range of a convolution's input, let it read the rounded input; return the nodes that round."""
    from onnx import helper, numpy_helper

    scale, zero = layer.scale_and_zero()
    parts = {f"{layer.name}/input_scale": scale, f"{layer.name}/input_zero": zero}
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(part), name) for name, part in parts.items())
    source, levels, rounded = node.input[0], f"{layer.name}/input_int8", f"{layer.name}/input_rounded"
    node.input[0] = rounded
    return [
        helper.make_node("QuantizeLinear", [source, *parts], [levels], levels),
        helper.make_node("DequantizeLinear", [levels, *parts], [rounded], rounded),
    ]
