"""Reading weight files without executing them, and loading them into a network with a report.

``.pdparams`` files are pickles. Ordinary unpickling runs whatever code the file names, so this reader
admits the few constructors that arrays need and refuses every other file.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddle_portrait import zoo
from paddle_portrait.console import logger
from paddle_portrait.errors import UserError

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
    """Read a ``.pdparams`` file as arrays by name. Nothing in the file is executed.

    Raises:
        UserError: the file is missing, damaged, no state dict, or asks to run code.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read weights '{path}': {error.strerror}.") from None
    try:
        state = _ArrayUnpickler(io.BytesIO(content)).load()
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


@dataclass
class LoadReport:
    """What happened to each key when weights were loaded."""

    path: str
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Return one line for the log, naming the first keys that did not load."""
        text = f"{self.path}: {len(self.matched)} keys loaded"
        for kind in ("missing", "unexpected", "mismatched", "dropped"):
            keys = getattr(self, kind)
            if keys:
                more = ", …" if len(keys) > 3 else ""
                text += f"; {len(keys)} {kind} ({', '.join(keys[:3])}{more})"
        return text


def load_weights(model: nn.Layer, source: str | Path) -> LoadReport:
    """Load a ``.pdparams`` file, the ``model.pdparams`` of a checkpoint directory, or a zoo name into ``model``.

    Keys whose shape differs stay as they are and are reported, as are missing and unexpected ones.

    Raises:
        UserError: no file there, it is damaged or unsafe, or none of its keys fits the network.
    """
    path = _weights_file(source)
    arrays = read_weights(path)
    own = model.state_dict()
    unused = re.compile(getattr(model, "unused_checkpoint_keys", r"(?!)"))
    report = LoadReport(str(path), missing=[name for name in own if name not in arrays])
    for name, array in arrays.items():
        if name in own and list(array.shape) == list(own[name].shape):
            report.matched.append(name)
        elif name in own:
            report.mismatched.append(f"{name} {list(array.shape)} for {list(own[name].shape)}")
        elif unused.fullmatch(name):
            report.dropped.append(name)
        else:
            report.unexpected.append(name)
    if not report.matched:
        raise UserError(
            f"weights '{path}' do not fit this network: none of their {len(arrays)} keys matches its {len(own)}. "
            f"First keys of the file: {', '.join(list(arrays)[:3]) or '(none)'}; of the network: "
            f"{', '.join(list(own)[:3])}. Name the config with which the weights were trained."
        )
    model.set_state_dict({name: paddle.to_tensor(arrays[name].astype(_dtype_of(own[name]))) for name in report.matched})
    level = logger.warning if report.missing or report.unexpected or report.mismatched else logger.info
    level("weights %s", report.summary())
    return report


def _weights_file(source: str | Path) -> Path:
    path = zoo.find_weights(source)
    if path.is_dir():
        path = path / "model.pdparams"
    if not path.is_file():
        raise UserError(f"no weights at '{source}'. Give a .pdparams file or a directory that holds model.pdparams.")
    return path


def _dtype_of(tensor: paddle.Tensor) -> str:
    return str(tensor.dtype).rsplit(".", 1)[-1]
