"""The analysis of one network: its operators, the sums over them, and what there is to warn of."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paddle import nn

from paddle_portrait.analysis.counting import activation_bytes, count_folded, count_learnable
from paddle_portrait.analysis.mobile import find_trouble
from paddle_portrait.analysis.timing import time_layers, time_onnx
from paddle_portrait.console import logger
from paddle_portrait.errors import UserError
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.operators import Operator, list_operators
from paddle_portrait.export.options import ExportOptions


@dataclass
class NetworkAnalysis:
    """What a network costs at one input shape.

    Attributes:
        input_shape: N, C, H, W.
        operators: what the deployed graph runs, in order.
        params: values that remain when batch norms are folded and parts of training alone are gone.
        params_unfolded: learnable values of the same graph with its batch norms as they are.
        params_trainable: learnable values of the whole network, auxiliary heads included.
        values_stored: values of its state dict: those, what never runs, and the statistics of norms.
        macs: multiply-adds of one forward pass: convolutions, transposed convolutions, matrix products.
        activation_bytes: memory of all results together, float32.
        peak_bytes: the most that is needed at one moment.
        warnings: what mobile GPUs and runtimes punish.
        layer_ms: each layer's own time in Paddle, where it was asked for.
        onnx_ms: time in ONNX Runtime, by ``operators`` and ``nodes``, where it was asked for and can be had.
    """

    input_shape: tuple[int, int, int, int]
    operators: list[Operator]
    params: int
    params_unfolded: int
    params_trainable: int
    values_stored: int
    macs: int
    activation_bytes: int
    peak_bytes: int
    warnings: list[str] = field(default_factory=list)
    layer_ms: dict[str, float] | None = None
    onnx_ms: dict[str, dict[str, float]] | None = None

    def sums(self) -> dict[str, int]:
        """Return the sums by name."""
        names = ("params", "params_unfolded", "params_trainable", "values_stored", "macs", "activation_bytes")
        return {name: getattr(self, name) for name in (*names, "peak_bytes")}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        rows = [
            {
                "layer": operator.layer,
                "type": operator.type,
                "output_shapes": [list(tensor.shape) for tensor in operator.outputs],
                "params": sum(weight.size for weight in operator.weights if weight.learnable),
                "macs": operator.macs,
                "bytes": sum(tensor.bytes for tensor in operator.outputs),
            }
            for operator in self.operators
        ]
        content = {"input_shape": list(self.input_shape), **self.sums(), "warnings": self.warnings, "operators": rows}
        return {**content, "layer_ms": self.layer_ms, "onnx_ms": self.onnx_ms}


def analyse(network: nn.Layer, input_shape: Sequence[int], onnx: bool = False, timed_runs: int = 0) -> NetworkAnalysis:
    """Trace a network and add up what it costs.

    Args:
        network: takes float N×C×H×W; it is left as it was.
        input_shape: N, C, H, W, all known.
        onnx: also convert to ONNX, for warnings about its operators.
        timed_runs: how often the network is run for times, in Paddle and in ONNX Runtime; 0: no times.

    Raises:
        UserError: the shape is none, or the network cannot run at it.
    """
    if len(input_shape) != 4 or any(size < 1 for size in input_shape):
        raise UserError(f"input shape {list(input_shape)}: an analysis needs N C H W, or H W, all from 1 on.")
    operators = list_operators(network, input_shape)
    whole, peak = activation_bytes(operators)
    parameters = [value for value in network.parameters() if not value.stop_gradient]
    result = NetworkAnalysis(
        input_shape=(input_shape[0], input_shape[1], input_shape[2], input_shape[3]),
        operators=operators,
        params=count_folded(operators),
        params_unfolded=count_learnable(operators),
        params_trainable=sum(value.size for value in parameters),
        values_stored=sum(value.size for value in network.state_dict().values()),
        macs=sum(operator.macs for operator in operators),
        activation_bytes=whole,
        peak_bytes=peak,
    )
    onnx_operators = _look_at_onnx(network, result, timed_runs) if onnx or timed_runs else None
    result.warnings = find_trouble(operators, onnx_operators)
    if timed_runs:
        result.layer_ms = time_layers(network, input_shape, timed_runs)
    return result


def _look_at_onnx(network: nn.Layer, result: NetworkAnalysis, timed_runs: int) -> dict[str, int] | None:
    """Convert to a temporary ONNX file; return its operators, and note times in ``result`` when they are asked for."""
    from paddle_portrait.engine.inferring import eval_mode
    from paddle_portrait.export.targets import onnx as target

    missing = [name for name in ("paddle2onnx", "onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        logger.warning("nothing about ONNX: not installed: %s (pip install %s)", ", ".join(missing), " ".join(missing))
        return None
    with tempfile.TemporaryDirectory() as folder, eval_mode(network):
        directory, files = ExportJob(network, ExportOptions("none"), result.input_shape, Path(folder)).build("onnx")
        if timed_runs:
            result.onnx_ms = time_onnx(directory / files.model, result.input_shape, timed_runs, Path(folder))
        return target.count_operators(directory, files)
