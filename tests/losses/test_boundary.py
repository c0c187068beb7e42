"""Bands along the outline, and the losses on them."""

import cv2
import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.losses import BoundaryBandLoss, BoundaryFocalLoss, ConsistencyKLLoss, LovaszHingeLoss
from paddle_portrait.losses.outlines import METHODS, outline_labels, square_band


def oval(size=(40, 36)):
    mask = np.zeros(size, np.uint8)
    cv2.ellipse(mask, (size[1] // 2, size[0]), (10, 28), 0, 0, 360, (1,), -1)
    return mask


def logits_like(labels, channels=2, seed=0):
    rng = np.random.default_rng(seed)
    return paddle.to_tensor(rng.normal(0, 1.5, (labels.shape[0], channels, *labels.shape[1:])).astype(np.float32))


def distance_to_outline(mask):
    """Distance of each pixel to the nearest pixel of the other side, half a pixel less: that to the line between."""
    inside, outside = (cv2.distanceTransform(m, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for m in (mask, 1 - mask))
    return np.where(mask > 0, inside, outside) - 0.5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("thickness", [2, 4, 8])
def test_outlines_run_along_the_mask_as_thick_as_asked(method, thickness):
    mask = oval()
    band = outline_labels(mask[None] > 0, np.ones((1, *mask.shape), bool), method, thickness)[0]
    distance = distance_to_outline(mask)
    far = distance > thickness / 2 * np.sqrt(2) + 1.5
    far[-thickness:] = False  # contours close along the picture's frame
    assert band[distance < 0.5 + (thickness - 2) * 0.25].all() and not band[far].any()
    assert not band[0].any() and set(np.unique(band)) == {0, 1}


def test_contour_is_what_portrait_net_draws():
    mask = oval()
    contours, _ = cv2.findContours(mask * 255, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    expected = cv2.drawContours(np.zeros_like(mask), contours, -1, (1, 1, 1), thickness=4)
    assert np.array_equal(outline_labels(mask[None] > 0, np.ones((1, *mask.shape), bool), "contour", 4)[0], expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [False, True])
def test_a_picture_of_one_class_has_no_outline_but_its_frame(method, value):
    band = outline_labels(np.full((1, 20, 20), value), np.ones((1, 20, 20), bool), method, 4)
    assert not band[:, 4:-4, 4:-4].any()
    assert value or not band.any()


@pytest.mark.parametrize("method", METHODS)
def test_padding_has_no_outline(method):
    mask = np.ones((1, 30, 30), bool)
    mask[:, :, :10] = False
    valid = np.ones((1, 30, 30), bool)
    valid[:, 20:] = False  # padding below, across person and ground
    band = outline_labels(mask & valid, valid, method, 4)
    plain = outline_labels(mask[:, :20], valid[:, :20], method, 4)
    assert (band[:, 20:] == 255).all()
    assert np.array_equal(band[:, :14, :26], plain[:, :14, :26])
    assert not (band[:, 14:20, 16:24] == 1).any()


@pytest.mark.parametrize("alpha", [None, 0.3])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_boundary_focal_loss_by_its_formula(alpha, gamma):
    labels = np.stack([oval(), oval()[:, ::-1]]).astype(np.int64)
    logits = logits_like(labels)
    loss = BoundaryFocalLoss(gamma=gamma, alpha=alpha)
    edge = loss._outlines(paddle.to_tensor(labels))
    probability = F.softmax(logits, axis=1).numpy()
    right = np.where(edge == 1, probability[:, 1], probability[:, 0])
    weight = 1.0 if alpha is None else np.where(edge == 1, alpha, 1 - alpha)
    expected = (-weight * (1 - right) ** gamma * np.log(right)).mean()
    assert loss(logits, paddle.to_tensor(labels)).item() == pytest.approx(expected, rel=1e-5)


def test_the_modulation_has_no_gradient_unless_asked_for():
    labels = paddle.to_tensor(oval()[None].astype(np.int64))
    logits = logits_like(labels.numpy(), channels=1)
    logits.stop_gradient = False
    loss = BoundaryFocalLoss()
    edge = loss._outlines(labels)
    loss(logits, labels).backward()
    probability = F.sigmoid(logits.detach()).numpy()[:, 0]
    wrong = np.abs(edge - probability)
    assert np.allclose(logits.grad.numpy()[:, 0], wrong**2 * (probability - edge) / edge.size, atol=1e-9)


def test_soft_labels_have_the_outline_of_their_half():
    soft = cv2.GaussianBlur(oval().astype(np.float32), (9, 9), 0)[None]
    loss = BoundaryFocalLoss()
    assert np.array_equal(
        loss._outlines(paddle.to_tensor(soft)), loss._outlines(paddle.to_tensor((soft > 0.5).astype(np.int64)))
    )


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kernel_size", [3, 5, 15])
def test_square_band_is_the_difference_of_the_pools(soft, kernel_size):
    label = oval()
    if soft:
        label = cv2.GaussianBlur(label.astype(np.float32), (9, 9), 0)
    tensor = paddle.to_tensor(label.astype(np.float32))[None, None]
    pools = [F.max_pool2d(x, kernel_size, 1, kernel_size // 2) for x in (tensor, -tensor)]
    expected = (pools[0] + pools[1] > 0.5).numpy()[0, 0]
    assert np.array_equal(square_band(label, kernel_size), expected)


@pytest.mark.parametrize("inner", [None, LovaszHingeLoss()])
def test_the_band_loss_sees_the_band_alone(inner):
    labels = oval()[None].astype(np.int64)
    logits = logits_like(labels)
    band = square_band(oval(), 5).astype(bool)
    value = BoundaryBandLoss(kernel_size=5, inner=inner)(logits, paddle.to_tensor(labels)).item()
    picked = paddle.to_tensor(logits.numpy()[:, :, band][:, :, None])
    targets = paddle.to_tensor(labels[:, band][:, None])
    every = F.cross_entropy(picked.transpose([0, 2, 3, 1]), targets).item()
    assert value == pytest.approx(every if inner is None else inner(picked, targets).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BoundaryBandLoss(kernel_size=4), "odd"),
        (lambda: BoundaryBandLoss(inner=ConsistencyKLLoss()), "'objective', not in BoundaryBandLoss"),
        (lambda: BoundaryFocalLoss(method="prewitt"), "contour, canny, sobel, morphology"),
        (lambda: BoundaryFocalLoss(thickness=0), "at least 1 pixel"),
        (lambda: BoundaryFocalLoss(alpha=-0.1), "alpha must lie"),
    ],
)
def test_impossible_arguments_are_refused(build, message):
    with pytest.raises(UserError, match=message):
        build()
