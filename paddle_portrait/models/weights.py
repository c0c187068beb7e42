"""Reading weight files without executing them, and loading them into a network with a report.

``.pdparams`` files are pickles. Ordinary unpickling runs whatever code the file names, so this reader
admits the few constructors that arrays need and refuses every other file.
"""

from __future__ import annotations

import gzip
import io
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddle_portrait import zoo
from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.models.channels import CHANNELS_FILE, apply_widths, read_widths

_GZIP = b"\x1f\x8b"

# Bookkeeping that paddle.save adds beside the arrays.
_NAME_TABLE = "StructuredToParameterName@@"

_ALLOWED_GLOBALS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
}


class UnsafeFileError(UserError):
    """A weight file names code beyond what arrays need."""


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED_GLOBALS:
            raise UnsafeFileError(f"it asks to run {module}.{name}, which no weight file needs")
        return super().find_class(module, name)


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Read a ``.pdparams`` file, which may be compressed, as arrays by name. Nothing in the file is executed.

    Raises:
        UserError: the file is missing, damaged, no state dict, or asks to run code.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read weights '{path}': {error.strerror}.") from None
    try:
        plain = gzip.decompress(content) if content.startswith(_GZIP) else content
        state = _ArrayUnpickler(io.BytesIO(plain)).load()
    except UnsafeFileError as error:
        raise UnsafeFileError(
            f"refused weights '{path}': {error}. Use a file saved by paddle.save from a state dict that you trust."
        ) from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise UserError(
            f"weights '{path}' are damaged or not a state dict ({type(error).__name__}: {error}). "
            "Fetch or save the file again."
        ) from None
    if not isinstance(state, Mapping):
        raise UserError(f"weights '{path}' hold a {type(state).__name__}, not a state dict of arrays by name.")
    return {str(name): np.asarray(value) for name, value in state.items() if name != _NAME_TABLE}


def save_weights(arrays: Mapping[str, np.ndarray], path: str | Path, largest: int | None = None) -> None:
    """Write arrays by name as ``paddle.save`` does; the same arrays always give the same bytes.

    Args:
        arrays: the state dict.
        path: the file to write.
        largest: bytes from which on the file is compressed (by gzip), which only this package reads.
    """
    path = Path(path)
    paddle.save(dict(arrays), str(path))
    if largest is not None and path.stat().st_size > largest:
        path.write_bytes(gzip.compress(path.read_bytes(), compresslevel=9, mtime=0))


@dataclass
class LoadReport:
    """What happened to each key when weights were loaded.

    Attributes:
        path: where the weights came from.
        matched: loaded as they are.
        resized: loaded after a change of shape: first convolutions for other channels of the input.
        new: of layers that end in another number of classes; they keep their initial values.
        missing: of the network, and not in the file.
        unexpected: of the file, and not in the network.
        mismatched: of both, in shapes that do not fit; they keep their initial values.
        dropped: of the file, known to be of no use.
    """

    path: str
    matched: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    @property
    def differences(self) -> list[str]:
        """What of the network does not hold exactly what the file says."""
        return [*self.missing, *self.mismatched, *self.new, *self.resized]

    def summary(self) -> str:
        """Return one line for the log, naming the first keys that were not simply loaded."""
        text = f"{self.path}: {len(self.matched)} keys loaded"
        for kind in ("resized", "new", "missing", "unexpected", "mismatched", "dropped"):
            keys = getattr(self, kind)
            if keys:
                more = ", …" if len(keys) > 3 else ""
                text += f"; {len(keys)} {kind} ({', '.join(keys[:3])}{more})"
        return text


def load_weights(model: nn.Layer, source: str | Path) -> LoadReport:
    """Load a ``.pdparams`` file, the ``model.pdparams`` of a checkpoint directory, or a zoo name into ``model``.

    Where the weights are of a pruned network, ``model`` is narrowed to fit.

    Raises:
        UserError: no file there, it is damaged or unsafe, or none of its keys fits the network.
    """
    path = weights_file(source)
    narrow_like(model, path)
    report = load_arrays(model, read_weights(path), str(path))
    level = logger.warning if report.differences or report.unexpected else logger.info
    level("weights %s", report.summary())
    return report


