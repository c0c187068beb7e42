"""TensorFlow Lite on the CPU (LiteRT, with XNNPACK)."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.inference.deploy_file import TargetFiles


def open_graph(directory: Path, files: TargetFiles, threads: int | None) -> TfliteBackend:
    """Load a ``.tflite`` file; ``threads`` None leaves the number to the runtime."""
    return TfliteBackend(directory / files.model, threads)


class TfliteBackend:
    """An interpreter. Calls from several threads take turns.

    The image goes in as N×H×W×C, as in all such files. The output has the layout that the converter found simplest:
    N×C×H×W, or N×H×W×C where a convolution makes it.
    """

    def __init__(self, path: Path, threads: int | None) -> None:
        from importlib import metadata

        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        inputs = self._interpreter.get_input_details()
        if len(inputs) != 1:
            raise UserError(f"'{path}' must have one input, an image; it has {len(inputs)}.")
        self._input = inputs[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._lock = threading.Lock()
        self.runtime = f"tflite {metadata.version('ai-edge-litert')}"

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map N×C×H×W to the graph's first output."""
        with self._lock:
            self._interpreter.set_tensor(self._input, tensor.transpose(0, 2, 3, 1))
            self._interpreter.invoke()
            output = self._interpreter.get_tensor(self._output)
        # There are always fewer classes than rows or columns.
        return output.transpose(0, 3, 1, 2) if output.ndim == 4 and output.shape[3] < output.shape[1] else output
