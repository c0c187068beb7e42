"""Region, boundary and matte metrics against hand-computed cases and independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import accuracy_score, jaccard_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

from paddle_portrait.metrics import (
    BoundaryMetrics,
    MatteMetrics,
    RegionMetrics,
    boundary_iou,
    confusion_matrix,
    mae,
    mse,
    sad,
)
from paddle_portrait.registry import METRICS


def random_pair(seed: int, shape: tuple[int, ...] = (37, 53), ignore: bool = True) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = ndimage.gaussian_filter(rng.normal(size=shape), 4) > 0
    pred = np.roll(label, 2, axis=-1) ^ (rng.random(shape) < 0.02)
    label = label.astype(np.uint8)
    if ignore:
        label[rng.random(shape) < 0.1] = 255
    return pred.astype(np.int64), label


def test_hand_computed_region_case() -> None:
    label = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)
    pred = np.array([[0, 1, 1, 1], [0, 0, 0, 1]], np.uint8)
    # counted: 7 pixels; background 3 right of 4, one missed; person 2 right of 3, one invented
    metrics = RegionMetrics()
    metrics.update(pred, label)
    result = metrics.result()
    assert result["person_iou"] == pytest.approx(2 / 4)
    assert result["miou"] == pytest.approx((3 / 5 + 2 / 4) / 2)
    assert result["pixel_accuracy"] == pytest.approx(5 / 7)
    assert result["images"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_region_agrees_with_scikit_learn(seed: int) -> None:
    pairs = [random_pair(seed * 10 + k) for k in range(3)]
    metrics = RegionMetrics()
    for pred, label in pairs:
        metrics.update(pred, label)
    pred = np.concatenate([p[t != 255] for p, t in pairs])
    label = np.concatenate([t[t != 255] for p, t in pairs])
    result = metrics.result()
    assert result["miou"] == pytest.approx(jaccard_score(label, pred, average="macro"))
    assert result["person_iou"] == pytest.approx(jaccard_score(label, pred))
    assert result["pixel_accuracy"] == pytest.approx(accuracy_score(label, pred))
    each = [jaccard_score(t[t != 255], p[t != 255]) for p, t in pairs]
    assert result["person_iou_mean"] == pytest.approx(np.mean(each))
    np.testing.assert_array_equal(metrics.state_dict()["confusion"], sklearn_confusion(label, pred))


def test_many_classes_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    pred, label = rng.integers(0, 5, (2, 40, 40))
    metrics = RegionMetrics(num_classes=5)
    metrics.update(pred, label)
    assert metrics.result()["miou"] == pytest.approx(jaccard_score(label.ravel(), pred.ravel(), average="macro"))
    assert metrics.result()["person_iou"] == pytest.approx(jaccard_score(label.ravel() > 0, pred.ravel() > 0))


@pytest.mark.parametrize(
    ("pred", "label", "person", "miou"),
    [
        (0, 0, 1.0, 1.0),  # an empty room, seen as such: the person's class is in no mean
        (1, 0, 0.0, 0.0),  # a person invented
        (0, 1, 0.0, 0.0),  # a person missed
        (1, 1, 1.0, 1.0),  # a person that fills the image
    ],
)
def test_empty_and_full_masks(pred: int, label: int, person: float, miou: float) -> None:
    metrics = RegionMetrics()
    row = metrics.update(np.full((4, 5), pred), np.full((4, 5), label, np.uint8))
    assert row["person_iou"] == person
    assert metrics.result()["miou"] == miou
    assert metrics.result()["person_iou_mean"] == person


def test_accumulated_and_mean_person_iou_differ_as_defined() -> None:
    metrics = RegionMetrics()
    big, small = np.ones((10, 10), bool), np.zeros((10, 10), bool)
    small[0, 0] = True
    metrics.update(big, big)
    metrics.update(np.zeros_like(small), small)
    assert metrics.result()["person_iou"] == pytest.approx(100 / 101)
    assert metrics.result()["person_iou_mean"] == pytest.approx(0.5)


def test_nothing_that_counts_gives_nan_and_not_a_number_out_of_the_air() -> None:
    metrics = RegionMetrics()
    assert np.isnan(metrics.result()["miou"])
    metrics.update(np.zeros((3, 3), int), np.full((3, 3), 255, np.uint8))
    assert np.isnan(metrics.result()["miou"])
    assert np.isnan(metrics.result()["pixel_accuracy"])


def test_stack_equals_one_by_one_and_soft_labels_are_cut_at_half() -> None:
    pred, label = random_pair(1, (3, 20, 20))
    stacked, single = RegionMetrics(), RegionMetrics()
    stacked.update(pred, label)
    soft = np.where(label == 255, 255.0, np.where(label == 1, 0.5, 0.49)).astype(np.float32)
    for one, truth in zip(pred, soft, strict=True):
        single.update(one, truth)
    assert stacked.result() == single.result()


@pytest.mark.parametrize(
    ("pred", "label", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), "shape"),
        (np.zeros((2, 2), int), np.full((2, 2), 7), "label holds class 7"),
        (np.full((2, 2), 2), np.zeros((2, 2), int), "prediction holds class 2"),
    ],
)
def test_wrong_input_is_an_error(pred: np.ndarray, label: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(pred, label)


@pytest.mark.parametrize("name", ["RegionMetrics", "BoundaryMetrics", "MatteMetrics"])
def test_parts_merge_to_the_whole(name: str) -> None:
    whole, first, second = (METRICS.build(name) for _ in range(3))
    for seed in range(6):
        pred, label = random_pair(seed)
        whole.update(pred, label)
        (first if seed % 2 else second).update(pred, label)
    restored = METRICS.build(name)
    restored.load_state_dict(first.state_dict())
    restored.merge(second)
    assert restored.result() == pytest.approx(whole.result())
    with pytest.raises(ValueError, match="cannot take the state"):
        restored.load_state_dict({"other": np.zeros(1)})


def reference_boundary_iou(pred: np.ndarray, label: np.ndarray, ratio: float = 0.02) -> float:
    """The paper's algorithm in scipy: pad by one, erode by 3×3 as often as the band is wide."""
    valid = label != 255
    width = max(1, round(ratio * np.hypot(*pred.shape)))

    def band(mask: np.ndarray) -> np.ndarray:
        padded = np.pad(mask | ~valid, 1)
        eroded = ndimage.binary_erosion(padded, np.ones((3, 3)), iterations=width)[1:-1, 1:-1]
        return mask & valid & ~eroded

    first, second = band((pred == 1) & valid), band(label == 1)
    union = (first | second).sum()
    return (first & second).sum() / union if union else 1.0


