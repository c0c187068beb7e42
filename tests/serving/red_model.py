"""A network for which whatever is red is a person, and pictures for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

SIDE = 64


def write_model(directory: Path, work: int = 0) -> Path:
    """Write an export that takes any batch: near 1 where a pixel is redder than green, else near 0.

    ``work`` adds so many large convolutions that change nothing and take their time.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.array([20, -20, 0], np.float32).reshape(1, 3, 1, 1)
    constants = [
        numpy_helper.from_array(weight, "w"),
        numpy_helper.from_array(np.array([-5], np.float32), "b"),
        numpy_helper.from_array(np.zeros((3, 3, 31, 31), np.float32), "k"),
    ]
    nodes, last = [], "x"
    for step in range(work):
        nodes.append(helper.make_node("Conv", [last, "k"], [f"c{step}"], pads=[15] * 4))
        nodes.append(helper.make_node("Add", [last, f"c{step}"], [f"a{step}"]))
        last = f"a{step}"
    nodes += [helper.make_node("Conv", [last, "w", "b"], ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])]
    shape: list[Any] = ["n", 3, SIDE, SIDE]
    graph = helper.make_graph(
        nodes,
        "red is a person",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
        constants,
    )
    directory.mkdir()
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=7), str(directory / "model.onnx"))
    transforms = [
        {"type": "Resize", "target_size": [SIDE, SIDE]},
        {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3},
    ]
    deploy = {
        "model": "model.onnx",
        "transforms": transforms,
        "input_shape": [-1, 3, SIDE, SIDE],
        "output_op": "sigmoid",
    }
    (directory / "deploy.yaml").write_text(yaml.safe_dump({"Deploy": deploy}), encoding="utf-8")
    return directory


def scene(height: int = 96, width: int = 160, left: float = 0.25) -> np.ndarray:
    """Return a red upright bar, half the picture wide, on grey, uint8 RGB."""
    picture = np.full((height, width, 3), (90, 90, 90), np.uint8)
    picture[:, int(left * width) : int((left + 0.5) * width)] = (230, 20, 20)
    return picture


def encoded(picture: np.ndarray, suffix: str = ".png") -> bytes:
    """Return an RGB picture as a file."""
    return cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def decoded(data: bytes) -> np.ndarray:
    """Return a file's pixels as they are: grey, RGB or RGBA."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture.ndim == 2:
        return picture
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB if picture.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
