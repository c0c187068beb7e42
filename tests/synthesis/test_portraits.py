"""Generated portraits: the same seed gives the same picture, alphas are exact and soft, people vary."""

from __future__ import annotations

import numpy as np
import pytest

from paddle_portrait.data.synthesis import render_empty_room, render_portrait
from paddle_portrait.data.synthesis.arms import draw_arm
from paddle_portrait.data.synthesis.body import Body
from paddle_portrait.data.synthesis.canvas import Box, Canvas, Frame, cover_of, ellipse, limb
from paddle_portrait.data.synthesis.figure import draw_person
from paddle_portrait.data.synthesis.light import sample_light
from paddle_portrait.data.synthesis.person import ARMS, GARMENTS, HAIR_STYLES, HATS, Pose, sample_person, sample_pose


@pytest.fixture(scope="module")
def portraits() -> list[tuple[np.ndarray, np.ndarray]]:
    return [render_portrait(seed, (128, 96)) for seed in range(60)]


def test_types_and_ranges(portraits: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for image, alpha in portraits:
        assert image.shape == (128, 96, 3) and image.dtype == np.uint8
        assert alpha.shape == (128, 96) and alpha.dtype == np.float32
        assert alpha.min() >= 0 and alpha.max() <= 1


@pytest.mark.parametrize("size", [(64, 64), (90, 160), (257, 131)])
def test_same_seed_same_picture(size: tuple[int, int]) -> None:
    first, second = render_portrait(5, size), render_portrait(np.random.default_rng(5), size)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.array_equal(render_empty_room(5, size), render_empty_room(5, size))
    assert not np.array_equal(first[0], render_portrait(6, size)[0])


def test_people_fill_the_frame_as_in_portraits(portraits: list[tuple[np.ndarray, np.ndarray]]) -> None:
    areas = np.array([alpha.mean() for _, alpha in portraits])
    assert 0.4 < np.median(areas) < 0.7
    assert areas.std() > 0.1 and areas.min() > 0.01
    touching = np.array([alpha[-1].mean() for _, alpha in portraits])
    assert np.median(touching) > 0.6, "most people reach the lower edge"


def test_edges_are_soft_and_narrow(portraits: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for _, alpha in portraits:
        between = ((alpha > 0.05) & (alpha < 0.95)).mean()
        assert 0.001 < between < 0.2
    assert max(np.unique(alpha).size for _, alpha in portraits) > 50


def test_colours_do_not_give_the_person_away(portraits: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """The best single threshold on any one colour channel must do badly."""
    pixels = np.concatenate([image[::4, ::4].reshape(-1, 3) for image, _ in portraits]).astype(int)
    person = np.concatenate([alpha[::4, ::4].ravel() > 0.5 for _, alpha in portraits])
    for channel in range(3):
        for threshold in range(20, 240, 20):
            agreement = ((pixels[:, channel] > threshold) == person).mean()
            assert max(agreement, 1 - agreement) < 0.7


def test_shapes_have_the_area_they_should_have() -> None:
    box = Box(0, 0, 200, 160)
    circle = cover_of([ellipse((90.3, 70.7), (40, 40), count=200)], box)
    assert circle.sum() == pytest.approx(np.pi * 40**2, rel=0.02)
    square = cover_of([np.array([(20.0, 20.0), (60.0, 20.0), (60.0, 60.0), (20.0, 60.0)])], box)
    assert square.sum() == pytest.approx(1600, rel=0.03)
    bent = cover_of(limb(np.array([(50.0, 120.0), (120.0, 30.0), (60.0, 110.0)]), (15, 15)), box)
    assert bent[100, 62] == 1 and bent[45, 108] == 1, "a sharp bend has a hole"


def test_frames_invert() -> None:
    frame = Frame(37.0, 0.4, (12.5, -3.25)).child((0.3, -0.2), -0.9, 1.7)
    x, y = frame.grid(Box(10, 20, 40, 44))
    back = frame.pixels(np.stack([x, y], -1))
    assert np.allclose(back[..., 0], np.arange(10, 40)[None], atol=1e-3)
    assert np.allclose(back[..., 1], np.arange(20, 44)[:, None], atol=1e-3)


def test_alpha_is_how_much_of_the_background_is_hidden() -> None:
    """The same person before a black and a white wall: what differs is what shines through."""
    for seed in range(25):
        walls = []
        for tone in (0.0, 1.0):
            rng = np.random.default_rng(seed)
            canvas = Canvas(np.full((120, 100, 3), tone, np.float32))
            draw_person(canvas, Frame(45.0, 0.0, (50.0, 45.0)), sample_person(rng), sample_pose(rng), sample_light(rng))
            walls.append(canvas)
        assert np.array_equal(walls[0].alpha, walls[1].alpha)
        shining = (walls[1].rgb - walls[0].rgb).mean(axis=-1)
        # Seams between limbs also darken the share of the wall in their edge pixels.
        error = np.abs(shining - (1 - walls[0].alpha))
        assert error.mean() < 0.002 and error.max() < 0.2


def test_every_choice_occurs_and_draws() -> None:
    people = [sample_person(np.random.default_rng(seed)) for seed in range(600)]
    assert {person.hair.style for person in people} == set(HAIR_STYLES)
    assert {person.outfit.garment for person in people} == set(GARMENTS)
    assert {person.outfit.hat for person in people} == set(HATS)
    skins = np.array([person.face.skin.mean() for person in people])
    assert skins.min() < 0.25 and skins.max() > 0.8


@pytest.mark.parametrize("kind", ARMS)
def test_every_gesture_draws_on_both_sides(kind: str) -> None:
    rng = np.random.default_rng(3)
    person, light = sample_person(rng), sample_light(rng)
    pose = Pose(arms=(kind, kind))
    for index in (0, 1):
        canvas = Canvas(np.zeros((200, 200, 3), np.float32))
        draw_arm(canvas, Frame(40.0, 0.0, (100.0, 60.0)), person, Body(person, pose), pose, index, light)
        assert canvas.alpha.sum() > 500


def test_a_pose_moves_the_picture_and_nothing_else() -> None:
    """Frames of a video: the same person in two poses keeps skin, hair and clothes."""
    rng = np.random.default_rng(8)
    person, light = sample_person(rng), sample_light(rng)
    frames = []
    for yaw in (0.0, 0.02):
        canvas = Canvas(np.zeros((120, 100, 3), np.float32))
        draw_person(canvas, Frame(50.0, 0.0, (50.0, 45.0)), person, Pose(yaw=yaw), light)
        frames.append(canvas)
    assert not np.array_equal(frames[0].rgb, frames[1].rgb)
    assert np.abs(frames[0].rgb - frames[1].rgb).mean() < 0.02
