"""Where a graph multiplies, and how much of it in int8."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from paddle_portrait.export.quantisation.graph import constants, convolutions, producers

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_MOVING = ("Concat", "Flatten", "MaxPool", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")


def multiply_adds(model: ModelProto, example: np.ndarray) -> dict[str, int]:
    """Return the multiply-adds of each convolution of a float graph, by the node's name, for one example input.

    Sizes are those of a run, which also knows them where the graph leaves them open.
    """
    import onnxruntime as ort
    from onnx import helper

    probed = copy.deepcopy(model)
    nodes = convolutions(model)
    known = {output.name for output in model.graph.output}
    wanted = list(dict.fromkeys(_counted_tensor(node) for node in nodes))
    graph_input = probed.graph.input[0].name
    asked = [name for name in wanted if name != graph_input]
    probed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in asked if name not in known)
    session = ort.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    sizes = dict(zip(asked, (array.size for array in session.run(asked, {graph_input: example})), strict=True))
    sizes[graph_input] = example.size
    weights = constants(model)
    return {
        node.name: sizes[_counted_tensor(node)] * int(np.prod(weights[node.input[1]].shape[1:])) // len(example)
        for node in nodes
    }


def _counted_tensor(node: NodeProto) -> str:
    """Return the tensor each of whose values belongs to one filter: a transposed convolution spreads its input."""
    return node.output[0] if node.op_type == "Conv" else node.input[0]


def int8_convolutions(model: ModelProto) -> list[str]:
    """Return the names of the convolutions both of whose operands are dequantised: a runtime may multiply in int8.

    Operators that only move values may stand between: runtimes let int8 through them.
    """
    makers, stored = producers(model), {tensor.name for tensor in model.graph.initializer}

    def is_quantised(tensor: str) -> bool:
        maker = makers.get(tensor)
        if maker is None or maker.op_type not in _MOVING:
            return maker is not None and maker.op_type == "DequantizeLinear"
        moved = maker.input if maker.op_type == "Concat" else maker.input[:1]  # other inputs say where to
        return all(is_quantised(name) for name in moved if name not in stored)

    return [node.name for node in convolutions(model) if all(is_quantised(tensor) for tensor in node.input[:2])]


def int8_share(counts: Mapping[str, int], model: ModelProto) -> float:
    """Return the share in [0, 1] of the multiply-adds ``counts`` that ``model`` does in int8."""
    total = sum(counts.values())
    return sum(counts.get(name, 0) for name in int8_convolutions(model)) / total if total else 0.0
