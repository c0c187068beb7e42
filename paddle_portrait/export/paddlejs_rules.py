"""What Paddle.js' WebGL back end lacks or gets wrong, and what is written in its place.

All of it was read in the sources of ``@paddlejs/paddlejs-core`` 2.2.0 and ``@paddlejs/paddlejs-backend-webgl`` 1.2.9.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paddle_portrait.export.errors import ExportError
from paddle_portrait.export.paddlejs_graph import INPUT, RENAMED_OPERATORS, Graph, Operator

# Operators with a shader that computes what Paddle computes. It has more: prelu is computed as relu, slice knows the
# last axis alone, reduce_mean reads an attribute that Paddle does not write.
KNOWN = frozenset({
    "arg_max", "batchnorm", "bilinear_interp_v2", "cast", "concat", "conv2d", "conv2d_transpose", "depthwise_conv2d",
    "elementwise_add", "elementwise_div", "elementwise_mul", "elementwise_sub", "exp", "feed", "fetch", "hard_sigmoid",
    "hard_swish", "leakyRelu", "matmul_v2", "nearest_interp_v2", "pool2d", "relu", "relu6", "reshape2", "scale",
    "sigmoid", "softmax", "split", "sqrt", "squeeze2", "stack", "tanh", "transpose2", "unsqueeze2",
})  # fmt: skip
_WINDOWED = ("conv2d", "depthwise_conv2d", "conv2d_transpose", "pool2d")


def known_names() -> set[str]:
    """Return the operators that can be exported, by Paddle's names for them."""
    paddles = {new: old for old, new in RENAMED_OPERATORS.items()}
    return {paddles.get(name, name) for name in KNOWN | set(_REWRITES)}


def adapt(graph: Graph) -> Graph:
    """Rewrite what Paddle.js would get wrong where there is an exact other way.

    Raises:
        ExportError: for an operator there is none.
    """
    adapted = Graph([], dict(graph.shapes), dict(graph.weights))
    for operator in _one_reader_of_the_input(adapted, graph.operators):
        rewrite = _REWRITES.get(operator.kind)
        adapted.operators.extend(rewrite(adapted, operator) if rewrite else [operator])
    for operator in adapted.operators:
        why = _objection(adapted, operator)
        if why:
            raise ExportError(f"format paddlejs: {why} (it makes '{next(iter(operator.outputs.values()))[0]}').")
        if operator.kind in _WINDOWED:
            operator.attributes.update(paddings=_top_and_left(adapted, operator), padding_algorithm="EXPLICIT")
        if operator.kind in _WINDOWED[:3]:
            operator.attributes["fuse_relu"] = False  # Paddle 3 writes it no more, and the shader cannot do without
    return adapted.without_unused()


def _one_reader_of_the_input(graph: Graph, operators: list[Operator]) -> list[Operator]:
    """Return the operators; where several read the input, one that copies it stands before them.

    Of two networks side by side that read the input, Paddle.js computes one wrongly, without a word. Two or three
    operators side by side were right; the exact condition is not known. With one reader all are right.
    """
    first, *others = [one for one in operators if any(INPUT in names for names in one.inputs.values())]
    if not others:
        return operators
    copy = graph.add_like(f"{INPUT}.copy", graph.shapes[INPUT])
    keeping = {"scale": 1.0, "bias": 0.0, "bias_after_scale": True}
    result = []
    for one in operators:
        if one is first:
            result.append(Operator("scale", {"X": [INPUT]}, {"Out": [copy]}, keeping))
        inputs = {slot: [copy if name == INPUT else name for name in names] for slot, names in one.inputs.items()}
        result.append(Operator(one.kind, inputs, one.outputs, one.attributes))
    return result


