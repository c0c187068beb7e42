"""The difference of two classes, taken before the resize that upsamples them: one channel to resize, not two.

A resize is linear in what it resizes, so resize(a) - resize(b) = resize(a - b). Where a convolution makes the two
classes, the difference is that of its weights.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from paddle_portrait.export.rewrites.graph import Graph, attribute

_LINEAR = {"linear", "nearest"}


def apply(graph: Graph) -> int:
    """Rewrite every such place; return how many there were."""
    places = 0
    for node in [node for node in graph.nodes if node.op_type == "Sub"]:
        places += _rewrite(graph, node)
    return places


def _rewrite(graph: Graph, difference: NodeProto) -> bool:
    slices = [graph.maker(name) for name in difference.input]
    resize = _resize_of(graph, slices)
    if resize is None:
        return False
    channels = [_channel(graph, node) for node in slices]  # type: ignore[arg-type]
    if sorted(channels, key=lambda channel: -1 if channel is None else channel) != [0, 1]:
        return False
    before = resize.input[0]
    sign = 1.0 if channels == [1, 0] else -1.0
    single = _folded(graph, before, sign) or _subtracted(graph, before, sign)
    resize.input[0] = single
    if len(resize.input) > 3 and resize.input[3]:
        resize.input[3] = _one_channel(graph, resize.input[3])
    resize.output[0] = difference.output[0]
    graph.remove([difference, *slices])  # type: ignore[list-item]
    graph.changed()
    return True


def _resize_of(graph: Graph, slices: list[NodeProto | None]) -> NodeProto | None:
    """Return the resize of two channels that exactly these two slices read."""
    if any(node is None or node.op_type != "Slice" for node in slices) or slices[0] is slices[1]:
        return None
    sources = {node.input[0] for node in slices if node is not None}
    resize = graph.maker(sources.pop()) if len(sources) == 1 else None
    if resize is None or resize.op_type != "Resize" or attribute(resize, "mode", "nearest") not in _LINEAR:
        return None
    read_otherwise = len(graph.readers(resize.output[0])) != 2 or resize.output[0] in graph.outputs
    if read_otherwise or graph.channels(resize.input[0]) != 2:
        return None
    if any(len(graph.readers(node.output[0])) != 1 for node in slices if node is not None):
        return None
    return resize


def _channel(graph: Graph, node: NodeProto) -> int | None:
    """Return which one of two channels a slice takes."""
    parts = [graph.stored.get(name) for name in node.input[1:]]
    if len(parts) < 3 or any(part is None or part.size != 1 for part in parts):
        return None
    start, end, axis, *step = (int(part.item()) for part in parts if part is not None)
    taken = range(2)[start : end : step[0] if step else 1]
    return taken[0] if axis == 1 and len(taken) == 1 else None


def _folded(graph: Graph, name: str, sign: float) -> str | None:
    """Return the difference as the single channel of the convolution that made both; None where there is none."""
    node = graph.maker(name)
    if node is None or node.op_type != "Conv" or attribute(node, "group", 1) != 1 or name in graph.outputs:
        return None
    if len(graph.readers(name)) != 1 or any(each not in graph.stored for each in node.input[1:]):
        return None
    for position in range(1, len(node.input)):
        values = graph.stored[node.input[position]]
        node.input[position] = graph.store(sign * (values[1:] - values[:1]), node.input[position])
    return name


def _subtracted(graph: Graph, name: str, sign: float) -> str:
    zero, one, two = (graph.store(np.array([value], np.int64), "class") for value in (0, 1, 2))
    first, second, single = (graph.new_name(f"{name}.{part}") for part in ("first", "second", "difference"))
    graph.add("Slice", [name, zero, one, one], [first])
    graph.add("Slice", [name, one, two, one], [second])
    graph.add("Sub", [second, first] if sign > 0 else [first, second], [single])
    return single


def _one_channel(graph: Graph, sizes: str) -> str:
    """Return the sizes of a resize with one channel in place of two."""
    known = graph.stored.get(sizes)
    if known is not None:
        return graph.store(np.array([known[0], 1, *known[2:]], known.dtype), sizes)
    bounds = [graph.store(np.array([value], np.int64), "bound") for value in (0, 1, 2, 4)]
    count, sides, single = (graph.new_name(f"{sizes}.{part}") for part in ("count", "sides", "single"))
    graph.add("Slice", [sizes, bounds[0], bounds[1], bounds[0]], [count])
    graph.add("Slice", [sizes, bounds[2], bounds[3], bounds[0]], [sides])
    graph.add("Concat", [count, bounds[1], sides], [single], axis=0)
    return single
