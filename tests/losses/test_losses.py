"""Losses: hand-computed values, independent definitions, gradients, ignored pixels."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from paddle_portrait.data.batch import Batch
from paddle_portrait.errors import UserError
from paddle_portrait.losses import (
    BoundaryBandLoss,
    CrossEntropyLoss,
    DiceLoss,
    LovaszSoftmaxLoss,
    MixedLoss,
    Objective,
)
from paddle_portrait.models import SegOutput


def example(classes=2, seed=0, size=(7, 6), soft=False):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (2, classes, *size)).astype(np.float32)
    labels = rng.uniform(0, 1, (2, *size)).astype(np.float32) if soft else rng.integers(0, classes, (2, *size))
    return paddle.to_tensor(logits), paddle.to_tensor(labels)


@pytest.mark.parametrize("classes", [2, 3])
def test_cross_entropy_equals_paddles(classes):
    logits, labels = example(classes)
    labels[0, 0, :] = 255
    expected = F.cross_entropy(logits.transpose([0, 2, 3, 1]), labels, ignore_index=255).item()
    assert CrossEntropyLoss()(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_weighted_cross_entropy_equals_paddles():
    logits, labels = example()
    weight = paddle.to_tensor([0.3, 2.0])
    expected = F.cross_entropy(logits.transpose([0, 2, 3, 1]), labels, weight=weight).item()
    assert CrossEntropyLoss(weight=[0.3, 2.0])(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_soft_cross_entropy_of_hard_labels_is_the_hard_one():
    logits, labels = example()
    soft = CrossEntropyLoss()(logits, labels.astype("float32")).item()
    assert soft == pytest.approx(CrossEntropyLoss()(logits, labels).item(), rel=1e-6)


def test_cross_entropy_of_the_hardest_quarter_is_their_mean():
    logits, labels = example()
    every = np.sort(F.cross_entropy(logits.transpose([0, 2, 3, 1]), labels, reduction="none").numpy().ravel())[::-1]
    expected = every[: len(every) // 4].mean()
    assert CrossEntropyLoss(top_k_percent_pixels=0.25)(logits, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_lovasz_of_hard_predictions_is_one_minus_mean_iou(classes):
    """On sets the extension is the Jaccard loss itself: hand-checkable without sorting."""
    rng = np.random.default_rng(3)
    labels, predicted = rng.integers(0, classes, (2, 5, 5)), rng.integers(0, classes, (2, 5, 5))
    logits = paddle.to_tensor((np.eye(classes)[predicted].transpose(0, 3, 1, 2) * 60).astype(np.float32))
    ious = [((labels == c) & (predicted == c)).sum() / ((labels == c) | (predicted == c)).sum() for c in range(classes)]
    value = LovaszSoftmaxLoss()(logits, paddle.to_tensor(labels)).item()
    assert value == pytest.approx(1 - np.mean(ious), abs=1e-5)


def test_lovasz_two_class_shortcut_equals_paddleseg():
    losses = pytest.importorskip("paddleseg.models.losses", reason="paddleseg is not installed")
    logits, labels = example(seed=5)
    expected = losses.LovaszSoftmaxLoss()(logits, labels).item()
    assert LovaszSoftmaxLoss()(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_dice_by_hand():
    labels = paddle.to_tensor([[[1, 0]]])
    logits = paddle.zeros([1, 2, 1, 2])  # both classes everywhere 0.5
    one_class = 1 - (2 * 0.5 + 1) / (0.25 + 0.25 + 1 + 1)
    assert DiceLoss()(logits, labels).item() == pytest.approx(one_class, rel=1e-6)


def test_the_band_is_where_dilation_and_erosion_differ():
    import cv2

    label = np.zeros((1, 20, 24), np.int64)
    label[0, 6:14, 5:17] = 1
    kernel = np.ones((5, 5), np.uint8)
    plane = label[0].astype(np.uint8)
    band = (cv2.dilate(plane, kernel) - cv2.erode(plane, kernel)).astype(bool)
    logits, _ = example(size=(20, 24))
    every = F.cross_entropy(logits[:1].transpose([0, 2, 3, 1]), paddle.to_tensor(label), reduction="none").numpy()
    value = BoundaryBandLoss(kernel_size=5)(logits[:1], paddle.to_tensor(label)).item()
    assert value == pytest.approx(every.reshape(20, 24)[band].mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BoundaryBandLoss(kernel_size=4), "odd"),
        (lambda: CrossEntropyLoss(top_k_percent_pixels=0.0), "top_k_percent_pixels"),
        (lambda: LovaszSoftmaxLoss(classes="some"), "present"),
        (lambda: MixedLoss([CrossEntropyLoss()], [1.0, 2.0]), "one for each"),
    ],
)
def test_impossible_arguments_are_refused(build, message):
    with pytest.raises(UserError, match=message):
        build()


def _batch(labels):
    return Batch(images=paddle.zeros([2, 3, 7, 6]), labels=labels, paths=["a", "b"], indices=[0, 1])


def test_objective_sums_terms_on_their_outputs():
    logits, labels = example()
    other, _ = example(seed=9)
    config = {
        "loss": {"types": [{"type": "CrossEntropyLoss"}], "coef": [1.0, 0.4]},
        "objective": [{"type": "DiceLoss", "on": "boundary", "weight": 0.5}],
    }
    objective = Objective.from_config(config)
    total, parts = objective(lambda images: SegOutput(logits, (other,), other), _batch(labels))
    cross_entropy, dice = CrossEntropyLoss(), DiceLoss()
    expected = {
        "CrossEntropyLoss@logits": cross_entropy(logits, labels).item(),
        "CrossEntropyLoss@aux[0]": cross_entropy(other, labels).item(),
        "DiceLoss@boundary": dice(other, labels).item(),
    }
    assert {name: value.item() for name, value in parts.items()} == pytest.approx(expected)
    weighted = [1.0, 0.4, 0.5] @ np.array(list(expected.values()))
    assert total.item() == pytest.approx(weighted, rel=1e-6)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no terms"),
        ({"loss": {"types": [{"type": "DiceLoss"}, {"type": "DiceLoss"}], "coef": [1, 1, 1]}}, "2 entries"),
        ({"objective": [{"type": "DiceLoss", "on": "boundary"}]}, "outputs are: logits"),
        ({"objective": [{"type": "DiceLoss", "on": "aux[2]"}]}, "outputs are: logits"),
        ({"objective": [{"type": "DiceLos"}]}, "Did you mean 'DiceLoss'"),
    ],
)
def test_objective_errors_say_what_is_there(config, message):
    logits, labels = example()
    with pytest.raises(UserError, match=message):
        Objective.from_config(config)(lambda images: [logits], _batch(labels))
