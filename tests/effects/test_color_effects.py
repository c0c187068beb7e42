"""Colour transfer, cloning and harmonising, against skimage, OpenCV and the formulas written out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.color import rgb2lab

from paddle_portrait.effects import build_effect
from paddle_portrait.effects.color_transfer import from_lab, to_lab, transfer_colors
from paddle_portrait.errors import UserError

Portrait = tuple[np.ndarray, np.ndarray]


def muted(seed: int, base: tuple[int, int, int], spread: float) -> np.ndarray:
    """Return a picture whose colours stay clear of black, white and the rim of sRGB."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (80, 100, 3)), (0, 0), 2)
    return np.clip(np.array(base) + noise / noise.std() * spread, 60, 200).astype(np.uint8)


def test_colours_go_to_cielab_and_back_as_skimage_has_them(portrait: Portrait) -> None:
    image = portrait[0]
    error = np.abs(to_lab(image) - rgb2lab(image))
    assert error.mean() < 0.15
    assert error.max() < 0.6  # of 100: OpenCV interpolates in a table
    assert np.abs(from_lab(to_lab(image)).astype(int) - image).max() <= 1


def test_the_photo_takes_on_mean_and_spread_of_the_reference() -> None:
    image, reference = muted(1, (150, 110, 100), 8), muted(2, (100, 120, 140), 14)
    moved, wanted = rgb2lab(transfer_colors(image, reference)), rgb2lab(reference)
    assert np.abs(moved.mean(axis=(0, 1)) - wanted.mean(axis=(0, 1))).max() < 0.3
    assert np.allclose(moved.std(axis=(0, 1)), wanted.std(axis=(0, 1)), rtol=0.06)


