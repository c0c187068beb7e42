"""A 1×1 convolution whose result is added to that of a matrix product adds to it in place, in plain layout.

ONNX Runtime brings convolutions into its blocked layout and adds inside them only when both summands lie there. What a
matrix product makes does not. A convolution with a bias, of a number of channels that the blocked layout does not
take, stays in plain layout, adds to the product tile by tile and activates the sum at once. Where the channels are
of another number, ``Gemm`` does it in three passes.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from paddle_portrait.export.rewrites.channels import is_pointwise
from paddle_portrait.export.rewrites.graph import Graph

_BLOCK, _STEP = 16, 4  # the blocked layout takes as few channels as a block as they are, and more in steps of so many


def apply(graph: Graph) -> int:
    """Rewrite every such place; return how many there were."""
    places = 0
    for node in [node for node in graph.nodes if node.op_type == "Add"]:
        makers = [graph.maker(name) for name in node.input]
        for convolution, product, name in zip(makers, makers[::-1], node.input[::-1], strict=True):
            if _may_join(graph, convolution) and _is_product(graph, product):
                used = _used_channels(graph, convolution)  # type: ignore[arg-type]
                if used >= _BLOCK and used % _STEP:
                    _stay_plain(graph, convolution, used)  # type: ignore[arg-type]
                else:
                    _multiply(graph, node, convolution, name)  # type: ignore[arg-type]
                places += 1
                break
    return places


def _is_product(graph: Graph, node: NodeProto | None) -> bool:
    """Tell whether a node is a matrix product brought into the shape of an image."""
    if node is None or node.op_type != "Reshape" or len(graph.readers(node.output[0])) != 1:
        return False
    product = graph.maker(node.input[0])
    return product is not None and product.op_type == "MatMul" and node.output[0] not in graph.outputs


def _may_join(graph: Graph, node: NodeProto | None) -> bool:
    """Tell whether a node is a 1×1 convolution without bias of one image of known size, read by nobody else."""
    if node is None or not is_pointwise(graph, node) or len(node.input) > 2 or len(graph.readers(node.output[0])) != 1:
        return False
    shape = graph.shape(node.input[0])
    return shape is not None and shape[0] == 1 and None not in shape


def _used_channels(graph: Graph, convolution: NodeProto) -> int:
    """Return how many channels the convolution reads, without those at the end whose weights are zero."""
    weight = graph.stored[convolution.input[1]]
    return int(np.flatnonzero(weight.any(axis=(0, 2, 3))).max(initial=-1)) + 1


def _stay_plain(graph: Graph, convolution: NodeProto, used: int) -> None:
    weight = graph.stored[convolution.input[1]]
    if used < weight.shape[1]:
        first, end, axis = (graph.store(np.array([value], np.int64), "bound") for value in (0, used, 1))
        taken = graph.new_name("taken")
        graph.add("Slice", [convolution.input[0], first, end, axis], [taken])
        convolution.input[0] = taken
        convolution.input[1] = graph.store(weight[:, :used], "weight")
    convolution.input.append(graph.store(np.zeros(len(weight), np.float32), "bias"))
    graph.changed()


def _multiply(graph: Graph, added: NodeProto, convolution: NodeProto, other: str) -> None:
    weight = graph.stored[convolution.input[1]][:, :, 0, 0]
    sides = [int(side or 0) for side in graph.shape(convolution.input[0]) or ()][2:]
    flat = graph.store(np.array([-1, sides[0] * sides[1]], np.int64), "flat")
    whole = graph.store(np.array([1, len(weight), *sides], np.int64), "whole")
    columns, addend, result = (graph.new_name("product") for _ in range(3))
    graph.add("Reshape", [convolution.input[0], flat], [columns])
    graph.add("Reshape", [other, flat], [addend])
    graph.add("Gemm", [graph.store(weight, "weight"), columns, addend], [result])
    graph.remove([added, convolution])
    behind = graph.readers(added.output[0])
    if len(behind) == 1 and behind[0].op_type == "Relu" and added.output[0] not in graph.outputs:
        activated = graph.new_name("product")  # right behind the product, where ONNX Runtime makes it a part of it
        graph.add("Relu", [result], [activated])
        graph.add("Reshape", [activated, whole], [behind[0].output[0]])
        graph.remove(behind)
    else:
        graph.add("Reshape", [result, whole], [added.output[0]])
    graph.changed()