def narrow_like(model: nn.Layer, path: Path) -> None:
    """Take from ``model`` the channels that the pruned network had lost whose weights are at ``path``.

    Raises:
        UserError: the ``channels.json`` beside the weights is damaged or of another network.
    """
    if widths := read_widths(path.parent):
        apply_widths(model, widths, str(path.parent / CHANNELS_FILE))


def load_arrays(model: nn.Layer, arrays: Mapping[str, np.ndarray], path: str) -> LoadReport:
    """Load arrays by name into ``model``; what does not fit stays as it is and is reported.

    Convolutions of three-channel images take a fourth channel with zeros, so that they answer as before until it
    is trained, or one grey channel with the sum over colours. Layers whose only difference is another number of
    classes count as new.

    Args:
        model: changed in place.
        arrays: by the network's names.
        path: where they came from, for messages.

    Raises:
        UserError: none of the names fits the network.
    """
    own = model.state_dict()
    unused = re.compile(getattr(model, "unused_checkpoint_keys", r"(?!)"))
    report = LoadReport(path, missing=[name for name in own if name not in arrays])
    fitting: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if name not in own:
            (report.dropped if unused.fullmatch(name) else report.unexpected).append(name)
            continue
        shape = list(own[name].shape)
        change = f"{name} {list(array.shape)} for {shape}"
        if list(array.shape) == shape:
            report.matched.append(name)
            fitting[name] = array
        elif (resized := _for_other_input(array, shape)) is not None:
            report.resized.append(change)
            fitting[name] = resized
        else:
            other_classes = _differs_in_classes(array.shape, shape, getattr(model, "num_classes", None))
            (report.new if other_classes else report.mismatched).append(change)
    if not fitting:
        raise UserError(
            f"weights '{path}' do not fit this network: none of their {len(arrays)} keys matches its {len(own)}. "
            f"First keys of the file: {', '.join(list(arrays)[:3]) or '(none)'}; of the network: "
            f"{', '.join(list(own)[:3])}. Name the config with which the weights were trained."
        )
    values = {name: paddle.to_tensor(value.astype(_dtype_of(own[name]))) for name, value in fitting.items()}
    model.set_state_dict({**own, **values})  # own values for the rest: Paddle warns of each that it does not get
    return report


_COLOURS = 3


def _for_other_input(weight: np.ndarray, shape: Sequence[int]) -> np.ndarray | None:
    """Return a convolution's O×3×h×w for four input channels or one, or None where it is something else."""
    is_convolution = weight.ndim == len(shape) == 4 and weight.shape[1] == _COLOURS
    if not is_convolution or [weight.shape[0], *weight.shape[2:]] != [shape[0], *shape[2:]]:
        return None
    if shape[1] == 1:
        return weight.sum(axis=1, keepdims=True)
    if shape[1] == _COLOURS + 1:
        return np.concatenate([weight, np.zeros_like(weight[:, :1])], axis=1)
    return None


def _differs_in_classes(theirs: Sequence[int], own: Sequence[int], num_classes: int | None) -> bool:
    """Say whether two shapes differ only where ours is the number of classes, and theirs another number."""
    if len(theirs) != len(own):
        return False
    different = {(other, ours) for other, ours in zip(theirs, own, strict=True) if other != ours}
    return len(different) == 1 and all(ours == num_classes for _, ours in different)


def weights_file(source: str | Path) -> Path:
    """Return the file that a path, a checkpoint directory or a zoo name means.

    Raises:
        UserError: there is none.
    """
    path = zoo.find_weights(source)
    if path.is_dir():
        path = path / "model.pdparams"
    if not path.is_file():
        raise UserError(
            f"no weights at '{source}'. Give a .pdparams file, a checkpoint's folder (it holds model.pdparams), such "
            "as output/best_model, or a zoo name."
        )
    return path


def _dtype_of(tensor: paddle.Tensor) -> str:
    return str(tensor.dtype).rsplit(".", 1)[-1]
