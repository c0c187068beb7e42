"""Rounding convolutions: levels as int8 has them, gradients that training can use, names that stay."""

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.models import fake_quantisation as fq


def ranged(low, high, shift=(0.0, 0.0)):
    one = fq.ActivationRange()
    one.calibrated.set_value(paddle.to_tensor([low, high]))
    one.shift.set_value(paddle.to_tensor(list(shift)))
    return one


def net():
    paddle.seed(1)
    return nn.Sequential(
        nn.Conv2D(3, 4, 3, padding=1), nn.BatchNorm2D(4), nn.ReLU(), nn.Conv2DTranspose(4, 2, 2, stride=2)
    )


def test_values_are_rounded_to_256_levels_and_zero_is_one_of_them():
    x = paddle.to_tensor([-9.0, -1.0, -0.011, 0.0, 0.004, 0.006, 1.549, 7.0])
    found = ranged(-1.0, 1.55)(x).numpy()  # a step of 0.01
    np.testing.assert_allclose(found, [-1.0, -1.0, -0.01, 0.0, 0.0, 0.01, 1.55, 1.55], atol=1e-6)
    assert len(np.unique(ranged(-1.0, 1.55)(paddle.linspace(-3, 3, 5000)).numpy())) == 256


def test_a_range_always_holds_zero_and_is_never_empty():
    for low, high in ((0.5, 2.0), (-2.0, -1.0), (0.0, 0.0)):
        found = ranged(low, high)(paddle.to_tensor([0.0, 1.0, -1.0])).numpy()
        assert found[0] == 0 and np.isfinite(found).all()


def test_gradients_pass_inside_and_move_the_ends_outside():
    one = ranged(-1.0, 1.55)
    x = paddle.to_tensor([-5.0, 0.3, 0.703, 9.0], stop_gradient=False)
    (one(x) * paddle.to_tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.0, 10.0, 100.0, 0.0])
    # The value beyond each end follows that end; inside, 100 * (0.70 - 0.703) / 0.01 levels over 255 steps.
    rounding = 100 * (-0.3) / 255
    np.testing.assert_allclose(one.shift.grad.numpy(), [-(1.0 - rounding), 1.55 * (1000 + rounding)], rtol=1e-3)


def test_weights_are_rounded_for_each_output_channel():
    network = net()
    names = fq.layers_to_round(network)
    before = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    fq.round_layers(network, names)
    assert names == ["0", "3"]
    assert {name: value.shape for name, value in network.state_dict().items() if name in before} == {
        name: list(value.shape) for name, value in before.items()
    }
    layers = fq.quantised_layers(network)
    for name, axis in (("0", 0), ("3", 1)):
        weight, rounded = before[f"{name}.weight"], layers[name].rounded_weight().numpy()
        for channel in range(weight.shape[axis]):
            one, other = weight.take(channel, axis), rounded.take(channel, axis)
            step = np.abs(one).max() / 127
            assert np.abs(one - other).max() <= step / 2 * 1.001
            np.testing.assert_allclose(other / step, np.rint(other / step), atol=1e-3)


def test_calibration_takes_the_mean_of_the_images_extremes():
    network = net()
    fq.round_layers(network, ["0"])
    network.eval()
    images = np.zeros((2, 3, 4, 4), np.float32)
    images[0, 0, 0, :2], images[1, 0, 0, :2] = (-1.0, 3.0), (-2.0, 5.0)
    fq.calibrate(network, [paddle.to_tensor(images[:1]), paddle.to_tensor(images[1:])])
    np.testing.assert_allclose(fq.quantised_layers(network)["0"].input_range.calibrated.numpy(), [-1.5, 4.0])


def test_the_plain_copy_has_the_rounded_weights_and_rounds_no_inputs():
    network = net()
    fq.round_layers(network, ["0", "3"])
    network.eval()
    x = paddle.rand([1, 3, 8, 8])
    fq.calibrate(network, [x])
    plain = fq.plain_copy(network)
    assert not fq.quantised_layers(plain) and fq.quantised_layers(network)
    assert not fq.rounding_names(plain.state_dict())
    np.testing.assert_array_equal(plain[0].weight.numpy(), network[0].rounded_weight().numpy())
    assert np.abs(plain(x).numpy() - network(x).numpy()).max() < 0.05


@pytest.mark.parametrize(
    ("keep_float", "message"), [(["head.*"], "'head.*' fits no convolution"), (["*"], "no convolution is left")]
)
def test_wrong_names_are_refused(keep_float, message):
    with pytest.raises(UserError, match=message.replace("*", r"\*")):
        fq.layers_to_round(net(), keep_float)
