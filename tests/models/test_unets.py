"""Prisma-Net, Slim-Net, LikeUNet, MediaPipe's selfie segmentation and the baselines: what is special to each."""

from itertools import pairwise

import numpy as np
import paddle
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.export import export_model
from paddle_portrait.models import FCN8s, LikeUNet, MediaPipeSelfie, PrismaNet, SlimNet, UNet
from paddle_portrait.models.fcn8s import bilinear_deconv
from paddle_portrait.models.likeunet import ConvTriple


def learnable(model):
    return sum(value.size for value in model.parameters() if not value.stop_gradient)


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (PrismaNet, 923_057),
        (SlimNet, 347_570),
        (MediaPipeSelfie, 106_401),
        (LikeUNet, 1_768_802),
        (lambda: LikeUNet(in_channels=1), 1_768_514),
        (lambda: LikeUNet(in_channels=1, variant="light"), 220_570),
        (lambda: LikeUNet(in_channels=1, variant="light", triples=True), 321_882),
        (lambda: LikeUNet(width=2.0), 7_070_786),  # the slim U-Net of humanMatting's notebook, 7.07 M
        (UNet, 31_037_698),
        (lambda: UNet(batch_norm=False), 31_031_810),
    ],
)
def test_number_of_parameters(build, count):
    assert learnable(build()) == count


def test_number_of_parameters_of_fcn8s():
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    windows = [(3, *pair) for pair in pairwise(widths)]
    windows += [(7, 512, 4096), (1, 4096, 4096), *((1, scored, 2) for scored in (4096, 512, 256))]
    upsampling = 2 * 2 * (4**2 + 4**2 + 16**2)
    with paddle.LazyGuard():  # 134 million values need not be drawn
        network = FCN8s()
    assert learnable(network) == sum(side**2 * a * b + b for side, a, b in windows) + upsampling


def random_light(**arguments):
    """Return LikeUNet's light variant with every value, those of its norms too, drawn at random."""
    model = LikeUNet(in_channels=1, variant="light", **arguments).eval()
    rng = np.random.default_rng(0)
    for name, value in model.state_dict().items():
        if value.ndim == 1:
            low, high = (0.5, 2.0) if name.endswith("_variance") else (-0.5, 0.5)
            value.set_value(paddle.to_tensor(rng.uniform(low, high, value.shape).astype(np.float32)))
    return model


def logits(model, x):
    with paddle.no_grad():
        return model(x).logits.numpy()


def test_merged_triples_are_the_same_function_in_fewer_layers():
    model = random_light(triples=True)
    x = paddle.rand([2, 1, 64, 96])
    before = logits(model, x)
    model.deploy()
    assert not any(isinstance(layer, ConvTriple) for layer in model.sublayers())
    np.testing.assert_allclose(logits(model, x), before, atol=1e-5 * np.abs(before).max())
    assert model.state_dict().keys() == LikeUNet(in_channels=1, variant="light").state_dict().keys()


def test_export_merges_triples_and_leaves_the_trained_network_as_it_was(tmp_path):
    model = random_light(triples=True)
    transforms = [{"type": "Resize", "target_size": [64, 32]}, {"type": "Normalize", "mean": [0.5], "std": [0.5]}]
    transforms[1]["colour"] = "gray"
    report = export_model(model, transforms, tmp_path / "export", ("paddle",), "sigmoid")
    operators = report.targets["paddle"].operators
    assert sum(count for name, count in operators.items() if name.split(".")[-1] == "conv2d") == 1 + 5 + 5 + 2, (
        operators
    )
    assert sum(isinstance(layer, ConvTriple) for layer in model.sublayers()) == 10


def test_likeunet_refuses_an_unknown_variant():
    with pytest.raises(UserError, match=r"variant 'lite'.*full.*light"):
        LikeUNet(variant="lite")


@pytest.mark.parametrize("size", [(2, 2), (50, 38), (144, 256)])
def test_mediapipe_takes_any_even_size(size):
    model = MediaPipeSelfie().eval()
    with paddle.no_grad():
        assert model(paddle.rand([1, 3, *size])).logits.shape == [1, 1, *size]


@pytest.mark.parametrize("build", [PrismaNet, SlimNet, LikeUNet])
def test_without_norms_activations_keep_their_size_at_the_start(build):
    paddle.seed(0)
    values = logits(build().eval(), paddle.rand([1, 3, 64, 64]))
    assert np.abs(values).max() < 10


@pytest.mark.parametrize("stride", [2, 8])
def test_upsampling_of_fcn8s_starts_bilinear(stride):
    x = paddle.rand([1, 2, 5, 6])
    with paddle.no_grad():
        found = bilinear_deconv(2, stride)(x).numpy()
    expected = paddle.nn.functional.interpolate(x, size=[5 * stride, 6 * stride], mode="bilinear").numpy()
    inside = slice(stride, -stride)  # beyond the edge the one sees zeros, the other repeats the last pixel
    np.testing.assert_allclose(found[:, :, inside, inside], expected[:, :, inside, inside], atol=1e-6)


def test_logit_scale_makes_mediapipe_less_sure_of_the_same_mask(tmp_path):
    released = MediaPipeSelfie().eval()
    paddle.save(released.state_dict(), str(tmp_path / "model.pdparams"))
    scaled = MediaPipeSelfie(pretrained=str(tmp_path / "model.pdparams"), logit_scale=0.05).eval()
    x = paddle.rand([1, 3, 32, 32])
    np.testing.assert_allclose(scaled(x).logits.numpy(), 0.05 * released(x).logits.numpy(), atol=1e-6)
    with pytest.raises(UserError, match="logit_scale"):
        MediaPipeSelfie(logit_scale=0.0)
