"""Upsampling behind the 1×1 convolution that mixes what was upsampled, instead of before it.

``pointwise(depthwise(upsample(x)))`` without activations in between is linear. Every tap of the depthwise kernel only
moves the upsampled image, so the mixing can be done on the small image, once for each of the 3×3 taps, and
upsampling and moving together are two matrix products, of rows and of columns. An image of 8 times the side takes
64 times the multiply-adds to mix; nine small ones take nine.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import NodeProto, TensorProto, helper

from paddle_portrait.export.rewrites.graph import Graph, attribute
from paddle_portrait.export.rewrites.separable import Separable, only_separable

_BANDS = 2  # of rows: the matrix of rows is zero away from its diagonal
_WORTH = 0.8  # share of the multiply-adds that must not be exceeded


def apply(graph: Graph) -> int:
    """Rewrite every such place; return how many there were."""
    places = 0
    for resize in [node for node in graph.nodes if node.op_type == "Resize"]:
        join = _only_join(graph, resize)
        pair = only_separable(graph, (resize if join is None else join).output[0])
        if pair is None:
            continue
        channels = _channels_of(graph, resize, join)
        if channels is not None and _fits(graph, resize, pair, channels):
            late = _mix_first(graph, resize, pair, channels)
            _add_others(graph, join, pair, resize.output[0], late)
            graph.remove([resize, pair.depthwise, pair.pointwise, *([join] if join else [])])
            graph.changed()
            places += 1
    return places


def _only_join(graph: Graph, resize: NodeProto) -> NodeProto | None:
    """Return the node that joins the channels of a resize with others, if there is one and nobody else reads them."""
    readers = graph.readers(resize.output[0])
    alone = len(readers) == 1 and list(readers[0].input).count(resize.output[0]) == 1
    return readers[0] if alone and readers[0].op_type == "Concat" and attribute(readers[0], "axis") == 1 else None


def _channels_of(graph: Graph, resize: NodeProto, join: NodeProto | None) -> slice | None:
    """Return which channels of the pair are those of the resize."""
    start = 0
    for name in [resize.output[0]] if join is None else join.input:
        count = graph.channels(name)
        if count is None:
            return None
        if name == resize.output[0]:
            return slice(start, start + count)
        start += count
    return None


def _add_others(graph: Graph, join: NodeProto | None, pair: Separable, own: str, late: str) -> None:
    """Add the pair of the other joined tensors, each for itself."""
    sums, start = [late], 0
    for name in () if join is None else join.input:
        count = graph.channels(name) or 0  # known: see _channels_of
        if name != own:
            sums.append(pair.part(graph, name, slice(start, start + count)))
        start += count
    while len(sums) > 1:
        result = graph.new_name("sum") if len(sums) > 2 else pair.pointwise.output[0]
        graph.add("Add", [sums.pop(), sums.pop()], [result])
        sums.append(result)
    if join is None:
        graph.add("Identity", sums, [pair.pointwise.output[0]])


def _fits(graph: Graph, resize: NodeProto, pair: Separable, channels: slice) -> bool:
    small, large = graph.shape(resize.input[0]), graph.shape(resize.output[0])
    if not small or not large or None in (*small, *large) or small[0] != 1 or attribute(resize, "mode") != "linear":
        return False
    kernel = pair.taps.shape[2:]
    wanted = {"strides": [1, 1], "dilations": [1, 1], "pads": [side // 2 for side in (*kernel, *kernel)]}
    if any(list(attribute(pair.depthwise, name, values)) != values for name, values in wanted.items()):
        return False
    taps, outputs, inputs = math.prod(kernel), len(pair.mixing), channels.stop - channels.start
    (low_h, low_w), (high_h, high_w) = small[2:], large[2:]
    if high_h % _BANDS:  # type: ignore[operator]
        return False
    before = high_h * high_w * inputs * (taps + outputs)  # type: ignore[operator]
    rows = kernel[0] * low_h
    behind = outputs * high_w * (rows * kernel[1] * low_w + rows * high_h // _BANDS)  # type: ignore[operator]
    return taps * outputs * inputs * low_h * low_w + behind < _WORTH * before


def _mix_first(graph: Graph, resize: NodeProto, pair: Separable, channels: slice) -> str:
    """Add the nodes that mix the small image and bring it to the large size; return the result."""
    _, _, low_h, low_w = (int(side or 0) for side in graph.shape(resize.input[0]) or ())
    _, _, high_h, high_w = (int(side or 0) for side in graph.shape(resize.output[0]) or ())
    outputs, (kernel_h, kernel_w) = len(pair.mixing), pair.taps.shape[2:]
    rows = _moved(_matrix(resize, low_h, high_h), kernel_h)
    columns = _moved(_matrix(resize, low_w, high_w), kernel_w)
    bands = np.split(rows, _BANDS)
    needed = [np.flatnonzero(band.any(axis=0)) for band in bands]
    width = max(map(len, needed))
    needed = [np.resize(each, width) for each in needed]  # what is there twice is made to count once below
    down = np.stack([_once(band, each) for band, each in zip(bands, needed, strict=True)])

    def step(kind: str, *inputs: str, **attributes: int) -> str:
        result = graph.new_name("late")
        graph.add(kind, inputs, [result], **attributes)
        return result

    def shape(*sides: int) -> str:
        return graph.store(np.array(sides, np.int64), "sides")

    mixed = _add_mixing(graph, resize.input[0], pair, channels)
    lines = step("Reshape", mixed, shape(outputs, kernel_h * kernel_w * low_h, low_w))
    taken = step("Gather", lines, graph.store(_lines(needed, kernel_w, low_h), "lines"), axis=1)
    small = step("Reshape", taken, shape(outputs, _BANDS, width, kernel_w * low_w))
    wide = step("MatMul", small, graph.store(columns.T.astype(np.float32), "across"))
    large = step("MatMul", graph.store(down.astype(np.float32), "down"), wide)
    return step("Reshape", large, shape(1, outputs, high_h, high_w))


def _add_mixing(graph: Graph, name: str, pair: Separable, channels: slice) -> str:
    """Mix the small image for every tap; the result's channels are outputs × rows of the kernel × its columns.

    The bias goes along with the middle tap, which is nowhere outside: the factors of an upsampled value sum up to 1.
    """
    taps = pair.taps[channels, 0].astype(np.float64).transpose(1, 2, 0)
    weight = pair.mixing[:, None, None, channels].astype(np.float64) * taps
    bias = np.zeros(weight.shape[:3], np.float32)
    bias[:, taps.shape[0] // 2, taps.shape[1] // 2] = pair.bias
    flat = graph.store(weight.reshape(bias.size, -1, 1, 1).astype(np.float32), "mixing")
    result = graph.new_name("mixed")
    graph.add("Conv", [name, flat, graph.store(bias.reshape(-1), "bias")], [result], kernel_shape=[1, 1])
    return result


def _lines(needed: list[np.ndarray], kernel_w: int, low_h: int) -> np.ndarray:
    """Return which lines of kernel_h × kernel_w × low_h each band takes, for all columns of the kernel in turn."""
    rows = np.concatenate(needed)
    tap, row = rows[:, None] // low_h, rows[:, None] % low_h
    return ((tap * kernel_w + np.arange(kernel_w)) * low_h + row).reshape(-1).astype(np.int64)


def _once(band: np.ndarray, needed: np.ndarray) -> np.ndarray:
    """Return the band's columns; zeros for those that are only there to make all bands equally wide."""
    taken = band[:, needed]
    _, first = np.unique(needed, return_index=True)
    repeated = np.setdiff1d(np.arange(len(needed)), first)
    taken[:, repeated] = 0
    return taken


def _moved(matrix: np.ndarray, kernel: int) -> np.ndarray:
    """Return high × (kernel · low): what each output takes from the small image through each tap, nothing outside."""
    padded = np.pad(matrix, ((kernel // 2, kernel // 2), (0, 0)))
    return np.concatenate([padded[tap : tap + len(matrix)] for tap in range(kernel)], axis=1)


def _matrix(resize: NodeProto, low: int, high: int) -> np.ndarray:
    """Return high × low: the resize along one side, by resizing unit vectors."""
    import onnxruntime as ort

    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"])
    node.attribute.extend(resize.attribute)
    floats = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in "xy")
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [4], [1, 1, high, low])
    graph = helper.make_graph([node], "resize", [next(floats)], [next(floats)], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    units = np.eye(low, dtype=np.float32).reshape(1, 1, low, low)
    return session.run(None, {"x": units})[0][0, 0].astype(np.float64)
