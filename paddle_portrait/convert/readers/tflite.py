"""TFLite files: float32, float16 or int8 behind DEQUANTIZE, weights in int8, and wholly int8 graphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.convert.source import SourceError, SourceLayer, SourceModel, paddle_layout

_MAGIC = b"TFL3"
# O×h×w×I, 1×h×w×C and so on -> Paddle's order.
_OIHW = (0, 3, 1, 2)
_IOHW = (3, 0, 1, 2)
_MEDIAPIPE_DECONV = b"Convolution2DTransposeBias"
_VALUES_ELSEWHERE = 1  # offsets above this mean that a buffer's bytes follow the flatbuffer in the file


def read(path: Path) -> SourceModel:
    """Read a TFLite file; see :func:`paddle_portrait.convert.source.read_source`."""
    import tflite

    content = path.read_bytes()
    if content[4:8] != _MAGIC:
        raise SourceError(path, "is no TFLite file: it does not carry their mark 'TFL3'.")
    model = tflite.Model.GetRootAsModel(content, 0)
    if model.SubgraphsLength() < 1:
        raise SourceError(path, "is damaged: it holds no graph.")
    graph = _Graph(path, content, model)
    return SourceModel(str(path), graph.layers(), graph.constants())


class _Graph:
    """The first graph of a file, with its constants resolved."""

    def __init__(self, path: Path, content: bytes, model: Any) -> None:
        self._path, self._content, self._model = path, content, model
        self._graph = model.Subgraphs(0)
        self._operators = [self._graph.Operators(index) for index in range(self._graph.OperatorsLength())]
        # Dequantised constants are computed by operators, not stored: output -> stored input.
        self._alias = {op.Outputs(0): op.Inputs(0) for op in self._operators if self._type(op)[0] == "DEQUANTIZE"}
        self._layers: list[SourceLayer] = []
        self._made_by: dict[int, int] = {}  # tensor -> position of the layer that computes it

    def layers(self) -> list[SourceLayer]:
        """Return the layers in the order of the operators, which is one in which they can run."""
        handlers: dict[str, Callable[[Any], SourceLayer | None]] = {
            "CONV_2D": lambda op: self._weighted("conv", op, 1, _OIHW),
            "DEPTHWISE_CONV_2D": lambda op: self._weighted("depthwise", op, 1, _IOHW),
            "TRANSPOSE_CONV": lambda op: self._weighted("deconv", op, 1, _IOHW, bias_input=3),
            "FULLY_CONNECTED": lambda op: self._weighted("linear", op, 1, (1, 0)),
            "PRELU": self._prelu,
            "CUSTOM": self._custom,
            "ADD": self._late_bias,
        }
        for operator in self._operators:
            handler = handlers.get(self._type(operator)[0])
            layer = handler(operator) if handler else None
            if layer is not None:
                self._made_by[operator.Outputs(0)] = len(self._layers)
                self._layers.append(layer)
        return self._layers

    def constants(self) -> dict[str, np.ndarray]:
        """Return every stored array by name, dequantised."""
        found = ((self._name(index), self._constant(index)) for index in range(self._graph.TensorsLength()))
        return {name: array for name, array in found if array is not None}

    def _type(self, operator: Any) -> tuple[str, bytes]:
        import tflite

        code = self._model.OperatorCodes(operator.OpcodeIndex())
        # Files written before the list outgrew one byte have the old field only.
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        return tflite.opcode2name(builtin), code.CustomCode() or b""

    def _name(self, index: int) -> str:
        return (self._graph.Tensors(index).Name() or b"").decode("utf-8", "replace") or f"tensor_{index}"

    def _weighted(
        self, kind: str, operator: Any, weight_input: int, axes: tuple[int, ...], bias_input: int = 2
    ) -> SourceLayer:
        arrays = {"weight": self._values(operator, weight_input, axes)}
        if operator.InputsLength() > bias_input and operator.Inputs(bias_input) >= 0:
            arrays["bias"] = self._values(operator, bias_input)
        return SourceLayer(kind, self._name(operator.Inputs(weight_input)), arrays)

    def _prelu(self, operator: Any) -> SourceLayer:
        return SourceLayer("prelu", self._name(operator.Inputs(1)), {"weight": self._values(operator, 1).reshape(-1)})

    def _custom(self, operator: Any) -> SourceLayer | None:
        if self._type(operator)[1] != _MEDIAPIPE_DECONV:
            return None
        return self._weighted("deconv", operator, 1, _IOHW)

    def _late_bias(self, operator: Any) -> None:
        """Give a convolution the bias that the file adds in an operator of its own."""
        position = self._made_by.get(operator.Inputs(0))
        bias = self._constant(operator.Inputs(1))
        if position is None or bias is None or bias.ndim != 1 or "bias" in self._layers[position].arrays:
            return
        layer = self._layers[position]
        self._layers[position] = replace(layer, arrays={**layer.arrays, "bias": paddle_layout(bias)})

    def _values(self, operator: Any, position: int, axes: tuple[int, ...] | None = None) -> np.ndarray:
        index = operator.Inputs(position)
        array = self._constant(index)
        if array is None:
            raise SourceError(
                self._path, f"'{self._name(index)}', a weight of {self._type(operator)[0]}, is computed in the graph."
            )
        if axes is not None and array.ndim != len(axes):
            raise SourceError(self._path, f"'{self._name(index)}' has shape {list(array.shape)}: damaged.")
        return paddle_layout(array, axes)

    def _constant(self, index: int) -> np.ndarray | None:
        """Return a stored tensor, dequantised; None where the graph computes it."""
        index = self._alias.get(index, index)
        tensor = self._graph.Tensors(index)
        data = self._bytes(self._model.Buffers(tensor.Buffer()))
        if not data:
            return None
        shape = [int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength())]
        dtype = _dtype(tensor.Type())
        if dtype is None:
            raise SourceError(self._path, f"'{self._name(index)}' has a type of number that is not read.")
        if min(shape, default=1) < 0 or len(data) != int(np.prod(shape, dtype=object)) * dtype.itemsize:
            raise SourceError(
                self._path, f"'{self._name(index)}' has shape {shape} of {dtype}, but {len(data)} bytes: damaged."
            )
        return _dequantised(np.frombuffer(data, dtype).reshape(shape), tensor.Quantization())

    def _bytes(self, buffer: Any) -> bytes:
        offset = buffer.Offset() if hasattr(buffer, "Offset") else 0
        if offset > _VALUES_ELSEWHERE:
            end = offset + buffer.Size()
            if end > len(self._content):
                raise SourceError(self._path, f"is cut off: its values go on to byte {end}.")
            return self._content[offset:end]
        if buffer.DataLength() == 0:
            return b""
        start = buffer._tab.Vector(buffer._tab.Offset(4))
        if start + buffer.DataLength() > len(self._content):
            raise SourceError(self._path, "is damaged: a buffer ends behind the end of the file.")
        return buffer.DataAsNumpy().tobytes()


def _dtype(code: int) -> np.dtype | None:
    from tflite import TensorType

    names = {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT8": "i1", "UINT8": "u1", "INT16": "<i2", "INT32": "<i4"}
    names |= {"INT64": "<i8", "BOOL": "?"}
    types = {getattr(TensorType, name): np.dtype(text) for name, text in names.items()}
    return types.get(code)


def _dequantised(array: np.ndarray, quantization: Any) -> np.ndarray:
    """Return (q - zero point) · scale, per tensor or per channel.

    A scale of zero, or one that is no number, marks a channel that was all zero when it was quantised.
    """
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.kind not in "iu" or quantization is None or quantization.ScaleLength() == 0:
        return array
    scale = np.asarray(quantization.ScaleAsNumpy(), np.float32)
    scale = np.where(np.isfinite(scale), scale, 0).astype(np.float32)
    zero = np.asarray(quantization.ZeroPointAsNumpy()) if quantization.ZeroPointLength() else np.zeros(1, np.int64)
    if len(scale) > 1:
        shape = [1] * array.ndim
        shape[quantization.QuantizedDimension()] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape) if len(zero) > 1 else zero
    return ((array.astype(np.int64) - zero).astype(np.float64) * scale).astype(np.float32)
