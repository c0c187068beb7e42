"""What every transform promises, and what single ones do."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from paddle_portrait.data.sample import Sample
from paddle_portrait.data.transforms import Normalize, Pipeline, Transform
from paddle_portrait.data.transforms import photometric as colours
from paddle_portrait.data.transforms.labels import resize_label, warp_label
from paddle_portrait.errors import UserError
from paddle_portrait.registry import TRANSFORMS

# Arguments that make a transform always act, and strongly.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "JpegArtefacts": {"prob": 1.0},
    "LimitLong": {"max_long": 40},
    "LowLight": {"prob": 1.0},
    "MotionBlur": {"prob": 1.0},
    "Padding": {"target_size": [200, 210]},
    "PaddingByAspectRatio": {"aspect_ratio": 1.7},
    "PortraitDeformation": {"size": [90, 110], "scale": [0.8, 1.5], "im_padding_value": 0},
    "PortraitTexture": {"prob": 1.0},
    "RandomAffine": {"size": [90, 70], "translation_offset": 5},
    "RandomBackground": {"prob": 1.0},
    "RandomBlur": {"prob": 1.0, "blur_type": "random"},
    "RandomCenterCrop": {},
    "RandomCurve": {"prob": 1.0},
    "RandomDistort": {f"{name}_prob": 1.0 for name in ("brightness", "contrast", "saturation", "hue", "sharpness")},
    "RandomHorizontalFlip": {"prob": 1.0},
    "RandomNoise": {"prob": 1.0},
    "RandomPaddingCrop": {"crop_size": [90, 110]},
    "RandomRotation": {"max_rotation": 40},
    "RandomScaleAspect": {},
    "RandomSecondPerson": {"prob": 1.0, "light_match": 0},
    "RandomShade": {"prob": 1.0},
    "RandomSharpness": {"prob": 1.0, "factor": [0.0, 0.5]},
    "RandomVerticalFlip": {"prob": 1.0},
    "Resize": {"target_size": [70, 90], "interp": "RANDOM"},
    "ResizeByLong": {"long_size": 77},
    "ResizeByShort": {"short_size": [33, 55]},
    "ResizeRangeScaling": {"min_value": 50, "max_value": 150},
    "ResizeStepScaling": {"min_scale_factor": 0.5, "max_scale_factor": 1.5, "scale_step_size": 0},
    "ScalePadding": {"target_size": [64, 80]},
    "SimulatePrior": {"empty_prob": 0, "move_image_prob": 1, "degree": [2, 9], "step_prob": 0.7},
    "SlimNetAugmentation": {"prob": 1.0, "contrast": [0.5, 0.8]},
    "WarmCoolFilter": {"prob": 1.0},
}
NEED_LABELS = {"RandomBackground", "RandomSecondPerson", "SimulatePrior"}
NAMES = sorted(name for name in TRANSFORMS.own_names() if name != "Normalize")
OURS = {  # PaddleSeg has none of these names
    "JpegArtefacts",
    "LowLight",
    "MotionBlur",
    "PortraitDeformation",
    "PortraitTexture",
    "RandomBackground",
    "RandomCurve",
    "RandomSecondPerson",
    "RandomShade",
    "RandomSharpness",
    "SimulatePrior",
    "SlimNetAugmentation",
    "WarmCoolFilter",
}
COLOUR_ONLY = {
    "JpegArtefacts",
    "LowLight",
    "MotionBlur",
    "PortraitTexture",
    "RandomBlur",
    "RandomCurve",
    "RandomDistort",
    "RandomNoise",
    "RandomShade",
    "RandomSharpness",
    "WarmCoolFilter",
}


@pytest.fixture(scope="module", autouse=True)
def black_backgrounds(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("backgrounds")
    Image.new("RGB", (64, 40)).save(folder / "black.png")
    ARGUMENTS["RandomBackground"] = {"prob": 1.0, "backgrounds": str(folder), "light_match": 0}


def build(name: str, **changes: Any) -> Transform:
    return TRANSFORMS.build(name, **{**ARGUMENTS[name], **changes})


def with_prior(sample: Sample) -> Sample:
    """The sample with its own label as the prior, and itself as the data set's other sample."""
    assert sample.label is not None
    return replace(sample, prior=np.rint(sample.label * 255.0).astype(np.uint8), another=lambda rng: sample)


