"""Linear resizes: which they are, and how they take another number of channels."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from paddle_portrait.export.rewrites.graph import Graph, attribute


def is_linear(node: NodeProto | None) -> bool:
    """Tell whether a node resizes by sums whose factors are 1 together, so that channels may be mixed before or after.

    Cropping with a value from outside is not meant.
    """
    if node is None or node.op_type != "Resize":
        return False
    inside = attribute(node, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize"
    return inside and attribute(node, "mode", "nearest") in ("linear", "nearest")


def take_channels(graph: Graph, resize: NodeProto, count: int) -> None:
    """Let a resize that is given by the size of its result take ``count`` channels."""
    if len(resize.input) < 4 or not resize.input[3]:
        return
    sizes = resize.input[3]
    known = graph.stored.get(sizes)
    if known is not None:
        resize.input[3] = graph.store(np.array([known[0], count, *known[2:]], known.dtype), sizes)
        return
    zero, one, two, four, own = (graph.store(np.array([each], np.int64), "bound") for each in (0, 1, 2, 4, count))
    images, sides, all_sizes = (graph.new_name(f"{sizes}.{part}") for part in ("images", "sides", "own"))
    graph.add("Slice", [sizes, zero, one, zero], [images])
    graph.add("Slice", [sizes, two, four, zero], [sides])
    graph.add("Concat", [images, own, sides], [all_sizes], axis=0)
    resize.input[3] = all_sizes
