"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from paddle_portrait.errors import UserError
from paddle_portrait.inference.deploy_file import TargetFiles


def open_graph(directory: Path, files: TargetFiles, threads: int | None) -> OnnxBackend:
    """Load an ONNX file; ``threads`` None leaves the number to ONNX Runtime."""
    return OnnxBackend(directory / files.model, threads)


class OnnxBackend:
    """A session of ONNX Runtime. May be called from several threads at once."""

    def __init__(self, path: Path, threads: int | None) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3  # errors; its warnings are about tidiness of the file
        if threads is not None:
            options.intra_op_num_threads = threads
        # Idle threads that spin would take the cores from decoding, blending and other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or not outputs:
            names = ", ".join(node.name for node in inputs)
            raise UserError(f"'{path}' must have one input, an image; it has {len(inputs)} ({names}).")
        self._input = inputs[0].name
        self._outputs = [outputs[0].name]
        self.runtime = f"onnxruntime {ort.__version__}"

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map float32 N×C×H×W to the graph's first output."""
        return self._session.run(self._outputs, {self._input: tensor})[0]
