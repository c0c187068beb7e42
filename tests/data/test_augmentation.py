"""What the augmentations of other portrait systems do, by hand and against other libraries."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms import PortraitDeformation, PortraitTexture, SlimNetAugmentation
from paddle_portrait.data.transforms.camera import motion_kernel
from paddle_portrait.data.transforms.curves import curve_table
from paddle_portrait.errors import UserError
from paddle_portrait.registry import TRANSFORMS


def noise(size: tuple[int, int] = (60, 50)) -> Sample:
    rng = np.random.default_rng(0)
    return Sample(rng.integers(0, 256, (*size, 3), dtype=np.uint8), rng.integers(0, 2, size, dtype=np.uint8))


def test_deformation_is_portraitnets_matrix() -> None:
    """No turn, scale 2 about the centre, a photo of the frame's size: each pixel moves twice as far out."""
    image = np.zeros((40, 40, 3), np.uint8)
    image[17:23, 17:23] = 255
    still = PortraitDeformation([40, 40], max_rotation=0, scale=[2, 2], centre_offset=0, flip_prob=0)
    result = still(Sample(image, image[..., 0] // 255), np.random.default_rng(0))
    rows = np.flatnonzero(result.image[:, 20, 0] > 127)
    # PortraitNet divides by (width - 1), so a photo of the frame's own size is stretched by 40/39
    assert rows.min() == pytest.approx(20 - 6 * 40 / 39, abs=1) and len(rows) == pytest.approx(12 * 40 / 39, abs=1)
    assert result.label is not None and abs(int((result.label == 1).sum()) - len(rows) ** 2) <= 2 * len(rows)


def test_deformation_keeps_to_its_bounds() -> None:
    """Angle and scale read off the image of two points, over many draws."""
    deform = PortraitDeformation([100, 100], flip_prob=0)
    rng = np.random.default_rng(0)
    angles, scales = [], []
    for _ in range(400):
        matrix = deform._affine._matrix((101, 101), rng)
        angles.append(np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0])))
        scales.append(np.hypot(matrix[0, 0], matrix[0, 1]))
    assert -45 <= min(angles) < -43 and 43 < max(angles) <= 45
    assert 0.5 <= min(scales) < 0.52 and 1.48 < max(scales) <= 1.5


def test_deformation_pads_with_grey_background() -> None:
    sample = Sample(np.full((30, 30, 3), 255, np.uint8), np.ones((30, 30), np.uint8))
    result = PortraitDeformation([60, 60], 0, [0.5, 0.5], 0)(sample, np.random.default_rng(0))
    assert result.image[0, 0].tolist() == [128] * 3 and result.label is not None and result.label[0, 0] == 0


def test_texture_is_pillows_colour_jitter_in_portraitnets_order() -> None:
    factors = {"saturation": 0.7, "brightness": 1.2, "contrast": 0.8, "sharpness": 1.1}
    transform = PortraitTexture(1.0, **{name: [value, value] for name, value in factors.items()}, max_sigma=0)
    smooth = cv2.GaussianBlur(noise().image, (0, 0), 3)
    expected = Image.fromarray(smooth)
    for kind, value in zip(("Color", "Brightness", "Contrast", "Sharpness"), factors.values(), strict=True):
        expected = getattr(ImageEnhance, kind)(expected).enhance(value)
    result = transform(Sample(smooth), np.random.default_rng(1)).image
    difference = np.abs(result.astype(int) - np.asarray(expected).astype(int))[3:-3, 3:-3]
    assert difference.mean() < 1.5 and difference.max() <= 8  # what blurring by 3 or 5 pixels does to a smooth picture


@pytest.mark.parametrize("length", [1, 2.5, 3, 8, 30])
@pytest.mark.parametrize("angle", [0, 30, 90, 135, 170])
def test_motion_is_centred_and_keeps_the_light(length: float, angle: float) -> None:
    kernel = motion_kernel(length, angle)
    y, x = np.mgrid[: len(kernel), : len(kernel)] - len(kernel) // 2
    assert kernel.sum() == pytest.approx(1) and kernel.min() >= 0
    assert abs((kernel * x).sum()) < 1e-5 and abs((kernel * y).sum()) < 1e-5
    spread = np.sqrt((kernel * (x**2 + y**2)).sum())
    assert spread == pytest.approx((length - 1) / np.sqrt(12), abs=0.75)


