"""MobileNet backbones and the heads on them: sizes that the originals publish, and how parts combine."""

from functools import partial
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddle_portrait.errors import UserError
from paddle_portrait.models import EncoderDecoder
from paddle_portrait.models.backbones import MobileNetV2, MobileNetV3SmallMinimalistic
from paddle_portrait.models.backbones.inverted_residual import round_channels
from paddle_portrait.models.heads import DeepLabPoolingHead, MobileUNetHead, TransitionHead
from paddle_portrait.registry import BACKBONES, HEADS, MODELS

V2_UNET = {"type": "MobileNetV2", "width": 0.5, "features": "expansions"}
V3_UNET = {
    "type": "MobileNetV3SmallMinimalistic",
    "features": "expansions",
    "fixed_expansions": True,
    "conv_bias": True,
}
# Name, classes, backbone, head, side of the input, values that are learned, values with norms folded, million MACs.
PUBLISHED: list[tuple[str, int, dict[str, Any], dict[str, Any], int, int | None, int, float]] = [
    ("mobile_unet", 1, V2_UNET, {"type": "MobileUNetHead"}, 128, 3_630_593, 3_620_617, 526),
    (
        "mobile_unet_bilinear",
        1,
        V2_UNET,
        {"type": "MobileUNetHead", "upsample": "bilinear_legacy"},
        128,
        3_630_593,
        3_620_617,
        2020,
    ),
    (
        "mobile_unet_mnv3",
        1,
        V3_UNET,
        {"type": "MobileUNetHead", "channels": [256, 128, 64, 32, 16]},
        224,
        2_565_345,
        2_552_241,
        550,
    ),
    (
        "mobile_unet_mnv3_x0_5",
        1,
        {**V3_UNET, "width": 0.5},
        {"type": "MobileUNetHead", "channels": [128, 64, 32, 16, 8]},
        224,
        1_204_253,
        1_192_213,
        222,
    ),
    (
        "transition",
        2,
        {"type": "MobileNetV3SmallMinimalistic", "features": "expansions", "last_act": "none"},
        {"type": "TransitionHead"},
        256,
        None,
        940_122,
        147.5,
    ),
    (
        "deeplab",
        2,
        {"type": "MobileNetV2", "width": 0.5, "width_divisor": 1, "output_stride": 8},
        {"type": "DeepLabPoolingHead"},
        513,
        None,
        683_474,
        2800,
    ),
]


def count_learned(model: nn.Layer) -> int:
    return sum(parameter.size for parameter in model.parameters() if not parameter.stop_gradient)


def count_folded(model: nn.Layer) -> int:
    """Count weights and one bias for each convolution's output, as if each norm were folded into one."""
    convolutions = [layer for layer in model.sublayers() if isinstance(layer, (nn.Conv2D, nn.Conv2DTranspose))]
    return sum(layer.weight.size + layer._out_channels for layer in convolutions)


def count_macs(model: nn.Layer, side: int) -> int:
    """Count multiply-adds of convolutions for one square picture."""
    total = 0

    def add(layer: nn.Layer, inputs: tuple[paddle.Tensor, ...], output: paddle.Tensor) -> None:
        nonlocal total
        pixels = inputs[0] if isinstance(layer, nn.Conv2DTranspose) else output
        total += layer.weight.size * pixels.shape[2] * pixels.shape[3]

    for layer in model.sublayers():
        if isinstance(layer, (nn.Conv2D, nn.Conv2DTranspose)):
            layer.register_forward_post_hook(add)
    model.eval()
    with paddle.no_grad():
        assert model(paddle.zeros([1, 3, side, side])).logits.shape[2:] == [side, side]
    return total


@pytest.mark.parametrize(
    ("classes", "backbone", "head", "side", "learned", "folded", "macs"),
    [case[1:] for case in PUBLISHED],
    ids=[case[0] for case in PUBLISHED],
)
def test_sizes_are_the_published_ones(
    classes: int, backbone: dict, head: dict, side: int, learned: int | None, folded: int, macs: float
) -> None:
    model = MODELS.build("EncoderDecoder", backbone=backbone, head=head, num_classes=classes)
    assert count_folded(model) == folded
    assert learned is None or count_learned(model) == learned
    assert count_macs(model, side) / 1e6 == pytest.approx(macs, rel=0.01)


def test_portraitnets_encoder_has_its_published_size() -> None:
    backbone = MobileNetV2(expand_first=True, padding="symmetric", act="relu", norm_epsilon=1e-5, norm_momentum=0.9)
    assert count_learned(backbone) == 1_812_800
    assert backbone.feature_channels == [16, 24, 32, 96, 320]


def test_widths_of_keras_and_of_deeplab_round_differently() -> None:
    assert [round_channels(c) for c in (12, 16, 20, 28, 3)] == [16, 16, 24, 32, 8]
    assert [round_channels(c, divisor=1) for c in (12, 12.5, 3)] == [12, 13, 8]
    assert round_channels(11, divisor=8) == 16  # 8 would be more than a tenth below


