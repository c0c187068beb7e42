"""Networks side by side: the first answer is their weighted mean, each seeing the picture as it was trained to."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.models import SegOutput
from paddle_portrait.models.late_fusion import LateFusion


class Brightness(nn.Layer):
    """One logit: the mean of the colours."""

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map N×3×H×W to N×1×H×W."""
        return SegOutput(x.mean(axis=1, keepdim=True))


class TwoClasses(nn.Layer):
    """Two classes: red for the background, green for the person."""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×3×H×W to N×2×H×W."""
        return x[:, :2]


def picture() -> np.ndarray:
    """Return float32 2×3×6×8 in [0, 1]."""
    return np.random.default_rng(0).random((2, 3, 6, 8), np.float32)


def test_the_first_answer_is_the_weighted_mean_of_what_each_sees() -> None:
    network = LateFusion([Brightness(), TwoClasses()], input_scales=[1, 2], input_shifts=[0, -1], shares=[0.75, 0.25])
    x = picture()
    found = network(paddle.to_tensor(x)).logits.numpy()
    second = (2 * x[:, 1] - 1) - (2 * x[:, 0] - 1)
    np.testing.assert_allclose(found[:, 0], 0.75 * x.mean(axis=1) + 0.25 * second, atol=1e-6)


def test_shares_are_equal_unless_they_are_given() -> None:
    x = picture()
    found = LateFusion([Brightness(), Brightness()])(paddle.to_tensor(x)).logits.numpy()
    np.testing.assert_allclose(found[:, 0], x.mean(axis=1), atol=1e-6)


class Sizes(nn.Layer):
    """The mean of the colours, and notes of the sizes seen."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[int]] = []

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map N×3×H×W to N×1×H×W."""
        self.seen.append(list(x.shape[2:]))
        return SegOutput(x.mean(axis=1, keepdim=True))


def test_a_network_sees_the_picture_at_its_own_size_and_answers_at_the_pictures() -> None:
    small, own = Sizes(), Sizes()
    network = LateFusion([small, own], sizes=[[4, 3], None], shares=[1, 0])
    x = picture()
    found = network(paddle.to_tensor(x)).logits
    assert (small.seen, own.seen) == ([[3, 4]], [[6, 8]])
    assert found.shape == [2, 1, 6, 8]
    # Halved exactly, every pixel is the mean of four.
    halved = x.mean(axis=1).reshape(2, 3, 2, 4, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(found.numpy()[:, 0, ::5, ::7], halved[:, ::2, ::3], atol=1e-6)  # at the corners


def test_a_network_that_sees_several_sizes_answers_with_their_mean() -> None:
    x = paddle.to_tensor(picture())
    each = [LateFusion([Brightness()], sizes=[size], hidden=0)(x).logits.numpy() for size in ([4, 3], [16, 12])]
    both = Sizes()
    found = LateFusion([both], sizes=[[[4, 3], [16, 12]]], hidden=0)(x).logits.numpy()
    assert both.seen == [[3, 4], [12, 16]]
    np.testing.assert_allclose(found, (each[0] + each[1]) / 2, atol=1e-6)
    found = LateFusion([both], sizes=[[[4, 3], [16, 12]]], shares=[[0.7, 0.3]], hidden=0)(x).logits.numpy()
    np.testing.assert_allclose(found, 0.7 * each[0] + 0.3 * each[1], atol=1e-6)


def test_a_network_can_see_other_colours_and_values_than_its_neighbour() -> None:
    x = picture()
    network = LateFusion(
        [TwoClasses(), Brightness()],
        reversed_colours=[True, False],
        input_scales=[255, 1],
        input_shifts=[[-104, -116, -122], 0],
        shares=[1, 0],
    )
    blue, green = 255 * x[:, 2] - 104, 255 * x[:, 1] - 116
    found = network(paddle.to_tensor(x)).logits.numpy()
    np.testing.assert_allclose(found[:, 0], green - blue, atol=1e-3)


def test_without_a_correction_there_is_nothing_but_networks_and_shares() -> None:
    x = picture()
    network = LateFusion([Brightness(), TwoClasses()], shares=[0.75, 0.25], hidden=0)
    assert sorted(network.state_dict()) == ["mean.weight"]
    found = network(paddle.to_tensor(x)).logits.numpy()
    np.testing.assert_allclose(found[:, 0], 0.75 * x.mean(axis=1) + 0.25 * (x[:, 1] - x[:, 0]), atol=1e-6)


class Drift(nn.Layer):
    """The mean of the colours, one pixel further to the right."""

    def forward(self, x: paddle.Tensor) -> SegOutput:
        """Map N×3×H×W to N×1×H×W."""
        return SegOutput(paddle.roll(x.mean(axis=1, keepdim=True), 1, axis=3))


def test_a_mirrored_network_answers_with_the_mean_over_both_pictures() -> None:
    x = picture()
    mean = x.mean(axis=1)
    network = LateFusion([Drift(), Brightness()], mirrored=[True, False], shares=[1, 0])
    to_the_right = np.roll(mean, 1, axis=2)
    for trains, expected in ((True, to_the_right), (False, (to_the_right + np.roll(mean, -1, axis=2)) / 2)):
        network.train() if trains else network.eval()
        np.testing.assert_allclose(network(paddle.to_tensor(x)).logits.numpy()[:, 0], expected, atol=1e-6)
    plain = LateFusion([Drift(), Brightness()], shares=[1, 0])
    plain.eval()
    np.testing.assert_allclose(plain(paddle.to_tensor(x)).logits.numpy()[:, 0], to_the_right, atol=1e-6)


def test_the_correction_can_learn_what_no_network_knows() -> None:
    network = LateFusion([Brightness()])
    x = paddle.to_tensor(picture())
    wanted = paddle.roll(x.mean(axis=1, keepdim=True), 1, axis=3)
    rate = paddle.optimizer.Adam(0.02, parameters=network.parameters())
    losses = []
    for _ in range(60):
        loss = ((network(x).logits - wanted) ** 2).mean()
        loss.backward()
        rate.step()
        rate.clear_grad()
        losses.append(float(loss))
    assert losses[-1] < 0.7 * losses[0]


class ThreeClasses(nn.Layer):
    """The colours as they are, for three classes; says so beforehand where it is told to."""

    def __init__(self, num_classes: int | None = None) -> None:
        super().__init__()
        if num_classes is not None:
            self.num_classes = num_classes

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Map N×3×H×W to N×3×H×W."""
        return x


