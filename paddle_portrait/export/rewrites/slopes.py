"""PReLU by operators that ONNX Runtime computes several values at a time; its own asks every value for its sign.

It is slope * x + (1 - slope) * relu(x), two depthwise 1×1 convolutions that stay in the runtime's blocked layout. Where
that does not take the number of channels: relu(x) + slope * (x - relu(x)).
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from paddle_portrait.export.rewrites.graph import Graph

_STEP = 4  # the blocked layout takes depthwise convolutions of a multiple of so many channels


def apply(graph: Graph) -> int:
    """Rewrite every PReLU with a stored slope for each channel, or one for all; return how many there were."""
    places = 0
    for node in [node for node in graph.nodes if node.op_type == "PRelu"]:
        shape, slopes = graph.shape(node.input[0]), graph.stored.get(node.input[1])
        if slopes is None or shape is None or len(shape) != 4 or not shape[1]:
            continue
        if slopes.size in (1, shape[1]) and slopes.size == max(1, *slopes.shape[-3:-2]):
            _rewrite(graph, node, slopes.reshape(-1), shape[1])
            places += 1
    return places


def _rewrite(graph: Graph, node: NodeProto, slopes: np.ndarray, channels: int) -> None:
    x, y = node.input[0], node.output[0]
    positive, first, second = (graph.new_name(part) for part in ("positive", "first", "second"))
    graph.remove([node])
    graph.add("Relu", [x], [positive])
    if channels % _STEP:
        graph.add("Sub", [x, positive], [first])
        graph.add("Mul", [first, graph.store(slopes.reshape(-1, 1, 1), "slopes")], [second])
        graph.add("Add", [positive, second], [y])
        return
    factors = np.broadcast_to(slopes, (channels,)).reshape(-1, 1, 1, 1)
    one = {"group": channels, "kernel_shape": [1, 1]}
    graph.add("Conv", [x, graph.store(factors, "slopes")], [first], **one)
    graph.add("Conv", [positive, graph.store(1 - factors, "slopes")], [second], **one)
    graph.add("Add", [first, second], [y])
