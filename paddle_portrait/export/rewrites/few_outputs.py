"""A separable convolution that makes very few channels becomes a transposed one, where its input lies in plain layout.

In ONNX Runtime's blocked layout, making two channels takes as long as making eight, and what a matrix product makes
has to be brought there first. A transposed convolution mixes the channels for every tap in one matrix product of the
plain layout, and adds the few results up, moved by their tap. It is the same sum when the kernel is turned around.
"""

from __future__ import annotations

from paddle_portrait.export.rewrites.graph import Graph, attribute
from paddle_portrait.export.rewrites.separable import Separable, only_separable

_MOST = 27  # products of outputs and taps; above, the matrix product takes longer than what it saves
_FEWEST_INPUTS = 16  # below, adding up takes longer than mixing


def apply(graph: Graph) -> int:
    """Rewrite every such place; return how many there were."""
    places = 0
    for name in [name for node in graph.nodes for name in node.output]:
        pair = only_separable(graph, name)
        if pair is not None and _is_small(pair) and _keeps_size(pair) and _lies_plain(graph, name):
            _rewrite(graph, name, pair)
            places += 1
    return places


def _is_small(pair: Separable) -> bool:
    taps = pair.taps[0].size
    return taps > 1 and len(pair.mixing) * taps <= _MOST and len(pair.taps) >= _FEWEST_INPUTS


def _keeps_size(pair: Separable) -> bool:
    """Tell whether the depthwise convolution takes every pixel, with zeros around, and leaves as many."""
    kernel = pair.taps.shape[2:]
    wanted = {"strides": [1, 1], "dilations": [1, 1], "pads": [side // 2 for side in (*kernel, *kernel)]}
    odd = all(side % 2 for side in kernel)
    return odd and all(list(attribute(pair.depthwise, name, values)) == values for name, values in wanted.items())


def _lies_plain(graph: Graph, name: str) -> bool:
    """Tell whether a tensor comes from a matrix product, activated or added to something."""
    node = graph.maker(name)
    if node is None:
        return False
    if node.op_type in ("Add", "Relu"):
        return any(_lies_plain(graph, each) for each in node.input)
    product = graph.maker(node.input[0]) if node.op_type == "Reshape" else None
    return product is not None and product.op_type in ("Gemm", "MatMul", "Relu")


def _rewrite(graph: Graph, name: str, pair: Separable) -> None:
    weight = pair.mixing.T[:, :, None, None] * pair.taps[:, :, ::-1, ::-1]
    kernel = list(weight.shape[2:])
    inputs = [name, graph.store(weight, "mixing"), graph.store(pair.bias, "bias")]
    pads = [side // 2 for side in (*kernel, *kernel)]
    graph.remove([pair.depthwise, pair.pointwise])
    graph.add("ConvTranspose", inputs, [pair.pointwise.output[0]], kernel_shape=kernel, pads=pads)
    graph.changed()
