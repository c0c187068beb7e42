"""Which weights bear being rounded to half precision: most do, but a few early layers may carry a network's edges."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paddle_portrait.console import logger
from paddle_portrait.export.compact import as_half, is_worth_it
from paddle_portrait.inference.graph_form import PLAIN, GraphForm

if TYPE_CHECKING:
    from onnx import ModelProto

    from paddle_portrait.export.parity import Trial

# Of the limit, for the inputs of the proof: those that people have are others.
_MARGIN = 0.5
_TRIES = 8


class Rounding:
    """How far an ONNX graph with some of its weights rounded is from the trained network.

    Args:
        path: the graph.
        trials: what it is asked: the same as the proof asks.
        limit: of the difference in probability that the proof allows.
        output_op: what the graph ends in.
        form: what it takes and gives.
    """

    def __init__(
        self, path: Path, trials: Sequence[Trial], limit: float, output_op: str, form: GraphForm = PLAIN
    ) -> None:
        import onnx
        from onnx import numpy_helper

        self._model: ModelProto = onnx.load(str(path))
        self.limit = limit
        self._trials, self._output_op, self._form = trials, output_op, form
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in self._model.graph.initializer}
        worthy = {name: array for name, array in arrays.items() if is_worth_it(array)}
        halves = {name: as_half(array).astype(np.float32) for name, array in worthy.items()}
        self.halves = {name: half for name, half in halves.items() if np.isfinite(half).all()}
        self.bytes = {name: arrays[name].nbytes for name in self.halves}

    def error(self, names: Collection[str]) -> float:
        """Return the largest difference in probability when the weights of these names are rounded."""
        return max(
            float(trial.difference(answer, self._output_op, self.limit).max())
            for trial, answer in zip(self._trials, self._ask(names), strict=True)
        )

    def _ask(self, names: Collection[str]) -> Iterator[np.ndarray]:
        """Give the graph's answer to each trial, in its plain form."""
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
        for trial in self._trials:
            output = session.run(None, {name: trial.feed(self._form)})[0]
            yield self._form.read(output, self._output_op, (trial.tensor.shape[2], trial.tensor.shape[3]))


def weights_to_keep(rounding: Rounding) -> set[str]:
    """Return the names of weights that must stay in float32 for the answers to stay well within the limit.

    Each weight is rounded alone; then those are rounded together that cost least for the bytes they save, as many as
    errors that add up like independent ones allow.
    """
    allowed = _MARGIN * rounding.limit
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


def weights_in_both(path: Path, other: Path) -> set[str]:
    """Return the names of a graph's weights that another graph holds, too, under whatever name, in float32."""
    import onnx
    from onnx import numpy_helper

    def weights(file: Path) -> dict[str, bytes]:
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(file)).graph.initializer}
        return {name: array.tobytes() for name, array in arrays.items() if is_worth_it(array)}

    held = set(weights(other).values())
    return {name for name, content in weights(path).items() if content in held}
