"""Batch norms that a file has folded away: exact in evaluation from the start, of use for training once restored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from paddle_portrait.convert import SourceLayer, SourceModel, match_by_execution
from paddle_portrait.convert.batch_norm import lacks_statistics, restore_statistics
from paddle_portrait.convert.calibration import calibration_batches
from paddle_portrait.convert.conversion import convert
from paddle_portrait.convert.recipes import find_recipe
from paddle_portrait.data.synthesis import render_portrait
from paddle_portrait.errors import UserError
from paddle_portrait.models import as_seg_output
from paddle_portrait.models.blocks import ConvNormAct, conv2d
from paddle_portrait.preprocess import Preprocess, write_image

_TRANSFORMS = [{"type": "Resize", "target_size": [64, 64]}, {"type": "Normalize"}]


class _Net(nn.Layer):
    """Four convolutions with batch norms, one of them depthwise, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            ConvNormAct(3, 8, 3, stride=2),
            ConvNormAct(8, 8, 3, groups=8, bias=True),
            ConvNormAct(8, 16, 1, act="relu6"),
            ConvNormAct(16, 16, 3, act="none"),
        )
        self.head = conv2d(16, 2)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return F.interpolate(self.head(self.blocks(x)), x.shape[2:], mode="bilinear")


def _portraits(count: int, first: int = 1000) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Return generated portraits that the default calibration does not draw, and their masks."""
    preprocess = Preprocess.from_transforms(_TRANSFORMS)
    drawn = [render_portrait(first + seed, (64, 64)) for seed in range(count)]
    images = preprocess.to_tensor([image for image, _ in drawn])
    return paddle.to_tensor(images), paddle.to_tensor(np.stack([alpha > 0.5 for _, alpha in drawn]).astype(np.int64))


@pytest.fixture(scope="module")
def trained() -> _Net:
    """A network that has learnt something, so that its batch norms hold statistics far from 0 and 1."""
    paddle.seed(5)
    network = _Net()
    images, labels = _portraits(16, first=5000)
    optimizer = paddle.optimizer.Adam(5e-3, parameters=network.parameters())
    for _ in range(60):
        F.cross_entropy(network(images), labels, axis=1).backward()
        optimizer.step()
        optimizer.clear_grad()
    return network.eval()


def _folded(network: _Net) -> SourceModel:
    """Do to ``network`` what converters to TFLite do."""
    layers = []
    for name, block in zip("abcd", network.blocks, strict=True):
        norm = block.norm
        slope = norm.weight / paddle.sqrt(norm._variance + norm._epsilon)
        bias = norm.bias - slope * norm._mean
        if block.conv.bias is not None:
            bias = bias + slope * block.conv.bias
        kind = "depthwise" if name == "b" else "conv"
        weight = block.conv.weight * slope.reshape([-1, 1, 1, 1])
        layers.append(SourceLayer(kind, name, {"weight": weight.numpy(), "bias": bias.numpy()}))
    head = {key: value.numpy() for key, value in network.head.state_dict().items()}
    return SourceModel("folded.tflite", [*layers, SourceLayer("conv", "head", head)], {})


def _probability(network: nn.Layer, images: paddle.Tensor) -> np.ndarray:
    network.eval()
    with paddle.no_grad():
        return F.softmax(as_seg_output(network(images)).logits, axis=1).numpy()


def _losses(network: nn.Layer, images: paddle.Tensor, labels: paddle.Tensor) -> tuple[float, float]:
    """Return the loss in evaluation and that of the first step of a training."""
    values = []
    for mode in (network.eval, network.train):
        mode()
        state = {name: value.clone() for name, value in network.state_dict().items()}
        with paddle.no_grad():
            values.append(float(F.cross_entropy(as_seg_output(network(images)).logits, labels, axis=1)))
        network.set_state_dict(state)  # a step in training mode moves the running statistics
    return values[0], values[1]


def test_restored_networks_evaluate_as_before_and_train_from_there(trained: _Net) -> None:
    images, _ = _portraits(32)
    expected = _probability(trained, images)
    labels = paddle.to_tensor(expected.argmax(axis=1))
    network = _Net()
    network.set_state_dict(match_by_execution(network, _folded(trained), images))
    np.testing.assert_allclose(_probability(network, images), expected, atol=1e-5)
    evaluated, started = _losses(network, images, labels)
    forgotten = started - evaluated
    assert forgotten > 0.15  # what restoring is for: the first step of a training would forget this much

    assert restore_statistics(network, calibration_batches(network, Preprocess.from_transforms(_TRANSFORMS))) == 4
    np.testing.assert_allclose(_probability(network, images), expected, atol=1e-5)
    evaluated, started = _losses(network, images, labels)
    # Not zero: a step normalises by its own batch, and these portraits are not those of the calibration.
    assert abs(started - evaluated) < forgotten / 3


def test_hand_computed_statistics() -> None:
    network = nn.Sequential(nn.BatchNorm2D(2, epsilon=0.5))
    network[0].set_state_dict({"weight": paddle.to_tensor([2.0, 3.0]), "bias": paddle.to_tensor([10.0, 20.0])})
    batches = [paddle.to_tensor(np.float32([[[[a]], [[b]]]])) for a, b in ((1, 7), (5, 7), (3, 7), (3, 7))]
    before = network.eval()(batches[0]).numpy().ravel()
    assert restore_statistics(network, iter(batches)) == 1
    state = {key: value.numpy().tolist() for key, value in network[0].state_dict().items()}
    assert state["_mean"] == [3.0, 7.0] and state["_variance"] == [2.0, 0.0]
    # scale / sqrt(1.5) was the slope, and is: variances of 2.0 and 0.0 with the epsilon have roots 2.5 and 0.5
    assert state["weight"] == pytest.approx([2 * (2.5 / 1.5) ** 0.5, 3 * (0.5 / 1.5) ** 0.5])
    assert state["bias"] == pytest.approx([10 + 2 / 1.5**0.5 * 3, 20 + 3 / 1.5**0.5 * 7])
    np.testing.assert_allclose(network(batches[0]).numpy().ravel(), before, rtol=1e-6)
    assert not network.training


def test_variances_of_large_nearly_constant_values_are_measured_right() -> None:
    network = nn.Sequential(nn.BatchNorm2D(1))
    values = np.random.default_rng(0).normal(3000.0, 0.25, (8, 1, 32, 32)).astype(np.float32)
    restore_statistics(network, [paddle.to_tensor(values[:4]), paddle.to_tensor(values[4:])])
    assert network[0]._variance.item() == pytest.approx(values.astype(np.float64).var(), rel=1e-4)


def test_measured_statistics_and_heads_that_do_not_run_are_left_alone() -> None:
    class _WithHead(nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.known, self.new, self.head = nn.BatchNorm2D(3), nn.BatchNorm2D(3), nn.BatchNorm2D(3)
            self.known._mean.set_value(np.float32([1, 2, 3]))

        def forward(self, x: paddle.Tensor) -> paddle.Tensor:
            x = self.new(self.known(x))
            return self.head(x) if self.training else x

    network = _WithHead()
    assert restore_statistics(network, [paddle.rand([2, 3, 4, 4])]) == 1
    assert network.known._mean.numpy().tolist() == [1, 2, 3]
    assert not lacks_statistics(network.new) and lacks_statistics(network.head)
    assert network.training
    with pytest.raises(UserError, match="no calibration images"):
        restore_statistics(network, [])


def test_calibration_takes_photos_of_any_size_from_a_folder_or_a_list(tmp_path: Path) -> None:
    network, sizes = nn.Sequential(conv2d(4, 2)), [(64, 48), (64, 48), (32, 80)]
    (tmp_path / "sub").mkdir()
    for number, size in enumerate(sizes):
        write_image(tmp_path / "sub" / f"ä {number}.png", render_portrait(number, size)[0])
    (tmp_path / "list.txt").write_text("sub/ä 0.png\nsub/ä 2.png\n", encoding="utf-8")
    keep = Preprocess.from_transforms([{"type": "Normalize"}])
    shapes = [batch.shape for batch in calibration_batches(network, keep, tmp_path)]
    assert shapes == [[2, 4, 64, 48], [1, 4, 32, 80]]
    fixed = Preprocess.from_transforms(_TRANSFORMS)
    (batch,) = calibration_batches(network, fixed, tmp_path / "list.txt")
    assert batch.shape == [2, 4, 64, 64]
    assert not batch[:, 3].numpy().any()  # no previous mask
    assert [len(batch) for batch in calibration_batches(network, fixed, tmp_path, count=2)] == [2]
    with pytest.raises(UserError, match="holds no pictures"):
        list(calibration_batches(network, fixed, _empty(tmp_path)))
    with pytest.raises(UserError, match="there is no folder or list"):
        list(calibration_batches(network, fixed, tmp_path / "absent"))


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_a_released_checkpoint_trains_from_where_its_authors_stopped(checkpoints: Path, tmp_path: Path) -> None:
    """On portraits that were not used for calibration, labelled by the network itself."""
    for seed in range(12):
        write_image(tmp_path / f"{seed}.png", render_portrait(seed, (256, 256))[0])
    conversion = convert(find_recipe("mnv3_small_256"), checkpoints, calibration=tmp_path)
    drawn = [render_portrait(2000 + seed, (256, 256))[0] for seed in range(8)]
    images = paddle.to_tensor(conversion.preprocess.to_tensor(drawn))
    labels = paddle.to_tensor((_probability(conversion.network, images)[:, 1] > 0.5).astype(np.int64))
    evaluated, started = _losses(conversion.network, images, labels)
    assert conversion.restored > 40 and abs(started - evaluated) < 0.15
