"""Which convolutions suffer from int8: each is brought back to float by itself, and the answer compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paddle_portrait.console import track
from paddle_portrait.export.quantisation.keep_float import with_float_layers
from paddle_portrait.export.quantisation.multiply_adds import int8_convolutions, int8_share

if TYPE_CHECKING:
    from onnx import ModelProto

# A layer is worth keeping in float when that takes away this part of the error of all.
WORTH_KEEPING = 0.15


@dataclass(frozen=True)
class LayerHarm:
    """What one convolution's int8 costs.

    Attributes:
        name: the node's name.
        harm: part of the quantised graph's error that goes away when this layer alone is in float; it may be negative.
        multiply_adds: of the layer.
    """

    name: str
    harm: float
    multiply_adds: int


def scan(
    quantised: ModelProto, floating: ModelProto, inputs: Sequence[np.ndarray], counts: Mapping[str, int]
) -> list[LayerHarm]:
    """Return every int8 convolution with what it costs, the worst first.

    The error is the mean absolute difference of the outputs from the float graph's.

    Args:
        quantised: a graph with QDQ nodes.
        floating: what it was made from.
        inputs: photos of the training set, as the graph takes them.
        counts: multiply-adds of each convolution.
    """
    expected = outputs_of(floating, inputs)
    whole = _error(quantised, expected, inputs)
    found = []
    for name in track(int8_convolutions(quantised), "layers in int8"):
        error = _error(with_float_layers(quantised, floating, [name]), expected, inputs)
        found.append(LayerHarm(name, (whole - error) / whole if whole else 0.0, counts.get(name, 0)))
    return sorted(found, key=lambda layer: -layer.harm)


def choose_float_layers(harms: Sequence[LayerHarm], counts: Mapping[str, int], least_share: float) -> list[str]:
    """Return the names of layers to keep in float: those whose int8 costs most, as long as the share of int8 lasts.

    Args:
        harms: as :func:`scan` gave them.
        counts: multiply-adds of each convolution.
        least_share: of all multiply-adds, this share must stay in int8.
    """
    left = sum(layer.multiply_adds for layer in harms) - least_share * sum(counts.values())
    chosen = []
    for layer in harms:
        if layer.harm >= WORTH_KEEPING and layer.multiply_adds <= left:
            chosen.append(layer.name)
            left -= layer.multiply_adds
    return chosen


def keep_worst_in_float(
    quantised: ModelProto,
    floating: ModelProto,
    inputs: Sequence[np.ndarray],
    counts: Mapping[str, int],
    least_share: float,
) -> tuple[ModelProto, list[str], list[LayerHarm]]:
    """Scan, bring the worst layers back to float; return the graph, their names and the scan.

    A graph that is not better for it is left as it was.
    """
    harms = scan(quantised, floating, inputs, counts)
    names = choose_float_layers(harms, counts, least_share)
    candidate = with_float_layers(quantised, floating, names) if names else quantised
    expected = outputs_of(floating, inputs)
    if names and _error(candidate, expected, inputs) >= _error(quantised, expected, inputs):
        return quantised, [], harms
    assert int8_share(counts, candidate) >= min(least_share, int8_share(counts, quantised))
    return candidate, names, harms


def outputs_of(model: ModelProto, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return a graph's first output for each input, computed by ONNX Runtime with one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return [session.run(None, {name: array})[0] for array in inputs]


def _error(model: ModelProto, expected: Sequence[np.ndarray], inputs: Sequence[np.ndarray]) -> float:
    found = outputs_of(model, inputs)
    return float(np.mean([np.abs(one - other).mean() for one, other in zip(found, expected, strict=True)]))
