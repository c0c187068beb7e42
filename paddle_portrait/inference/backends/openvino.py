"""OpenVINO on the CPU."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.inference.deploy_file import TargetFiles


def open_graph(directory: Path, files: TargetFiles, threads: int | None) -> OpenvinoBackend:
    """Load OpenVINO's IR; ``threads`` None leaves the number to OpenVINO."""
    return OpenvinoBackend(directory / files.model, threads)


class OpenvinoBackend:
    """A compiled model. May be called from several threads at once."""

    def __init__(self, path: Path, threads: int | None) -> None:
        import openvino

        # Without the hint, processors that know bfloat16 compute in it, and probabilities differ by up to 0.85:
        # tests/runtime_faults/openvino_bfloat16.py.
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._model = openvino.Core().compile_model(str(path), "CPU", settings)
        if len(self._model.inputs) != 1:
            raise UserError(f"'{path}' must have one input, an image; it has {len(self._model.inputs)}.")
        # Its bindings look for NumPy when they first see an array. Threads that came first together were seen to wait
        # for each other for ever, at some starts only (2026.4). No short program shows it, so it need not be OpenVINO's
        # fault; one array before all threads costs nothing.
        openvino.Tensor(np.zeros(1, np.float32), shared_memory=True)
        self._own = threading.local()
        self.runtime = f"openvino {openvino.__version__.split('-')[0]}"

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map N×C×H×W to the graph's first output."""
        if not hasattr(self._own, "request"):
            self._own.request = self._model.create_infer_request()
        return self._own.request.infer([tensor], share_inputs=True)[self._model.output(0)]
