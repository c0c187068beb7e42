"""The difference of two classes, taken before the resize that upsamples them: one channel to resize, not two.

A resize is linear in what it resizes, so resize(a) - resize(b) = resize(a - b). Where a convolution makes the two
classes, the difference is that of its weights.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from paddle_portrait.export.rewrites.graph import Graph, attribute
from paddle_portrait.export.rewrites.resizes import is_linear, take_channels


def apply(graph: Graph) -> int:
    """Rewrite every such place; return how many there were."""
    places = 0
    for node in [node for node in graph.nodes if node.op_type == "Sub"]:
        places += _rewrite(graph, node)
    return places


def _rewrite(graph: Graph, difference: NodeProto) -> bool:
    slices = _slices(graph, difference)
    if slices is None:
        return False
    classes = slices[0].input[0]
    channels = [_channel(graph, node) for node in slices]
    if channels not in ([0, 1], [1, 0]) or len(graph.readers(classes)) != 2 or classes in graph.outputs:
        return False
    sign = 1.0 if channels == [1, 0] else -1.0
    last = graph.maker(classes)
    if last is not None and is_linear(last):
        before = last.input[0]
        alone = len(graph.readers(before)) == 1 and before not in graph.outputs
        if not (alone and _fold(graph, graph.maker(before), sign)):
            last.input[0] = _subtracted(graph, before, sign)
        take_channels(graph, last, 1)
    elif last is None or not _fold(graph, last, sign):
        return False
    last.output[0] = difference.output[0]
    graph.remove([difference, *slices])
    graph.changed()
    return True


def _slices(graph: Graph, difference: NodeProto) -> list[NodeProto] | None:
    """Return the two slices of one tensor of two channels that nothing but the difference reads."""
    slices = [node for name in difference.input if (node := graph.maker(name)) and node.op_type == "Slice"]
    if len(slices) != 2 or slices[0].input[0] != slices[1].input[0] or graph.channels(slices[0].input[0]) != 2:
        return None
    return slices if all(len(graph.readers(node.output[0])) == 1 for node in slices) else None


def _channel(graph: Graph, node: NodeProto) -> int | None:
    """Return which one of two channels a slice takes."""
    parts = [graph.stored.get(name) for name in node.input[1:]]
    if len(parts) < 3 or any(part is None or part.size != 1 for part in parts):
        return None
    start, end, axis, *step = (int(part.item()) for part in parts if part is not None)
    taken = range(2)[start : end : step[0] if step else 1]
    return taken[0] if axis == 1 and len(taken) == 1 else None


def _fold(graph: Graph, node: NodeProto | None, sign: float) -> bool:
    """Let the convolution that makes both classes make their difference; tell whether there is such a convolution."""
    if node is None or node.op_type not in ("Conv", "ConvTranspose") or attribute(node, "group", 1) != 1:
        return False
    if any(name not in graph.stored for name in node.input[1:]):
        return False
    for position in range(1, len(node.input)):
        values = graph.stored[node.input[position]]
        axis = 1 if node.op_type == "ConvTranspose" and position == 1 else 0
        first, second = np.split(values, 2, axis)
        node.input[position] = graph.store(sign * (second - first), node.input[position])
    return True


def _subtracted(graph: Graph, name: str, sign: float) -> str:
    zero, one, two = (graph.store(np.array([value], np.int64), "class") for value in (0, 1, 2))
    first, second, single = (graph.new_name(f"{name}.{part}") for part in ("first", "second", "difference"))
    graph.add("Slice", [name, zero, one, one], [first])
    graph.add("Slice", [name, one, two, one], [second])
    graph.add("Sub", [second, first] if sign > 0 else [first, second], [single])
    return single
