"""Paddle Inference on the CPU, for both of Paddle's formats."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from paddle import inference as paddle_inference

from paddle_portrait.errors import UserError
from paddle_portrait.inference.deploy_file import TargetFiles


def open_graph(directory: Path, files: TargetFiles, threads: int | None) -> PaddleBackend:
    """Load ``model.json`` or ``model.pdmodel`` with its weights; ``threads`` None means one."""
    if files.params is None:
        raise UserError(f"'{directory / files.model}': deploy.yaml names no file with the weights (params).")
    return PaddleBackend(directory / files.model, directory / files.params, threads)


class PaddleBackend:
    """A Paddle Inference predictor. Calls from several threads take turns."""

    def __init__(self, model: Path, params: Path, threads: int | None) -> None:
        config = paddle_inference.Config(str(model), str(params))
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(threads or 1)
        # oneDNN is on by default. With model.json it fails at the first bilinear resize, with .pdmodel it gets a matmul
        # behind a convolution wrong without a word: tests/runtime_faults/paddle_onednn_*.py (both Paddle 3.3.1).
        config.disable_mkldnn()
        self._predictor = paddle_inference.create_predictor(config)
        names = self._predictor.get_input_names()
        if len(names) != 1:
            raise UserError(f"'{model}' must have one input, an image; it has {len(names)} ({', '.join(names)}).")
        self._input = self._predictor.get_input_handle(names[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])
        self._lock = threading.Lock()
        self.runtime = f"paddle inference {paddle_inference.get_version().split()[1]}"

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map float32 N×C×H×W to the graph's first output."""
        with self._lock:
            self._input.copy_from_cpu(tensor)
            self._predictor.run()
            return self._output.copy_to_cpu()
