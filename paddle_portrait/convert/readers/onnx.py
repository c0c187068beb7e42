"""ONNX files, float32 or float16; weights that lie in other files are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paddle_portrait.convert.source import SourceError, SourceLayer, SourceModel, paddle_layout

if TYPE_CHECKING:
    import onnx


def read(path: Path) -> SourceModel:
    """Read an ONNX file; see :func:`paddle_portrait.convert.source.read_source`."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    constants = _constants(path, model.graph)
    return SourceModel(str(path), _layers(path, model.graph, constants), constants)


def _layers(path: Path, graph: onnx.GraphProto, constants: Mapping[str, np.ndarray]) -> list[SourceLayer]:
    layers: list[SourceLayer] = []
    made_by: dict[str, int] = {}  # output's name -> position of the layer that computes it
    for node in graph.node:
        reader = _READERS.get(node.op_type)
        layer = reader(_Node(path, node, constants)) if reader is not None else None
        if layer is not None:
            made_by[node.output[0]] = len(layers)
            layers.append(layer)
        elif node.op_type == "Add":
            _late_bias(layers, made_by, list(node.input), constants)
    return layers


def _late_bias(
    layers: list[SourceLayer], made_by: Mapping[str, int], inputs: list[str], constants: Mapping[str, np.ndarray]
) -> None:
    """Give a layer the bias that the file adds in a node of its own."""
    computed = next((name for name in inputs if name in made_by), None)
    constant = next((name for name in inputs if name in constants), None)
    if computed is None or constant is None:
        return
    layer, bias = layers[made_by[computed]], paddle_layout(constants[constant].reshape(-1))
    channels = layer.arrays["weight"].shape[0 if layer.kind in ("conv", "depthwise") else 1]
    if layer.kind in ("conv", "depthwise", "deconv", "linear") and len(bias) == channels and "bias" not in layer.arrays:
        layers[made_by[computed]] = replace(layer, arrays={**layer.arrays, "bias": bias})


def _constants(path: Path, graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return initialisers and outputs of Constant nodes by name."""
    import onnx
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            tensors.update((node.output[0], entry.t) for entry in node.attribute if entry.name == "value")
    outside = [name for name, tensor in tensors.items() if tensor.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise SourceError(path, f"'{outside[0]}' is kept in another file: save the model with its weights inside.")
    constants = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
    return constants


class _Node:
    """A node beside the constants that it may use."""

    def __init__(self, path: Path, node: onnx.NodeProto, constants: Mapping[str, np.ndarray]) -> None:
        self.name = node.name or node.output[0]
        self.op_type = node.op_type
        self._path, self._inputs, self._constants = path, list(node.input), constants
        self._attributes = node.attribute

    def attribute(self, name: str, default: float) -> float:
        """Return a numeric attribute."""
        import onnx

        return next((onnx.helper.get_attribute_value(a) for a in self._attributes if a.name == name), default)

    def has(self, index: int) -> bool:
        """Say whether the node has an input of this index at all."""
        return index < len(self._inputs) and bool(self._inputs[index])

    def is_constant(self, index: int) -> bool:
        """Say whether an input is a constant of the file."""
        return self.has(index) and self._inputs[index] in self._constants

    def constant(self, index: int) -> np.ndarray:
        """Return a constant input."""
        if not self.is_constant(index):
            raise SourceError(self._path, f"input {index} of {self.op_type} '{self.name}' is computed in the graph.")
        return paddle_layout(self._constants[self._inputs[index]])

    def with_bias(self, weight: np.ndarray) -> dict[str, np.ndarray]:
        """Return weight and, where the node has one, bias."""
        return {"weight": weight, **({"bias": self.constant(2).reshape(-1)} if self.has(2) else {})}


def _convolution(node: _Node) -> SourceLayer:
    weight, groups = node.constant(1), node.attribute("group", 1)
    kind = "depthwise" if groups > 1 and weight.shape[1] == 1 else "conv"
    return SourceLayer(kind, node.name, node.with_bias(weight))


def _transposed_convolution(node: _Node) -> SourceLayer:
    return SourceLayer("deconv", node.name, node.with_bias(node.constant(1)))


def _batch_norm(node: _Node) -> SourceLayer:
    keys = ("weight", "bias", "_mean", "_variance")
    arrays = {key: node.constant(index + 1) for index, key in enumerate(keys)}
    return SourceLayer("batch_norm", node.name, arrays, {"epsilon": float(node.attribute("epsilon", 1e-5))})


def _prelu(node: _Node) -> SourceLayer:
    return SourceLayer("prelu", node.name, {"weight": node.constant(1).reshape(-1)})


def _gemm(node: _Node) -> SourceLayer:
    weight = node.constant(1)
    weight = weight.T.copy() if node.attribute("transB", 0) else weight
    return SourceLayer("linear", node.name, node.with_bias(weight))


def _matmul(node: _Node) -> SourceLayer | None:
    # Products of two computed tensors are attention or resizing: no layer with values.
    return SourceLayer("linear", node.name, {"weight": node.constant(1)}) if node.is_constant(1) else None


_READERS: dict[str, Any] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "BatchNormalization": _batch_norm,
    "PRelu": _prelu,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
