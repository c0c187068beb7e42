"""Blurred and coarsened backgrounds: nothing of the person in them, and nothing else lost."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from paddle_portrait.effects import background_plate, build_effect

GREY, RED = 128, (230, 20, 20)


def red_on_grey(edge_sigma: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Return a red person with a soft outline before grey, mixed as a lens mixes them."""
    shape = np.zeros((240, 320), np.float32)
    cv2.ellipse(shape, (160, 230), (70, 150), 0, 0, 360, (1.0,), -1)
    person = np.clip(cv2.GaussianBlur(shape, (0, 0), edge_sigma), 0, 1)
    mixed = person[..., None] * np.array(RED, np.float32) + (1 - person[..., None]) * GREY
    return np.rint(mixed).astype(np.uint8), person


BLURS: list[tuple[str, dict[str, Any]]] = [
    ("blur", {"radius": 0.004}),
    ("blur", {}),
    ("blur", {"radius": 0.15}),
    ("bokeh", {"radius": 0.01}),
    ("bokeh", {}),
    ("bokeh", {"radius": 0.2, "highlights": 20}),
    ("pixelate", {"block": 5}),
    ("pixelate", {}),
]


@pytest.mark.parametrize(("name", "options"), BLURS)
def test_no_red_of_the_person_is_in_the_background(name: str, options: dict[str, Any]) -> None:
    image, person = red_on_grey()
    picture = build_effect(name, **options)(image, person)
    outside = picture[person < 0.002].astype(int)
    assert np.abs(outside - GREY).max() <= 1
    # The plain way, for comparison: it does leave a halo.
    plain = cv2.GaussianBlur(image, (0, 0), 5)
    assert np.abs(plain[person < 0.002].astype(int) - GREY).max() > 20


@pytest.mark.parametrize(("name", "options"), BLURS)
def test_a_mask_that_is_two_pixels_too_small_leaves_no_halo_either(name: str, options: dict[str, Any]) -> None:
    image, person = red_on_grey(0.6)
    tight = cv2.erode(person, np.ones((3, 3), np.uint8))
    picture = build_effect(name, **options)(image, tight)
    far = cv2.dilate(person, np.ones((9, 9), np.uint8)) == 0
    assert np.abs(picture[far].astype(int) - GREY).max() <= 4


def test_pixelating_the_person_takes_nothing_of_the_background() -> None:
    image, person = red_on_grey()
    picture = build_effect("pixelate", part="person", block=16)(image, person)
    assert np.abs(picture[person > 0.998].astype(int) - RED).max() <= 1
    assert np.array_equal(picture[person == 0], image[person == 0])


def test_without_a_person_a_small_blur_is_the_gaussian() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    picture = build_effect("blur", radius=2 / 240)(image, np.zeros((240, 320), np.float32))
    gaussian = cv2.GaussianBlur(image.astype(np.float64), (0, 0), 2, borderType=cv2.BORDER_REFLECT)
    assert np.abs(picture - gaussian).max() < 0.51


def test_a_wide_blur_is_nearly_the_gaussian(portrait: tuple[np.ndarray, np.ndarray]) -> None:
    image, _ = portrait
    picture = build_effect("blur", radius=0.1)(image, np.zeros(image.shape[:2], np.float32))
    error = np.abs(picture - cv2.GaussianBlur(image.astype(np.float64), (0, 0), 18, borderType=cv2.BORDER_REFLECT))
    assert error.mean() < 0.6
    assert error.max() < 3


def test_blur_keeps_the_place_of_things() -> None:
    image = np.zeros((203, 301, 3), np.uint8)
    image[80:90, 200:210] = 255
    picture = build_effect("blur", radius=0.06)(image, np.zeros((203, 301), np.float32))[..., 0].astype(float)
    y, x = (np.average(axis, weights=picture) for axis in np.mgrid[:203, :301])
    assert (y, x) == pytest.approx((84.5, 204.5), abs=0.5)


def test_bokeh_makes_a_disc_of_a_lamp() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[98:103, 98:103] = 255
    picture = build_effect("bokeh", radius=0.1)(image, np.zeros((200, 200), np.float32))[..., 0]
    distance = np.hypot(*(np.mgrid[:200, :200] - 100))
    lit = picture > picture.max() * 0.6
    assert lit[distance < 14].all()
    assert not lit[distance > 28].any()
    # Flat inside: a Gaussian would fall by half between the middle and half the radius.
    assert picture[100, 110] > 0.9 * picture[100, 100]


def test_bokeh_leaves_an_even_wall_as_bright_as_it_was() -> None:
    image = np.full((60, 80, 3), 230, np.uint8)
    picture = build_effect("bokeh", highlights=20)(image, np.zeros((60, 80), np.float32))
    assert np.abs(picture.astype(int) - 230).max() <= 1


def test_highlights_shine_more_when_asked() -> None:
    image = np.full((100, 100, 3), 20, np.uint8)
    image[49:52, 49:52] = 255
    person = np.zeros((100, 100), np.float32)
    dull, bright = (int(build_effect("bokeh", highlights=gain)(image, person)[50, 50, 0]) for gain in (0, 10))
    assert bright > dull + 30


def test_blocks_are_the_means_of_their_pixels() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    picture = build_effect("pixelate", block=2)(image, np.zeros((4, 6), np.float32))
    means = image.reshape(2, 2, 3, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(picture[::2, ::2] - means).max() <= 0.5
    assert np.array_equal(picture[::2], picture[1::2])
    assert np.array_equal(picture[:, ::2], picture[:, 1::2])


def test_blocks_cut_off_by_the_frame_are_means_of_what_is_left() -> None:
    image = np.zeros((5, 5, 3), np.uint8)
    image[4:] = 100
    image[4, 4] = 200
    picture = build_effect("pixelate", block=4)(image, np.zeros((5, 5), np.float32))
    assert picture[4, :4].tolist() == [[100] * 3] * 4
    assert picture[4, 4].tolist() == [200] * 3
    assert picture[0, 4].tolist() == [0] * 3


def test_the_plate_is_the_background_where_it_is_seen_and_smooth_where_it_is_not() -> None:
    y, x = np.mgrid[:120, :160].astype(np.float32)
    slope = np.dstack([x, y, 255 - x])
    person = np.zeros((120, 160), np.float32)
    person[30:90, 50:110] = 1
    image = np.where(person[..., None] == 1, 0, slope).astype(np.uint8)
    plate = background_plate(image, person)
    assert np.array_equal(plate[person == 0][:100], image[person == 0][:100])
    assert np.abs(plate - slope).max() < 25  # black would be up to 255 away


def test_a_picture_full_of_person_has_a_plate_all_the_same() -> None:
    image = np.full((20, 30, 3), 77, np.uint8)
    assert np.all(background_plate(image, np.ones((20, 30), np.float32), 4) == 77)
