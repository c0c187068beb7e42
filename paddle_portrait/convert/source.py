"""A network's values as read from a file of another framework, in the layout that Paddle's layers want.

No reader imports the framework that wrote the file, and none executes what a file holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from paddle_portrait.errors import UserError

KINDS = ("conv", "depthwise", "deconv", "prelu", "batch_norm", "linear")

# File endings and the module of convert/readers that takes them. A folder is read as Paddle.js.
_READERS = {
    ".h5": "keras_h5",
    ".hdf5": "keras_h5",
    ".tflite": "tflite",
    ".onnx": "onnx",
    ".pth": "pytorch",
    ".pt": "pytorch",
    ".json": "paddlejs",
}


class SourceError(UserError):
    """A source file is missing, damaged, hostile, or of a kind that is not read."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(f"'{path}': {problem}")


@dataclass(frozen=True)
class SourceLayer:
    """One layer that holds values.

    Attributes:
        kind: one of :data:`KINDS`. PyTorch files do not tell ``deconv`` from ``conv``: there it is ``conv``.
        name: as in the file.
        arrays: float32, by Paddle's names and in Paddle's layout: ``weight`` (conv O×I/groups×h×w, depthwise
            C×1×h×w, deconv I×O×h×w, linear I×O, prelu C) and ``bias`` where there is one; a batch norm has
            ``weight``, ``bias``, ``_mean`` and ``_variance``.
        attributes: ``epsilon`` of a batch norm, where the file tells.
    """

    kind: str
    name: str
    arrays: dict[str, np.ndarray]
    attributes: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        shapes = ", ".join(f"{key} {list(array.shape)}" for key, array in self.arrays.items())
        return f"{self.kind} '{self.name}' ({shapes})"


@dataclass(frozen=True)
class SourceModel:
    """What a file holds.

    Attributes:
        path: of the file.
        layers: in the order in which they run; in PyTorch files in the order of the state dict.
        tensors: every array under its own name and in its own layout, dequantised where it was quantised.
    """

    path: str
    layers: list[SourceLayer]
    tensors: dict[str, np.ndarray]

    def named_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of all layers as ``<layer>.<key>``, in Paddle's layout and float32."""
        return {f"{layer.name}.{key}": array for layer in self.layers for key, array in layer.arrays.items()}

    def reordered(self, after: Mapping[str, str]) -> SourceModel:
        """Return a copy in which layers run at another place: each key of ``after`` directly after its value.

        Files write branches that run side by side in an order of their own; this puts them into the network's.

        Raises:
            SourceError: the file has no such layer.
        """
        layers = list(self.layers)
        for name, predecessor in after.items():
            layer = layers.pop(self._position(layers, name))
            layers.insert(self._position(layers, predecessor) + 1, layer)
        return replace(self, layers=layers)

    def _position(self, layers: list[SourceLayer], name: str) -> int:
        names = [layer.name for layer in layers]
        if name not in names:
            raise SourceError(self.path, f"has no layer '{name}'; its layers: {', '.join(names)}.")
        return names.index(name)


def read_source(path: str | Path) -> SourceModel:
    """Read a Keras h5, TFLite, ONNX, PyTorch or Paddle.js file; the file's ending says which.

    Raises:
        SourceError: the file is missing, damaged, hostile, or of no kind that is read.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "model.json"
    if not path.is_file():
        raise SourceError(path, "there is no such file.")
    if path.suffix.lower() not in _READERS:
        raise SourceError(path, f"files ending in '{path.suffix}' are not read; those are: {', '.join(_READERS)}.")
    reader = import_module(f"paddle_portrait.convert.readers.{_READERS[path.suffix.lower()]}")
    return guarded(path, reader.read)


def guarded(path: Path, read: Callable[[Path], SourceModel]) -> SourceModel:
    """Call a reader; whatever a damaged file makes a parser raise becomes a :class:`SourceError`."""
    try:
        model = read(path)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        raise UserError(
            f"reading '{path}' needs the package {error.name}: pip install 'paddle_portrait[convert]'."
        ) from None
    except Exception as error:  # parsers of damaged files raise nearly anything
        raise SourceError(path, f"is damaged or not what its ending says ({type(error).__name__}: {error}).") from error
    if not model.layers:
        raise SourceError(path, "holds no layer with values.")
    _refuse_bad_values(path, model.layers)
    return model


def _refuse_bad_values(path: Path, layers: Iterable[SourceLayer]) -> None:
    for layer in layers:
        bad = [key for key, array in layer.arrays.items() if not np.isfinite(array).all()]
        if bad:
            raise SourceError(path, f"{layer.kind} '{layer.name}' holds values that are no numbers in its {bad[0]}.")


def paddle_layout(array: np.ndarray, axes: tuple[int, ...] | None = None) -> np.ndarray:
    """Return ``array`` as contiguous float32, its axes permuted."""
    return np.ascontiguousarray(array if axes is None else np.transpose(array, axes), dtype=np.float32)
