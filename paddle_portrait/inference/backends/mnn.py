"""MNN on the CPU."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.inference.deploy_file import TargetFiles

_CPU = 0


def open_graph(directory: Path, files: TargetFiles, threads: int | None) -> MnnBackend:
    """Load an ``.mnn`` file; ``threads`` None means one."""
    return MnnBackend(directory / files.model, threads or 1)


class MnnBackend:
    """A module of MNN. Calls from several threads take turns."""

    def __init__(self, path: Path, threads: int) -> None:
        with stdout_to_stderr():  # it tells the processor's abilities there
            import MNN
            from MNN import expr, nn

            settings = {"backend": _CPU, "precision": "high", "numThread": threads}
            self._manager = nn.create_runtime_manager((settings,))
            # Names left empty stand for all of the graph's inputs and outputs.
            self._module = nn.load_module_from_file(str(path), [], [], runtime_manager=self._manager)
        names = self._module.get_info()["inputNames"]
        if len(names) != 1:
            raise UserError(f"'{path}' must have one input, an image; it has {len(names)} ({', '.join(names)}).")
        self._expr = expr
        self._lock = threading.Lock()
        self.runtime = f"mnn {MNN.version()}"

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map N×C×H×W to the graph's first output."""
        expr = self._expr
        with self._lock:
            kind = expr.uint8 if tensor.dtype == np.uint8 else expr.float
            image = expr.const(np.ascontiguousarray(tensor), list(tensor.shape), expr.NCHW, kind)
            output = self._module.forward([image])[0]
            return np.array(expr.convert(output, expr.NCHW).read())


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send what native code prints to the standard output to the standard error: the output belongs to the program."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
