"""Exported directories made by hand, without Paddle: one convolution whose answer can be computed on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

TRANSFORMS = [{"type": "Resize", "target_size": [48, 64]}, {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}]


def write_graph(path: Path, ending: str, shape: list, channels: int = 3) -> None:
    """Write an ONNX graph whose person logit is the sum of the input's channels, the background's is zero."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.zeros((1 if ending == "Sigmoid" else 2, channels, 1, 1), np.float32)
    weight[-1] = 1.0
    nodes = [helper.make_node("Conv", ["x", "w"], ["z"])]
    if ending == "Softmax":
        nodes.append(helper.make_node("Softmax", ["z"], ["y"], axis=1))
    elif ending == "Sigmoid":
        nodes.append(helper.make_node("Sigmoid", ["z"], ["y"]))
    elif ending == "ArgMax":
        nodes.append(helper.make_node("ArgMax", ["z"], ["y"], axis=1, keepdims=0))
    else:
        nodes.append(helper.make_node("Identity", ["z"], ["y"]))
    kind = TensorProto.INT64 if ending == "ArgMax" else TensorProto.FLOAT
    dims = [f"d{index}" if size == -1 else size for index, size in enumerate(shape)]
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.save(model, str(path))


@pytest.fixture
def make_export(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an export in PaddleSeg's manner and returns its directory."""

    def make(ending: str = "Softmax", shape=(1, 3, 64, 48), transforms=None, name: str = "export", **deploy) -> Path:
        directory = tmp_path / name
        directory.mkdir()
        write_graph(directory / "model.onnx", ending, list(shape))
        content = {"model": "model.onnx", "transforms": TRANSFORMS if transforms is None else transforms, **deploy}
        (directory / "deploy.yaml").write_text(yaml.safe_dump({"Deploy": content}))
        return directory

    return make


@pytest.fixture
def photo() -> np.ndarray:
    """Return a smooth random picture, uint8 90×70×3."""
    import cv2

    coarse = np.random.default_rng(3).uniform(0, 255, (6, 5, 3))
    return np.clip(cv2.resize(coarse, (70, 90), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
