"""Half precision: weights that a network's edges hang on stay in float32, the others do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import paddle
import paddle.nn.functional as F
import pytest
from onnx import TensorProto, helper, numpy_helper

from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.export import export_model
from paddle_portrait.export.compact import store_compactly
from paddle_portrait.export.departure import first_departing_layer
from paddle_portrait.export.job import ExportJob
from paddle_portrait.export.options import ExportOptions
from paddle_portrait.export.parity import Trial, make_trials
from paddle_portrait.export.rounding import Rounding, weights_to_keep
from paddle_portrait.inference.graph_form import GraphForm
from paddle_portrait.preprocess import Preprocess

LIMIT = 2e-3
TRANSFORMS = [{"type": "Resize", "target_size": [24, 32]}, {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}]


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
        for name, channels in (("x", 3), ("y", 1), ("f", 1))
    ]
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "by hand", value[:1], value[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), str(path))
    return path


def trials_of(path: Path) -> list[Trial]:
    """Drawn portraits and noise, with the graph's own answers."""
    session = onnxruntime.InferenceSession(str(path))
    preprocess = Preprocess.from_transforms(TRANSFORMS)
    portraits = [render_portrait(seed, (256, 192))[0] for seed in range(3)]
    noise = np.random.default_rng(1).integers(0, 256, (32, 24, 3)).astype(np.uint8)
    tensors = [preprocess(image)[0] for image in [*portraits, noise]]
    return [Trial(None, tensor, None, session.run(["f"], {"x": tensor})[0]) for tensor in tensors]


def rounding_of(path: Path, limit: float = LIMIT) -> Rounding:
    return Rounding(path, trials_of(path), limit, "sigmoid")


def test_a_steep_layer_stays(tmp_path):
    path = write(tmp_path / "m.onnx", 100.0)
    rounding = rounding_of(path)
    assert rounding.error(["steep", "flat"]) > LIMIT > rounding.error(["flat"])
    keep = weights_to_keep(rounding)
    assert keep == {"steep"}
    store_compactly(path, tmp_path / "half.onnx", rounded=True, keep=keep)
    kinds = {tensor.name: tensor.data_type for tensor in onnx.load(str(tmp_path / "half.onnx")).graph.initializer}
    assert kinds["steep"] == TensorProto.FLOAT and kinds["flat/half"] == TensorProto.FLOAT16
    assert (tmp_path / "half.onnx").stat().st_size < 0.6 * path.stat().st_size


def test_a_tame_network_is_rounded_whole(tmp_path):
    assert weights_to_keep(rounding_of(write(tmp_path / "m.onnx", 0.1))) == set()


def test_a_limit_that_allows_nothing_keeps_all(tmp_path):
    assert weights_to_keep(rounding_of(write(tmp_path / "m.onnx", 100.0), 1e-12)) == {"steep", "flat"}


@pytest.mark.parametrize("colour", ["rgb", "bgr", "gray"])
def test_a_graph_that_normalises_is_asked_levels_in_the_order_of_its_colours(colour):
    preprocess = Preprocess.from_transforms([{"type": "Normalize", "mean": [0.5], "std": [0.25], "colour": colour}])
    channels = preprocess.channels
    paddle.seed(0)
    trial = make_trials(paddle.nn.Conv2D(channels, 2, 1), preprocess, (1, channels, 64, 48))[0]
    form = GraphForm(input_dtype="uint8", input_channels=4)
    levels = trial.feed(form)
    assert (levels.dtype, levels.shape) == (np.uint8, (1, 4, 256, 192)) and not levels[:, channels:].any()
    np.testing.assert_allclose((levels[:, :channels] / 255 - 0.5) / 0.25, trial.tensor, atol=1e-5)
    if colour == "bgr":
        np.testing.assert_array_equal(levels[0, :3], trial.image[..., ::-1].transpose(2, 0, 1))


class NoiseSensitive(paddle.nn.Layer):
    """How much neighbours differ all around, and a steep answer to where that is more than in any picture."""

    def __init__(self) -> None:
        super().__init__()
        self.checker = paddle.nn.Conv2D(3, 1, 2, bias_attr=False)
        self.checker.weight.set_value(paddle.to_tensor([[[[1.0, -1.0], [-1.0, 1.0]]] * 3]))
        self.steep = paddle.nn.Conv2D(1, 2, 9, padding=4)
        kernel = np.random.default_rng(0).normal(0, 40, (2, 1, 9, 9))
        self.steep.weight.set_value(paddle.to_tensor((kernel - kernel.mean((2, 3), keepdims=True)).astype("float32")))

    def forward(self, x):
        energy = F.avg_pool2d(F.relu(self.checker(x)), 15, 1, 7, exclusive=False)
        return self.steep(F.relu(energy - 0.62))


def test_weights_are_chosen_on_noise_as_well_since_the_proof_is(tmp_path):
    transforms = [{"type": "Resize", "target_size": [96, 128]}, TRANSFORMS[1]]
    report = export_model(NoiseSensitive(), transforms, tmp_path / "e", ("onnx_fp16",), "sigmoid")
    assert report.targets["onnx_fp16"].passed


def test_a_part_of_a_network_rounds_the_weights_that_the_whole_rounds(tmp_path):
    # Its weights cancel: of a nearly even picture their rounding is a tenth of what is left.
    steep = paddle.nn.Conv2D(3, 2, 9, padding=4, padding_mode="replicate", bias_attr=False)
    kernel = np.random.default_rng(0).normal(0, 20, (2, 3, 9, 9))
    steep.weight.set_value(paddle.to_tensor((kernel - kernel.mean((2, 3), keepdims=True)).astype("float32")))
    network = paddle.nn.Sequential(steep)
    network.eval()
    preprocess = Preprocess.from_transforms(TRANSFORMS)
    job = ExportJob(network, ExportOptions("sigmoid"), (1, 3, 32, 24), tmp_path, preprocess)
    folder, files = job.build("onnx_fp16")
    stored = {tensor.data_type for tensor in onnx.load(str(folder / files.model)).graph.initializer}
    assert TensorProto.FLOAT16 not in stored, "the weights are kept"
    even = (0.9 + 0.003 * np.random.default_rng(1).normal(0, 1, (1, 3, 32, 24))).astype(np.float32)
    assert first_departing_layer(job, "onnx_fp16", even) is None
