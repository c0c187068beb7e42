"""What every registered loss of this package must keep: right gradients, ignored pixels, ugly labels, clear errors."""

import numpy as np
import paddle
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.losses import Teacher
from paddle_portrait.losses.kinds import PictureLoss, ViewsLoss
from paddle_portrait.preprocess.steps import Normalize
from paddle_portrait.registry import LOSSES


class Brightness(paddle.nn.Layer):
    """A network that takes bright pixels for the person."""

    def __init__(self, slope):
        super().__init__()
        self.slope = self.create_parameter([1], default_initializer=paddle.nn.initializer.Constant(slope))

    def forward(self, x):
        return self.slope * x.mean(axis=1, keepdim=True)


TEACHERS = [Teacher(Brightness(60.0), [Normalize()]), Teacher(Brightness(60.0), [Normalize(std=[0.8])])]
TWO = [{"type": "CrossEntropyLoss"}, {"type": "DiceLoss"}]
# Each registered loss with arguments; several where they take other roads.
CASES = {
    "BCELoss": [{}, {"weight": "dynamic"}, {"pos_weight": "dynamic"}, {"pos_weight": 3.0}],
    "BoundaryBandLoss": [{"kernel_size": 3}, {"kernel_size": 3, "inner": {"type": "LovaszHingeLoss"}}],
    "BoundaryFocalLoss": [
        {"thickness": 1, "detach": False},
        {"thickness": 2, "detach": False, "gamma": 1.5, "alpha": 0.3, "method": "morphology"},
    ],
    "ConsistencyKLLoss": [{}, {"temperature": 2.5, "reduction": "pixels"}, {"reduction": "batchmean"}],
    "CrossEntropyLoss": [{}, {"weight": [0.3, 1.7]}, {"top_k_percent_pixels": 0.3}],
    "DiceLoss": [{}, {"weight": [0.5, 2.0]}],
    "DistillationLoss": [
        {"teachers": [Teacher(Brightness(60.0), [Normalize()])]},
        {"teachers": TEACHERS, "temperature": 2.0},
        {"teachers": TEACHERS, "temperature": 0.3, "agreement": False},
    ],
    "FocalLoss": [{}, {"alpha": 0.6, "gamma": 1.0}],
    "L1Loss": [{}, {"reduction": "sum"}],
    "LaplacianPyramidLoss": [{"levels": 2}, {"levels": 1}],
    "LovaszHingeLoss": [{}],
    "LovaszSoftmaxLoss": [{}, {"classes": "all"}],
    "MSELoss": [{}],
    "MixedLoss": [{"losses": TWO, "coef": [0.7, 0.3]}],
    "SemanticConnectivityLoss": [{}],
    "OhemCrossEntropyLoss": [{"min_kept": 20}, {"min_kept": 0, "thresh": 0.5}],
}
EVERY = [pytest.param(name, kwargs, id=f"{name}-{i}") for name, all_ in CASES.items() for i, kwargs in enumerate(all_)]
SIZE = (7, 6)
# A blob with an outline; ignored pixels are put at (3, 3), well inside it.
BLOB = np.zeros((2, *SIZE), np.int64)
BLOB[0, 1:6, 1:6] = 1
BLOB[1, 2:5, 2:] = 1


def call(loss, logits, labels, pixels=None):
    """Call a loss of whichever kind; the other view is fixed, and so are the pictures unless they are given."""
    rng = np.random.default_rng(7)
    if isinstance(loss, ViewsLoss):
        return loss(paddle.to_tensor(rng.normal(0, 1.5, logits.shape).astype(logits.numpy().dtype)), logits)
    if isinstance(loss, PictureLoss):
        noise = rng.integers(0, 256, (logits.shape[0], *logits.shape[2:], 3), dtype=np.uint8)
        return loss(logits, labels, noise if pixels is None else pixels)
    return loss(logits, labels)