def test_the_legacy_form_is_the_formula_with_the_inverted_ratio(portrait: Portrait, room: np.ndarray) -> None:
    image = portrait[0]
    values, wanted = (cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float64) for picture in (image, room))
    for channel in range(3):
        own, other = values[..., channel], wanted[..., channel]
        values[..., channel] = (own - own.mean()) * (own.std() / other.std()) + other.mean()
    formula = cv2.cvtColor(np.clip(values, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    difference = np.abs(transfer_colors(image, room, "legacy").astype(int) - formula)
    assert np.quantile(difference, 0.999) <= 2  # a value at a whole number may be cut to the one below


def test_flat_pictures_are_only_moved() -> None:
    flat, other = np.full((8, 9, 3), 90, np.uint8), np.full((5, 4, 3), (140, 120, 100), np.uint8)
    assert np.abs(transfer_colors(flat, other).astype(int) - (140, 120, 100)).max() <= 1
    varied = muted(3, (120, 120, 120), 10)
    assert np.abs(transfer_colors(varied, other).mean(axis=(0, 1)) - (140, 120, 100)).max() < 3
    for form in ("reinhard", "legacy"):
        assert transfer_colors(flat, varied, form).std(axis=(0, 1)).max() == 0  # type: ignore[arg-type]


def test_strength_goes_from_the_own_colours_to_the_others(portrait: Portrait, room: np.ndarray) -> None:
    image = portrait[0]
    assert np.abs(transfer_colors(image, room, strength=0).astype(int) - image).max() <= 1
    distance = [
        np.abs(rgb2lab(transfer_colors(image, room, strength=s)) - rgb2lab(image)).mean() for s in (0.3, 0.6, 1)
    ]
    assert distance == sorted(distance)
    assert distance[0] > 0.5


def disc(size_hw: tuple[int, int]) -> np.ndarray:
    person = np.zeros(size_hw, np.float32)
    cv2.circle(person, (size_hw[1] // 2, size_hw[0] // 2), min(size_hw) // 4, (1.0,), -1)
    return person


def test_the_clone_is_opencvs_where_the_person_is_inside_the_frame() -> None:
    rng = np.random.default_rng(0)
    texture, slope = rng.normal(0, 5, (160, 200, 1)), np.mgrid[:160, :200][1][..., None] * 0.4
    image = np.clip(100 + texture + np.array([20, 0, -20]), 0, 255).astype(np.uint8)
    background = np.clip(90 + slope + np.array([0, 10, 30]), 0, 255).astype(np.uint8)
    person = disc((160, 200))
    ours = build_effect("seamless_clone", side=160, widen=0)(image, person, background)
    mask = (person * 255).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    theirs = cv2.seamlessClone(image, background, mask.copy(), (x + w // 2, y + h // 2), cv2.NORMAL_CLONE)
    inner = cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0
    assert np.abs(ours[inner].astype(int) - theirs[inner]).mean() < 2.5
    assert np.array_equal(ours[mask == 0], background[mask == 0])
    # The colours moved by far more than that.
    assert np.abs(ours[inner].astype(int) - image[inner]).mean() > 20


def test_a_clone_shows_no_seam(portrait: Portrait, room: np.ndarray) -> None:
    person = disc((120, 160))
    image, background = np.full((120, 160, 3), 200, np.uint8), np.full((120, 160, 3), 60, np.uint8)
    image[60, 80] = 220
    picture = build_effect("seamless_clone")(image, person, background)
    others = np.ones((120, 160), bool)
    others[60, 80] = False
    assert np.abs(picture[others].astype(int) - 60).max() <= 2
    assert np.abs(picture[60, 80].astype(int) - 80).max() <= 2


def test_harmonising_moves_towards_the_background_and_not_all_the_way() -> None:
    person = disc((120, 160))
    image, background = muted(1, (170, 150, 140), 8), muted(2, (80, 90, 120), 14)
    image, background = (cv2.resize(picture, (160, 120)) for picture in (image, background))
    inside = person > 0.99

    def mean(picture: np.ndarray) -> np.ndarray:
        return rgb2lab(picture)[inside].mean(axis=0)

    before, wanted = mean(image), rgb2lab(background).mean(axis=(0, 1))
    half, full = (mean(build_effect("harmonize", strength=s)(image, person, background)) for s in (0.5, 1))
    for nearer, farther in ((half, before), (full, half)):
        assert np.all(np.abs(nearer - wanted) < np.abs(farther - wanted))
    assert abs(full[0] - before[0]) == pytest.approx(0.5 * abs(wanted[0] - before[0]), rel=0.1)


def write_network(path: Path, names: tuple[str, str] = ("data", "mask"), channels: int = 3) -> Path:
    """Write a network that adds 20 to blue where the mask is full, and nothing where it is empty."""
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    data, mask = (
        helper.make_tensor_value_info(n, floats, [1, c, 512, 512]) for n, c in zip(names, (3, 1), strict=True)
    )
    answer = helper.make_tensor_value_info("answer", floats, [1, channels, 512, 512])
    weight = np.zeros((channels, 4, 1, 1), np.float32)
    weight[range(min(3, channels)), range(min(3, channels))] = 1
    weight[0, 3] = 20 / 255
    bias = np.zeros(channels, np.float32)
    bias[0] = 20 * 128 / 255  # the mask arrives less 128
    nodes = [
        helper.make_node("Concat", list(names), ["both"], axis=1),
        helper.make_node("Conv", ["both", "weight", "bias"], ["answer"], kernel_shape=[1, 1]),
    ]
    constants = [onnx.numpy_helper.from_array(array, name) for array, name in ((weight, "weight"), (bias, "bias"))]
    graph = helper.make_graph(nodes, "harmonise", [data, mask], [answer], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_a_network_is_fed_and_read_as_published(tmp_path: Path) -> None:
    person = disc((120, 160))
    image, background = muted(1, (170, 150, 140), 8), muted(2, (80, 90, 120), 14)
    image, background = (cv2.resize(picture, (160, 120)) for picture in (image, background))
    effect = build_effect("harmonize", model=str(write_network(tmp_path / "blue é.onnx")))
    change = effect(image, person, background).astype(int) - build_effect("replace")(image, person, background)
    inner = cv2.erode(person, np.ones((5, 5), np.uint8)) == 1
    assert np.abs(change[inner] - (0, 0, 20)).max() <= 1
    assert np.all(change[person == 0] == 0)


def test_networks_that_do_not_fit_are_named(tmp_path: Path) -> None:
    image, person = np.zeros((20, 30, 3), np.uint8), np.ones((20, 30), np.float32)
    (tmp_path / "text.onnx").write_text("no network", encoding="utf-8")
    cases = [
        (tmp_path / "missing.onnx", "cannot be read"),
        (tmp_path, "cannot be read|cannot read"),
        (tmp_path / "text.onnx", "cannot read this network"),
        (write_network(tmp_path / "names.onnx", ("photo", "matte")), "'data' and a 'mask'"),
        (write_network(tmp_path / "four.onnx", channels=4), "answers with shape"),
    ]
    for file, message in cases:
        with pytest.raises(UserError, match=message):
            build_effect("harmonize", model=file)(image, person, image)
