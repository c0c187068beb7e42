"""An export that is not the trained network, or cannot be made, says why and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.export import ExportError, ParityError, export_model
from paddle_portrait.export.parity import probability_difference
from paddle_portrait.export.targets import onnx as onnx_target
from paddle_portrait.export.targets import onnx_int8_weights as int8_target
from paddle_portrait.export.targets import paddle as paddle_target
from paddle_portrait.inference import Predictor


class OneOperation(nn.Layer):
    """A convolution to two classes, then some operation."""

    def __init__(self, operation) -> None:
        super().__init__()
        self.conv = nn.Conv2D(3, 2, 1)
        self.operation = operation

    def forward(self, x):
        return self.operation(self.conv(x))


def shrink(x):
    return F.pixel_shuffle(F.pixel_unshuffle(x, 2), 2)


def only_64(x):
    return paddle.reshape(x, [1, 2, 64, 48])


def poison(x):
    return x / paddle.zeros_like(x)


def nothing_left(folder: Path) -> bool:
    return not list(folder.iterdir())


@pytest.mark.parametrize("size", [1e-2, np.nan])
def test_a_graph_that_was_tampered_with(size, network, transforms, tmp_path, monkeypatch):
    honest = paddle_target.write

    def tampered(job, folder):
        bias = job.network.head.bias
        original = bias.numpy()
        bias.set_value(original + np.array([0, size], np.float32))
        files = honest(job, folder)
        bias.set_value(original)
        return files

    monkeypatch.setattr(paddle_target, "write", tampered)
    with pytest.raises(ParityError, match="paddle: largest difference in probability"):
        export_model(network, transforms, tmp_path / "e", ("paddle",), "softmax")
    assert nothing_left(tmp_path)


@pytest.fixture
def nobody(network):
    """A network that sees no person in anything, with a probability of about 0.08."""
    network.head.weight.set_value(network.head.weight * 0.01)
    network.head.bias.set_value(paddle.to_tensor([2.5, 0.0]))
    return network


def test_masks_without_a_person_prove_nothing_by_their_iou(nobody, transforms, tmp_path, monkeypatch):
    report = export_model(nobody, transforms, tmp_path / "e", ("onnx_int8_weights",), "sigmoid")
    entry = report.targets["onnx_int8_weights"]
    assert entry.passed and entry.mask_iou is None and entry.one_class_diff < 0.01
    honest = int8_target.write

    def tampered(job, folder):
        job.network.head.bias.set_value(paddle.to_tensor([0.1, 0.0]))
        files = honest(job, folder)
        job.network.head.bias.set_value(paddle.to_tensor([2.5, 0.0]))
        return files

    monkeypatch.setattr(int8_target, "write", tampered)
    with pytest.raises(ParityError, match=r"probability 0\.[34]\d* where the mask has one class only, allowed 0\.25"):
        export_model(nobody, transforms, tmp_path / "wrong", ("onnx_int8_weights",), "sigmoid")


def test_class_numbers_of_one_class_prove_nothing(nobody, transforms, tmp_path):
    with pytest.raises(ParityError, match=r"no input gives a mask with both classes.*--output_op sigmoid"):
        export_model(nobody, transforms, tmp_path / "e", ("onnx_int8_weights",), "argmax")
    assert nothing_left(tmp_path)


def test_a_preprocessing_that_was_tampered_with(network, transforms, tmp_path, monkeypatch):
    from paddle_portrait.inference.deploy_file import DeployFile

    honest = DeployFile.write

    def tampered(self, directory):
        honest(self, directory)
        text = (directory / "deploy.yaml").read_text().replace("colour: rgb", "colour: bgr")
        (directory / "deploy.yaml").write_text(text)

    monkeypatch.setattr(DeployFile, "write", tampered)
    with pytest.raises(ParityError):
        export_model(network, transforms, tmp_path / "e", ("paddle",), "softmax")
    assert nothing_left(tmp_path)


def test_a_failed_export_leaves_the_earlier_one_alone(network, transforms, photo, tmp_path, monkeypatch):
    export_model(network, transforms, tmp_path / "e", ("paddle",), "softmax")
    before = {path.name: path.read_bytes() for path in (tmp_path / "e").iterdir()}
    monkeypatch.setattr(paddle_target, "write", lambda job, folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_model(network, transforms, tmp_path / "e", ("paddle",), "argmax")
    assert {path.name: path.read_bytes() for path in (tmp_path / "e").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_a_new_export_replaces_the_earlier_one_and_nothing_else(network, transforms, photo, tmp_path):
    save_dir = tmp_path / "output"
    checkpoint = save_dir / "best_model" / "model.pdparams"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights of a long training")
    export_model(network, transforms, save_dir, ("paddle", "paddle_legacy"), "argmax")
    export_model(network, transforms, save_dir, ("paddle_legacy",), "softmax")
    assert {path.name for path in save_dir.iterdir()} == {
        *("best_model", "deploy.yaml", "parity.json", "model.pdmodel", "model.pdiparams"),
    }
    assert checkpoint.read_bytes() == b"weights of a long training"
    assert Predictor.load(save_dir).output_op == "softmax"


def test_an_earlier_deploy_yaml_cannot_delete_outside(network, transforms, tmp_path):
    save_dir, treasure = tmp_path / "e", tmp_path / "treasure.txt"
    save_dir.mkdir()
    treasure.write_text("mine")
    export_model(network, transforms, save_dir, ("paddle",))
    text = (save_dir / "deploy.yaml").read_text()
    (save_dir / "deploy.yaml").write_text(text.replace("model: model.json", f"model: {treasure}"))
    export_model(network, transforms, save_dir, ("paddle",))
    assert treasure.read_text() == "mine"


def test_a_place_that_cannot_be_written(network, transforms, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportError, match="cannot write the export"):
        export_model(network, transforms, tmp_path / "file" / "e")


def test_save_dir_is_a_file(network, transforms, tmp_path):
    (tmp_path / "e").write_text("mine")
    with pytest.raises(ExportError, match="is a file"):
        export_model(network, transforms, tmp_path / "e")
    assert (tmp_path / "e").read_text() == "mine"


def test_what_the_converter_does_not_know(transforms, tmp_path):
    with pytest.raises(ExportError, match=r"format onnx: the converter failed.*unsupported operators"):
        export_model(OneOperation(shrink), transforms, tmp_path / "e", ("onnx",), "softmax")
    assert nothing_left(tmp_path)


def test_a_converter_that_writes_nothing(network, transforms, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_target, "OPSET", 99)
    with pytest.raises(ExportError, match="format onnx: the converter failed"):
        export_model(network, transforms, tmp_path / "e", ("onnx",), "softmax")
    assert nothing_left(tmp_path)


def test_floats_that_the_converter_reads_wrongly_arrive(transforms, tmp_path):
    """Pad value, slope, epsilon and scale factor: stored by Paddle as doubles, read by paddle2onnx as floats."""

    class Delicate(nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2D(3, 2, 1)
            self.norm = nn.GroupNorm(1, 2, epsilon=1e-3)

        def forward(self, x):
            x = F.pad(F.leaky_relu(self.conv(x), 0.3), [0, 1, 0, 1])[:, :, :-1, :-1]
            return self.norm(F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear"))

    report = export_model(Delicate(), transforms, tmp_path / "e", ("onnx",), "softmax")
    assert report.targets["onnx"].passed


@pytest.mark.parametrize(
    ("operation", "arguments", "complaint"),
    [
        (only_64, {"input_shape": (-1, -1)}, "give that size: --input_shape H W"),
        (poison, {}, "not finite"),
        (lambda x: x[:, :1], {"output_op": "softmax"}, "Use --output_op sigmoid"),
        (lambda x: x, {"channels": 5}, "takes 5 channels, the preprocessing makes 3"),
        (lambda x: x, {"formats": ("onxx",)}, "Did you mean 'onnx'"),
        (lambda x: x, {"output_op": "max"}, "unknown output_op 'max'"),
        (lambda x: paddle.sign(x), {"formats": ("paddle_legacy",)}, "cannot be traced.*sign"),
    ],
)
def test_refused_with_a_reason(operation, arguments, complaint, transforms, tmp_path):
    with pytest.raises(UserError, match=complaint):
        export_model(OneOperation(operation), transforms, tmp_path / "e", **arguments)
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("output", "output_op", "expected"),
    [
        ([[[2]]], "argmax", 0.0),  # the likeliest class
        ([[[1]]], "argmax", (0.5 - 0.3) / 2),
        ([[[[0.2]], [[0.3]], [[0.5]]]], "softmax", 0.0),
        ([[[[0.2]], [[0.31]], [[0.49]]]], "softmax", 0.01),
        ([[[[0.8]]]], "sigmoid", 0.0),
        ([[[[0.75]]]], "sigmoid", 0.05),
        ([[[[5 + np.log(0.2)]], [[5 + np.log(0.3)]], [[5 + np.log(0.5)]]]], "none", 0.0),
        ([[[[np.nan]]]], "sigmoid", 1.0),
        ([[[[np.inf]]]], "sigmoid", 1.0),
    ],
)
def test_difference_in_probability(output, output_op, expected):
    logits = np.log(np.array([0.2, 0.3, 0.5])).reshape(1, 3, 1, 1)
    output = np.array(output, np.int32 if output_op == "argmax" else np.float64)
    assert probability_difference(output, output_op, logits).max() == pytest.approx(expected, abs=1e-12)


class WithHardtanh(nn.Layer):
    """A layer that the ONNX converter gets wrong without a word, between two that it gets right."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.clip, self.last = nn.Conv2D(3, 4, 1), nn.Hardtanh(-3.0, 3.0), nn.Conv2D(4, 2, 1)

    def forward(self, x):
        return self.last(F.relu(self.clip(self.first(x))))


