"""What a rewritten graph answers, against what the graph answered before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto

_SIDE = 128  # of inputs of any size; networks halve their sides five or six times
_SEED = 20


class Proof:
    """Inputs of noise and a model's answers.

    Args:
        model: with one input, of floats or of uint8 levels.
    """

    def __init__(self, model: ModelProto) -> None:
        value = model.graph.input[0]
        tensor = value.type.tensor_type
        count, channels, *sides = (side.dim_value for side in tensor.shape.dim)
        shape = [count or 1, channels, *(side or _SIDE for side in sides)]
        rng = np.random.default_rng(_SEED)
        floats = tensor.elem_type == 1
        noise = rng.normal(size=shape) if floats else rng.integers(0, 256, shape)
        self._feed = {value.name: noise.astype(np.float32 if floats else np.uint8)}
        self._expected = self._run(model)

    def difference(self, model: ModelProto) -> float:
        """Return how far the answers of another model with the same input are from the first one's."""
        pairs = zip(self._run(model), self._expected, strict=True)
        return max(float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max()) for a, b in pairs)

    def _run(self, model: ModelProto) -> list[np.ndarray]:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, self._feed)
