"""What mobile GPUs and mobile runtimes punish, found in a list of operators before anyone converts anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from paddle_portrait.export.operators import Operator, Tensor

_CONVOLUTIONS = {"conv2d", "depthwise_conv2d", "conv2d_transpose", "depthwise_conv2d_transpose"}
_MOVING = {"reshape", "transpose", "stack", "unstack", "squeeze", "unsqueeze", "flatten", "tile", "expand"}
_NAMED = 4  # examples in a warning

# Paddle operators that stopped a converter or ran wrongly on a runtime, tried one by one.
PADDLE_TROUBLE: Mapping[str, str] = {
    "channel_shuffle": "Paddle Lite and the ONNX converter lack it; write a reshape, a transpose and a reshape",
    "pixel_unshuffle": "Paddle Lite and the ONNX converter lack it; use a convolution with stride",
    "einsum": "Paddle Lite lacks it; use matmul",
    "bmm": "Paddle Lite has no kernel for it; use matmul",
    "instance_norm": "Paddle Lite stops on it",
    "flatten": "Paddle Lite's optimiser crashes on it; use reshape",
    "brelu": "Paddle Lite lacks it, and in ONNX it is wrong; use clip",
    "hardtanh": "Paddle Lite lacks it, and in ONNX it is wrong; use clip",
    "pow": "Paddle Lite computes it wrongly on x86; multiply instead",
    "elementwise_pow": "Paddle Lite's runner stopped on it; multiply instead",
    "swish": "Paddle Lite wants an attribute that Paddle does not write; use silu",
    "softplus": "the ONNX converter lacks it",
    "grid_sample": "the ONNX converter lacks it",
    "celu": "the ONNX converter lacks it",
    "pad3d": "an explicit padding costs memory traffic; let the convolution pad, unevenly where it must",
    "pad": "an explicit padding costs memory traffic; let the convolution pad, unevenly where it must",
}

# What TensorFlow Lite's GPU delegate documents as supported, in ONNX's words; the rest falls back to the CPU.
_TFLITE_GPU = {
    *("Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Constant", "Conv", "ConvTranspose", "Div", "Elu"),
    *("Exp", "Gemm", "GlobalAveragePool", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "MatMul", "Max"),
    *("MaxPool", "Min", "Mul", "PRelu", "Pad", "Pow", "ReduceMean", "Relu", "Reshape", "Resize", "Sigmoid", "Slice"),
    *("Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze"),
}
RUNTIMES: Mapping[str, set[str]] = {"TensorFlow Lite's GPU delegate": _TFLITE_GPU}
# Operators that a runtime is known to lack, where it documents no list of what it has.
KNOWN_GAPS: Mapping[str, set[str]] = {"ONNX Runtime Web's WebGL back end": {"Split"}}


def find_trouble(operators: Sequence[Operator], onnx_operators: Mapping[str, int] | None = None) -> list[str]:
    """Return one sentence for each kind of trouble.

    Args:
        operators: of the traced graph.
        onnx_operators: how often each operator stands in the ONNX graph; None where there is none.
    """
    found = [*_odd_channels(operators), *_many_dimensions(operators), *_moved_memory(operators)]
    types = Counter(operator.type for operator in operators)
    found += [f"{types[name]} x {name}: {why}" for name, why in PADDLE_TROUBLE.items() if types[name]]
    return [*found, *_missing_in_runtimes(onnx_operators or {})]


def _odd_channels(operators: Sequence[Operator]) -> list[str]:
    convolutions = [operator for operator in operators if operator.type in _CONVOLUTIONS]
    # The last one makes the classes, whose number is what it is.
    odd = [operator for operator in convolutions[:-1] if operator.outputs[0].shape[1] % 4]
    if not odd:
        return []
    examples = _examples(f"{operator.layer} ({operator.outputs[0].shape[1]})" for operator in odd)
    return [f"{len(odd)} convolutions make channels that are no multiple of four, which GPUs pad to one: {examples}"]


def _many_dimensions(operators: Sequence[Operator]) -> list[str]:
    large = [op for op in operators if any(len(tensor.shape) > 4 for tensor in (*op.inputs, *op.outputs))]
    if not large:
        return []
    examples = _examples(f"{operator.type} in {operator.layer or 'the network'}" for operator in large)
    return [f"{len(large)} operators have tensors of more than four dimensions; Paddle.js ruins them: {examples}"]


def _moved_memory(operators: Sequence[Operator]) -> list[str]:
    moving = [operator for operator in operators if operator.type in _MOVING]
    if not moving:
        return []
    # One that only reshapes a bias or a 1 x 1 map moves nothing worth naming.
    moved: list[Tensor] = [tensor for operator in moving for tensor in operator.outputs]
    kinds = ", ".join(f"{count} x {name}" for name, count in Counter(op.type for op in moving).most_common())
    kilobytes = sum(tensor.bytes for tensor in moved) / 1e3
    return [f"{kinds}: {kilobytes:,.0f} kB that are moved and not computed with; GPUs leave their layout for it"]


def _missing_in_runtimes(onnx_operators: Mapping[str, int]) -> Iterable[str]:
    names = set(onnx_operators)
    lacking = {runtime: names - supported for runtime, supported in RUNTIMES.items()}
    lacking |= {runtime: names & gaps for runtime, gaps in KNOWN_GAPS.items()}
    for runtime, missing in lacking.items():
        if missing:
            yield f"{runtime} lacks: {', '.join(sorted(missing))}"


def _examples(texts: Iterable[str]) -> str:
    named = list(texts)
    return ", ".join(named[:_NAMED]) + (", …" if len(named) > _NAMED else "")
