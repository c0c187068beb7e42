"""Small files of every format, written with the formats' own libraries or by hand."""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "data" / "checkpoints"


@pytest.fixture
def checkpoints() -> Path:
    """The folder of released checkpoints."""
    if not CHECKPOINTS.is_dir():
        pytest.skip("data/checkpoints is not here")
    return CHECKPOINTS


class _Reference:
    """What torch.save leaves in a pickle in place of a tensor's values."""

    def __init__(self, key: str, array: np.ndarray) -> None:
        self.key, self.array = key, np.ascontiguousarray(array)


class _Tensor:
    def __init__(self, key: str, array: np.ndarray) -> None:
        self.reference, self.shape = _Reference(key, array), array.shape
        self.strides = tuple(stride // array.itemsize for stride in np.ascontiguousarray(array).strides)

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.reference, 0, self.shape, self.strides, False, OrderedDict())


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, _Reference):
            return None
        storage = {"f": "FloatStorage", "i": "LongStorage"}[value.array.dtype.kind]
        return "storage", getattr(sys.modules["torch"], storage), value.key, "cpu", value.array.size


@pytest.fixture
def torch_names() -> Iterator[None]:
    """Give pickle the names of PyTorch, so that files can be written without it."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def rebuild(*_: Any) -> None:
        raise AssertionError("only named, never called")

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", *["_rebuild_tensor_v2"] * 2
    utils._rebuild_tensor_v2 = rebuild
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    yield
    for name, module in before.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module


def _dumped(value: Any) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue()


@pytest.fixture
def legacy_pth(torch_names: None) -> Callable[..., bytes]:
    """Write tensors by name in the format of PyTorch before 1.6; ``wrap`` puts something around the state dict."""

    def write(arrays: Mapping[str, np.ndarray], wrap: Callable[[Any], Any] = lambda state: state) -> bytes:
        state = OrderedDict((name, _Tensor(str(n), array)) for n, (name, array) in enumerate(arrays.items()))
        parts = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}, wrap(state)]
        content = b"".join(map(_dumped, parts)) + _dumped([tensor.reference.key for tensor in state.values()])
        for tensor in state.values():
            values = tensor.reference.array
            content += struct.pack("<q", values.size) + values.tobytes()
        return content

    return write


@pytest.fixture
def zipped_pth(torch_names: None) -> Callable[..., bytes]:
    """Write tensors by name in PyTorch's zip format."""

    def write(arrays: Mapping[str, np.ndarray]) -> bytes:
        state = OrderedDict((name, _Tensor(str(n), array)) for n, (name, array) in enumerate(arrays.items()))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("net/data.pkl", _dumped(state))
            archive.writestr("net/byteorder", "little")
            for tensor in state.values():
                archive.writestr(f"net/data/{tensor.reference.key}", tensor.reference.array.tobytes())
        return buffer.getvalue()

    return write


def write_h5(path: Path, layers: Mapping[str, Mapping[str, np.ndarray]], config: Any = None) -> Path:
    """Write a Keras h5: layers' arrays by short name, and the architecture where one is given."""
    import h5py

    with h5py.File(path, "w") as file:
        root = file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
            root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in arrays]
            for key, array in arrays.items():
                group[f"{name}/{key}:0"] = array
    return path


def write_paddlejs(folder: Path, variables: Mapping[str, np.ndarray], operators: list[Any], chunks: int = 1) -> Path:
    """Write a Paddle.js model."""
    shapes = [{"name": name, "shape": list(array.shape), "persistable": True} for name, array in variables.items()]
    (folder / "model.json").write_text(json.dumps({"ops": operators, "vars": shapes}), encoding="utf-8")
    values = np.concatenate([variables[name].ravel() for name in sorted(variables)]).astype("<f4")
    for number, part in enumerate(np.array_split(values, chunks), 1):
        part.tofile(folder / f"chunk_{number}.dat")
    return folder / "model.json"


_TYPES = {"f4": "FLOAT32", "f2": "FLOAT16", "i1": "INT8", "i4": "INT32"}