@pytest.mark.parametrize("shape", [(37, 53), (120, 160), (1, 9), (200, 31)])
@pytest.mark.parametrize("ignore", [False, True])
def test_boundary_iou_agrees_with_scipy(shape: tuple[int, int], ignore: bool) -> None:
    for seed in range(4):
        pred, label = random_pair(seed, shape, ignore)
        assert boundary_iou(pred, label) == pytest.approx(reference_boundary_iou(pred, label))


def test_hand_computed_boundary_case() -> None:
    # A 10x10 image has a diagonal of 14.1: a band of one pixel. The outline of a 4x4 square has 12
    # pixels; shifted by one column the two outlines share the 3 inner pixels of both long sides.
    label = np.zeros((10, 10), np.uint8)
    label[3:7, 3:7] = 1
    pred = np.roll(label, 1, axis=1)
    assert boundary_iou(pred, label) == pytest.approx(6 / 18)


def test_boundary_at_the_image_edge_belongs_to_the_band() -> None:
    full = np.ones((10, 10), np.uint8)
    ring_only = full.copy()
    ring_only[4:6, 4:6] = 0  # prediction: the outer ring of 36, and 12 around the hole
    assert boundary_iou(ring_only, full) == pytest.approx(36 / 48)


@pytest.mark.parametrize(
    ("pred", "label", "expected"), [(0, 0, 1.0), (1, 0, 0.0), (0, 1, 0.0), (1, 1, 1.0), (1, 255, 1.0)]
)
def test_boundary_iou_of_uniform_masks(pred: int, label: int, expected: float) -> None:
    assert boundary_iou(np.full((8, 8), pred), np.full((8, 8), label, np.uint8)) == expected


def test_boundary_iou_sees_what_region_iou_hides() -> None:
    yy, xx = np.mgrid[:200, :200] - 100
    label = xx**2 + yy**2 < 80**2
    pred = xx**2 + yy**2 < 76**2
    metrics = BoundaryMetrics()
    metrics.update(pred, label.astype(np.uint8))
    region = RegionMetrics()
    region.update(pred, label)
    assert region.result()["person_iou"] > 0.9
    assert metrics.result()["boundary_iou"] < 0.35


def test_boundary_iou_refuses_a_stack() -> None:
    with pytest.raises(ValueError, match="one H×W mask"):
        boundary_iou(np.zeros((2, 4, 4), int), np.zeros((2, 4, 4), int))


def test_matte_errors_by_hand() -> None:
    prob = np.array([[0.0, 0.5], [1.0, 0.25]], np.float32)
    soft = np.array([[0.0, 1.0], [0.5, 255.0]], np.float32)
    assert mae(prob, soft) == pytest.approx(1.0 / 3)
    assert mse(prob, soft) == pytest.approx(0.5 / 3)
    assert sad(prob, soft) == pytest.approx(0.001)
    hard = np.array([[0, 1], [1, 255]], np.uint8)
    assert mae(prob, hard) == pytest.approx(0.5 / 3)
    assert np.isnan(mae(prob, np.full((2, 2), 255, np.uint8)))


def test_matte_metrics_agree_with_plain_loops() -> None:
    rng = np.random.default_rng(0)
    metrics = MatteMetrics()
    absolute, squared, summed = [], [], []
    for _ in range(4):
        prob, soft = rng.random((2, 11, 7)).astype(np.float32)
        soft[rng.random(soft.shape) < 0.2] = 255
        metrics.update(prob, soft)
        errors = [p - t for p, t in zip(prob.ravel().tolist(), soft.ravel().tolist(), strict=True) if t != 255]
        absolute.append(sum(map(abs, errors)) / len(errors))
        squared.append(sum(e * e for e in errors) / len(errors))
        summed.append(sum(map(abs, errors)) / 1000)
    result = metrics.result()
    assert result["mae"] == pytest.approx(np.mean(absolute))
    assert result["mse"] == pytest.approx(np.mean(squared))
    assert result["sad"] == pytest.approx(np.mean(summed))
