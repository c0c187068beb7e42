"""Losses: hand-computed values, independent definitions, gradients, ignored pixels."""

import cv2
import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from scipy.ndimage import map_coordinates

from paddle_portrait.data.batch import Batch
from paddle_portrait.errors import UserError
from paddle_portrait.losses import (
    BCELoss,
    ConsistencyKLLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    L1Loss,
    LaplacianPyramidLoss,
    LovaszHingeLoss,
    LovaszSoftmaxLoss,
    MixedLoss,
    MSELoss,
    Objective,
    OhemCrossEntropyLoss,
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


@pytest.mark.parametrize(
    ("name", "ours", "arguments"),
    [
        ("FocalLoss", FocalLoss, {}),
        ("FocalLoss", FocalLoss, {"alpha": 0.6, "gamma": 1.5}),
    ],
)
def test_values_of_paddleseg(name, ours, arguments):
    losses = pytest.importorskip("paddleseg.models.losses", reason="paddleseg is not installed")
    logits, labels = example(seed=4)
    labels[0, 0, :3] = 255
    expected = getattr(losses, name)(**arguments)(logits, labels).item()
    assert ours(**arguments)(logits, labels).item() == pytest.approx(expected, rel=1e-4)


def test_ohem_keeps_the_hardest_where_few_are_hard():
    logits, labels = example(seed=4)
    labels[0, 0, :3] = 255
    every = F.cross_entropy(logits.transpose([0, 2, 3, 1]), labels, ignore_index=255, reduction="none").numpy().ravel()
    every = every[labels.numpy().ravel() != 255]
    expected = np.sort(every)[-60:].mean()
    hard = every[np.exp(-every) < 0.6].mean()
    assert OhemCrossEntropyLoss(thresh=0.6, min_kept=0)(logits, labels).item() == pytest.approx(hard, rel=1e-5)
    assert OhemCrossEntropyLoss(thresh=0.6, min_kept=3)(logits, labels).item() == pytest.approx(hard, rel=1e-5)
    assert OhemCrossEntropyLoss(thresh=0.01, min_kept=60)(logits, labels).item() == pytest.approx(expected, rel=1e-5)
    assert OhemCrossEntropyLoss(thresh=0.01, min_kept=900)(logits, labels).item() == pytest.approx(
        CrossEntropyLoss()(logits, labels).item(), rel=1e-5
    )


def test_lovasz_hinge_of_one_logit_is_paddlesegs():
    losses = pytest.importorskip("paddleseg.models.losses", reason="paddleseg is not installed")
    logits, labels = example(seed=4)
    labels[0, 0, :3] = 255
    expected = losses.LovaszHingeLoss()(logits[:, :1], labels).item()
    assert LovaszHingeLoss()(logits[:, :1], labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "arguments", [{}, {"weight": "dynamic"}, {"pos_weight": "dynamic"}, {"pos_weight": 2.5}], ids=str
)
def test_bce_of_one_logit_is_paddlesegs(arguments):
    losses = pytest.importorskip("paddleseg.models.losses", reason="paddleseg is not installed")
    logits, labels = example(seed=4)
    logits = logits[:, :1]
    # PaddleSeg counts ignored pixels as background when it weighs by shares: compare where nothing is ignored.
    expected = losses.BCELoss(**arguments)(logits, labels).item()
    assert BCELoss(**arguments)(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_bce_of_two_logits_is_keras_binary_cross_entropy_of_the_softmax():
    logits, labels = example(soft=True)
    probability = F.softmax(logits, axis=1).numpy()
    target = np.stack([1 - labels.numpy(), labels.numpy()], axis=1)
    expected = -(target * np.log(probability) + (1 - target) * np.log(1 - probability)).mean()
    assert BCELoss()(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_lovasz_hinge_by_hand():
    """Errors 1.5 (a person's pixel) and 0.5 (ground): weights 1/1 for the first, none is left for the second."""
    logits = paddle.to_tensor([[[[-0.5, -0.5]]]])
    labels = paddle.to_tensor([[[1, 0]]])
    assert LovaszHingeLoss()(logits, labels).item() == pytest.approx(1.5)
    # Ground's error first: union grows from 1 to 2, so 1/2 of it; then the rest of 1/2 for the person's pixel.
    logits = paddle.to_tensor([[[[0.5, 1.0]]]])
    assert LovaszHingeLoss()(logits, labels).item() == pytest.approx(0.5 * 2.0 + 0.5 * 0.5)


@pytest.mark.parametrize(("reduction", "divisor"), [("elements", 2 * 2 * 42), ("pixels", 2 * 42), ("batchmean", 2)])
@pytest.mark.parametrize("classes", [2, 3])
def test_consistency_is_the_divergence_from_clean_to_textured(classes, reduction, divisor):
    clean, textured = example(classes)[0], example(classes, seed=1)[0]
    p, q = (F.softmax(x / 2.0, axis=1).numpy() for x in (clean, textured))
    if reduction == "elements":
        divisor = divisor // 2 * classes
    expected = 4.0 * (p * np.log(p / q)).sum() / divisor
    loss = ConsistencyKLLoss(temperature=2.0, reduction=reduction)
    assert loss(clean, textured).item() == pytest.approx(expected, rel=1e-5)


def test_consistency_teaches_the_textured_view_alone():
    clean, textured = example()[0], example(seed=1)[0]
    clean.stop_gradient = textured.stop_gradient = False
    ConsistencyKLLoss()(clean, textured).backward()
    assert clean.grad is None and textured.grad is not None


def test_errors_of_probabilities_by_hand():
    logits = paddle.zeros([1, 1, 2, 2])  # 0.5 everywhere
    labels = paddle.to_tensor([[[0.0, 1.0], [0.7, 255.0]]])
    assert L1Loss()(logits, labels).item() == pytest.approx((0.5 + 0.5 + 0.2) / 3)
    assert L1Loss(reduction="sum")(logits, labels).item() == pytest.approx(1.2)
    assert MSELoss()(logits, labels).item() == pytest.approx((0.25 + 0.25 + 0.04) / 3)


def test_pyramid_levels_are_those_of_opencv():
    rng = np.random.default_rng(0)
    logits, label = rng.normal(size=(1, 1, 21, 32)).astype(np.float32), rng.random((1, 21, 32)).astype(np.float32)
    fine = 1 / (1 + np.exp(-logits[0, 0])) - label[0]
    coarse = cv2.pyrDown(fine)
    rows, columns = (np.minimum(np.arange(n) * ((n + 1) // 2) / n, (n - 1) // 2) for n in fine.shape)
    value = LaplacianPyramidLoss(levels=2)(paddle.to_tensor(logits), paddle.to_tensor(label)).item()
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    expected = np.abs(fine - map_coordinates(coarse, grid, order=1)).mean() + 2 * np.abs(coarse).mean()
    assert value == pytest.approx(expected, rel=1e-4)


def test_pyramid_of_a_constant_error_is_in_its_last_level():
    labels = paddle.full([1, 32, 32], 0.2)
    value = LaplacianPyramidLoss(levels=4)(paddle.zeros([1, 1, 32, 32]), labels).item()
    assert value == pytest.approx(8 * 0.3, rel=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CrossEntropyLoss(top_k_percent_pixels=0.0), "top_k_percent_pixels"),
        (lambda: LovaszSoftmaxLoss(classes="some"), "present"),
        (lambda: MixedLoss([CrossEntropyLoss()], [1.0, 2.0]), "one for each"),
        (lambda: MixedLoss([ConsistencyKLLoss()], [1.0]), "'objective', not in MixedLoss"),
        (lambda: BCELoss(weight="static"), "may be the word 'dynamic', not 'static'"),
        (lambda: BCELoss(weight=2.0), "pos_weight takes a number"),
        (lambda: ConsistencyKLLoss(temperature=0), "temperature must be above 0"),
        (lambda: ConsistencyKLLoss(reduction="mean"), "elements, pixels, batchmean"),
        (lambda: CrossEntropyLoss(weight=[1.0])(*example()), "1 values for 2 classes"),
        (lambda: DiceLoss(weight=[1.0])(*example()), "1 values for 2 classes"),
        (lambda: FocalLoss(alpha=2), "alpha must lie"),
        (lambda: FocalLoss(gamma=-1), "gamma must be 0 or more"),
        (lambda: L1Loss(reduction="none"), "mean or sum"),
        (lambda: LaplacianPyramidLoss(levels=0), "levels must be at least 1"),
        (lambda: LaplacianPyramidLoss(levels=3)(*example()), "sides of 8 pixels, found height 7, width 6"),
        (lambda: OhemCrossEntropyLoss(thresh=0), "thresh must lie"),
        (lambda: OhemCrossEntropyLoss(min_kept=-1), "min_kept must be 0 or more"),
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


def test_terms_act_on_their_views():
    images = {"clean": paddle.zeros([2, 3, 7, 6]), "textured": paddle.ones([2, 3, 7, 6])}
    answers = {0.0: example(seed=1)[0], 1.0: example(seed=2)[0]}
    labels = example()[1]
    batch = Batch(images["clean"], labels, ["a", "b"], [0, 1], textured=images["textured"])
    nodes = [
        {"type": "CrossEntropyLoss", "view": "both"},
        {"type": "ConsistencyKLLoss", "weight": 2.0},
        {"type": "DiceLoss", "on": "boundary", "view": "textured", "weight": 0.1},
    ]
    seen = []

    def network(x):
        seen.append(x[0, 0, 0, 0].item())
        return SegOutput(answers[seen[-1]], (), answers[seen[-1]] * 2)

    total, parts = Objective.from_config({"objective": nodes})(network, batch)
    assert seen == [0.0, 1.0]
    expected = {
        "CrossEntropyLoss@logits": CrossEntropyLoss()(answers[0.0], labels).item(),
        "CrossEntropyLoss@logits/textured": CrossEntropyLoss()(answers[1.0], labels).item(),
        "ConsistencyKLLoss@logits": ConsistencyKLLoss()(answers[0.0], answers[1.0]).item(),
        "DiceLoss@boundary/textured": DiceLoss()(answers[1.0] * 2, labels).item(),
    }
    assert {name: value.item() for name, value in parts.items()} == pytest.approx(expected)
    assert total.item() == pytest.approx([1, 1, 2, 0.1] @ np.array(list(expected.values())), rel=1e-6)


def test_edge_label_compares_with_the_outline():
    logits, labels = example()
    batch = Batch(paddle.zeros([2, 3, 7, 6]), labels, ["a", "b"], [0, 1], edges=1 - labels)
    objective = Objective.from_config({"objective": [{"type": "BCELoss", "edge_label": True}]})
    assert objective(lambda x: logits, batch)[0].item() == pytest.approx(BCELoss()(logits, 1 - labels).item())
    with pytest.raises(UserError, match="edge: true"):
        objective(lambda x: logits, _batch(labels))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no terms"),
        ({"objective": [{"type": "ConsistencyKLLoss"}]}, "train_dataset.consistency_transforms"),
        ({"objective": [{"type": "ConsistencyKLLoss", "view": "both"}]}, "compares both views"),
        ({"objective": [{"type": "DiceLoss", "view": "blue"}]}, "unknown view 'blue'"),
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
