"""Which weights bear being rounded to half precision: most do, but a few early layers may carry a network's edges."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.export.compact import as_half, is_worth_it

if TYPE_CHECKING:
    from onnx import ModelProto

_PORTRAITS = 3
# Of the limit, for the inputs tried here: those of the proof are others.
_MARGIN = 0.5
_TRIES = 8


class Rounding:
    """What an ONNX graph answers with some of its weights rounded.

    Args:
        path: the graph, which gives floats.
        inputs: what it is asked.
    """

    def __init__(self, path: Path, inputs: Sequence[np.ndarray]) -> None:
        import onnx
        from onnx import numpy_helper

        self._model: ModelProto = onnx.load(str(path))
        self._inputs = inputs
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in self._model.graph.initializer}
        worthy = {name: array for name, array in arrays.items() if is_worth_it(array)}
        halves = {name: as_half(array).astype(np.float32) for name, array in worthy.items()}
        self.halves = {name: half for name, half in halves.items() if np.isfinite(half).all()}
        self.bytes = {name: arrays[name].nbytes for name in self.halves}
        self._exact = self._ask(())

    def error(self, names: Collection[str]) -> float:
        """Return the largest difference of an answer when the weights of these names are rounded."""
        answers = self._ask(names)
        return max(float(np.abs(found - exact).max()) for found, exact in zip(answers, self._exact, strict=True))

    def _ask(self, names: Collection[str]) -> list[np.ndarray]:
        import onnxruntime
        from onnx import ModelProto, numpy_helper

        model = ModelProto()
        model.CopyFrom(self._model)
        for tensor in model.graph.initializer:
            if tensor.name in names:
                tensor.CopyFrom(numpy_helper.from_array(self.halves[tensor.name], tensor.name))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return [session.run(None, {name: tensor})[0] for tensor in self._inputs]


def weights_to_keep(rounding: Rounding, limit: float) -> set[str]:
    """Return the names of weights that must stay in float32 for the answers to stay within ``limit``.

    Each weight is rounded alone; then those are rounded together that cost least for the bytes they save, as many as
    errors that add up like independent ones allow.
    """
    allowed = _MARGIN * limit
    names = list(rounding.halves)
    if not names or rounding.error(names) <= allowed:
        return set()
    alone = {name: rounding.error([name]) for name in names}
    cheapest = sorted(names, key=lambda name: alone[name] ** 2 / rounding.bytes[name])
    budget = allowed
    for _ in range(_TRIES):
        total = np.cumsum([alone[name] ** 2 for name in cheapest])
        rounded = cheapest[: int(np.searchsorted(total, budget**2))]
        if rounding.error(rounded) <= allowed:
            break
        budget *= 0.75
    else:
        rounded = []
    kept = set(names) - set(rounded)
    share = sum(rounding.bytes[name] for name in rounded) / sum(rounding.bytes.values())
    logger.info(
        "%d of %d weights stay in float32; %.0f %% of their bytes are halved", len(kept), len(names), 100 * share
    )
    return kept


def portrait_inputs(shape: Sequence[int], lines: tuple[list[float], list[float]] | None) -> list[np.ndarray]:
    """Return generated portraits as a graph takes them.

    Args:
        shape: N, C, H, W of its input, all known; channels beyond the image's are zero.
        lines: factor and addend of each channel that normalise levels; None: the graph takes uint8.
    """
    from paddle_portrait.data.synthesis import render_portrait

    count, channels, height, width = shape
    inputs = []
    for seed in range(_PORTRAITS):
        image = render_portrait(seed, (height, width))[0].transpose(2, 0, 1)[:channels]
        levels = np.zeros((count, channels, height, width), np.uint8)
        levels[:, : len(image)] = image
        if lines is None:
            inputs.append(levels)
        else:
            factor, addend = (np.reshape(values, (1, -1, 1, 1)) for values in lines)
            inputs.append((levels * factor + addend).astype(np.float32))
    return inputs