@pytest.mark.parametrize("kind", ["outputs", "expansions"])
@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("backbone", [MobileNetV2, MobileNetV3SmallMinimalistic])
def test_features_have_the_announced_channels_and_halve(backbone: Any, output_stride: int, kind: str) -> None:
    network = backbone(in_channels=4, width=0.5, output_stride=output_stride, features=kind).eval()
    with paddle.no_grad():
        features = network(paddle.randn([1, 4, 64, 96]))
    strides = [2, 4, 8, 16, 32][: [8, 16, 32].index(output_stride) + 3]
    assert [f.shape[1] for f in features] == network.feature_channels
    assert [f.shape[2:] for f in features] == [[64 // stride, 96 // stride] for stride in strides]


def test_lower_output_stride_needs_no_other_weights_and_sees_as_far() -> None:
    """At stride 8 dilated windows read what strides skipped: every fourth pixel equals stride 32's answer inside."""
    coarse = MobileNetV2(width=0.25, padding="symmetric", output_stride=32).eval()
    fine = MobileNetV2(width=0.25, padding="symmetric", output_stride=8).eval()
    fine.set_state_dict(coarse.state_dict())
    # The middle alone: borders are padded by zeros at other places.
    x = paddle.to_tensor(np.random.default_rng(0).normal(size=(1, 3, 1024, 1024)).astype(np.float32))
    with paddle.no_grad():
        expected, got = coarse(x)[-1].numpy(), fine(x)[-1].numpy()
    middle = slice(12, 20)
    expected, got = expected[:, :, middle, middle], got[:, :, ::4, ::4][:, :, middle, middle]
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.ptp(expected))


def test_unknown_output_stride_is_refused() -> None:
    with pytest.raises(UserError, match="output_stride 12 is not offered; allowed: 8, 16, 32"):
        MobileNetV2(output_stride=12)


def test_legacy_steps_sample_as_tensorflow_1_did() -> None:
    from paddle_portrait.models.layers import resize_bilinear

    x = paddle.to_tensor(np.array([[[[0.0, 2.0], [4.0, 6.0]]]], np.float32))
    expected = [[0, 1, 2, 2], [2, 3, 4, 4], [4, 5, 6, 6], [4, 5, 6, 6]]
    for needs_gradient in (False, True):  # two roads
        x.stop_gradient = not needs_gradient
        assert resize_bilinear(x, (4, 4), legacy=True).numpy()[0, 0].tolist() == expected


def test_a_deconvolution_only_takes_sizes_that_halve_evenly() -> None:
    network = EncoderDecoder(MobileNetV2(width=0.25, features="expansions"), MobileUNetHead)
    with pytest.raises(UserError, match="MobileUNetHead takes heights and widths that are multiples of 32"):
        network(paddle.zeros([1, 3, 64, 100]))


@pytest.mark.parametrize(
    "head", [partial(MobileUNetHead, upsample="bilinear"), TransitionHead, DeepLabPoolingHead], ids=["unet", "t", "d"]
)
@pytest.mark.parametrize("size", [(33, 50), (64, 64), (1, 1)])
def test_other_heads_take_any_size(head: Any, size: tuple[int, int]) -> None:
    network = EncoderDecoder(MobileNetV3SmallMinimalistic(features="expansions"), head, num_classes=1).eval()
    with paddle.no_grad():
        assert network(paddle.randn([1, 3, *size])).logits.shape == [1, 1, *size]


def test_number_of_steps_must_be_that_of_the_features() -> None:
    with pytest.raises(UserError, match="3 channels given, but the backbone hands over 5 features"):
        EncoderDecoder(MobileNetV2(), partial(MobileUNetHead, channels=[64, 32, 16]))


@pytest.mark.parametrize("head", ["MobileUNetHead", "TransitionHead", "DeepLabPoolingHead"])
@pytest.mark.parametrize("backbone", ["MobileNetV2", "MobileNetV3SmallMinimalistic"])
def test_every_head_goes_on_every_backbone(backbone: str, head: str) -> None:
    model = MODELS.build("EncoderDecoder", backbone={"type": backbone}, head={"type": head}).eval()
    with paddle.no_grad():
        assert model(paddle.zeros([1, 3, 64, 64])).logits.shape == [1, 2, 64, 64]


def test_backbones_of_paddleseg_combine_with_our_heads() -> None:
    pytest.importorskip("paddleseg")
    backbone = {"type": "MobileNetV3_small_x1_0"}
    model = MODELS.build("EncoderDecoder", backbone=backbone, head={"type": "TransitionHead"}).eval()
    with paddle.no_grad():
        assert model(paddle.zeros([1, 3, 64, 64])).logits.shape == [1, 2, 64, 64]
    assert not {"MobileNetV2", "MobileNetV3SmallMinimalistic"} & set(BACKBONES._paddleseg_components())


def test_backbone_indices_choose_features() -> None:
    network = EncoderDecoder(MobileNetV2(), TransitionHead, backbone_indices=[1, 2, -1])
    assert network.head.blocks[0].shortcut.conv._in_channels == 320
    with pytest.raises(UserError, match="indices go from 0 to 4"):
        EncoderDecoder(MobileNetV2(), TransitionHead, backbone_indices=[1, 5])
    with pytest.raises(UserError, match="give it an attribute feature_channels"):
        EncoderDecoder(nn.Conv2D(3, 8, 1), TransitionHead)


def test_what_the_network_gives_a_head_cannot_be_written_in_its_yaml() -> None:
    with pytest.raises(UserError, match="Its arguments: channels"):
        HEADS.build("TransitionHead", in_channels=[1, 2, 3])
