"""A picture that is mirrored in one step: paddle2onnx cuts it into single columns and joins them the other way round.

Of the time of a network that looks at a picture of 512×512 and at its mirror image, those columns took a fifth.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from paddle_portrait.export.rewrites.graph import Graph, attribute

_BEFORE_THE_FIRST = np.iinfo(np.int64).min


def apply(graph: Graph) -> int:
    """Rewrite every such place; return how many there were."""
    places = 0
    for node in [node for node in graph.nodes if node.op_type == "Concat"]:
        split = graph.maker(node.input[0])
        if split is not None and _turns_round(graph, split, node):
            bounds = (-1, _BEFORE_THE_FIRST, attribute(node, "axis"), -1)  # start, end, axis, step
            names = [graph.store(np.array([value], np.int64), "mirror") for value in bounds]
            graph.remove([node])
            graph.add("Slice", [split.input[0], *names], [node.output[0]])
            places += 1
    return places


def _turns_round(graph: Graph, split: NodeProto, join: NodeProto) -> bool:
    """Tell whether ``join`` has all parts of ``split``, each one wide, in the opposite order along the same axis."""
    if split.op_type != "Split" or list(join.input) != list(split.output)[::-1]:
        return False
    shape, axis = graph.shape(split.input[0]), attribute(split, "axis", 0)
    return bool(shape) and attribute(join, "axis") == axis and shape[axis] == len(split.output)  # type: ignore[index]
