"""Runtimes behind the predictor. A target's name is the name of its back end.

To add one: a module here with a class that satisfies :class:`Backend`, and a line in ``RUNTIMES``.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from paddle_portrait.errors import UserError, describe_unknown
from paddle_portrait.inference.deploy_file import TargetFiles


class Backend(Protocol):
    """One loaded graph with one input and one output."""

    runtime: str
    """Name and version of the runtime, for reports."""

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map a contiguous float32 N×C×H×W to the graph's raw output."""
        ...


class Runtime(NamedTuple):
    """Where a back end is, and what it needs installed."""

    module: str
    needs: str
    install: str

    def installed(self) -> bool:
        """Tell whether the package that it needs is there, without importing it."""
        return importlib.util.find_spec(self.needs) is not None


_PADDLE = Runtime("paddle_portrait.inference.backends.paddle", "paddle", "pip install paddlepaddle")
_ONNX = Runtime("paddle_portrait.inference.backends.onnx", "onnxruntime", "pip install onnxruntime")

# In the order in which "auto" prefers them: the quickest on a CPU first.
RUNTIMES: dict[str, Runtime] = {"onnx": _ONNX, "paddle": _PADDLE, "paddle_legacy": _PADDLE}


def choose_backend(wanted: str, available: Iterable[str]) -> str:
    """Return the name of the back end to load: ``wanted``, or for ``"auto"`` the best that can run.

    Args:
        wanted: a key of :data:`RUNTIMES`, or ``"auto"``.
        available: the targets that the export holds.

    Raises:
        UserError: the name is unknown, the export does not hold it, or its package is not installed.
    """
    held = [name for name in RUNTIMES if name in set(available)]
    if wanted == "auto":
        runnable = [name for name in held if RUNTIMES[name].installed()]
        if not runnable:
            commands = " or ".join(dict.fromkeys(f"'{RUNTIMES[name].install}'" for name in held))
            raise UserError(f"no runtime for this export ({', '.join(held)}) is installed. Install one: {commands}.")
        return runnable[0]
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
