"""Runtimes behind the predictor. A target's name is the name of its back end.

To add one: a module here with a class that satisfies :class:`Backend`, and a line in ``RUNTIMES``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.inference.deploy_file import TargetFiles
from paddle_portrait.inference.lite import environment


class Backend(Protocol):
    """One loaded graph with one input and one output."""

    runtime: str
    """Name and version of the runtime, for reports."""

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map a contiguous float32 N×C×H×W to the graph's raw output."""
        ...


class Runtime(NamedTuple):
    """Where a back end is, what it needs installed, and when ``"auto"`` takes it.

    Attributes:
        module: where its ``open_graph`` is.
        needs: the module that must be importable.
        install: the command that installs it.
        package: the name under which its version is known; "" where there is none.
        precision: of what it reads, one of :data:`PRECISIONS`.
        last_resort: ``"auto"`` takes it only where no other runs, without trying how quick it is: it was slower than
            the best on every network tried (``docs/backends.md``), and starting it costs seconds.
    """

    module: str
    needs: str
    install: str
    package: str = ""
    precision: str = "float32"
    last_resort: bool = False

    def installed(self) -> bool:
        """Tell whether the package that it needs is there, without importing it."""
        return importlib.util.find_spec(self.needs) is not None

    def version(self) -> str:
        """Return the version of what is installed."""
        try:
            return importlib.metadata.version(self.package)
        except (importlib.metadata.PackageNotFoundError, ValueError):
            return "unknown"


def _runtime(module: str, needs: str, package: str, last_resort: bool = False) -> Runtime:
    return Runtime(f"{__name__}.{module}", needs, f"pip install {package}", package, last_resort=last_resort)


class _LiteRuntime(Runtime):
    """Paddle Lite, which is not among our packages but in an environment of its own."""

    def installed(self) -> bool:
        """Tell whether that environment is there."""
        return environment.find_python() is not None


# From the finest on: "auto" never takes a coarser one than it must.
PRECISIONS = ("float32", "float16", "int8")

_PADDLE = _runtime("paddle", "paddle", "paddlepaddle", last_resort=True)
_ONNX = _runtime("onnx", "onnxruntime", "onnxruntime")
_OPENVINO = _runtime("openvino", "openvino", "openvino")

# Among those of one precision, in the order in which "auto" prefers them where it cannot measure.
RUNTIMES: dict[str, Runtime] = {
    "onnx": _ONNX,
    "openvino": _OPENVINO,
    "mnn": _runtime("mnn", "MNN", "MNN"),
    "tflite": _runtime("tflite", "ai_edge_litert", "ai-edge-litert"),
    "ncnn": _runtime("ncnn", "ncnn", "ncnn"),
    "paddle": _PADDLE,
    "paddle_legacy": _PADDLE,
    "paddlelite": _LiteRuntime(f"{__name__}.paddlelite", "paddlelite", environment.INSTALL, last_resort=True),
    "onnx_fp16": _ONNX._replace(precision="float16"),
    "openvino_fp16": _OPENVINO._replace(precision="float16"),
    "onnx_int8_weights": _ONNX._replace(precision="int8"),
    "onnx_int8": _ONNX._replace(precision="int8"),
}


def check_backend(wanted: str, available: Iterable[str]) -> str:
    """Return ``wanted``, a key of :data:`RUNTIMES`, when it can be loaded.

    Args:
        wanted: name of a back end.
        available: the targets that the export holds.

    Raises:
        UserError: the name is unknown, the export does not hold it, or its package is not installed.
    """
    held = _held(available)
    if wanted not in RUNTIMES:
        raise UserError(describe_unknown("back end", wanted, [*RUNTIMES, "auto"]))
    if wanted not in held:
        raise UserError(
            f"this export has no '{wanted}' target; it has: {', '.join(held)}. "
            f"Export again with: --format {' '.join([*held, wanted])}"
        )
    if not RUNTIMES[wanted].installed():
        raise UserError(f"back end '{wanted}' needs a package that is not installed: {RUNTIMES[wanted].install}")
    return wanted


def candidates(available: Iterable[str]) -> list[str]:
    """Return the back ends among which ``"auto"`` chooses: of the finest precision that runs here.

    Args:
        available: the targets that the export holds.

    Raises:
        UserError: no runtime for any of them is installed.
    """
    held = _held(available)
    runnable = [name for name in held if RUNTIMES[name].installed()]
    if not runnable:
        commands = " or ".join(dict.fromkeys(f"'{RUNTIMES[name].install}'" for name in held))
        raise UserError(f"no runtime for this export ({', '.join(held)}) is installed. Install one: {commands}.")
    finest = min((RUNTIMES[name].precision for name in runnable), key=PRECISIONS.index)
    alike = [name for name in runnable if RUNTIMES[name].precision == finest]
    return [name for name in alike if not RUNTIMES[name].last_resort] or alike[:1]


def _held(available: Iterable[str]) -> list[str]:
    names = set(available)
    return [name for name in RUNTIMES if name in names]


def open_backend(name: str, directory: Path, files: TargetFiles, threads: int | None) -> Backend:
    """Check and load the files of target ``name``.

    Raises:
        UserError: a file is missing, is not the exported one, or the runtime refuses it.
    """
    files.check(directory)
    module = importlib.import_module(RUNTIMES[name].module)
    try:
        return module.open_graph(directory, files, threads)
    except UserError:
        raise
    except Exception as error:  # every runtime has its own exception types for a bad file
        first_line = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UserError(f"back end '{name}' cannot load '{directory / files.model}': {first_line}") from error