def disc(size: tuple[int, int] = (120, 100), soft: bool = False) -> Sample:
    """A white disc on black, off centre, with its exact label."""
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.hypot(y - size[0] * 0.55, x - size[1] * 0.42)
    inside = distance < min(size) * 0.3
    image = np.repeat(np.where(inside, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    label = np.clip(min(size) * 0.3 - distance + 0.5, 0, 1).astype(np.float32) if soft else inside.astype(np.uint8)
    return Sample(image, label, "disc.png", "mask.png", 3)


def iou(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    return float((a & b & where).sum() / ((a | b) & where).sum())


def test_every_own_transform_is_tried_here() -> None:
    assert set(ARGUMENTS) == set(NAMES)


@pytest.mark.parametrize("name", sorted(set(NAMES) - OURS))
def test_names_arguments_and_defaults_are_paddlesegs(name: str) -> None:
    manager = pytest.importorskip("paddleseg.cvlibs.manager")
    pytest.importorskip("paddleseg.transforms")
    theirs = inspect.signature(manager.TRANSFORMS.components_dict[name]).parameters
    ours = inspect.signature(TRANSFORMS.get(name)).parameters

    def plain(default: Any) -> Any:
        return tuple(default) if isinstance(default, (list, tuple)) else default

    assert [(p.name, plain(p.default)) for p in ours.values()] == [(p.name, plain(p.default)) for p in theirs.values()]


@pytest.mark.parametrize("soft", [False, True], ids=["indices", "soft"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NAMES)
def test_label_moves_with_the_image(name: str, seed: int, soft: bool) -> None:
    sample = build(name)(with_prior(disc(soft=soft)), np.random.default_rng(seed))
    assert sample.label is not None and sample.label.shape == sample.size_hw
    assert sample.prior is not None and sample.prior.shape == sample.size_hw and sample.prior.dtype == np.uint8
    known = sample.label <= 1
    grey = cv2.cvtColor(sample.image, cv2.COLOR_RGB2GRAY)
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)  # colours may carry disc and ground over the half
    person_seen, person_said = grey > threshold, (sample.label > 0.5) & known
    assert person_said.any()
    assert iou(person_seen, person_said, known) > 0.93
    if name not in ("RandomSecondPerson", "SimulatePrior"):  # of whom the frame before knows nothing; who moves it
        assert iou(sample.prior > 127, person_said, known) > 0.93


@pytest.mark.parametrize("soft", [False, True], ids=["indices", "soft"])
@pytest.mark.parametrize("size", [(120, 100), (37, 53), (1, 60), (60, 1), (1, 1), (2, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_promises(name: str, size: tuple[int, int], soft: bool) -> None:
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    label = rng.random(size, dtype=np.float32) if soft else rng.integers(0, 2, size, dtype=np.uint8)
    kept_image, kept_label = image.copy(), label.copy()
    image.flags.writeable = label.flags.writeable = False
    transform = build(name)
    state = dict(vars(transform))
    given = with_prior(Sample(image, label, "a", "b", 7))
    result = transform(given, np.random.default_rng(2))
    again = transform(given, np.random.default_rng(2))

    assert result.image.dtype == np.uint8 and result.image.ndim == 3 and result.image.shape[2] == 3
    assert result.image.size > 0 and result.label is not None and result.label.dtype == label.dtype
    assert result.label.shape == result.size_hw
    assert (result.path, result.label_path, result.index) == ("a", "b", 7)
    assert np.array_equal(image, kept_image) and np.array_equal(label, kept_label)
    assert vars(transform) == state
    assert np.array_equal(result.image, again.image) and np.array_equal(result.label, again.label)
    assert result.prior is not None and result.prior.shape == result.size_hw
    values = result.label[result.label != 255]
    assert values.size == 0 or (values.min() >= 0 and values.max() <= 1)
    if not soft:
        assert set(np.unique(result.label)) <= {0, 1, 255}
    if name not in NEED_LABELS:
        unlabelled = transform(Sample(image), np.random.default_rng(2))
        assert unlabelled.label is None and unlabelled.prior is None
        assert np.array_equal(unlabelled.image, result.image)


@pytest.mark.parametrize("name", sorted(NEED_LABELS))
def test_what_needs_a_label_says_so(name: str) -> None:
    lonely = replace(disc(), label=None)
    with pytest.raises(UserError, match=f"{name} .* has none"):
        build(name)(replace(lonely, another=lambda rng: lonely), np.random.default_rng(0))


@pytest.mark.parametrize("name", NAMES)
def test_randomness_comes_from_the_generator_alone(name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 100, 3), dtype=np.uint8)
    sample = with_prior(Sample(noise, disc().label))
    state = random.getstate(), np.random.get_state()[1].copy()  # type: ignore[union-attr]
    results = [build(name)(sample, np.random.default_rng(seed)).image for seed in range(8)]
    assert random.getstate() == state[0] and np.array_equal(np.random.get_state()[1], state[1])  # type: ignore[arg-type]
    differ = any(first.shape != results[0].shape or not np.array_equal(first, results[0]) for first in results)
    assert differ == (build(name).random and "Flip" not in name)  # flips were given the probability 1


@pytest.mark.parametrize("name", sorted(COLOUR_ONLY))
def test_colours_leave_label_and_size_alone(name: str) -> None:
    before = disc()
    after = build(name)(before, np.random.default_rng(1))
    assert after.label is before.label and after.size_hw == before.size_hw


@pytest.mark.parametrize("name", ["RandomHorizontalFlip", "RandomVerticalFlip", "RandomBlur", "RandomNoise"])
@pytest.mark.parametrize("prob", [0.0, 0.3, 1.0])
def test_probabilities(name: str, prob: float) -> None:
    """PaddleSeg's blur acts with probability 1/int(1/prob): always, where 0.6 is asked for."""
    sample, transform = disc((20, 16)), build(name, prob=prob)
    rng = np.random.default_rng(0)
    share = np.mean([not np.array_equal(transform(sample, rng).image, sample.image) for _ in range(600)])
    assert share == pytest.approx(prob, abs=0.06)


def test_flips_by_hand() -> None:
    sample = Sample(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), np.array([[0, 1], [1, 1]], np.uint8))
    rng = np.random.default_rng(0)
    assert np.array_equal(build("RandomHorizontalFlip")(sample, rng).image, sample.image[:, ::-1])
    assert build("RandomVerticalFlip")(sample, rng).label.tolist() == [[1, 1], [0, 1]]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("low", "high", "step", "factors"),
    [(0.5, 1.5, 0.25, {0.5, 0.75, 1.0, 1.25, 1.5}), (2, 2, 0.25, {2}), (0.1, 0.4, 0.1, {0.1, 0.2, 0.3, 0.4})],
)
def test_scaling_steps(low: float, high: float, step: float, factors: set) -> None:
    transform = build("ResizeStepScaling", min_scale_factor=low, max_scale_factor=high, scale_step_size=step)
    rng = np.random.default_rng(0)
    widths = {transform(disc((100, 200)), rng).size_hw for _ in range(100)}
    assert widths == {(round(100 * f), round(200 * f)) for f in factors}


def test_crop_pads_on_the_right_and_at_the_bottom() -> None:
    sample = Sample(np.full((2, 5, 3), 9, np.uint8), np.ones((2, 5), np.uint8))
    crop = build("RandomPaddingCrop", crop_size=[3, 4], im_padding_value=100)(sample, np.random.default_rng(0))
    assert crop.image[..., 0].tolist() == [[9] * 3] * 2 + [[100] * 3] * 2
    assert crop.label is not None and crop.label.tolist() == [[1] * 3] * 2 + [[255] * 3] * 2


def test_crop_reaches_every_place() -> None:
    image = np.arange(20, dtype=np.uint8).reshape(4, 5, 1).repeat(3, axis=2)
    crop = build("RandomPaddingCrop", crop_size=[2, 3])
    rng = np.random.default_rng(0)
    corners = {int(crop(Sample(image), rng).image[0, 0, 0]) for _ in range(200)}
    assert corners == {0, 1, 2, 3, 5, 6, 7, 8}


def test_crop_seeks_mixed_windows() -> None:
    """PaddleSeg puts the label into the image here."""
    label = np.zeros((64, 64), np.uint8)
    label[:, 32:] = 1
    sample = Sample(label[..., None].repeat(3, axis=2) * 200, label)
    rng = np.random.default_rng(0)
    crop = build("RandomPaddingCrop", crop_size=[16, 16], category_max_ratio=0.9, loop_times=200)
    for _ in range(20):
        result = crop(sample, rng)
        assert 0.1 <= result.label.mean() <= 0.9  # type: ignore[union-attr]
        assert np.array_equal(result.image[..., 0] > 0, result.label == 1)


def test_rotation_keeps_everything_and_ignores_the_corners() -> None:
    sample = Sample(np.full((60, 80, 3), 200, np.uint8), np.ones((60, 80), np.uint8))
    corners = 0
    for seed in range(8):
        turned = build("RandomRotation")(sample, np.random.default_rng(seed))
        assert turned.label is not None
        assert (turned.label == 1).sum() == pytest.approx(60 * 80, rel=0.03)
        outside = cv2.erode((turned.label == 255).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert np.all(turned.image[outside] == 128)
        corners += outside.any()
    assert corners >= 5


def test_square_of_a_landscape_photo() -> None:
    sample = Sample(np.full((10, 20, 3), 50, np.uint8), np.ones((10, 20), np.uint8))
    result = TRANSFORMS.build("ScalePadding", target_size=[20, 20])(sample, np.random.default_rng(0))
    assert result.label[:, 0].tolist() == [255] * 5 + [1] * 10 + [255] * 5


@pytest.mark.parametrize("soft", [False, True])
def test_ignored_pixels_never_mix_with_probabilities(soft: bool) -> None:
    label = np.full((20, 20), 0.5 if soft else 1, np.float32 if soft else np.uint8)
    label[:, 12:] = 255
    for moved in (
        resize_label(label, (33, 47)),
        warp_label(label, cv2.getRotationMatrix2D((9, 9), 20, 1.3), (25, 25), 255),
    ):
        values, counts = np.unique(moved, return_counts=True)
        assert len(values) <= 2 and values[0] == pytest.approx(0.5 if soft else 1) and values[-1] == 255
        assert counts.min() > 30


def test_resized_labels_stay_centred() -> None:
    """A step edge in the middle stays in the middle; OpenCV's plain nearest would shift it."""
    label = np.zeros((9, 9), np.uint8)
    label[:, 5:] = 1
    small = resize_label(label, (3, 3))
    assert small[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.9, 1.0, 1.3, 1.5])
@pytest.mark.parametrize(
    ("change", "reference"),
    [
        (colours.change_brightness, ImageEnhance.Brightness),
        (colours.change_contrast, ImageEnhance.Contrast),
        (colours.change_saturation, ImageEnhance.Color),
        (colours.change_sharpness, ImageEnhance.Sharpness),
    ],
)
def test_colours_are_pillows(change: Callable[[np.ndarray, float], np.ndarray], reference: type, factor: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    expected = np.asarray(reference(Image.fromarray(image)).enhance(factor)).astype(int)
    inner = slice(1, -1), slice(1, -1)  # Pillow does not sharpen the outermost pixels
    assert np.abs(change(image, factor).astype(int) - expected)[inner].max() <= 2


def test_hue_goes_round_the_circle() -> None:
    red = np.full((1, 1, 3), (255, 0, 0), np.uint8)
    third = 256 / 3
    assert colours.shift_hue(red, third)[0, 0].argmax() == 1
    assert colours.shift_hue(red, -third)[0, 0].argmax() == 2
    assert np.abs(colours.shift_hue(red, 256).astype(int) - red).max() <= 1
    grey = np.full((1, 1, 3), 99, np.uint8)
    assert np.array_equal(colours.shift_hue(grey, 100), grey)


WRONG = [
    ("RandomHorizontalFlip", {"prob": 1.5}, "prob must be a number from 0 to 1, got 1.5"),
    ("RandomBlur", {"blur_type": "gauss"}, "unknown blur_type 'gauss'. Did you mean 'gaussian'"),
    ("RandomDistort", {"hue_prob": -1}, "hue_prob"),
    ("RandomDistort", {"hue_range": -1}, "hue_range must be 0 or more"),
    ("RandomNoise", {"max_sigma": -1}, "max_sigma"),
    ("ResizeStepScaling", {"min_scale_factor": 2, "max_scale_factor": 1}, "0 < min_scale_factor <= max_scale_factor"),
    ("ResizeStepScaling", {"min_scale_factor": 0}, "got 0 and 1.25"),
    ("ResizeStepScaling", {"scale_step_size": -1}, "scale_step_size"),
    ("ResizeRangeScaling", {"min_value": 700}, "got 700 and 600"),
    ("RandomPaddingCrop", {"crop_size": 192}, "crop_size must be a list"),
    ("RandomPaddingCrop", {"category_max_ratio": 0}, "category_max_ratio"),
    ("RandomPaddingCrop", {"loop_times": 0}, "loop_times"),
    ("RandomCenterCrop", {"retain_ratio": [0.5, 2]}, "retain_ratio"),
    ("RandomCenterCrop", {"retain_ratio": 0.5}, "retain_ratio must be a list"),
    ("RandomScaleAspect", {"aspect_ratio": 3}, "aspect_ratio"),
    ("RandomAffine", {"size": [224]}, "size must be a list"),
    ("ScalePadding", {"target_size": [0, 1]}, "from 1 on"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), WRONG)
def test_wrong_arguments(name: str, arguments: dict, words: str) -> None:
    with pytest.raises(UserError) as caught:
        TRANSFORMS.build(name, **arguments)
    assert words in str(caught.value) and name in str(caught.value)


def test_pipeline_is_the_same_road_as_evaluation() -> None:
    pipeline = Pipeline([TRANSFORMS.build("Resize", target_size=[32, 24]), Normalize([0.2], [0.3])])
    sample = disc()
    trained = pipeline.to_tensor([pipeline.augment(pipeline.prepare(sample), np.random.default_rng(0))])
    assert np.array_equal(trained, pipeline.preprocess()(sample.image)[0])


def test_evaluation_refuses_chance() -> None:
    with pytest.raises(UserError, match="RandomBlur cannot be used in evaluation"):
        Pipeline([build("RandomBlur"), Normalize()]).preprocess()
    with pytest.raises(UserError, match="Resize leaves something to chance"):
        Pipeline([build("Resize")]).preprocess()


class TheirFlip:
    """A transform of paddleseg's kind: dictionaries, and the process's global generators."""

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        assert data["img"].dtype == np.float32
        if random.random() < 0.5:
            data["img"] = data["img"][:, ::-1]
            for key in data.get("gt_fields", []):
                data[key] = data[key][:, ::-1]
        data["img"] += np.random.uniform(0, 90)
        return data


def test_transforms_of_paddleseg_follow_our_generator() -> None:
    pipeline, sample = Pipeline([TheirFlip()]), disc()
    random.seed(1)
    np.random.seed(1)
    before = random.getstate()
    results = [pipeline.augment(sample, np.random.default_rng(seed)) for seed in (3, 4, 5, 6, 3)]
    assert random.getstate() == before
    assert np.array_equal(results[0].image, results[4].image) and np.array_equal(results[0].label, results[4].label)
    assert len({result.image.tobytes() for result in results}) == 4
    for result in results:
        assert result.image.dtype == np.uint8 and result.label is not None
        assert iou(result.image[..., 0] > 127, result.label == 1, np.ones(result.size_hw, bool)) == 1
    with pytest.raises(UserError, match="TheirFlip of paddleseg cannot be undone"):
        pipeline.preprocess()


def test_a_transform_that_batches_cannot_carry() -> None:
    name = "GenerateInstanceTargets"
    pytest.importorskip("paddleseg.transforms")
    with pytest.raises(UserError, match=f"{name} adds instances"):
        Pipeline([TRANSFORMS.build(name, num_classes=2)]).augment(disc(), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Resize", {"target_size": [70, 90]}),
        ("Resize", {"target_size": [90, 50], "keep_ratio": True}),
        ("Resize", {"target_size": [71, 33], "size_divisor": 16, "interp": "AREA"}),
        ("ResizeByLong", {"long_size": 77}),
        ("ResizeByShort", {"short_size": 33, "max_size": 40}),
        ("LimitLong", {"max_long": 50}),
        ("LimitLong", {"min_long": 150}),
        ("Padding", {"target_size": [200, 210], "im_padding_value": 50}),
        ("PaddingByAspectRatio", {"aspect_ratio": 1.7, "im_padding_value": 50}),
    ],
)
def test_fixed_geometry_is_paddlesegs(name: str, arguments: dict[str, Any]) -> None:
    theirs = pytest.importorskip("paddleseg.transforms")
    image = np.random.default_rng(0).integers(0, 256, (101, 67, 3), dtype=np.uint8)
    data = {"img": image.astype(np.float32), "label": image[..., 0] // 128, "gt_fields": ["label"], "trans_info": []}
    expected = getattr(theirs, name)(**arguments)(data)
    result = TRANSFORMS.build(name, **arguments)(Sample(image, image[..., 0] // 128), np.random.default_rng(0))
    assert result.image.shape == expected["img"].shape and result.label is not None
    # uint8 against their float32: the rounding of a level
    assert np.abs(result.image - np.clip(expected["img"], 0, 255)).max() <= 1
    assert result.label.shape == expected["label"].shape
