"""A 1×1 convolution whose result is added to that of a matrix product becomes a product that adds.

ONNX Runtime adds inside a convolution only when both summands lie in its blocked layout. What a matrix product makes
does not; ``Gemm`` adds to it in place.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from paddle_portrait.export.rewrites.channels import is_pointwise
from paddle_portrait.export.rewrites.graph import Graph


def apply(graph: Graph) -> int:
    """Rewrite every such place; return how many there were."""
    places = 0
    for node in [node for node in graph.nodes if node.op_type == "Add"]:
        makers = [graph.maker(name) for name in node.input]
        for convolution, product, name in zip(makers, makers[::-1], node.input[::-1], strict=True):
            if _may_join(graph, convolution) and _is_product(graph, product):
                _rewrite(graph, node, convolution, name)  # type: ignore[arg-type]
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


def _rewrite(graph: Graph, added: NodeProto, convolution: NodeProto, other: str) -> None:
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
