"""A legacy graph as Paddle.js keeps it: plain operators, tensors of at most four dimensions, one input."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.legacy_program import read_program

INPUT = "image"  # the name under which Paddle.js looks for the input
_MOST_DIMENSIONS = 4
RENAMED_OPERATORS = {"batch_norm": "batchnorm", "leaky_relu": "leakyRelu"}
_RENAMED_OUTPUTS = {"Output": "Out", "Y": "Out"}
_LEFT_OUT = frozenset({
    "op_callstack", "col", "op_role", "op_namescope", "op_role_var", "data_format", "is_test", "use_mkldnn",
    "use_cudnn", "use_quantizer", "with_quant_attr", "workspace_size_MB", "mkldnn_data_type", "op_device",
    "__@kernel_type_attr@__",
})  # fmt: skip


@dataclass
class Operator:
    """One step: names of variables by slot, and attributes."""

    kind: str
    inputs: dict[str, list[str]]
    outputs: dict[str, list[str]]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Graph:
    """Operators in order, shapes of all variables, and the values of those that are weights."""

    operators: list[Operator]
    shapes: dict[str, list[int]]
    weights: dict[str, np.ndarray]

    def used(self) -> set[str]:
        """Return the names of all variables that operators read or compute."""
        slots = (slot for one in self.operators for slot in (*one.inputs.values(), *one.outputs.values()))
        return {name for names in slots for name in names} - {"feed", "fetch"}

    def without_unused(self) -> Graph:
        """Return the graph without what no operator reads or computes."""
        used = self.used()
        return Graph(
            self.operators,
            {name: shape for name, shape in self.shapes.items() if name in used},
            {name: value for name, value in self.weights.items() if name in used},
        )

    def add_weight(self, name: str, value: np.ndarray) -> str:
        """Add a constant and return its name."""
        self.weights[name], self.shapes[name] = value.astype(np.float32), list(value.shape)
        return name

    def add_like(self, name: str, shape: list[int]) -> str:
        """Add a variable that an operator computes and return its name."""
        self.shapes[name] = shape
        return name


def read_graph(model: Path, params: Path) -> Graph:
    """Read a ``.pdmodel`` file with its weights.

    Raises:
        ExportError: a tensor has more than four dimensions, or a size that is not known.
    """
    block = read_program(model).blocks[0]
    described = {variable.name: variable for variable in block.vars}
    weights = dict(_read_weights(params, sorted(name for name, one in described.items() if _is_weight(one))))
    fed = next(slot.arguments[0] for one in block.ops if one.type == "feed" for slot in one.outputs)
    graph = Graph([_operator(one, {fed: INPUT}) for one in block.ops], {}, weights)
    used = graph.used()
    named = ((INPUT if name == fed else name, one) for name, one in described.items())
    graph.shapes.update((name, _shape(name, one)) for name, one in named if name in used)
    return graph.without_unused()


def _is_weight(variable: Any) -> bool:
    return variable.persistable and variable.name not in ("feed", "fetch")


def _operator(described: Any, renamed: dict[str, str]) -> Operator:
    def slots(entries: Any, renamed_slots: dict[str, str]) -> dict[str, list[str]]:
        return {
            renamed_slots.get(one.parameter, one.parameter): [renamed.get(name, name) for name in one.arguments]
            for one in entries
            if one.arguments and one.parameter != "XShape"
        }

    attributes = {one.name: _value(one) for one in described.attrs if one.name not in _LEFT_OUT}
    kind = RENAMED_OPERATORS.get(described.type, described.type)
    return Operator(kind, slots(described.inputs, {}), slots(described.outputs, _RENAMED_OUTPUTS), attributes)


def _value(attribute: Any) -> Any:
    from paddle.base.proto import framework_pb2

    kind = framework_pb2.AttrType.Name(attribute.type)
    single = {"INT": "i", "FLOAT": "f", "STRING": "s", "BOOLEAN": "b", "LONG": "l", "FLOAT64": "float64"}
    several = {"INTS": "ints", "FLOATS": "floats", "STRINGS": "strings", "BOOLEANS": "bools", "LONGS": "longs"}
    if kind in single:
        return getattr(attribute, single[kind])
    return list(getattr(attribute, several[kind])) if kind in several else None


def _shape(name: str, variable: Any) -> list[int]:
    shape = list(variable.type.dense_tensor.tensor.dims)
    if len(shape) > _MOST_DIMENSIONS:
        raise ExportError(
            f"format paddlejs: tensor '{name}' has {len(shape)} dimensions {shape}; Paddle.js holds four, and would "
            "compute something else. Write that layer with tensors of four dimensions (channel shuffle: reshape to "
            "N×groups×channels×pixels and transpose)."
        )
    if any(side < 1 for side in shape):
        raise ExportError(f"format paddlejs: the size of tensor '{name}' is not known: {shape}. Paddle.js needs all.")
    return shape


def _read_weights(params: Path, names: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the tensors of a ``.pdiparams`` file, which lie one after the other in the order of their names."""
    from paddle.base.proto import framework_pb2

    content, position = params.read_bytes(), 0
    types = {framework_pb2.VarType.FP32: "<f4", framework_pb2.VarType.INT64: "<i8", framework_pb2.VarType.INT32: "<i4"}
    for name in names:
        # Versions of two formats (4 bytes each), around the number of levels of detail, which is 0 (8 bytes).
        length = struct.unpack_from("<i", content, position + 16)[0]
        described = framework_pb2.VarType.TensorDesc.FromString(content[position + 20 : position + 20 + length])
        position += 20 + length
        kind = np.dtype(types[described.data_type])
        count = int(np.prod(described.dims))
        yield name, np.frombuffer(content, kind, count, position).reshape(list(described.dims))
        position += count * kind.itemsize
