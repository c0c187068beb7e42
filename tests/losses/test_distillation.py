"""Teachers: what they see, what they give, what is learnt from several."""

import numpy as np
import paddle
import pytest

from paddle_portrait.data.batch import Batch
from paddle_portrait.errors import UserError
from paddle_portrait.losses import DistillationLoss, Objective, Teacher, Term
from paddle_portrait.preprocess.steps import Normalize, PaddingByAspectRatio, Resize


class Fixed(paddle.nn.Layer):
    """A network that always gives one margin, and notes what it saw."""

    def __init__(self, margin=0.0, channels=1):
        super().__init__()
        self.margin, self.channels, self.seen = margin, channels, None
        self.scale = self.create_parameter([1])
        self.dropout = paddle.nn.Dropout(0.5)

    def forward(self, x):
        self.seen = x
        return self.dropout(paddle.full([x.shape[0], self.channels, *x.shape[2:]], self.margin)) + 0.0 * self.scale


LABELS = paddle.zeros([2, 8, 6], "int64")
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)


def margin_of(probability):
    return float(np.log(probability / (1 - probability)))


def test_a_teacher_sees_the_picture_as_at_inference():
    network = Fixed()
    transforms = [PaddingByAspectRatio(1), Resize([4, 4]), Normalize([104.0], [2.0], "bgr", 1)]
    probability = Teacher(network, transforms)(PIXELS)
    assert network.seen.shape == [2, 3, 4, 4] and probability.shape == (2, 8, 6)
    expected = transforms[1].plan((8, 8)).apply(transforms[0].plan((8, 6)).apply(PIXELS[1]))
    seen = network.seen.numpy()[1].transpose(1, 2, 0)[..., ::-1] * 2 + 104
    assert np.abs(seen - expected).max() < 1e-4


def test_a_teacher_does_not_learn():
    network = Fixed()
    loss = DistillationLoss([Teacher(network, [Normalize()])])
    logits = paddle.zeros([2, 1, 8, 6])
    logits.stop_gradient = False
    loss(logits, LABELS, PIXELS).backward()
    assert not network.training and network.scale.grad is None and logits.grad is not None


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_one_teacher_by_hand(temperature):
    loss = DistillationLoss([Teacher(Fixed(1.2), [Normalize()])], temperature)
    target, found = (1 / (1 + np.exp(-m / temperature)) for m in (1.2, -0.5))
    divergence = target * np.log(target / found) + (1 - target) * np.log((1 - target) / (1 - found))
    value = loss(paddle.full([2, 1, 8, 6], -0.5), LABELS, PIXELS).item()
    assert value == pytest.approx(temperature**2 * divergence, rel=1e-5)


def test_where_teachers_disagree_little_is_learnt():
    teachers = [Teacher(Fixed(margin_of(p)), [Normalize()]) for p in (0.9, 0.2)]
    divergence = 0.55 * np.log(0.55 / 0.5) + 0.45 * np.log(0.45 / 0.5)
    logits = paddle.zeros([2, 2, 8, 6])
    assert DistillationLoss(teachers)(logits, LABELS, PIXELS).item() == pytest.approx(0.3 * divergence, rel=1e-4)
    plain = DistillationLoss(teachers, agreement=False)(logits, LABELS, PIXELS).item()
    assert plain == pytest.approx(divergence, rel=1e-4)


def test_the_objective_gives_the_clean_pixels_to_the_teacher():
    normalize = Normalize([0.2, 0.3, 0.4], [0.5, 0.6, 0.7], "bgr")
    network = Fixed()
    objective = Objective([Term("taught", DistillationLoss([Teacher(network, [Normalize([0], [1], max_value=1)])]))])
    images = normalize.apply(np.ascontiguousarray(PIXELS[..., ::-1]))
    batch = Batch(images, LABELS.numpy(), ["a", "b"], [0, 1], normalize=normalize).to_tensors()
    objective(lambda x: x[:, :2], batch)
    assert np.array_equal(network.seen.numpy().transpose(0, 2, 3, 1), PIXELS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DistillationLoss([]), "teachers is empty"),
        (lambda: DistillationLoss([Teacher(Fixed(), [])], temperature=0), "temperature must be above 0"),
        (lambda: Teacher(Fixed(channels=3), [Normalize()])(PIXELS), "this one has 3 classes"),
    ],
)
def test_what_cannot_teach(make, message):
    with pytest.raises(UserError, match=message):
        make()
