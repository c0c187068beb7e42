"""The analysis as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from paddle_portrait.analysis.network import NetworkAnalysis
from paddle_portrait.export.operators import Operator

_LONGEST_LAYER = 52
_SLOWEST = 15


def describe(analysis: NetworkAnalysis) -> str:
    """Return the table of operators, the sums, the warnings and the times."""
    lines = [_row("layer", "type", "output", "params", "multiply-adds", "kB")]
    lines += [_operator(operator) for operator in analysis.operators]
    lines += ["", *_sums(analysis), ""]
    lines += [f"warning: {warning}" for warning in analysis.warnings] or ["nothing that mobile GPUs punish was found"]
    if analysis.layer_ms is not None:
        lines += ["", *_times("Paddle, one forward pass, each layer without those inside it", analysis.layer_ms)]
    if analysis.onnx_ms is not None:
        lines += ["", *_times("ONNX Runtime, one thread, by operator", analysis.onnx_ms["operators"])]
        lines += ["", *_times("ONNX Runtime, one thread, by node", analysis.onnx_ms["nodes"])]
    return "\n".join(lines)


def _operator(operator: Operator) -> str:
    shape = " ".join("x".join(map(str, tensor.shape)) for tensor in operator.outputs)
    params = sum(weight.size for weight in operator.weights if weight.learnable)
    kilobytes = sum(tensor.bytes for tensor in operator.outputs) / 1e3
    layer = operator.layer or "(network)"
    return _row(
        layer if len(layer) <= _LONGEST_LAYER else "…" + layer[1 - _LONGEST_LAYER :],
        operator.type,
        shape,
        f"{params:,}" if params else "",
        f"{operator.macs:,}" if operator.macs else "",
        f"{kilobytes:,.0f}",
    )


def _row(layer: str, kind: str, shape: str, params: str, macs: str, kilobytes: str) -> str:
    return f"{layer:<{_LONGEST_LAYER}} {kind:<22} {shape:<22} {params:>11} {macs:>15} {kilobytes:>9}"


def _sums(analysis: NetworkAnalysis) -> list[str]:
    count, channels, height, width = analysis.input_shape
    return [
        f"input             {count} x {channels} x {height} x {width} (N, C, height, width)",
        f"params            {analysis.params:>15,}   batch norms folded, parts of training alone left out",
        f"params_unfolded   {analysis.params_unfolded:>15,}   the same with batch norms as they are",
        f"params_trainable  {analysis.params_trainable:>15,}   the whole network in training",
        f"values_stored     {analysis.values_stored:>15,}   with the statistics of norms",
        f"macs              {analysis.macs:>15,}   multiply-adds of convolutions and matrix products",
        f"activations       {analysis.activation_bytes / 1e6:>15,.2f}   MB, all results together, float32",
        f"peak              {analysis.peak_bytes / 1e6:>15,.2f}   MB needed at one moment",
    ]


def _times(title: str, milliseconds: Mapping[str, float]) -> list[str]:
    slowest = sorted(milliseconds.items(), key=lambda item: -item[1])
    lines = [f"{title}: {sum(milliseconds.values()):.2f} ms"]
    lines += [f"  {time:>8.3f} ms  {name or '(network)'}" for name, time in slowest[:_SLOWEST]]
    rest = slowest[_SLOWEST:]
    return lines + ([f"  {sum(time for _, time in rest):>8.3f} ms  {len(rest)} others"] if rest else [])
