"""Weights in fewer bits: found where nothing is lost, and the same graph after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddle_portrait.export.compact import find_levels, store_compactly
from paddle_portrait.export.shared_constants import share_equal_constants

onnx = pytest.importorskip("onnx")
RNG = np.random.default_rng(5)


@pytest.mark.parametrize(("scale", "zero"), [(0.01, 128), (1.7e-3, 0), (0.25, 255), (3.3e-5, 17)])
def test_quantised_weights_are_recognised(scale: float, zero: int) -> None:
    levels = RNG.integers(0, 256, (8, 9))
    array = ((levels - zero) * np.float32(scale)).astype(np.float32)
    found = find_levels(array)
    assert found is not None
    widened = (found.levels.astype(np.int32) - int(found.zero)) * found.scale
    np.testing.assert_allclose(widened, array, rtol=0, atol=1e-5 * np.abs(array).max())


@pytest.mark.parametrize(
    "array",
    [
        RNG.standard_normal(1000),
        np.ones(100),
        np.array([0, 1, np.pi]),
        np.array([1000.0, 1001.0]),  # two levels, far from zero
        np.arange(257.0),
    ],
)
def test_other_weights_are_not(array: np.ndarray) -> None:
    assert find_levels(array.astype(np.float32)) is None


def make_model(path: Path, weights: dict[str, np.ndarray]) -> None:
    """Write a graph that adds every weight to its input."""
    from onnx import TensorProto, helper, numpy_helper

    names, nodes = ["x"], []
    for name in weights:
        nodes.append(helper.make_node("Add", [names[-1], name], [f"{name}_sum"]))
        names.append(f"{name}_sum")
    shape = [10, 10]
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))


def run(path: Path) -> np.ndarray:
    """Return the graph's answer to ones."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.ones((10, 10), np.float32)})[0]


def test_exact_storage_changes_no_answer(tmp_path: Path) -> None:
    weights = {
        "half": RNG.standard_normal((10, 10)).astype(np.float16).astype(np.float32),
        "bytes": (RNG.integers(0, 256, (10, 10)) * np.float32(0.37)).astype(np.float32),
        "full": RNG.standard_normal((10, 10)).astype(np.float32),
        "short": np.ones(10, np.float16).astype(np.float32),
    }
    make_model(tmp_path / "plain.onnx", weights)
    assert store_compactly(tmp_path / "plain.onnx", tmp_path / "exact.onnx") == 2
    np.testing.assert_allclose(run(tmp_path / "exact.onnx"), run(tmp_path / "plain.onnx"), rtol=1e-6)


def test_rounding_is_asked_for_and_stops_at_what_float16_cannot_hold(tmp_path: Path) -> None:
    weights = {"full": RNG.standard_normal((10, 10)).astype(np.float32), "huge": np.full((10, 10), 1e6, np.float32)}
    weights["huge"][0, 0] = np.pi
    make_model(tmp_path / "plain.onnx", weights)
    assert store_compactly(tmp_path / "plain.onnx", tmp_path / "rounded.onnx", rounded=True) == 1
    assert not store_compactly(tmp_path / "plain.onnx", tmp_path / "exact.onnx")


def test_equal_constants_are_stored_once(tmp_path: Path) -> None:
    weights = RNG.standard_normal((10, 10)).astype(np.float32)
    path = tmp_path / "model.onnx"
    make_model(path, {"a": weights, "b": weights.copy(), "c": weights.T.copy(), "d": weights[:1], "e": weights.copy()})
    before = run(path)
    assert share_equal_constants(path) == 2
    np.testing.assert_array_equal(run(path), before)
    assert [tensor.name for tensor in onnx.load(str(path)).graph.initializer] == ["a", "c", "d"]
    assert share_equal_constants(path) == 0


def test_constants_that_a_caller_may_set_are_not_shared(tmp_path: Path) -> None:
    weights = np.ones((10, 10), np.float32)
    path = tmp_path / "model.onnx"
    make_model(path, {name: weights for name in "abc"})
    model = onnx.load(str(path))
    model.graph.input.append(onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, [10, 10]))
    onnx.save(model, str(path))
    assert share_equal_constants(path) == 1
    assert [tensor.name for tensor in onnx.load(str(path)).graph.initializer] == ["a", "b"]


@pytest.mark.parametrize("field", ["g", "graphs"])
def test_nothing_is_shared_where_a_graph_lies_within(tmp_path: Path, field: str) -> None:
    weights = np.ones((10, 10), np.float32)
    path = tmp_path / "model.onnx"
    make_model(path, {name: weights for name in "ab"})
    model = onnx.load(str(path))
    within = onnx.helper.make_graph([], "within", [], [])
    value = within if field == "g" else [within]
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("within", value))
    onnx.save(model, str(path))
    assert share_equal_constants(path) == 0
