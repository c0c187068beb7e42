"""Refiners of masks against brute force and hand-made masks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from paddle_portrait.effects import build_refiner, guided_upsample
from paddle_portrait.effects.guided import linear_model
from paddle_portrait.errors import UserError

Portrait = tuple[np.ndarray, np.ndarray]
BLANK = np.zeros((60, 80, 3), np.uint8)


def coarse(person: np.ndarray, factor: int = 8) -> np.ndarray:
    """Return what a small network would give: the mask at an eighth of the size."""
    return cv2.resize(person, (person.shape[1] // factor, person.shape[0] // factor), interpolation=cv2.INTER_AREA)


def error(person: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(person - truth).mean())


def test_smooth_step_follows_its_formula() -> None:
    person = np.array([[0.0, 0.3, 0.35, 0.4, 0.5, 0.9]], np.float32)
    image = BLANK[:1, :6]
    hermite = build_refiner("smooth_step")(image, person)
    assert hermite == pytest.approx(np.array([[0, 0, 0.15625, 0.5, 1, 1]]), abs=1e-5)
    android = build_refiner("smooth_step", form="android")(image, person)
    assert android == pytest.approx(np.array([[0, 0.36, 0.49, 0.64, 1, 1]]), abs=1e-5)


def test_soft_edge_is_one_width_whatever_the_network_said() -> None:
    sharp, vague = np.zeros((256, 256), np.float32), np.zeros((256, 256), np.float32)
    sharp[:, 128:] = 1
    vague[:] = np.clip((np.arange(256) - 100) / 56, 0, 1)  # a ramp through 0.5 at 128
    vague[:, 128] = 0.6
    image = np.zeros((256, 256, 3), np.uint8)
    edges = [build_refiner("soft_edge")(image, mask)[0] for mask in (sharp, vague)]
    assert np.array_equal(*edges)
    gaussian = cv2.getGaussianKernel(7, 1.0).ravel()
    assert edges[0][124:132] == pytest.approx([0, *np.cumsum(gaussian)], abs=1e-5)


def test_specks_go_and_holes_are_filled() -> None:
    person = np.zeros((60, 80), np.float32)
    person[10:, 20:60] = 1
    truth = person.copy()
    person[2:5, 2:5], person[1:6, 1] = 0.9, 0.3  # a speck and its faint rim
    person[0, 1:3] = 0.04
    person[30:33, 30:33], person[29, 30:33], person[33, 30:33] = 0.1, 0.7, 0.95  # a hole and its soft rim
    assert np.array_equal(build_refiner("clean")(BLANK, person), truth)


def test_large_parts_and_openings_are_kept() -> None:
    person = np.zeros((60, 80), np.float32)
    person[10:, 5:35], person[20:, 45:75] = 1, 1  # two people
    person[50:53, 34:46] = 1  # holding hands: an opening to the frame below stays
    person[25:45, 12:28] = 0  # a large hole: behind an arm on the hip
    assert np.array_equal(build_refiner("clean")(BLANK, person), person)
    apart = np.where(np.arange(80) == 40, np.float32(0), person)
    one = build_refiner("clean", speck=1.0)(BLANK, apart)
    assert np.array_equal(one, np.where(np.arange(80) > 40, apart, 0))


def test_soft_hair_is_not_touched_by_cleaning(portrait: Portrait) -> None:
    image, person = portrait
    cleaned = build_refiner("clean")(image, person)
    assert error(cleaned, person) < 0.002


def test_pp_humanseg_keeps_what_is_near_a_solid_piece() -> None:
    person = np.zeros((60, 80), np.float32)
    person[20:50, 30:60] = 1
    person[20:50, 60:75] = 0.5  # up to 12 pixels from the eroded piece it stays; erosion takes 2
    person[5:8, 5:8] = 1  # three pixels do not survive the erosion
    result = build_refiner("pp_humanseg")(BLANK, person)
    levels = (person * 255).astype(np.uint8)
    _, sure = cv2.threshold(levels, 240, 1, cv2.THRESH_BINARY)
    sure = cv2.erode(sure, cv2.getStructuringElement(cv2.MORPH_CROSS, (5, 5)))
    sure = cv2.dilate(sure, cv2.getStructuringElement(cv2.MORPH_CROSS, (25, 25)))
    assert np.array_equal(result, person * sure)
    assert result[6, 6] == 0
    assert result[35, 69] == 0.5
    assert result[35, 70] == 0


def brute_force(guide: np.ndarray, target: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """Return the guided filter's output by solving every window's ridge regression with numpy."""
    height, width = target.shape
    models = np.zeros((height, width, 4))

    def window(y: int, x: int) -> tuple[slice, slice]:
        return slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)

    for y in range(height):
        for x in range(width):
            colors, values = guide[window(y, x)].reshape(-1, 3), target[window(y, x)].ravel()
            centred = colors - colors.mean(axis=0)
            system = centred.T @ centred / len(values) + epsilon * np.eye(3)
            slope = np.linalg.solve(system, centred.T @ (values - values.mean()) / len(values))
            models[y, x] = [*slope, values.mean() - slope @ colors.mean(axis=0)]
    means = np.array([[models[window(y, x)].mean(axis=(0, 1)) for x in range(width)] for y in range(height)])
    return (means[..., :3] * guide).sum(axis=2) + means[..., 3]


@pytest.mark.parametrize(("radius", "epsilon"), [(1, 1e-2), (3, 1e-3), (9, 1e-4)])
def test_the_guided_filter_is_what_its_windows_say(radius: int, epsilon: float) -> None:
    rng = np.random.default_rng(radius)
    guide, target = rng.random((15, 21, 3), dtype=np.float32), rng.random((15, 21), dtype=np.float32)
    slopes, offset = linear_model(guide, target, radius, epsilon)
    assert (slopes * guide).sum(axis=2) + offset == pytest.approx(brute_force(guide, target, radius, epsilon), abs=2e-4)


def two_colors() -> Portrait:
    """Return a person of another colour than the background, with a wavy outline."""
    y, x = np.mgrid[:240, :320]
    person = (np.abs(x - 160 + 12 * np.sin(y / 9)) < 70).astype(np.float32)
    colors = person[..., None] * np.array([200, 150, 130]) + (1 - person[..., None]) * np.array([60, 90, 80])
    noise = np.random.default_rng(0).normal(0, 4, (240, 320, 3))
    return np.clip(colors + noise, 0, 255).astype(np.uint8), person


def test_upsampling_along_the_photos_edges_beats_a_plain_one() -> None:
    image, person = two_colors()
    small = coarse(person)
    plain = cv2.resize(small, (320, 240), interpolation=cv2.INTER_LINEAR)
    assert error(guided_upsample(image, small), person) < 0.3 * error(plain, person)
    assert error(build_refiner("guided", mask_side=30)(image, plain), person) < 0.3 * error(plain, person)


def test_upsampling_without_edges_in_the_photo_is_smooth() -> None:
    small = np.tile(np.linspace(0, 1, 20, dtype=np.float32), (10, 1))
    result = guided_upsample(np.full((80, 160, 3), 128, np.uint8), small, radius=1)
    assert result.shape == (80, 160)
    assert np.abs(np.diff(result, axis=1)).max() < 0.02


def test_upsampling_refuses_what_cannot_be_upsampled() -> None:
    small = np.zeros((6, 8), np.float32)
    for image, mask, options, message in [
        (BLANK, np.zeros((61, 8), np.float32), {}, "must fit into the image"),
        (BLANK, small[:0], {}, "must fit into the image"),
        (BLANK, small[..., None], {}, "must fit into the image"),
        (BLANK, small.astype(np.uint8), {}, "probability is uint8"),
        (BLANK, small, {"radius": 0}, "radius 0"),
        (BLANK, small, {"epsilon": 0}, "epsilon 0"),
        (BLANK[..., 0], small, {}, "the image"),
    ]:
        with pytest.raises(UserError, match=message):
            guided_upsample(image, mask, **options)


def test_grabcut_finds_the_outline_that_the_network_missed() -> None:
    image, person = two_colors()
    plain = cv2.resize(coarse(person, 16), (320, 240), interpolation=cv2.INTER_LINEAR)
    before = cv2.getRNGSeed() if hasattr(cv2, "getRNGSeed") else None
    cut = build_refiner("grabcut")(image, plain)
    assert error(cut, person) < 0.3 * error(plain, person)
    assert np.array_equal(cut, build_refiner("grabcut")(image, plain))
    assert before is None or before == cv2.getRNGSeed()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_grabcut_leaves_a_mask_without_two_sides(value: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    person = np.full((60, 80), value, np.float32)
    assert np.array_equal(build_refiner("grabcut")(image, person), person)
