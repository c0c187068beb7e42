"""Blending and backgrounds against hand-computed values and double precision."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_portrait.effects import alpha_blend, blend_uint8, build_effect, fit_background, to_alpha
from paddle_portrait.errors import UserError


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    image, background = (rng.integers(0, 256, (97, 131, 3), dtype=np.uint8) for _ in range(2))
    return image, rng.random((97, 131), dtype=np.float32), background


def test_both_blends_agree_with_double_precision() -> None:
    image, person, background = scene()
    part = person.astype(np.float64)[..., None]
    truth = image * part + background * (1 - part)
    assert np.abs(alpha_blend(image, person, background, accurate=True) - truth).max() <= 0.5 + 1e-4
    # Opacity in 255 steps moves a value by half a level at most, and each of the two roundings by another half.
    assert np.abs(alpha_blend(image, person, background) - truth).max() <= 1.5


def test_full_and_no_opacity_give_back_either_picture_exactly() -> None:
    image, _, background = scene()
    full = np.full(image.shape[:2], 255, np.uint8)
    assert np.array_equal(blend_uint8(image, background, full), image)
    assert np.array_equal(blend_uint8(image, background, full * 0), background)


def test_planes_are_blended_like_pictures() -> None:
    image, person, background = scene()
    alpha = to_alpha(person)
    blended = blend_uint8(image, background, alpha)
    for channel in range(3):
        plane = blend_uint8(image[..., channel].copy(), background[..., channel].copy(), alpha)
        assert np.array_equal(plane, blended[..., channel])
    one = blend_uint8(image[..., :1].copy(), background[..., :1].copy(), alpha)
    assert np.array_equal(one[..., 0], blended[..., 0])


def test_opacity_is_rounded_and_bounded() -> None:
    levels = to_alpha(np.array([[0, 0.001, 0.0021, 2.5 / 255, 0.5, 0.997, 1, 1.7, -3]], np.float32))
    assert levels.tolist() == [[0, 0, 1, 2, 128, 254, 255, 255, 0]]


def test_hand_computed_replacement() -> None:
    image, background = np.full((1, 4, 3), 200, np.uint8), np.full((1, 4, 3), 100, np.uint8)
    person = np.array([[0.0, 0.25, 0.5, 1.0]], np.float32)
    picture = build_effect("replace")(image, person, background)
    assert np.abs(picture[0, :, 0].astype(int) - [100, 125, 150, 200]).max() <= 1
    assert picture[0, [0, 3], 0].tolist() == [100, 200]


def test_cut_out_keeps_the_persons_colours_and_nothing_of_the_room() -> None:
    image, person, _ = scene()
    person[:, :40] = 0
    cut = build_effect("cutout")(image, person)
    seen = cut[..., 3] > 0
    assert np.array_equal(cut[..., 3], to_alpha(person))
    assert np.array_equal(cut[seen][:, :3], image[seen])
    assert np.all(cut[:, :40] == 0)


def test_colour_is_the_one_asked_for() -> None:
    image, person, _ = scene()
    picture = build_effect("color", color="#0a141e")(image, np.zeros_like(person))
    assert np.unique(picture.reshape(-1, 3), axis=0).tolist() == [[10, 20, 30]]


def columns(values: list[int], height: int = 2) -> np.ndarray:
    return np.repeat(np.repeat(np.array(values, np.uint8)[None, :, None], height, axis=0), 3, axis=2)


def row(picture: np.ndarray) -> list[int]:
    return picture[0, :, 0].tolist()


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("fit", [0, 10, 20, 30, 40, 0]),  # 4x2 into 6x2: all of it, a bar at each side
        ("mirror", [10, 10, 20, 30, 40, 40]),
    ],
)
def test_a_narrow_background_is_framed(mode: str, wanted: list[int]) -> None:
    assert row(fit_background(columns([10, 20, 30, 40]), (2, 6), mode)) == wanted  # type: ignore[arg-type]


def test_a_wide_background_is_cut_or_squeezed() -> None:
    wide = columns([10, 20, 30, 40, 50, 60])
    assert row(fit_background(wide, (2, 4), "fill")) == [20, 30, 40, 50]
    squeezed = fit_background(columns([10, 30, 50, 70]), (2, 2), "stretch")
    assert squeezed.shape == (2, 2, 3)
    assert row(squeezed)[0] < row(squeezed)[1]


@pytest.mark.parametrize("mode", ["fit", "fill", "mirror", "stretch"])
@pytest.mark.parametrize("size_hw", [(1, 1), (1, 50), (50, 1), (33, 77), (180, 90)], ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (40, 40)], ids=str)
def test_any_background_comes_to_any_size(mode: str, size_hw: tuple[int, int], shape: tuple[int, int]) -> None:
    background = np.full((*shape, 3), 90, np.uint8)
    fitted = fit_background(background, size_hw, mode)  # type: ignore[arg-type]
    assert fitted.shape == (*size_hw, 3)
    if mode != "fit":
        assert np.all(fitted == 90)


def test_mirroring_continues_the_picture_as_often_as_needed() -> None:
    fitted = row(fit_background(columns([10, 200]), (2, 10), "mirror"))
    assert fitted == [10, 200, 200, 10, 10, 200, 200, 10, 10, 200] or set(fitted) == {10, 200}
    assert fitted == fitted[:4] * 2 + fitted[:2]


def test_a_background_of_the_right_size_is_not_copied() -> None:
    background = columns([1, 2, 3])
    assert fit_background(background, (2, 3), "mirror") is background


def test_a_background_needs_a_size_and_a_known_mode() -> None:
    with pytest.raises(UserError, match="0x2"):
        fit_background(columns([1]), (2, 0))
    with pytest.raises(UserError, match="Allowed: fill, fit, mirror, stretch"):
        fit_background(columns([1]), (2, 2), "cover")  # type: ignore[arg-type]