def test_motion_of_five_pixels_by_hand() -> None:
    middle = motion_kernel(5, 0)[motion_kernel(5, 0).shape[0] // 2]
    assert middle.argmax() in (2, 3, 4) and np.count_nonzero(middle > 0.1) == 5
    assert np.allclose(motion_kernel(1, 77).sum(axis=0).max(), 1)


def test_curves_are_smooth_rising_and_exact_at_their_points() -> None:
    table = curve_table((0, 64, 128, 192, 256), (0, 70, 140, 210, 256)).astype(int)
    assert table[[0, 64, 128, 192]].tolist() == [0, 70, 140, 210] and np.all(np.diff(table) >= 0)
    assert np.abs(np.diff(table, 2)).max() <= 1
    identity = curve_table((0, 128, 255), (0, 128, 255))
    assert np.array_equal(identity, np.arange(256))


@pytest.mark.parametrize("points", [(0, 70, 140, 210, 256), (0, 30, 80, 120, 192)])
def test_curves_are_near_the_splines_of_the_source(points: tuple) -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    spline = interpolate.UnivariateSpline((0, 64, 128, 192, 256), points)(np.arange(256))
    assert np.abs(curve_table((0, 64, 128, 192, 256), points) - np.clip(spline, 0, 255)).max() <= 6


def test_warm_is_redder_and_cool_is_bluer() -> None:
    grey = Sample(np.full((8, 8, 3), 120, np.uint8))
    rng = np.random.default_rng(0)
    red, _, blue = (int(v) for v in TRANSFORMS.build("WarmCoolFilter", prob=1, warm_prob=1)(grey, rng).image[0, 0])
    assert red > 125 and blue < 100
    red, _, blue = (int(v) for v in TRANSFORMS.build("WarmCoolFilter", prob=1, warm_prob=0)(grey, rng).image[0, 0])
    assert red < 100 and blue > 125


def test_slim_nets_set_by_hand() -> None:
    image = np.array([[[200, 100, 50], [100, 100, 100]]], np.uint8)
    still = {"prob": 1.0, "brightness": 0, "contrast": [1, 1], "saturation": [1, 1], "crop": 1.0}

    def run(**changes: Any) -> list:
        return SlimNetAugmentation(**{**still, **changes})(Sample(image), np.random.default_rng(0)).image.tolist()

    assert run() == image[:, ::-1].tolist()  # all that is left is the mirror
    assert run(saturation=[0, 0]) == [[[100] * 3, [200] * 3]]  # HSV: no saturation, same value
    assert run(contrast=[0, 0]) == [[[150, 100, 75]] * 2]  # each channel becomes its mean


def test_slim_nets_crop_is_one_window_for_image_and_mask() -> None:
    sample = noise()
    sample = Sample(np.repeat(sample.label[..., None] * np.uint8(255), 3, axis=2), sample.label)  # type: ignore[index]
    crop = SlimNetAugmentation(1.0, 0, [1, 1], [1, 1], 0.8)
    sizes = set()
    for seed in range(10):
        result = crop(sample, np.random.default_rng(seed))
        sizes.add(result.size_hw)
        assert np.array_equal(result.image[..., 0] // 255, result.label)
    assert sizes == {(48, 40)}


def test_low_light_is_dark_and_grainy() -> None:
    flat = Sample(np.full((64, 64, 3), 180, np.uint8))
    dark = TRANSFORMS.build("LowLight", prob=1, gamma=[2, 2], gain=[0.5, 0.5], noise=[5, 5])
    result = dark(flat, np.random.default_rng(0)).image
    light = (180 / 255) ** 2 * 0.5
    assert result.mean() == pytest.approx(light * 255, abs=0.5)
    assert result.std() == pytest.approx(5 * (0.3 + 0.7 * np.sqrt(light)), rel=0.05)


def test_shade_darkens_only() -> None:
    sample = noise()
    shade = TRANSFORMS.build("RandomShade", prob=1, darkness=[0.5, 0.5])
    for seed in range(10):
        result = shade(sample, np.random.default_rng(seed)).image
        assert np.all(result <= sample.image) and np.all(result >= sample.image // 2)


def test_jpeg_is_that_of_pillow() -> None:
    smooth = cv2.GaussianBlur(noise((64, 64)).image, (0, 0), 2)
    result = TRANSFORMS.build("JpegArtefacts", prob=1, quality=[30, 30])(Sample(smooth), np.random.default_rng(0)).image
    buffer = io.BytesIO()
    Image.fromarray(smooth).save(buffer, "JPEG", quality=30)
    assert np.abs(result.astype(int) - np.asarray(Image.open(buffer)).astype(int)).mean() < 1.5


WRONG = [
    ("PortraitDeformation", {"size": [224]}, "size must be a list"),
    ("PortraitDeformation", {"scale": [1.5, 0.5]}, "scale must be a list [lowest, highest] within 0.01 to 100"),
    ("PortraitDeformation", {"scale": 1.5}, "scale must be a list"),
    ("PortraitDeformation", {"max_rotation": -1}, "max_rotation must be 0 or more"),
    ("PortraitDeformation", {"centre_offset": 2}, "centre_offset must be a number from 0 to 1"),
    ("PortraitDeformation", {"flip_prob": "half"}, "flip_prob"),
    ("PortraitTexture", {"prob": 2}, "prob must be a number from 0 to 1"),
    ("PortraitTexture", {"saturation": [0.4]}, "saturation must be a list"),
    ("PortraitTexture", {"max_sigma": float("nan")}, "max_sigma must be 0 or more"),
    ("SlimNetAugmentation", {"saturation": [0.5, 2]}, "within 0 to 1"),
    ("SlimNetAugmentation", {"crop": -0.1}, "crop"),
    ("MotionBlur", {"degree": [0, 5]}, "within 1 to 1000"),
    ("MotionBlur", {"prob": True}, "prob"),
    ("JpegArtefacts", {"quality": [0, 50]}, "within 1 to 100"),
    ("RandomSharpness", {"factor": ["low", "high"]}, "factor must be a list"),
    ("RandomShade", {"darkness": [0.5, 1.5]}, "darkness"),
    ("LowLight", {"gamma": [0.5, 1]}, "gamma"),
    ("RandomCurve", {"strength": 3}, "strength"),
    ("WarmCoolFilter", {"warm_prob": -1}, "warm_prob"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), WRONG)
def test_wrong_arguments_of_augmentations(name: str, arguments: dict, words: str) -> None:
    with pytest.raises(UserError) as caught:
        TRANSFORMS.build(name, **arguments)
    assert words in str(caught.value) and name in str(caught.value)
