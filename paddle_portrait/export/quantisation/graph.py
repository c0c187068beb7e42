"""ONNX graphs as quantisers want them: float weights as they are, batch norms folded, nothing that does nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

CONVOLUTIONS = ("Conv", "ConvTranspose")


def simplified(path: Path) -> ModelProto:
    """Return an ONNX file's graph with constants computed, batch norms folded and identities gone.

    ONNX Runtime's basic optimisation does it, which writes standard operators only. Weights that are stored in fewer
    bits and widened on loading become plain float first.
    """
    import onnx
    import onnxruntime as ort

    with TemporaryDirectory() as scratch:
        widened, result = Path(scratch) / "widened.onnx", Path(scratch) / "simplified.onnx"
        onnx.save(_widened(onnx.load(str(path))), str(widened))
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(result)
        ort.InferenceSession(str(widened), options, providers=["CPUExecutionProvider"])
        model = onnx.load(str(result))
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model


def _widened(model: ModelProto) -> ModelProto:
    """Compute the DequantizeLinear nodes of stored weights, which the runtime leaves alone."""
    from onnx import numpy_helper

    stored = constants(model)
    for node in list(model.graph.node):
        if node.op_type == "DequantizeLinear" and all(name in stored for name in node.input):
            levels, scale, zero = (stored[name] for name in node.input)
            values = (levels.astype(np.float32) - zero.astype(np.float32)) * scale
            model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
            model.graph.node.remove(node)
    drop_unused(model)
    return model


def constants(model: ModelProto) -> dict[str, np.ndarray]:
    """Return the graph's stored arrays by name."""
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def convolutions(model: ModelProto) -> list[NodeProto]:
    """Return the convolutions, transposed ones too, in the order of the graph."""
    return [node for node in model.graph.node if node.op_type in CONVOLUTIONS]


def producers(model: ModelProto) -> dict[str, NodeProto]:
    """Return the node that makes each tensor."""
    return {name: node for node in model.graph.node for name in node.output}


def drop_unused(model: ModelProto) -> None:
    """Remove nodes and stored arrays that no output depends on, in place."""
    makers = producers(model)
    waiting, needed = [output.name for output in model.graph.output], set()
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in makers:
            waiting += makers[name].input
    _keep(model.graph.node, (node for node in model.graph.node if needed.intersection(node.output)))
    _keep(model.graph.initializer, (tensor for tensor in model.graph.initializer if tensor.name in needed))


def _keep(field: Iterable, wanted: Iterable) -> None:
    kept = list(wanted)
    del field[:]  # type: ignore[attr-defined]
    field.extend(kept)  # type: ignore[attr-defined]


def prepend(model: ModelProto, nodes: Iterable[NodeProto]) -> None:
    """Put nodes before all others: ONNX wants every node behind those it reads from."""
    _keep(model.graph.node, [*nodes, *model.graph.node])