@dataclass
class TensorOf:
    """A tensor: its shape, its values where they are stored, its quantisation."""

    name: str
    shape: Sequence[int]
    values: np.ndarray | None = None
    scale: Sequence[float] = ()
    zero_point: Sequence[int] = ()
    axis: int = 0


@dataclass
class OperatorOf:
    """An operator by its TFLite name; tensors by their position."""

    kind: str
    inputs: list[int]
    outputs: list[int]
    custom: str = ""


def tflite_bytes(tensors: Sequence[TensorOf], operators: Sequence[OperatorOf]) -> bytes:
    """Return a TFLite file of one graph, written with the schema's own builders."""
    import flatbuffers
    import tflite

    builder = flatbuffers.Builder(0)
    buffers = [_buffer(builder, None)] + [_buffer(builder, tensor.values) for tensor in tensors]
    built = [_tensor(builder, tensor, number + 1) for number, tensor in enumerate(tensors)]
    codes = [_code(builder, operator) for operator in operators]
    steps = [_operator(builder, operator, number) for number, operator in enumerate(operators)]
    tensor_vector = _offsets(builder, built)
    step_vector = _offsets(builder, steps)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensor_vector)
    tflite.SubGraphAddOperators(builder, step_vector)
    graphs = _offsets(builder, [tflite.SubGraphEnd(builder)])
    code_vector, buffer_vector = _offsets(builder, codes), _offsets(builder, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, code_vector)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, buffer_vector)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _offsets(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _buffer(builder: Any, values: np.ndarray | None) -> int:
    import tflite

    data = None if values is None else builder.CreateByteVector(np.ascontiguousarray(values).tobytes())
    tflite.BufferStart(builder)
    if data is not None:
        tflite.BufferAddData(builder, data)
    return tflite.BufferEnd(builder)


def _tensor(builder: Any, tensor: TensorOf, buffer: int) -> int:
    import tflite

    name = builder.CreateString(tensor.name)
    shape = builder.CreateNumpyVector(np.asarray(tensor.shape, np.int32))
    quantization = None
    if len(tensor.scale):
        scale = builder.CreateNumpyVector(np.asarray(tensor.scale, np.float32))
        zero = builder.CreateNumpyVector(np.asarray(tensor.zero_point, np.int64))
        tflite.QuantizationParametersStart(builder)
        tflite.QuantizationParametersAddScale(builder, scale)
        tflite.QuantizationParametersAddZeroPoint(builder, zero)
        tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.axis)
        quantization = tflite.QuantizationParametersEnd(builder)
    kind = "f4" if tensor.values is None else tensor.values.dtype.str[1:]
    tflite.TensorStart(builder)
    tflite.TensorAddName(builder, name)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, getattr(tflite.TensorType, _TYPES[kind]))
    tflite.TensorAddBuffer(builder, buffer)
    if quantization is not None:
        tflite.TensorAddQuantization(builder, quantization)
    return tflite.TensorEnd(builder)


def _code(builder: Any, operator: OperatorOf) -> int:
    import tflite

    custom = builder.CreateString(operator.custom) if operator.custom else None
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, getattr(tflite.BuiltinOperator, operator.kind))
    if custom is not None:
        tflite.OperatorCodeAddCustomCode(builder, custom)
    return tflite.OperatorCodeEnd(builder)


def _operator(builder: Any, operator: OperatorOf, code: int) -> int:
    import tflite

    inputs = builder.CreateNumpyVector(np.asarray(operator.inputs, np.int32))
    outputs = builder.CreateNumpyVector(np.asarray(operator.outputs, np.int32))
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    return tflite.OperatorEnd(builder)


@pytest.fixture
def tiny() -> types.SimpleNamespace:
    """The writers of this file."""
    return types.SimpleNamespace(
        h5=write_h5, paddlejs=write_paddlejs, tflite=tflite_bytes, tensor=TensorOf, operator=OperatorOf
    )
