"""Where a wrong target goes wrong: the network is exported up to one layer after the other, and halved until found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddle_portrait.console import logger
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.operators import list_operators
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.export.targets import Limit, limit_of, open_target
from paddle_portrait.models.output import SegOutput

# How far a layer's values may be off, as a share of its largest one, for each unit of the limit of probabilities: some
# rounding grows along the way without anything being wrong.
_SLACK = 10.0


class UpToLayer(nn.Layer):
    """A network that ends in the result of one of its layers.

    Args:
        network: takes float N×C×H×W.
        layer: dotted path of a layer that runs once and gives one tensor.
    """

    def __init__(self, network: nn.Layer, layer: str) -> None:
        super().__init__()
        self.network = network
        self._layer = layer

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map float N×C×H×W to the layer's result."""
        results: list[paddle.Tensor] = []
        layer = dict(self.network.named_sublayers())[self._layer]
        hook = layer.register_forward_post_hook(lambda _, inputs, result: results.append(result))
        try:
            self.network(x)
        finally:
            hook.remove()
        return SegOutput(results[-1])


def first_departing_layer(job: ExportJob, name: str, tensor: np.ndarray) -> str | None:
    """Return the first layer, by its dotted path, whose result a target gets wrong.

    Args:
        job: the export that failed.
        name: the target.
        tensor: float32 N×C×H×W, on which it failed.

    Returns:
        None where no layer's result is wrong for itself, or the search could not be made.
    """
    try:
        layers = _layers_in_order(job.deployed, tensor.shape)
        return _bisect(layers, lambda layer: _is_wrong(job, name, layer, tensor))
    except Exception as error:  # the search must not hide what it searches for
        logger.debug("%s: the first wrong layer cannot be told: %s", name, error)
        return None


def _layers_in_order(network: nn.Layer, shape: Sequence[int]) -> list[str]:
    """Return the layers that give an image-like tensor once, in the order in which they end."""
    ends: dict[str, int] = {}
    operators = list_operators(network, shape)
    for index, operator in enumerate(operators):
        if operator.layer and len(operator.outputs[0].shape) == 4:
            ends[operator.layer] = index
    return sorted(ends, key=lambda layer: ends[layer])


def _bisect(layers: Sequence[str], is_wrong: Any) -> str | None:
    low, high = 0, len(layers)
    while low < high:
        middle = (low + high) // 2
        if is_wrong(layers[middle]):
            high = middle
        else:
            low = middle + 1
    return layers[low] if low < len(layers) else None


def _is_wrong(job: ExportJob, name: str, layer: str, tensor: np.ndarray) -> bool:
    network = UpToLayer(job.deployed, layer)
    network.eval()
    with paddle.no_grad():
        expected = network(paddle.to_tensor(tensor)).logits.numpy()
    scratch = job.scratch / "departure" / name / layer
    # Free sides stay free: a converter may have settled them where they must not be.
    count, _, height, width = job.input_shape
    part = ExportJob(network, ExportOptions("none"), (count, tensor.shape[1], height, width), scratch, whole=job)
    folder, files = part.build(name)
    found = _run(name, folder, files, tensor).reshape(expected.shape)
    off = np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-6)
    return not np.isfinite(found).all() or bool(off > _slack(limit_of(name)))


def _run(name: str, folder: Path, files: Any, tensor: np.ndarray) -> np.ndarray:
    return np.asarray(open_target(name, folder, files).run(tensor), np.float32)


def _slack(limit: Limit) -> float:
    return _SLACK * (limit.value if limit.measure == "max_abs_diff" else 1 - limit.value)
