"""Half precision: weights that a network's edges hang on stay in float32, the others do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from paddle_portrait.export.compact import store_compactly
from paddle_portrait.export.rounding import Rounding, portrait_inputs, weights_to_keep

LIMIT = 2e-3


def write(path: Path, steepness: float) -> Path:
    """A sigmoid of two 3×3 convolutions: ``steep`` is magnified, ``flat``, which is larger, is made small."""
    rng = np.random.default_rng(0)
    weights = {
        "steep": rng.normal(0, 0.2, (1, 3, 9, 9)),
        "flat": rng.normal(0, 0.2, (16, 3, 9, 9)),
        "steepness": np.array(steepness),
        "flatness": np.array(1e-3),
    }
    nodes = [
        helper.make_node("Conv", ["x", "steep"], ["a"], pads=[4] * 4),
        helper.make_node("Conv", ["x", "flat"], ["b"], pads=[4] * 4),
        helper.make_node("Mul", ["a", "steepness"], ["c"]),
        helper.make_node("Mul", ["b", "flatness"], ["d"]),
        helper.make_node("ReduceMean", ["d"], ["e"], axes=[1]),
        helper.make_node("Add", ["c", "e"], ["f"]),
        helper.make_node("Sigmoid", ["f"], ["y"]),
    ]
    value = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 32, 24])
        for name, channels in (("x", 3), ("y", 1))
    ]
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "by hand", value[:1], value[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), str(path))
    return path


@pytest.fixture
def inputs() -> list[np.ndarray]:
    return portrait_inputs((1, 3, 32, 24), ([1 / 127.5] * 3, [-1.0] * 3))


def test_a_steep_layer_stays(inputs, tmp_path):
    path = write(tmp_path / "m.onnx", 100.0)
    rounding = Rounding(path, inputs)
    assert rounding.error(["steep", "flat"]) > LIMIT > rounding.error(["flat"])
    keep = weights_to_keep(rounding, LIMIT)
    assert keep == {"steep"}
    store_compactly(path, tmp_path / "half.onnx", rounded=True, keep=keep)
    kinds = {tensor.name: tensor.data_type for tensor in onnx.load(str(tmp_path / "half.onnx")).graph.initializer}
    assert kinds["steep"] == TensorProto.FLOAT and kinds["flat/half"] == TensorProto.FLOAT16
    assert (tmp_path / "half.onnx").stat().st_size < 0.6 * path.stat().st_size


def test_a_tame_network_is_rounded_whole(inputs, tmp_path):
    assert weights_to_keep(Rounding(write(tmp_path / "m.onnx", 0.1), inputs), LIMIT) == set()


def test_a_limit_that_allows_nothing_keeps_all(inputs, tmp_path):
    assert weights_to_keep(Rounding(write(tmp_path / "m.onnx", 100.0), inputs), 1e-12) == {"steep", "flat"}


def test_portraits_as_a_graph_takes_them():
    levels = portrait_inputs((2, 4, 40, 30), None)
    assert all(each.shape == (2, 4, 40, 30) and each.dtype == np.uint8 for each in levels)
    assert levels[0][:, :3].any() and not levels[0][:, 3].any() and not np.array_equal(levels[0], levels[1])
    scaled = portrait_inputs((2, 4, 40, 30), ([1 / 255] * 4, [0.5] * 3 + [0.0]))
    assert scaled[0].dtype == np.float32
    assert np.allclose(scaled[0][:, :3], levels[0][:, :3] / 255 + 0.5, atol=1e-6) and not scaled[0][:, 3].any()
