"""Channels filled up with zeros to a multiple of 16 where ONNX Runtime would leave its quick layout otherwise.

On CPUs it keeps channels in blocks, of 16 at most, and fills the last one up in memory anyway. But it joins and pools
in blocks only when they are full, and takes depthwise convolutions into them only when their channels are a multiple
of four. Everywhere else it brings the tensor into the plain layout and back, and convolves many times slower.
"""

from __future__ import annotations

from paddle_portrait.export.rewrites.channels import (
    NOTHING,
    change_makers,
    change_readers,
    makers_may_change,
    readers_may_change,
)
from paddle_portrait.export.rewrites.graph import Graph

_BLOCK, _STEP = 16, 4
_NEEDS_FULL_BLOCKS = {"AveragePool", "Concat", "MaxPool"}
_SMALLEST_SHARE = 0.5  # of the channels after filling up; networks of a few channels would be slowed down


def apply(graph: Graph) -> int:
    """Fill up every such tensor; return how many there were."""
    places = 0
    for name in [node.output[0] for node in graph.nodes]:
        count = graph.channels(name) or 0
        multiple = _multiple(graph, name)
        full = -(-count // multiple) * multiple
        if count == full or count < -(-count // _BLOCK) * _BLOCK * _SMALLEST_SHARE:
            continue
        if makers_may_change(graph, name) and readers_may_change(graph, name):
            order = [*range(count), *[NOTHING] * (full - count)]
            change_readers(graph, name, order)
            change_makers(graph, name, order)
            places += 1
    return places


def _multiple(graph: Graph, name: str) -> int:
    """Return what the channels of a tensor have to be a multiple of for those who read it."""
    kinds = {node.op_type for node in graph.readers(name)}
    if kinds & _NEEDS_FULL_BLOCKS:
        return _BLOCK
    return _STEP if "Conv" in kinds else 1
