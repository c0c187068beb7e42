"""Rewritten ONNX graphs answer what they answered before; each rewrite on the smallest graph that has its pattern."""

from __future__ import annotations

import tempfile
from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from paddle_portrait.export.rewrites import REWRITES, rewrite  # noqa: E402

RNG = np.random.default_rng(5)


class Builder:
    """A graph, node by node; weights are random."""

    def __init__(self, channels: int, side: int | str) -> None:
        self.nodes: list = []
        self.stored: dict[str, np.ndarray] = {}
        self.input = ["x", channels, side]

    def add(self, kind: str, *inputs, outputs: int = 1, **attributes):
        names = [one if isinstance(one, str) else self.store(one) for one in inputs]
        made = [f"t{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(onnx.helper.make_node(kind, names, made, **attributes))
        return made[0] if outputs == 1 else made

    def store(self, values) -> str:
        values = np.asarray(values)
        name = f"w{len(self.stored)}"
        self.stored[name] = values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
        return name

    def conv(self, x: str, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, group: int = 1) -> str:
        weight = RNG.normal(
            0, 1 / np.sqrt(kernel * kernel * inputs / group), (outputs, inputs // group, kernel, kernel)
        )
        pad = kernel // 2
        options = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "group": group}
        return self.add("Conv", x, weight, RNG.normal(size=outputs), **options)

    def separable(self, x: str, inputs: int, outputs: int, kernel: int = 3) -> str:
        return self.conv(self.conv(x, inputs, inputs, kernel, group=inputs), inputs, outputs)

    def resize(self, x: str, factor: float, mode: str = "half_pixel") -> str:
        options = {"mode": "linear", "coordinate_transformation_mode": mode}
        return self.add("Resize", x, "", np.array([1.0, 1.0, factor, factor]), **options)

    def difference(self, x: str, swapped: bool = False) -> str:
        first, second = (self.add("Slice", x, [at], [at + 1], [1], [1]) for at in (0, 1))
        return self.add("Sub", *((first, second) if swapped else (second, first)))

    def model(self, output: str):
        helper, floats = onnx.helper, onnx.TensorProto.FLOAT
        _, channels, side = self.input
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info("x", floats, [1, channels, side, side])],
            [helper.make_tensor_value_info(output, floats, [1, None, None, None])],
            [onnx.numpy_helper.from_array(values, name) for name, values in self.stored.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def answer(model, image: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": image})[0]


def difference_behind_resize(side=12):
    graph = Builder(3, side)
    return graph.model(graph.difference(graph.resize(graph.add("Relu", graph.conv("x", 3, 2)), 2)))


def difference_in_weights(side=12):
    graph = Builder(3, side)
    return graph.model(graph.difference(graph.resize(graph.conv("x", 3, 2, 3), 3), swapped=True))


def difference_of_transposed(side=12):
    graph = Builder(6, side)
    made = graph.add("ConvTranspose", "x", RNG.normal(size=(6, 2, 2, 2)), RNG.normal(size=2), strides=[2, 2])
    return graph.model(graph.difference(made))


def pointwise_behind_resizes(side=12):
    graph = Builder(8, side)
    return graph.model(graph.conv(graph.resize(graph.resize("x", 2), 2, "align_corners"), 8, 3))


def upsampled(mode="half_pixel"):
    graph = Builder(32, 6)
    return graph.model(graph.add("Relu", graph.separable(graph.resize("x", 8, mode), 32, 32)))


def upsampled_and_joined():
    graph = Builder(32, 6)
    large = graph.resize("x", 8)
    shallow = graph.add("Relu", graph.conv(graph.add("Relu", large), 32, 18))
    deep = graph.resize(graph.conv("x", 32, 32, 3), 8)
    return graph.model(graph.add("Relu", graph.separable(graph.add("Concat", shallow, deep, axis=1), 50, 32)))


def upsampled_to_classes(classes=2, joined=18):
    """Return what ends in two separable convolutions, the first of something upsampled and joined."""
    graph = Builder(32, 6)
    shallow = graph.add("Relu", graph.conv(graph.resize("x", 8), 32, joined))
    deep = graph.resize(graph.conv("x", 32, 32, 3), 8)
    mixed = graph.add("Relu", graph.separable(graph.add("Concat", shallow, deep, axis=1), joined + 32, 32))
    return graph.model(graph.add("Relu", graph.separable(mixed, 32, classes)))


def separable_of_blocks():
    graph = Builder(3, 12)
    return graph.model(graph.separable(graph.add("Relu", graph.conv("x", 3, 32, 3)), 32, 2))


def slopes(channels):
    graph = Builder(3, 12)
    return graph.model(graph.add("PRelu", graph.conv("x", 3, channels), RNG.normal(size=(channels, 1, 1))))


def pooled():
    graph = Builder(3, 16)
    stem = graph.add("Relu", graph.conv("x", 3, 18, 3, 2))
    pool = graph.add("MaxPool", stem, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    return graph.model(graph.separable(pool, 18, 4))


def shuffled(units=3, side=8):
    graph = Builder(3, side)
    half = [graph.add("Relu", graph.conv("x", 3, 10, 3)) for _ in range(2)]
    for unit in range(units):
        rows = [graph.add("Reshape", one, [1, 10, 1, side * side]) for one in half]
        both = graph.add("Reshape", graph.add("Concat", *rows, axis=2), [0, 20, side, -1])
        if unit < units - 1:
            kept, taken = graph.add("Split", both, [10, 10], outputs=2, axis=1)
            half = [kept, graph.add("Relu", graph.separable(graph.add("Relu", graph.conv(taken, 10, 10)), 10, 10))]
    return graph.model(graph.separable(both, 20, 5))


def mirrored(side=12, axis=3):
    graph = Builder(3, side)
    columns = graph.add("Split", graph.conv("x", 3, 2, 3), [1] * side, outputs=side, axis=axis)
    return graph.model(graph.add("Concat", *columns[::-1], axis=axis))


CASES = {
    "mirrored": (mirrored(), {"mirroring"}),
    "upside down": (mirrored(axis=2), {"mirroring"}),
    "difference behind a resize": (difference_behind_resize(), {"class_difference"}),
    "difference in weights": (difference_in_weights(), {"class_difference"}),
    "difference of a transposed convolution": (difference_of_transposed(), {"class_difference"}),
    "pointwise behind resizes": (pointwise_behind_resizes(), {"early_mixing"}),
    "upsampled": (upsampled(), {"late_upsampling"}),
    "upsampled from corner to corner": (upsampled("align_corners"), {"late_upsampling"}),
    "upsampled, legacy": (upsampled("asymmetric"), {"late_upsampling"}),
    "upsampled and joined": (upsampled_and_joined(), {"late_upsampling", "aligned_channels", "added_products"}),
    "upsampled to classes": (upsampled_to_classes(), {"added_products", "few_outputs"}),
    "slopes": (slopes(8), {"slopes"}),
    "slopes of few channels": (slopes(3), {"slopes"}),
    "pooled": (pooled(), {"aligned_channels"}),
    "shuffled": (shuffled(), {"channel_routing"}),
}


@pytest.mark.parametrize("case", CASES)
def test_rewritten_graphs_compute_the_same(case):
    model, expected = CASES[case]
    before = model.SerializeToString()
    found, applied = rewrite(model)
    onnx.checker.check_model(found, full_check=True)
    assert model.SerializeToString() == before, "the graph given is left as it was"
    assert expected <= {one.name for one in applied} and all(one.places > 0 for one in applied)
    assert all(one.max_abs_diff < 2e-5 for one in applied)
    image = RNG.normal(size=[side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim])
    np.testing.assert_allclose(answer(found, image.astype("f")), answer(model, image.astype("f")), atol=5e-5)


def test_together_they_cover_every_rewrite():
    assert set.union(*(expected for _, expected in CASES.values())) == set(REWRITES)


def test_what_was_to_go_is_gone():
    def operators(case):
        return Counter(node.op_type for node in rewrite(CASES[case][0])[0].graph.node)

    assert "Reshape" not in operators("shuffled")
    assert not {"Slice", "Sub"} & set(operators("difference in weights"))
    assert "PRelu" not in operators("slopes")
    assert "Resize" not in operators("upsampled")
    assert not {"Split", "Concat"} & set(operators("mirrored"))


def fused(model) -> Counter:
    """Return the operators that ONNX Runtime executes."""
    options = ort.SessionOptions()
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = f"{folder}/executed.onnx"
        options.log_severity_level = 3
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


@pytest.mark.parametrize(("joined", "kind"), [(18, "FusedConv"), (20, "FusedGemm"), (6, "FusedGemm")])
def test_sums_with_products_are_one_operator_with_their_activation(joined, kind):
    executed = fused(rewrite(upsampled_to_classes(joined=joined))[0])
    assert executed[kind] == 1 and not executed["Add"]


@pytest.mark.parametrize("model", [upsampled_to_classes(classes=4), separable_of_blocks()])
def test_separable_convolutions_stay_where_blocks_are_quicker(model):
    found, applied = rewrite(model)
    assert "few_outputs" not in {one.name for one in applied}
    assert "ConvTranspose" not in {node.op_type for node in found.graph.node}


@pytest.mark.parametrize("order", [[1, 0, 2], [2, 1], [2, 1, 0, 0]])
def test_parts_in_another_order_are_not_mirrored(order):
    graph = Builder(3, 3)
    columns = graph.add("Split", "x", [1, 1, 1], outputs=3, axis=3)
    assert not rewrite(graph.model(graph.add("Concat", *(columns[at] for at in order), axis=3)))[1]


@pytest.mark.parametrize("side", [8, 24])
def test_any_size_still_goes(side):
    model, applied = rewrite(difference_behind_resize("any"))
    assert [one.name for one in applied] == ["class_difference"]
    image = RNG.normal(size=(1, 3, side, side)).astype("f")
    assert answer(model, image).shape == (1, 1, 2 * side, 2 * side)


def test_tensors_that_others_read_stay():
    graph = Builder(3, 12)
    classes = graph.resize(graph.conv("x", 3, 2), 2)
    used = graph.add("Mul", graph.difference(classes), graph.add("ReduceMax", classes, axes=[1]))
    model, applied = rewrite(graph.model(used))
    assert not applied
    image = RNG.normal(size=(1, 3, 12, 12)).astype("f")
    np.testing.assert_array_equal(answer(model, image), answer(graph.model(used), image))
