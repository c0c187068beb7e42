"""ncnn on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddle_portrait.errors import UserError
from paddle_portrait.inference.deploy_file import TargetFiles

_INPUT, _OUTPUT = "in0", "out0"  # the names that pnnx gives


def open_graph(directory: Path, files: TargetFiles, threads: int | None) -> NcnnBackend:
    """Load ``.param`` and ``.bin``; ``threads`` None means one."""
    if files.params is None:
        raise UserError(f"'{directory / files.model}': deploy.yaml names no file with the weights (params).")
    return NcnnBackend(directory / files.model, directory / files.params, threads or 1)


class NcnnBackend:
    """A network of ncnn. May be called from several threads at once."""

    def __init__(self, model: Path, params: Path, threads: int) -> None:
        import ncnn

        self._ncnn = ncnn
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = threads
        options.use_vulkan_compute = False
        # All of these trade accuracy for speed or memory.
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = False
        # Setting memory free early ends the process on some graphs (tests/runtime_faults/ncnn_lightmode.py).
        options.lightmode = False
        if self._net.load_param(str(model)) != 0 or self._net.load_model(str(params)) != 0:
            raise UserError(f"ncnn cannot read '{model}' with '{params}': they are damaged, or of another version.")
        if list(self._net.input_names()) != [_INPUT]:
            raise UserError(f"'{model}' must have one input, {_INPUT}; it has {', '.join(self._net.input_names())}.")
        self.runtime = f"ncnn {ncnn.__version__}"

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Map N×C×H×W to the graph's first output; ncnn itself knows no batches."""
        return np.stack([self._run_one(np.ascontiguousarray(image)) for image in tensor])

    def _run_one(self, image: np.ndarray) -> np.ndarray:
        extractor = self._net.create_extractor()
        given = self._ncnn.Mat(image)  # it reads from the array, which must therefore outlive the extraction
        if extractor.input(_INPUT, given) != 0:
            raise UserError(f"ncnn refuses an input of shape {list(image.shape)}.")
        status, output = extractor.extract(_OUTPUT)
        if status != 0:
            raise UserError(f"ncnn failed on an input of shape {list(image.shape)} (status {status}).")
        return np.array(output)