def test_the_first_layer_that_departs_is_named(randomise, transforms, tmp_path):
    network = randomise(WithHardtanh())
    network.first.weight.set_value(network.first.weight * 5)
    with pytest.raises(ParityError, match="first layer that departs is 'clip'"):
        export_model(network, transforms, tmp_path / "e", ("onnx",), "softmax")
    assert nothing_left(tmp_path)


class WrongOnNoise(nn.Layer):
    """A layer that cuts large values off, behind a measure of how much neighbours differ: noise alone has such."""

    def __init__(self) -> None:
        super().__init__()
        self.checker, self.spread = nn.Conv2D(3, 1, 2, bias_attr=False), nn.Conv2D(1, 2, 15, padding=7)
        self.checker.weight.set_value(paddle.to_tensor([[[[1.0, -1.0], [-1.0, 1.0]]] * 3]))
        self.spread.weight.set_value(paddle.full([2, 1, 15, 15], 5 / 225))
        self.clip, self.last = nn.ReLU6(), nn.Conv2D(2, 2, 1)
        self.last.weight.set_value(paddle.to_tensor([[[[1.0]], [[0.0]]], [[[0.0]], [[-1.0]]]]))

    def forward(self, x):
        return self.last(self.clip(self.spread(F.relu(self.checker(x)))) - 2.0)


@pytest.mark.parametrize("input_shape", [None, (-1, -1)])
def test_the_layer_is_sought_on_the_input_that_failed(input_shape, tmp_path, monkeypatch):
    honest = onnx_target.tidy

    def tampered(source, target):
        """Cut off at 3, not at 6."""
        honest(source, target)
        model = onnx.load(str(target))
        ends = {node.input[2] for node in model.graph.node if node.op_type == "Clip"}
        for tensor in model.graph.initializer:
            if tensor.name in ends:
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(3.0, np.float32), tensor.name))
        onnx.save(model, str(target))

    monkeypatch.setattr(onnx_target, "tidy", tampered)
    transforms = [{"type": "Resize", "target_size": [96, 128]}, {"type": "Normalize"}]
    with pytest.raises(ParityError, match="first layer that departs is 'clip'"):
        export_model(WrongOnNoise(), transforms, tmp_path / "e", ("onnx",), "softmax", input_shape)