def test_a_network_that_turns_out_to_have_three_classes_is_refused() -> None:
    network = LateFusion([Brightness(), ThreeClasses()])
    with pytest.raises(UserError, match=r"networks\[1\] has 3 classes"):
        network(paddle.to_tensor(picture()))


def test_a_picture_with_a_prior_is_refused() -> None:
    x = paddle.concat([paddle.to_tensor(picture())] * 2, axis=1)[:, :4]
    with pytest.raises(UserError, match=r"has 4 channels, and 3 are allowed"):
        LateFusion([Brightness()])(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"networks": []}, "at least one"),
        ({"networks": [Brightness()], "shares": [0.5, 0.5]}, "1 networks need 1 shares, not 2"),
        ({"networks": [Brightness(), Brightness()], "input_scales": [1]}, "2 networks need 2 input_scales, not 1"),
        ({"networks": [Brightness()], "sizes": [None, [8, 8]]}, "1 networks need 1 sizes, not 2"),
        ({"networks": [Brightness()], "mirrored": True}, "mirrored is True; allowed is a list"),
        ({"networks": [Brightness()], "sizes": [256]}, r"sizes\[0\] has 256; allowed is \[width, height\]"),
        ({"networks": [Brightness(), Brightness()], "sizes": [None, [256]]}, r"sizes\[1\] has \[256\]; allowed"),
        ({"networks": [Brightness()], "sizes": [[0, 8]]}, r"sizes\[0\] has \[0, 8\]; allowed"),
        ({"networks": [Brightness()], "sizes": [[8, 8.5]]}, r"sizes\[0\] has \[8, 8.5\]; allowed"),
        ({"networks": [Brightness()], "sizes": [[[8, 8], [8]]]}, r"sizes\[0\] has \[8\]; allowed"),
        ({"networks": [Brightness()], "shares": ["0.5"]}, r"shares\[0\] is '0.5'; allowed is a number"),
        ({"networks": [Brightness()], "shares": [[0.5, 0.5]]}, r"shares\[0\] is \[0.5, 0.5\]; the network has 1 sizes"),
        ({"networks": [Brightness()], "sizes": [[]]}, r"sizes\[0\] has \[\]; allowed"),
        ({"networks": [Brightness()], "input_shifts": [[1, 2]]}, r"input_shifts\[0\] is \[1, 2\]; allowed is a number"),
        ({"networks": [Brightness()], "input_shifts": ["1"]}, r"input_shifts\[0\] is '1'; allowed is a number"),
        ({"networks": [Brightness()], "hidden": -1}, r"hidden is -1; allowed is 0 \(no correction\) or more"),
        ({"networks": [ThreeClasses(3)]}, r"networks\[0\] has 3 classes; allowed is num_classes: 1 .* or 2"),
    ],
)
def test_wrong_arguments_are_said(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        LateFusion(**arguments)