def example(classes=2, soft=False, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    labels = np.where(BLOB, 0.8, 0.1) + rng.uniform(-0.1, 0.2, BLOB.shape) if soft else BLOB
    logits = rng.normal(0, 1.5, (2, classes, *SIZE))
    return paddle.to_tensor(logits.astype(dtype)), paddle.to_tensor(labels.astype("float32" if soft else "int64"))


def test_every_own_loss_is_in_the_contract():
    assert set(LOSSES.own_names()) == set(CASES)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_gradient_equals_numeric_differences(name, arguments, classes, soft):
    loss = LOSSES.build(name, **arguments)
    logits, labels = example(classes, soft)
    if not soft:
        labels[:, 0, 0] = 255
    logits.stop_gradient = False
    call(loss, logits, labels).backward()
    analytic, base, step = logits.grad.numpy(), logits.numpy(), 1e-5
    assert np.abs(analytic).max() > 1e-4
    for index in np.random.default_rng(1).choice(base.size, 12, replace=False):
        position = np.unravel_index(index, base.shape)
        values = []
        for sign in (1, -1):
            moved = base.copy()
            moved[position] += sign * step
            values.append(call(loss, paddle.to_tensor(moved), labels).item())
        assert analytic[position] == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_one_logit_is_worth_the_two_logits_zero_and_it(name, arguments):
    if name == "FocalLoss":
        pytest.skip("reads each logit by its own sigmoid")
    loss = LOSSES.build(name, **arguments)
    one, labels = example(classes=1)
    two = paddle.concat([paddle.zeros_like(one), one], axis=1)
    if name == "ConsistencyKLLoss":
        other = example(classes=1, seed=3)[0]
        pair = paddle.concat([paddle.zeros_like(other), other], axis=1)
        assert loss(other, one).item() == pytest.approx(loss(pair, two).item(), rel=1e-9)
    else:
        assert call(loss, one, labels).item() == pytest.approx(call(loss, two, labels).item(), rel=1e-9)


@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_a_certain_and_right_prediction_costs_nearly_nothing(name, arguments):
    loss = LOSSES.build(name, **arguments)
    _, labels = example()
    right = labels
    if name == "BoundaryFocalLoss":
        right = paddle.to_tensor(loss._outlines(labels).astype(np.int64))
    logits = paddle.nn.functional.one_hot(right, 2).transpose([0, 3, 1, 2]) * 40.0 - 20.0
    pixels = np.repeat(BLOB[..., None] * 255, 3, axis=-1).astype(np.uint8)
    value = loss(logits, logits) if isinstance(loss, ViewsLoss) else call(loss, logits, labels, pixels)
    assert value.item() == pytest.approx(0.0, abs=5e-5)


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_ignored_pixels_change_neither_value_nor_gradient(name, arguments, soft, classes):
    loss = LOSSES.build(name, **arguments)
    if isinstance(loss, ViewsLoss):
        pytest.skip("looks at no labels")
    logits, labels = example(classes, soft)
    labels[:, 3, 3] = 255
    disturbed = logits.clone()
    disturbed[:, :, 3, 3] = paddle.to_tensor([9.0, -9.0][:classes], "float64")
    logits.stop_gradient = False
    value = call(loss, logits, labels)
    value.backward()
    assert value.item() == pytest.approx(call(loss, disturbed, labels).item(), abs=1e-9)
    assert not logits.grad.numpy()[:, :, 3, 3].any()


@pytest.mark.parametrize("scale", [0.0, 1.0, 300.0])
@pytest.mark.parametrize("value", [0, 1, 255, 0.5, 255.0])
@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_labels_of_one_value_and_great_logits_give_finite_losses(name, arguments, value, scale):
    loss = LOSSES.build(name, **arguments)
    logits, _ = example(dtype="float32")
    logits = (logits * scale).detach()
    logits.stop_gradient = False
    labels = paddle.full([2, *SIZE], value, dtype="float32" if isinstance(value, float) else "int64")
    result = call(loss, logits, labels)
    result.backward()
    assert result.shape == [] and np.isfinite(result.item()) and np.isfinite(logits.grad.numpy()).all()


@pytest.mark.parametrize(
    ("logits_shape", "labels", "message"),
    [
        ((2, 2, 7, 6), np.zeros((2, 7, 5), np.int64), r"\[2, 2, 7, 6\] and \[2, 7, 5\]"),
        ((2, 2, 7, 6), np.zeros((2, 1, 7, 6), np.int64), "labels of N×height×width"),
        ((2, 2, 7, 6), np.full((2, 7, 6), 3), "labels hold class 3"),
        ((2, 1, 7, 6), np.full((2, 7, 6), 2), "labels hold class 2"),
        ((2, 3, 7, 6), np.full((2, 7, 6), 0.5, np.float32), "soft labels|two classes"),
    ],
)
@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_what_does_not_go_together_is_refused(name, arguments, logits_shape, labels, message):
    loss = LOSSES.build(name, **arguments)
    if isinstance(loss, ViewsLoss):
        pytest.skip("looks at no labels")
    if name.startswith("Boundary") and "labels hold" in message:
        pytest.skip("looks at changes of class only, and there are none")
    with pytest.raises(UserError, match=message):
        call(loss, paddle.zeros(logits_shape), paddle.to_tensor(labels))
