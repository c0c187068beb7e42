"""PyTorch checkpoints, of the zip format and of the one before it, without PyTorch.

Such files are pickles. This reader admits what rebuilds tensors and refuses every other name, so that nothing in a
file is executed.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from paddle_portrait.convert.source import SourceError, SourceLayer, SourceModel, paddle_layout

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_STATE_KEYS = ("state_dict", "model_state_dict", "model", "net")
_RUNNING = {"running_mean": "_mean", "running_var": "_variance"}


def read(path: Path) -> SourceModel:
    """Read a PyTorch file; see :func:`paddle_portrait.convert.source.read_source`."""
    content = path.read_bytes()
    read_pickles = _read_zip if zipfile.is_zipfile(io.BytesIO(content)) else _read_legacy
    found = read_pickles(path, content)
    tensors = _state_dict(path, found)
    return SourceModel(str(path), _layers(tensors), tensors)


@dataclass
class _Storage:
    """A run of numbers that tensors are views of; its values may come after them in the file."""

    dtype: np.dtype
    count: int
    values: np.ndarray | None = None


@dataclass
class _View:
    """A tensor before its storage is read."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, path: Path) -> np.ndarray:
        """Return the tensor's values; views that reach outside their storage are refused."""
        spans = [(side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True)]
        inside = all(side >= 0 for side in self.shape) and all(stride >= 0 for stride in self.strides)
        count = int(np.prod(self.shape, dtype=object))
        if not inside or self.offset < 0 or count > self.storage.count:
            raise SourceError(path, f"is damaged: a tensor of shape {list(self.shape)} reaches outside its values.")
        if count == 0:
            return np.zeros(self.shape, self.storage.dtype)
        if self.storage.values is None or self.offset + sum(spans) >= len(self.storage.values):
            raise SourceError(path, f"is damaged: the values of a tensor of shape {list(self.shape)} are missing.")
        size = self.storage.dtype.itemsize
        start = self.storage.values[self.offset :]
        return np.lib.stride_tricks.as_strided(start, self.shape, [stride * size for stride in self.strides]).copy()


def _rebuild_tensor(storage: Any, offset: int, shape: Sequence[int], strides: Sequence[int], *_: Any) -> _View:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


_ADMITTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): tuple,
    **{("torch", name): np.dtype(code) for name, code in _DTYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    """Unpickles containers of tensors; ``storages`` collects what their values must be filled into."""

    def __init__(self, path: Path, file: IO[bytes], storages: dict[str, _Storage]) -> None:
        super().__init__(file, encoding="utf-8")
        self._path, self._storages = path, storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise SourceError(
                self._path,
                f"refused: it asks for {module}.{name}, which a file of tensors does not need. Save the network's "
                "state_dict() alone, not the network itself.",
            )
        return _ADMITTED[module, name]

    def persistent_load(self, reference: Any) -> _Storage:
        kind, dtype, key, _, count = reference[:5]
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"a reference of unknown kind {kind!r}")
        return self._storages.setdefault(str(key), _Storage(dtype, int(count)))


def _read_zip(path: Path, content: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1 or any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise SourceError(path, "is a zip file, but not one that torch.save writes.")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise SourceError(path, "was written on a big-endian machine; its values are not read.")
        storages: dict[str, _Storage] = {}
        found = _Unpickler(path, io.BytesIO(archive.read(pickles[0])), storages).load()
        for key, storage in storages.items():
            storage.values = _values(path, key, storage, archive.read(f"{folder}data/{key}"))
    return found


def _read_legacy(path: Path, content: bytes) -> Any:
    """Read magic number, version, machine, object, storage keys (a pickle each), then the storages' values."""
    file, storages = io.BytesIO(content), dict[str, _Storage]()
    if not content or _Unpickler(path, file, storages).load() != _LEGACY_MAGIC:
        raise SourceError(path, "is no file of torch.save.")
    _Unpickler(path, file, storages).load()
    machine = _Unpickler(path, file, storages).load()
    if not machine.get("little_endian", True):
        raise SourceError(path, "was written on a big-endian machine; its values are not read.")
    found = _Unpickler(path, file, storages).load()
    for key in map(str, _Unpickler(path, file, storages).load()):
        (count,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        if count != storage.count:
            raise SourceError(path, f"is damaged: storage {key} has {count} values for {storage.count}.")
        storage.values = _values(path, key, storage, file.read(count * storage.dtype.itemsize))
    return found


def _values(path: Path, key: str, storage: _Storage, data: bytes) -> np.ndarray:
    if len(data) != storage.count * storage.dtype.itemsize:
        raise SourceError(
            path, f"is cut off: storage {key} has {len(data)} bytes for {storage.count} values of {storage.dtype}."
        )
    return np.frombuffer(data, storage.dtype)


def _state_dict(path: Path, found: Any) -> dict[str, np.ndarray]:
    """Return tensors by name, out of the wrappings that trainings put around a state dict."""
    while isinstance(found, Mapping) and (keys := [key for key in _STATE_KEYS if isinstance(found.get(key), Mapping)]):
        found = found[keys[0]]
    if not isinstance(found, Mapping):
        raise SourceError(path, f"holds a {type(found).__name__}, not tensors by name.")
    views = {str(name): value for name, value in found.items() if isinstance(value, _View)}
    if not views:
        raise SourceError(path, "holds no tensors by name.")
    # Networks that trained on several GPUs carry a wrapper's name in front of every key.
    wrapped = all(name.startswith("module.") for name in views)
    return {name.removeprefix("module.") if wrapped else name: view.array(path) for name, view in views.items()}


def _layers(tensors: Mapping[str, np.ndarray]) -> list[SourceLayer]:
    """Group tensors by the layer that their names tell, in the state dict's order."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, array in tensors.items():
        layer, _, key = name.rpartition(".")
        if key != "num_batches_tracked":
            groups.setdefault(layer, {})[_RUNNING.get(key, key)] = array
    return [_layer(name, arrays) for name, arrays in groups.items()]


def _layer(name: str, arrays: Mapping[str, np.ndarray]) -> SourceLayer:
    values = {key: paddle_layout(array) for key, array in arrays.items()}
    weight = values.get("weight")
    dimensions = 0 if weight is None else weight.ndim
    if "_mean" in values:
        return SourceLayer("batch_norm", name, values)
    if dimensions == 2 and weight is not None:
        return SourceLayer("linear", name, {**values, "weight": paddle_layout(weight, (1, 0))})
    if dimensions == 4 and weight is not None:
        return SourceLayer("depthwise" if weight.shape[1] == 1 < weight.shape[0] else "conv", name, values)
    return SourceLayer("prelu", name, values)