def _top_and_left(graph: Graph, operator: Operator) -> list[int]:
    """Return the border above and on the left, all that Paddle.js reads; the rest follows from the output's size."""
    attributes, rule = operator.attributes, operator.attributes.get("padding_algorithm", "EXPLICIT")
    if rule == "VALID":
        return [0, 0]
    if rule == "EXPLICIT":
        paddings = attributes["paddings"]
        return [paddings[0], paddings[2]] if len(paddings) == 4 else list(paddings)
    given = graph.shapes[operator.inputs["X" if operator.kind == "pool2d" else "Input"][0]][2:]
    made = graph.shapes[operator.outputs["Out"][0]][2:]
    window = attributes["ksize"] if operator.kind == "pool2d" else graph.shapes[operator.inputs["Filter"][0]][2:]
    spread = attributes.get("dilations", [1, 1])
    reach = [(count - 1) * step for count, step in zip(made, attributes["strides"], strict=True)]
    reach = [start + (size - 1) * wide + 1 for start, size, wide in zip(reach, window, spread, strict=True)]
    return [max(0, end - side) // 2 for end, side in zip(reach, given, strict=True)]


def _objection(graph: Graph, operator: Operator) -> str | None:
    attributes = operator.attributes
    if operator.kind not in KNOWN:
        return f"Paddle.js has no operator '{operator.kind}' that computes what Paddle's does"
    if operator.kind == "conv2d_transpose" and attributes.get("padding_algorithm", "EXPLICIT") == "SAME":
        return "Paddle.js does not know padding 'SAME' of a transposed convolution; give numbers"
    if operator.kind.startswith("elementwise_"):
        return _objection_to_spreading(graph, operator)
    if operator.kind == "pool2d":
        average = attributes["pooling_type"] == "avg"
        if attributes.get("adaptive") and list(attributes["ksize"]) != [1, 1]:
            return "Paddle.js knows adaptive pooling to one pixel only"
        if average and any(_top_and_left(graph, operator)) and not attributes.get("global_pooling"):
            return "Paddle.js counts the border in an average"
    return None


def _objection_to_spreading(graph: Graph, operator: Operator) -> str | None:
    """Sums read the second operand beyond its sides where it is smaller; products do not. The first is never spread.

    One value a channel, as a list of them: sums take it, products take the first value for all channels.
    """
    first, second = (graph.shapes[operator.inputs[slot][0]] for slot in "XY")
    made = graph.shapes[operator.outputs["Out"][0]]
    if operator.kind in ("elementwise_mul", "elementwise_div"):
        spread = len(first) == len(second)
    else:
        spread = len(second) == 1 and operator.attributes.get("axis") == 1
    if first == made and (second == made or spread):
        return None
    return f"Paddle.js cannot compute {operator.kind} of {first} and {second}"


def _slice(graph: Graph, operator: Operator) -> list[Operator]:
    """Channels are picked by a 1×1 convolution with ones and zeros."""
    source, result = operator.inputs["Input"][0], operator.outputs["Out"][0]
    attributes, channels = operator.attributes, graph.shapes[operator.inputs["Input"][0]][1]
    if list(attributes["axes"]) != [1] or attributes.get("decrease_axis") or len(graph.shapes[source]) != 4:
        raise ExportError(f"format paddlejs: Paddle.js cannot slice '{source}' but by channels of four dimensions.")
    picked = list(range(channels))[attributes["starts"][0] : attributes["ends"][0]]
    return [_mix_channels(graph, source, result, np.eye(channels)[picked])]


def _softmax(graph: Graph, operator: Operator) -> list[Operator]:
    """Two classes by the sigmoid of their difference: its softmax overflows where a logit is over 88."""
    source, result = operator.inputs["X"][0], operator.outputs["Out"][0]
    shape = graph.shapes[source]
    if len(shape) != 4 or shape[1] != 2 or operator.attributes["axis"] % 4 != 1:
        return [operator]
    difference = graph.add_like(f"{result}.difference", shape)
    mixing = _mix_channels(graph, source, difference, np.array([[1.0, -1.0], [-1.0, 1.0]]))
    return [mixing, Operator("sigmoid", {"X": [difference]}, {"Out": [result]})]


def _reduce_mean(graph: Graph, operator: Operator) -> list[Operator]:
    """The mean over all pixels is a global pooling."""
    source = operator.inputs["X"][0]
    axes = sorted(axis % 4 for axis in operator.attributes["dim"])
    if len(graph.shapes[source]) != 4 or axes != [2, 3] or not operator.attributes["keep_dim"]:
        return [operator]
    pooling = {
        "pooling_type": "avg",
        "ksize": [1, 1],
        "strides": [1, 1],
        "paddings": [0, 0],
        "global_pooling": True,
        "adaptive": False,
        "exclusive": True,
        "ceil_mode": False,
    }
    return [Operator("pool2d", operator.inputs, operator.outputs, pooling)]


def _prelu(graph: Graph, operator: Operator) -> list[Operator]:
    """PReLU is relu(x) - alpha · relu(-x)."""
    source, result = operator.inputs["X"][0], operator.outputs["Out"][0]
    shape, alpha = graph.shapes[source], graph.weights[operator.inputs["Alpha"][0]].reshape(-1)
    slopes = graph.add_weight(f"{result}.alpha", np.resize(alpha, (1, shape[1], 1, 1)))
    names = {part: graph.add_like(f"{result}.{part}", shape) for part in ("above", "turned", "below", "scaled")}
    turning = {"scale": -1.0, "bias": 0.0, "bias_after_scale": True}
    return [
        Operator("relu", {"X": [source]}, {"Out": [names["above"]]}),
        Operator("scale", {"X": [source]}, {"Out": [names["turned"]]}, turning),
        Operator("relu", {"X": [names["turned"]]}, {"Out": [names["below"]]}),
        Operator("elementwise_mul", {"X": [names["below"]], "Y": [slopes]}, {"Out": [names["scaled"]]}, {"axis": -1}),
        Operator("elementwise_sub", {"X": [names["above"]], "Y": [names["scaled"]]}, {"Out": [result]}, {"axis": -1}),
    ]


_REWRITES: dict[str, Callable[[Graph, Operator], list[Operator]]] = {
    "slice": _slice,
    "softmax": _softmax,
    "reduce_mean": _reduce_mean,
    "prelu": _prelu,
}


def _mix_channels(graph: Graph, source: str, result: str, weights: np.ndarray) -> Operator:
    kernel = graph.add_weight(f"{result}.kernel", weights[:, :, None, None])
    attributes = {"strides": [1, 1], "paddings": [0, 0], "dilations": [1, 1], "groups": 1}
    return Operator("conv2d", {"Input": [source], "Filter": [kernel]}, {"Out": [result]}, attributes)
