"""The way from a photo to a tensor and back."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from paddle_portrait.errors import UserError
from paddle_portrait.preprocess import Geometry, Padding, Preprocess, Resize, ResizeByLong
from paddle_portrait.preprocess.geometry import Padded, Resized

RNG = np.random.default_rng(0)


def photo(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


# transforms, size of the photo (h, w), size of the tensor (h, w)
SIZES = [
    ([], (5, 7), (5, 7)),
    ([{"type": "Resize", "target_size": [8, 6]}], (5, 7), (6, 8)),
    ([{"type": "Resize", "target_size": [100, 50], "keep_ratio": True}], (40, 80), (50, 100)),
    ([{"type": "Resize", "target_size": [100, 50], "keep_ratio": True}], (80, 40), (100, 50)),
    ([{"type": "Resize", "target_size": [100, 50], "keep_ratio": True}], (60, 60), (50, 50)),
    ([{"type": "Resize", "target_size": [100, 50], "size_divisor": 32}], (9, 9), (64, 128)),
    ([{"type": "ResizeByLong", "long_size": 10}], (33, 21), (10, 6)),
    ([{"type": "ResizeByLong", "long_size": 10}], (1, 500), (1, 10)),
    ([{"type": "ResizeByShort", "short_size": 10}], (30, 20), (15, 10)),
    ([{"type": "ResizeByShort", "short_size": 10, "max_size": 12}], (40, 20), (12, 6)),
    ([{"type": "LimitLong", "max_long": 10}], (20, 40), (5, 10)),
    ([{"type": "LimitLong", "max_long": 50}], (20, 40), (20, 40)),
    ([{"type": "LimitLong", "min_long": 80}], (20, 40), (40, 80)),
    ([{"type": "LimitLong", "min_long": 10, "max_long": 60}], (20, 40), (20, 40)),
    ([{"type": "ResizeByLong", "long_size": 16}, {"type": "Padding", "target_size": [16, 16]}], (10, 20), (16, 16)),
    ([{"type": "PaddingByAspectRatio", "aspect_ratio": 2.0}], (10, 10), (10, 20)),
    ([{"type": "PaddingByAspectRatio", "aspect_ratio": 0.5}], (10, 10), (20, 10)),
]


@pytest.mark.parametrize(("transforms", "before", "after"), SIZES)
def test_sizes_and_the_way_back(transforms: list, before: tuple, after: tuple) -> None:
    preprocess = Preprocess.from_transforms([*transforms, {"type": "Normalize"}])
    image = photo(*before)
    kept = image.copy()
    tensor, geometry = preprocess(image)
    assert tensor.shape == (1, 3, *after) and tensor.dtype == np.float32 and tensor.flags.c_contiguous
    assert geometry.input_hw == after and geometry.original_hw == before
    restored = geometry.restore(np.ones(after, np.float32))
    assert restored.shape == before and restored.dtype == np.float32 and np.all(restored == 1)
    assert np.array_equal(image, kept)


def test_equal_sizes_come_back_bit_for_bit() -> None:
    prob = RNG.random((6, 9), dtype=np.float32)
    assert np.array_equal(Preprocess([Resize((9, 6))])(photo(6, 9))[1].restore(prob), prob)


def test_padding_is_cut_off_before_scaling() -> None:
    geometry = Preprocess([ResizeByLong(8), Padding((8, 8))])(photo(6, 12))[1]
    prob = np.zeros((8, 8), np.float32)
    prob[:4] = RNG.random((4, 8), dtype=np.float32)
    prob[4:] = 1e6  # what the network says about the border must leave no trace
    expected = cv2.resize(prob[:4], (12, 6), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(geometry.restore(prob), expected)


def test_scaling_twice_is_undone_by_one_interpolation() -> None:
    geometry = Geometry((10, 20), (Resized((10, 20), (40, 80)), Resized((40, 80), (7, 9))))
    prob = RNG.random((7, 9), dtype=np.float32)
    assert np.array_equal(geometry.restore(prob), cv2.resize(prob, (20, 10), interpolation=cv2.INTER_LINEAR))


def test_scaled_after_padding() -> None:
    geometry = Geometry((10, 20), (Padded((10, 20), (20, 20), (5, 0)), Resized((20, 20), (40, 40))))
    prob = RNG.random((40, 40), dtype=np.float32)
    expected = cv2.resize(prob, (20, 20), interpolation=cv2.INTER_LINEAR)[5:15]
    assert np.array_equal(geometry.restore(prob), expected)


def test_a_map_of_another_size_is_refused() -> None:
    geometry = Preprocess([Resize((8, 8))])(photo(4, 4))[1]
    with pytest.raises(ValueError, match=r"\(8, 8\).*\(4, 4\)"):
        geometry.restore(np.zeros((4, 4), np.float32))


def test_values_by_hand() -> None:
    image = np.array([[[0, 51, 255]]], np.uint8)
    steps = [{"type": "Normalize", "mean": [0.5, 0.2, 0.0], "std": [0.5, 1.0, 2.0]}]
    assert Preprocess.from_transforms(steps)(image)[0].ravel().tolist() == pytest.approx([-1, 0, 0.5], abs=1e-7)
    bgr = Preprocess.from_transforms([{**steps[0], "colour": "bgr"}])(image)[0]
    assert bgr.ravel().tolist() == pytest.approx([1, 0, 0], abs=1e-7)
    grey = Preprocess.from_transforms([{"type": "Normalize", "colour": "gray"}])(np.full((2, 3, 3), 255, np.uint8))[0]
    assert grey.shape == (1, 1, 2, 3) and np.all(grey == 1)
    raw = {"type": "Normalize", "mean": [100.0], "std": [2.0], "colour": "bgr", "max_value": 1}
    assert Preprocess.from_transforms([raw])(image)[0].ravel().tolist() == [77.5, -24.5, -50]
    assert Preprocess([])(image)[0].ravel().tolist() == [0, 51, 255]


def test_normalisation_equals_paddleseg_bit_for_bit() -> None:
    functional = pytest.importorskip("paddleseg.transforms.functional")
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    image = photo(64, 48)
    expected = functional.normalize(image.astype(np.float32), mean, std).transpose(2, 0, 1)
    ours = Preprocess.from_transforms([{"type": "Normalize", "mean": mean.tolist(), "std": std.tolist()}])(image)[0][0]
    assert np.array_equal(ours, expected)


@pytest.mark.parametrize(("transforms", "before", "after"), SIZES)
def test_description_survives_json(transforms: list, before: tuple, after: tuple) -> None:
    normalize = {"type": "Normalize", "mean": [0.1, 0.2, 0.3], "std": [0.5], "colour": "bgr", "max_value": 2}
    preprocess = Preprocess.from_transforms([*transforms, normalize])
    again = Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict())))
    image = photo(*before)
    (a, way_a), (b, way_b) = preprocess(image), again(image)
    assert np.array_equal(a, b) and way_a == way_b
    assert again.to_dict() == preprocess.to_dict()


@pytest.mark.parametrize(
    ("transforms", "expected"),
    [
        ([{"type": "Resize", "target_size": [398, 224]}], (224, 398)),
        ([{"type": "Resize", "target_size": [398, 224], "keep_ratio": True}], None),
        ([{"type": "ResizeByLong", "long_size": 8}], None),
        ([{"type": "ResizeByLong", "long_size": 8}, {"type": "Padding", "target_size": [9, 8]}], (8, 9)),
        ([{"type": "Resize", "target_size": [40, 20]}, {"type": "LimitLong", "max_long": 10}], (5, 10)),
        ([], None),
    ],
)
def test_input_size(transforms: list, expected: tuple | None) -> None:
    assert Preprocess.from_transforms(transforms).input_size_hw == expected


BAD = [
    ([{"type": "Rezise"}], "unknown transform 'Rezise'. Did you mean 'Resize'"),
    ([{}], "unknown transform 'None'"),
    ([{"type": "Resize", "size": [1, 2]}], "unexpected keyword argument 'size'"),
    ([{"type": "Resize", "target_size": 192}], r"Resize: target_size must be a list \[width, height\], got 192"),
    ([{"type": "Resize", "target_size": [1, 2, 3]}], "target_size"),
    ([{"type": "Resize", "target_size": [0, 2]}], "from 1 on, got 0"),
    ([{"type": "Resize", "target_size": [1.5, 2]}], "whole number"),
    ([{"type": "Resize", "interp": "BILINEAR"}], "unknown interp 'BILINEAR'. Did you mean 'LINEAR'"),
    ([{"type": "Resize", "interp": "RANDOM"}], "chance"),
    ([{"type": "Resize", "size_divisor": 0}], "size_divisor"),
    ([{"type": "ResizeByShort", "short_size": [1, 2]}], "chance"),
    ([{"type": "ResizeByShort", "short_size": []}], "empty list"),
    ([{"type": "LimitLong", "max_long": 10, "min_long": 20}], "min_long 20 is larger than max_long 10"),
    ([{"type": "PaddingByAspectRatio", "aspect_ratio": 0}], "over 0"),
    ([{"type": "Normalize"}, {"type": "Resize"}], "Normalize must be the last"),
    ([{"type": "Normalize"}, {"type": "Normalize"}], "only once"),
    ([{"type": "Normalize", "mean": 0.5}], "mean must be a list"),
    ([{"type": "Normalize", "mean": [0.1, 0.2]}], "1 or 3 numbers"),
    ([{"type": "Normalize", "std": [0.5, 0, 0.5]}], "must not hold 0"),
]


@pytest.mark.parametrize(("transforms", "words"), BAD)
def test_wrong_transforms(transforms: list, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Preprocess.from_transforms(transforms)


def test_image_larger_than_its_padding() -> None:
    with pytest.raises(UserError, match=r"height 5, width 9.*height 8, width 8.*LimitLong"):
        Preprocess([Padding((8, 8))])(photo(5, 9))


def test_unknown_version_and_keys_of_a_description() -> None:
    good = Preprocess.from_transforms([{"type": "Normalize"}]).to_dict()
    with pytest.raises(UserError, match="version 2"):
        Preprocess.from_dict({**good, "version": 2})
    with pytest.raises(UserError, match="unknown keys: gamma"):
        Preprocess.from_dict({**good, "gamma": 1})
    with pytest.raises(UserError, match="unknown colour order 'hsv'"):
        Preprocess.from_dict({**good, "colour": "hsv"})


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_photo(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 H×W×3"):
        Preprocess([])(image)


def test_no_state_is_left_by_an_image() -> None:
    """PaddleSeg's ResizeByShort changes itself at the first large photo; ours must not."""
    preprocess = Preprocess.from_transforms([{"type": "ResizeByShort", "short_size": 10, "max_size": 15}])
    alone = preprocess(photo(30, 30))[0].shape
    preprocess(photo(20, 200))
    assert preprocess(photo(30, 30))[0].shape == alone
