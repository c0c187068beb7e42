"""A 1×1 convolution that makes fewer channels, moved before the resize in front of it.

A resize treats all channels alike, and its factors sum up to 1, so mixing and resizing may change places, bias too.
"""

from __future__ import annotations

from onnx import NodeProto

from paddle_portrait.export.rewrites.channels import is_pointwise
from paddle_portrait.export.rewrites.graph import Graph
from paddle_portrait.export.rewrites.resizes import is_linear, take_channels


def apply(graph: Graph) -> int:
    """Rewrite every such place, through several resizes too; return how many resizes were passed."""
    places = 0
    for convolution in [node for node in graph.nodes if is_pointwise(graph, node)]:
        while (resize := graph.maker(convolution.input[0])) and _may_pass(graph, resize, convolution):
            _pass(graph, resize, convolution)
            places += 1
    return places


def _may_pass(graph: Graph, resize: NodeProto, convolution: NodeProto) -> bool:
    between = resize.output[0]
    if not is_linear(resize) or between in graph.outputs or len(graph.readers(between)) != 1:
        return False
    small, large = graph.shape(resize.input[0]), graph.shape(between)
    if not small or not large or None in (*small[2:], *large[2:]):
        return False
    grows = small[2] * small[3] <= large[2] * large[3]  # type: ignore[operator]
    outputs, inputs = graph.stored[convolution.input[1]].shape[:2]
    return grows and outputs <= inputs


def _pass(graph: Graph, resize: NodeProto, convolution: NodeProto) -> None:
    result, between = convolution.output[0], graph.new_name("mixed")
    take_channels(graph, resize, len(graph.stored[convolution.input[1]]))
    convolution.input[0], convolution.output[0] = resize.input[0], between
    resize.input[0], resize.output[0] = between, result
    graph.changed()
