"""PortraitNet: size, variants of its upsampling, the head for training."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.models import PortraitNet


def learnable(model, trained_only=False):
    """Count parameters without the statistics of batch norms."""
    return sum(
        value.size
        for name, value in model.named_parameters()
        if not name.endswith(("_mean", "_variance")) and not (trained_only and value.stop_gradient)
    )


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"boundary": False}, 2_080_760),
        ({}, 2_080_760 + 144),
        ({"boundary": False, "in_channels": 4}, 2_080_760 + 288),
        ({"boundary": False, "upsampling": "depthwise"}, 1_905_400),
    ],
)
def test_it_has_the_published_number_of_parameters(options, count):
    model = PortraitNet(**options)
    assert learnable(model) == count
    assert learnable(model.backbone) == 1_812_800 + (288 if options.get("in_channels") == 4 else 0)


def test_frozen_upsampling_is_not_trained():
    model = PortraitNet(upsampling="depthwise")
    frozen = [name for name, value in model.named_parameters() if value.stop_gradient and "norm" not in name]
    assert frozen == [f"upsamplings.{level}.deconv.weight" for level in range(5)]
    assert learnable(model) - learnable(model, trained_only=True) == 16 * (96 + 32 + 24 + 16 + 8)


@pytest.mark.parametrize("options", [{"deconv_init": "diag"}, {"upsampling": "depthwise"}, {"upsampling": "bilinear"}])
def test_upsampling_starts_as_a_bilinear_resize(options):
    x = paddle.randn([1, 96, 6, 5])
    expected = F.interpolate(x, size=[12, 10], mode="bilinear").numpy()
    got = PortraitNet(**options).upsamplings[0](x).numpy()
    # Beyond the border a transposed convolution reads zeros, a resize the border.
    np.testing.assert_allclose(got[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-5)


def test_the_start_of_the_authors_sums_all_channels():
    x = paddle.randn([1, 8, 4, 4])
    got = PortraitNet(deconv_init="sum").upsamplings[4](x)
    expected = F.interpolate(x.sum(axis=1, keepdim=True), size=[8, 8], mode="bilinear").numpy()
    np.testing.assert_allclose(got.numpy()[0, 5, 1:-1, 1:-1], expected[0, 0, 1:-1, 1:-1], atol=1e-5)


def test_the_outline_is_given_in_training_alone():
    model = PortraitNet(in_channels=4)
    x = paddle.randn([2, 4, 64, 32])
    output = model(x)
    assert output.logits.shape == [2, 2, 64, 32]
    assert output.boundary is not None and output.boundary.shape == [2, 2, 64, 32]
    model.eval()
    assert model(x).boundary is None
    assert PortraitNet(in_channels=4, boundary=False)(x).boundary is None


def test_a_previous_mask_as_fourth_channel_matters():
    model = PortraitNet(in_channels=4).eval()
    x = paddle.randn([1, 4, 32, 32])
    without = paddle.concat([x[:, :3], paddle.zeros([1, 1, 32, 32])], axis=1)
    with paddle.no_grad():
        assert float(paddle.abs(model(x).logits - model(without).logits).max()) > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"upsampling": "deconf"}, "Did you mean 'deconv'"),
        ({"deconv_init": "bilinear"}, "unknown deconv_init 'bilinear'"),
    ],
)
def test_unknown_variants_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        PortraitNet(**options)
