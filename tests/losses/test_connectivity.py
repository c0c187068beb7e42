"""The connectivity loss: against a slow definition of its own, by hand, and that it can be trained with."""

import numpy as np
import paddle
import pytest
from scipy import ndimage

from paddle_portrait.losses import SemanticConnectivityLoss

EIGHT = np.ones((3, 3))


def slow_loss(probabilities, labels):
    """Loops over images, classes and pairs; float N×C×H×W probabilities, int N×H×W labels."""
    total = 0.0
    for probability, label in zip(probabilities, labels, strict=True):
        predicted = np.where(label == 255, -1, probability.argmax(0))
        present = [c for c in np.unique(label) if c != 255]
        for c in present:
            true, true_count = ndimage.label(label == c, EIGHT)
            found, found_count = ndimage.label(predicted == c, EIGHT)
            scores, touched = 0.0, set()
            for i in range(1, true_count + 1):
                ious = []
                for j in range(1, found_count + 1):
                    both = (true == i) & (found == j)
                    if both.any():
                        touched.add(j)
                        shared = probability[c][both].sum()
                        ious.append(shared / (probability[c][found == j].sum() + (true == i).sum() - shared))
                scores += np.mean(ious) if ious else 0.0
            lone = [probability[c][found == j].mean() for j in range(1, found_count + 1) if j not in touched]
            loss = 1 - scores / (true_count + sum(lone))
            if not touched:
                loss = 1 + (1 - probability[c][label == c]).sum() / label.size
            total += loss / len(present) / len(labels)
    return total


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("ignored", [0.0, 0.2])
@pytest.mark.parametrize("smoothing", [0.0, 1.0, 3.0])
def test_value_equals_the_slow_definition(classes, ignored, smoothing):
    rng = np.random.default_rng(int(classes * 10 + smoothing))
    fields = ndimage.gaussian_filter(rng.normal(size=(3, classes, 21, 17)), (0, 0, smoothing, smoothing))
    labels = ndimage.gaussian_filter(rng.normal(size=(3, classes, 21, 17)), (0, 0, 2, 2)).argmax(1)
    labels[2] = 1  # one class only
    labels[rng.random(labels.shape) < ignored] = 255
    logits = fields / fields.std()
    value = SemanticConnectivityLoss()(paddle.to_tensor(logits), paddle.to_tensor(labels)).item()
    assert value == pytest.approx(slow_loss(softmax(logits), labels), rel=1e-9)


def certain(mask):
    mask = np.asarray(mask)[None]
    return paddle.to_tensor(np.stack([-40.0 * (2 * mask - 1), 40.0 * (2 * mask - 1)], 1) / 2)


BAR = np.array([[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]])


def test_a_person_found_in_two_halves_by_hand():
    found = BAR.copy()
    found[1, 2:4] = 0  # person: two pieces of 2 of 6 pixels; ground: 14 of which 12, in one piece for two
    value = SemanticConnectivityLoss()(certain(found), paddle.to_tensor(BAR[None])).item()
    person = 1 - (2 / 6 + 2 / 6) / 2
    ground = 1 - (6 / 14 + 6 / 14) / 2
    assert value == pytest.approx((person + ground) / 2, rel=1e-6)


def test_a_speck_elsewhere_costs_a_place():
    truth = np.zeros((5, 9), np.int64)
    truth[1:4, 1:4] = 1
    found = truth.copy()
    found[2, 7] = 1
    value = SemanticConnectivityLoss()(certain(found), paddle.to_tensor(truth[None])).item()
    assert value == pytest.approx(((1 - 1 / 2) + (1 - 35 / 36)) / 2, rel=1e-6)


def test_corners_connect():
    truth = np.eye(4, dtype=np.int64)
    assert SemanticConnectivityLoss()(certain(truth), paddle.to_tensor(truth[None])).item() == pytest.approx(
        0, abs=1e-6
    )


def test_a_missed_person_costs_one_and_the_missed_share():
    value = SemanticConnectivityLoss()(certain(np.zeros_like(BAR)), paddle.to_tensor(BAR[None])).item()
    ground = 1 - (6 / 18 + 6 / 18) / 2
    assert value == pytest.approx((1 + 6 / 18 + ground) / 2, rel=1e-6)


@pytest.mark.parametrize("start", ["random", "nothing found", "uniform"])
def test_descent_brings_it_to_nearly_zero(start):
    truth = np.zeros((2, 24, 20), np.int64)
    truth[0, 8:, 6:14] = 1
    truth[1, 3:9, 4:9] = truth[1, 14:, 8:18] = 1
    rng = np.random.default_rng(0)
    first = {"random": rng.normal(0, 1, (2, 2, 24, 20)), "uniform": rng.normal(0, 1e-3, (2, 2, 24, 20))}
    nothing = np.stack([np.full_like(truth, 2.0, float), np.zeros(truth.shape)], 1)
    logits = paddle.to_tensor(first.get(start, nothing).astype(np.float32), stop_gradient=False)
    optimizer = paddle.optimizer.Adam(0.3, parameters=[logits])
    for _ in range(150):
        loss = SemanticConnectivityLoss()(logits, paddle.to_tensor(truth))
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
    assert loss.item() < 0.02
    assert (logits.argmax(1).numpy() == truth).all()
